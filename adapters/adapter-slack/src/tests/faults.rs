//! What goes wrong, and what is wrong with what a task or the operator says.

use super::*;

const POST: fn() -> Json = || json!({"channel": "C01", "message": "A-1 is in"});

#[tokio::test]
async fn what_slack_refuses_is_a_bpmn_error_with_its_reason() {
    for (word, code) in [
        ("channel_not_found", "SLACK_CHANNEL_NOT_FOUND"),
        ("not_in_channel", "SLACK_CHANNEL_NOT_FOUND"),
        ("is_archived", "SLACK_CHANNEL_NOT_FOUND"),
        ("msg_too_long", "SLACK_REFUSED"),
        ("invalid_blocks", "SLACK_REFUSED"),
    ] {
        let server = SlackServer::start([SlackFault::Error(word)]);
        let error = bpmn(send(&app(&server, json!({})), POST()).await);
        assert_eq!(error.code, code, "{word}");
        assert_eq!(error.variables["reason"].to_json(), word);
        assert!(
            format!("{error:?}").contains("what the stand-in was told to say"),
            "{error:?}"
        );
    }
    let server = SlackServer::start([]);
    let missing = json!({"channel": "C02", "message": "a"});
    assert_eq!(
        bpmn(send(&app(&server, json!({})), missing).await).code,
        "SLACK_CHANNEL_NOT_FOUND"
    );
    let server = SlackServer::start([SlackFault::Status(404, None)]);
    let error = bpmn(send(&hook(&server), json!({"message": "a"})).await);
    assert_eq!(
        (error.code.as_str(), error.variables["reason"].to_json()),
        ("SLACK_REFUSED", json!("the stand-in was told to"))
    );
}

#[tokio::test]
async fn a_wrong_token_is_named_by_its_setting_and_never_shown() {
    let server = SlackServer::start([]);
    let adapter = app(&server, json!({"token": "xoxb-wrong"}));
    let failure = failure(send(&adapter, POST()).await);
    assert!(
        failure.message.contains("services.slack.default.token") && failure.message.contains("invalid_auth"),
        "{failure}"
    );
    assert!(
        failure.nothing_done && !format!("{failure:?}").contains("xoxb"),
        "{failure:?}"
    );
    assert_eq!(failure.retry, Retry::Never);
    let health = adapter.health().await.unwrap_err();
    assert!(
        health.contains("invalid_auth") && !health.contains("xoxb"),
        "{health}"
    );
    app(&server, json!({})).health().await.unwrap();
    let server = SlackServer::start([SlackFault::Error("missing_scope")]);
    let lacks = super::failure(send(&app(&server, json!({})), POST()).await);
    assert!(lacks.message.contains("the scope chat:write"), "{lacks}");
}

#[tokio::test]
async fn an_incoming_webhook_is_never_shown() {
    let closed = format!("http://127.0.0.1:{}", tests::free_port());
    let server = SlackServer::start([
        SlackFault::Status(403, None),
        SlackFault::Status(500, None),
        SlackFault::BreakOff,
    ]);
    let unreachable =
        adapter(json!({"base_url": closed, "webhook_url": format!("{closed}/services/the-webhooks-secret")}));
    let internal = adapter(json!({"webhook_url": server.webhook()}));
    let no_address = adapter(json!({"webhook_url": "the-webhooks-secret, or what"}));
    let taken = hook(&server);
    let inputs = || json!({"message": "a"});
    for adapter in [&unreachable, &internal, &no_address, &taken, &taken, &taken] {
        let failure = failure(send(adapter, inputs()).await);
        assert!(
            !format!("{failure:?}").contains("the-webhooks-secret"),
            "{failure:?}"
        );
        assert!(failure.message.contains("Slack's incoming webhook"), "{failure}");
    }
    let failure = failure(send(&internal, inputs()).await);
    assert!(
        failure.message.contains("`allow` of services.slack.default"),
        "{failure}"
    );
    assert!(
        server.hooked().len() == 1,
        "what breaks off behind the message has taken it"
    );
}

#[tokio::test]
async fn what_may_pass_is_tried_again_and_says_whether_anything_was_done() {
    for (fault, wait, nothing_done) in [
        (SlackFault::Status(429, Some(7)), Some(7), true),
        (SlackFault::Status(429, None), None, true),
        (SlackFault::Error("ratelimited"), None, true),
        (SlackFault::Status(503, None), None, false),
        (SlackFault::Error("internal_error"), None, false),
        (SlackFault::BreakOff, None, false),
        (SlackFault::FallSilent, None, false),
        (SlackFault::Gibberish, None, false),
    ] {
        let server = SlackServer::start([fault.clone()]);
        let failure = failure(send(&app(&server, json!({"timeout": "1s"})), POST()).await);
        assert_ne!(failure.retry, Retry::Never, "{fault:?}: {failure}");
        assert_eq!(failure.nothing_done, nothing_done, "{fault:?}: {failure}");
        if let Some(seconds) = wait {
            assert_eq!(failure.retry, Retry::NotBefore(Duration::from_secs(seconds)));
        }
    }
    let closed = format!("http://127.0.0.1:{}", tests::free_port());
    let nobody = adapter(json!({"base_url": closed, "token": "xoxb-1"}));
    let failure = failure(send(&nobody, POST()).await);
    assert!(
        failure.nothing_done && failure.retry != Retry::Never,
        "{failure:?}"
    );
}

#[tokio::test]
async fn an_answer_that_is_too_long_is_given_up() {
    let server = SlackServer::start([SlackFault::TooLong]);
    let failure = failure(send(&app(&server, json!({})), POST()).await);
    assert!(failure.message.contains("more than 4194304 bytes"), "{failure}");
    assert!(!failure.nothing_done);
}

#[tokio::test]
async fn files_that_break_off_before_they_are_shown_have_done_nothing() {
    for faults in [
        vec![SlackFault::Status(500, None)],
        vec![SlackFault::TooLong, SlackFault::BreakOff],
        vec![SlackFault::BreakOff],
    ] {
        let server = SlackServer::start(faults);
        let inputs = json!({"channel": "C01", "files": ["log"]});
        let context = context(inputs);
        let mut variables = context.variables.clone();
        variables.insert("log".into(), Value::Bytes(Bytes::from_static(b"ok")));
        let failure = failure(
            app(&server, json!({}))
                .execute(context.with_variables(variables))
                .await,
        );
        assert!(failure.nothing_done, "{failure:?}");
        assert!(server.messages("C01").is_empty());
    }
}

#[tokio::test]
async fn what_a_task_says_wrongly_is_told_before_anything_is_sent() {
    let server = SlackServer::start([]);
    let adapter = app(&server, json!({}));
    let many = vec![json!({"type": "divider"}); 51];
    for (inputs, told) in [
        (json!({"channel": "C01"}), "says nothing"),
        (json!({"channel": "C01", "message": "  "}), "says nothing"),
        (json!({"message": "a"}), "`channel`"),
        (
            json!({"channel": "C01", "message": "a", "connection": "other"}),
            "other",
        ),
        (
            json!({"channel": "C01", "blocks": {"type": "divider"}}),
            "`blocks` is no list",
        ),
        (json!({"channel": "C01", "blocks": many}), "51 blocks"),
        (
            json!({"channel": "C01", "update": "1.0", "files": ["a"]}),
            "takes no files",
        ),
        (
            json!({"channel": "C01", "blocks": [], "files": ["a"]}),
            "without blocks",
        ),
        (json!({"channel": "C01", "files": ["a"]}), "`a`, which is no file"),
    ] {
        let failure = failure(send(&adapter, inputs).await);
        assert!(failure.message.contains(told), "{told}: {failure}");
        assert!(
            failure.nothing_done && failure.retry == Retry::Never,
            "{failure:?}"
        );
    }
    assert!(server.called().is_empty());
}

#[test]
fn settings_that_cannot_be_meant_are_told() {
    for (settings, key) in [
        (json!({}), "default.token"),
        (
            json!({"token": "a", "webhook_url": "https://hooks.example.com/a"}),
            "default.token",
        ),
        (
            json!({"token": "a", "base_url": "mailto:a@example.com"}),
            "default.base_url",
        ),
    ] {
        let connections = serde_json::from_value(json!({"default": settings})).unwrap();
        let error = SlackAdapter::new(connections, SecretStore::default())
            .err()
            .unwrap();
        assert_eq!(error.key, key, "{settings}");
    }
}

#[tokio::test]
async fn a_task_that_is_given_up_closes_its_connection() {
    let silent = tests::Silent::start().await;
    let adapter = adapter(json!({"base_url": format!("http://{}/api", silent.address()), "token": "xoxb-1"}));
    silent
        .gives_up(send(&adapter, json!({"channel": "C01", "message": "Hello"})))
        .await;
}
