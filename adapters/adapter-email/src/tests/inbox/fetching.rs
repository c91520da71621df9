//! What tasks fetch.

use super::*;

async fn fetch(adapter: &EmailAdapter, inputs: Json) -> Outcome {
    adapter.execute(fetching(inputs)).await
}

fn bpmn(outcome: Outcome) -> BpmnError {
    match outcome.unwrap_err() {
        TaskError::Bpmn(error) => error,
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_mail_is_told_with_all_that_is_in_it() {
    server().deliver("desk-1", LARGE);
    let adapter = adapter(reader("desk-1", json!({})));
    let answer = fetch(&adapter, json!({"attachments": "true"})).await.unwrap();
    let mails = answer.fields()["mails"].to_json();
    let told = &mails[0];
    assert_eq!(told["subject"], "Rückfrage");
    assert_eq!(told["from"], json!({"name": null, "address": "ada@example.com"}));
    assert_eq!(told["to"][1], json!({"name": "B", "address": "b@shop.example"}));
    assert_eq!(told["message_id"], "<l-1@example.com>");
    assert_eq!(told["in_reply_to"], "<o-2@shop.example>");
    assert_eq!(
        told["references"],
        json!(["<o-1@shop.example>", "<o-2@shop.example>"])
    );
    assert_eq!(told["text"].as_str().unwrap().trim(), "Hello");
    assert!(told["html"].as_str().unwrap().contains("<p>Hello</p>"));
    assert_eq!(
        told["attachments"],
        json!([{"name": "a b.pdf", "media_type": "application/pdf", "size": 4, "file": "attachment_1"}])
    );
    let Value::File(file) = &answer.fields()["attachment_1"] else {
        panic!("no file")
    };
    assert_eq!(file.content.bytes().await.unwrap(), &b"%PDF"[..]);
    assert_eq!(answer.fields()["count"].to_json(), 1);
    // It is marked.
    let again = fetch(&adapter, json!({})).await.unwrap();
    assert_eq!(again.fields()["count"].to_json(), 0);
}

#[tokio::test]
async fn mails_are_searched_and_treated_as_the_task_says() {
    for (id, subject) in [
        ("1", "Offer \"A\""),
        ("2", "Order"),
        ("3", "=?utf-8?q?R=C3=BCckfrage?="),
        ("4", "Order"),
    ] {
        server().deliver("desk-2", &mail(id, subject, "", "a"));
    }
    let adapter = adapter(reader("desk-2", json!({})));
    for (inputs, found, more) in [
        (
            json!({"subject": "rück", "after": "keep"}),
            vec!["Rückfrage"],
            false,
        ),
        (
            json!({"subject": "offer \"a\"", "after": "keep"}),
            vec!["Offer \"A\""],
            false,
        ),
        (
            json!({"from": "lovelace", "limit": 1, "after": "keep"}),
            vec!["Offer \"A\""],
            true,
        ),
        (json!({"from": "babbage"}), vec![], false),
        (json!({"since": "2999-01-01"}), vec![], false),
        (
            json!({"since": "2020-01-01", "limit": "2"}),
            vec!["Offer \"A\"", "Order"],
            true,
        ),
        (
            json!({"after": "move", "move_to": "Done", "limit": 1}),
            vec!["Rückfrage"],
            true,
        ),
        (
            json!({"unseen": "false", "after": "delete", "subject": "order"}),
            vec!["Order", "Order"],
            false,
        ),
        (
            json!({"unseen": false, "after": "keep"}),
            vec!["Offer \"A\""],
            false,
        ),
        (
            json!({"mailbox": "Done", "after": "keep"}),
            vec!["Rückfrage"],
            false,
        ),
    ] {
        if inputs["after"] == "move" {
            let error = failure(fetch(&adapter, inputs.clone()).await);
            assert!(error.message.contains("`Done`") && error.nothing_done, "{error}");
            make_mailbox("desk-2", "Done").await;
        }
        let answer = fetch(&adapter, inputs.clone()).await.unwrap();
        assert_eq!(subjects(&answer), found, "{inputs}");
        assert_eq!(answer.fields()["more"].to_json(), more, "{inputs}");
    }
}

#[tokio::test]
async fn what_is_too_large_is_named_and_left() {
    server().deliver("desk-3", &mail("1", "Large", "", &"a".repeat(5000)));
    server().deliver("desk-3", &mail("2", "Small", "", "a"));
    let adapter = adapter(reader("desk-3", json!({"max_bytes": 2000})));
    let answer = fetch(&adapter, json!({})).await.unwrap();
    assert_eq!(subjects(&answer), ["Small"]);
    assert!(
        answer.fields()["too_large"].to_json()[0]["size"]
            .as_u64()
            .unwrap()
            > 5000
    );
    let left = fetch(&adapter, json!({})).await.unwrap();
    assert_eq!(left.fields()["too_large"].to_json().as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn what_cannot_be_fetched_is_told() {
    let own = adapter(reader("desk-4", json!({})));
    let missing = bpmn(fetch(&own, json!({"mailbox": "Nowhere"})).await);
    assert_eq!(missing.code, "EMAIL_MAILBOX_NOT_FOUND");
    assert!(missing.message.contains("`Nowhere`"), "{missing}");
    for (inputs, told) in [
        (json!({"after": "move"}), "`move_to`"),
        (
            json!({"subject": "a\r\nA1 LOGOUT"}),
            "`subject` holds control characters",
        ),
        (json!({"since": "yesterday"}), "`since` is \"yesterday\""),
        (json!({"after": "burn"}), "after"),
        (json!({"connection": "other"}), "other"),
    ] {
        let failure = failure(fetch(&own, inputs).await);
        assert!(failure.message.contains(told), "{failure}");
        assert!(
            failure.nothing_done && failure.retry == Retry::Never,
            "{failure:?}"
        );
    }
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let changed = |key: &str, value: Json| {
        let mut settings = reader("desk-4", json!({}));
        settings["imap"][key] = value;
        if key == "port" {
            settings["imap"]["timeout"] = json!("1s");
        }
        adapter(settings)
    };
    let silent_port = silent.local_addr().unwrap().port();
    for (adapter, told, is_retried) in [
        (
            changed("password", json!("the-wrong-one")),
            "refuses the login",
            false,
        ),
        (
            changed("password", json!("secret:not-there")),
            "services.email.default.imap.password",
            false,
        ),
        (changed("host", json!("127.0.0.1")), "not trusted", false),
        (changed("ca_file", json!("/nowhere.pem")), "/nowhere.pem", false),
        (
            changed("port", json!(tests::free_port())),
            "cannot be reached",
            true,
        ),
        (
            changed("port", json!(silent_port)),
            "has not answered within 1s",
            true,
        ),
    ] {
        let failure = failure(fetch(&adapter, json!({})).await);
        assert!(failure.message.contains(told), "{told}: {failure}");
        assert!(
            failure.nothing_done && (failure.retry != Retry::Never) == is_retried,
            "{failure:?}"
        );
        assert!(!format!("{failure:?}").contains("the-wrong-one"), "{failure:?}");
        assert!(adapter.health().await.unwrap_err().contains(told));
    }
    own.health().await.unwrap();
    let no_mailboxes = failure(fetch(&adapter(settings()), json!({})).await);
    assert!(
        no_mailboxes.message.contains("services.email.default.imap"),
        "{no_mailboxes}"
    );
    let letter = json!({"to": "a@shop.example", "subject": "a", "body": "a"});
    let sends_nothing = failure(own.execute(context(letter)).await);
    assert!(
        sends_nothing.message.contains("services.email.default.smtp"),
        "{sends_nothing}"
    );
}

#[test]
fn what_changes_a_mailbox_is_done_once() {
    let adapter = adapter(reader("desk-4", json!({})));
    for (inputs, effect) in [
        (json!({"after": "keep"}), Effect::Repeatable),
        (json!({}), Effect::Once),
        (json!({"after": "delete"}), Effect::Once),
    ] {
        assert_eq!(adapter.effect(&fetching(inputs)), effect);
    }
}
