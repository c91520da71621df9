//! What arrives.

use serde_json::{Value as Json, json};
use worker_api::{Adapter, Effect};

use super::{adapter, context, failure, filled, parsed, send, server, settings, with_file};

async fn arrived(name: &str, count: usize) -> Json {
    parsed(server().mail(name, count).await.last().unwrap())
}

#[tokio::test]
async fn a_mail_arrives_as_it_was_meant() {
    let answer = send(json!({
        "to": "Ada Löwe <ada@shop.example>, bea@shop.example", "cc": ["cleo@shop.example"],
        "bcc": "dora@shop.example", "reply_to": "help@shop.example",
        "subject": "Your order Ä-1\r\nBcc: everybody@shop.example", "body": "Hello,\n.\nit is on its way: 3 €\n",
        "in_reply_to": "<before@shop.example>",
    }))
    .await
    .unwrap();
    let id = "<procos.6f1c-7@shop.example>";
    assert_eq!(answer.fields()["message_id"].to_json(), json!(id));
    let everybody = ["ada", "bea", "cleo", "dora"];
    assert_eq!(
        answer.fields()["accepted"].to_json(),
        json!(everybody.map(|name| format!("{name}@shop.example")))
    );
    for name in everybody {
        let mail = arrived(name, 1).await;
        let header = |name: &str| mail["headers"][name].as_str().unwrap_or_default().to_owned();
        assert_eq!(mail["faults"], json!([]));
        assert_eq!(header("from"), "Orders <orders@shop.example>");
        assert_eq!(header("to"), "Ada Löwe <ada@shop.example>, bea@shop.example");
        assert_eq!(header("cc"), "cleo@shop.example");
        assert_eq!(header("bcc"), "", "nobody sees it");
        assert_eq!(header("reply-to"), "help@shop.example");
        assert_eq!(header("subject"), "Your order Ä-1  Bcc: everybody@shop.example");
        assert_eq!(header("message-id"), id);
        assert_eq!(
            (header("in-reply-to"), header("references")),
            ("<before@shop.example>".into(), "<before@shop.example>".into())
        );
        assert_eq!(header("auto-submitted"), "auto-generated");
        assert!(!header("date").is_empty());
        let content = mail["parts"][0]["content"].as_str().unwrap();
        assert_eq!(content.trim_end(), "Hello,\n.\nit is on its way: 3 €");
    }
    assert!(server().mail_of("everybody").is_empty());
}

#[tokio::test]
async fn html_files_and_images_go_along() {
    let inputs = json!({
        "to": "emma@shop.example", "subject": "Bill", "body": "See the bill.",
        "html": "<style>p { color: #a00 }</style><p>See the <img src=\"cid:logo\"> bill.</p>",
        "attachments": ["bill", "list"], "images": {"logo": "picture"},
    });
    let context = with_file(
        context(inputs),
        "bill",
        "Bill Ä.pdf",
        "application/pdf",
        b"%PDF \xff\x00",
    );
    let context = with_file(context, "picture", "logo.png", "image/png", b"\x89PNG");
    let context = with_file(context, "list", "list.csv", "text/csv", b"a,b\r\n");
    adapter(settings()).execute(context).await.unwrap();
    let mail = arrived("emma", 1).await;
    let parts: Vec<Json> = mail["parts"].as_array().unwrap().clone();
    let types: Vec<&str> = parts.iter().map(|part| part["type"].as_str().unwrap()).collect();
    assert_eq!(
        types,
        [
            "multipart/mixed",
            "multipart/alternative",
            "text/plain",
            "multipart/related",
            "text/html",
            "image/png",
            "application/pdf",
            "text/csv"
        ]
    );
    let html = parts[4]["content"].as_str().unwrap();
    assert!(
        html.contains("<p style=\"color: #a00") && html.contains("cid:logo"),
        "{html}"
    );
    assert_eq!(
        (&parts[5]["id"], &parts[5]["shown"]),
        (&json!("<logo>"), &json!("inline"))
    );
    assert_eq!(
        (&parts[6]["name"], &parts[6]["shown"], &parts[6]["content"]),
        (
            &json!("Bill Ä.pdf"),
            &json!("attachment"),
            &json!("%PDF \u{ff}\u{0}")
        )
    );
    assert_eq!(parts[7]["name"], "list.csv");
}

#[tokio::test]
async fn templates_are_filled_in_and_values_are_no_tags() {
    let inputs = json!({
        "to": "fred@shop.example", "subject": "Order {{ id }} for {{ name }}", "body": "Dear {{ name }}",
        "template": "mails/welcome.html", "values": {"id": 7, "name": "<b>Fred</b>"},
    });
    adapter(settings()).execute(filled(inputs)).await.unwrap();
    let mail = arrived("fred", 1).await;
    assert_eq!(mail["headers"]["subject"], "Order 7 for <b>Fred</b>");
    assert_eq!(mail["parts"][1]["content"], "Dear <b>Fred</b>");
    let html = mail["parts"][2]["content"].as_str().unwrap();
    assert!(
        html.contains("<p style=\"color: red") && html.contains("Dear &lt;b&gt;Fred&lt;/b&gt;"),
        "{html}"
    );
    // Without values nothing is a template.
    let plain = json!({"to": "gus@shop.example", "subject": "{{ x }}", "body": "{% raw"});
    send(plain).await.unwrap();
    assert_eq!(arrived("gus", 1).await["headers"]["subject"], "{{ x }}");
    for (inputs, why) in [
        (
            json!({"values": {"a": 1}, "body": "{{ b }}"}),
            "the input `body`: the template",
        ),
        (
            json!({"template": "mails/none.html"}),
            "no file mails/none.html was deployed",
        ),
        (
            json!({"template": "mails/welcome.html", "html": "x"}),
            "leave one of the two out",
        ),
    ] {
        let mut all = json!({"to": "gus@shop.example", "subject": "x"});
        all.as_object_mut()
            .unwrap()
            .extend(inputs.as_object().unwrap().clone());
        let failure = failure(adapter(settings()).execute(filled(all)).await);
        assert!(
            failure.message.contains(why) && failure.nothing_done,
            "{failure:?}"
        );
    }
}

#[tokio::test]
async fn many_mails_go_over_connections_that_are_kept() {
    let adapter = adapter(settings());
    for number in 0..20 {
        let inputs = json!({"to": "hugo@shop.example", "subject": format!("{number}"), "body": "x"});
        adapter.execute(context(inputs)).await.unwrap();
    }
    assert_eq!(server().mail("hugo", 20).await.len(), 20);
}

#[test]
fn a_mail_is_sent_once() {
    let context = context(json!({"to": "x@shop.example", "subject": ""}));
    assert_eq!(adapter(settings()).effect(&context), Effect::Once);
}
