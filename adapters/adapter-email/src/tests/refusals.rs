//! What the server or the operator does not take.

use serde_json::json;
use worker_api::{Adapter, Retry, TaskError};

use super::{adapter, code, context, failure, send, server, settings, with_file};

#[tokio::test]
async fn a_refused_recipient_is_a_bpmn_error_and_nobody_gets_the_mail() {
    let inputs = json!({"to": "ida@shop.example, nobody@shop.example", "subject": "x", "body": "x"});
    match send(inputs).await {
        Err(TaskError::Bpmn(error)) => {
            assert_eq!(error.code, "EMAIL_RECIPIENT_REFUSED");
            let refused = error.variables["refused"].to_json();
            assert_eq!(refused[0]["address"], "nobody@shop.example");
            assert!(
                refused[0]["reason"].as_str().unwrap().contains("rejected"),
                "{refused}"
            );
        }
        other => panic!("{other:?}"),
    }
    // The next mail goes over the same connection, and is the first to arrive.
    send(json!({"to": "ida@shop.example", "subject": "second", "body": "x"}))
        .await
        .unwrap();
    let mail = server().mail("ida", 1).await;
    assert!(mail.len() == 1 && mail[0].contains("Subject: second"), "{mail:?}");
}

#[tokio::test]
async fn a_mail_that_is_too_large_is_a_bpmn_error() {
    let inputs = json!({"to": "jo@shop.example", "subject": "x", "attachments": ["file"]});
    let large = |inputs| with_file(context(inputs), "file", "x", "text/plain", &[b'x'; 300_000]);
    // By the server's word, which takes 200,000 bytes, and by the operator's.
    assert_eq!(
        code(adapter(settings()).execute(large(inputs.clone())).await),
        "EMAIL_TOO_LARGE"
    );
    let mut small = settings();
    small["max_bytes"] = json!("1Ki");
    assert_eq!(
        code(adapter(small).execute(large(inputs)).await),
        "EMAIL_TOO_LARGE"
    );
}

#[tokio::test]
async fn only_those_may_be_written_to_whom_the_operator_names() {
    let mut some = settings();
    some["recipients"] = json!(["shop.example", "ada@elsewhere.example"]);
    some["max_recipients"] = json!(2);
    let adapter = adapter(some);
    let to = async |to: &str| adapter.execute(context(json!({"to": to, "subject": "x"}))).await;
    to("kim@shop.example, Ada@elsewhere.example").await.unwrap();
    for (recipients, why) in [
        ("bob@elsewhere.example", "may not send to bob@elsewhere.example"),
        ("eve@notshop.example", "may not send to"),
        (
            "a@shop.example, b@shop.example, c@shop.example",
            "has 3 recipients",
        ),
        ("", "no recipient"),
        ("Ada", "is no address"),
        ("a@shop.example\r\nRCPT TO:<b@shop.example>", "is no address"),
    ] {
        let failure = failure(to(recipients).await);
        assert!(failure.message.contains(why), "{recipients}: {failure}");
        assert!(
            failure.nothing_done && failure.retry == Retry::Never,
            "{failure:?}"
        );
    }
}

#[tokio::test]
async fn inputs_that_are_no_files_are_named() {
    for (inputs, why) in [
        (
            json!({"attachments": ["bill"]}),
            "the input `attachments` names the input `bill`",
        ),
        (json!({"attachments": ["subject"]}), "which is no file"),
        (json!({"images": {"logo": "logo"}}), "`images` is for HTML"),
    ] {
        let mut all = json!({"to": "lea@shop.example", "subject": "x", "body": "x"});
        all.as_object_mut()
            .unwrap()
            .extend(inputs.as_object().unwrap().clone());
        let failure = failure(send(all).await);
        assert!(
            failure.message.contains(why) && failure.nothing_done,
            "{failure:?}"
        );
    }
}
