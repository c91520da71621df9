#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "test code")]

use std::time::Duration;

use bytes::Bytes;
use secrets::SecretStore;
use serde_json::{Value as Json, json};
use tests::{SlackFault, SlackServer};
use worker_api::{
    Adapter, BpmnError, Effect, Failure, File, Inquiry, Outcome, Retry, Task, TaskContext, TaskError, Value,
};

use crate::SlackAdapter;

mod faults;

fn adapter(settings: Json) -> SlackAdapter {
    let connections = serde_json::from_value(json!({"default": settings})).unwrap();
    SlackAdapter::new(connections, SecretStore::default()).unwrap()
}

/// By an app's token, with more settings.
fn app(server: &SlackServer, more: Json) -> SlackAdapter {
    let mut settings = json!({"base_url": server.api(), "token": server.token()});
    settings
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    adapter(settings)
}

/// By an incoming webhook.
fn hook(server: &SlackServer) -> SlackAdapter {
    adapter(json!({"base_url": server.api(), "webhook_url": server.webhook()}))
}

fn context(inputs: Json) -> TaskContext {
    let task = Task {
        id: "task-1".into(),
        activity_id: "tell".into(),
        topic: "slack_message".into(),
        process_instance_id: "instance-1".into(),
        ..Task::default()
    };
    let inputs = inputs.as_object().unwrap().clone();
    let variables = inputs.into_iter().map(|(name, value)| (name, value.into()));
    TaskContext::new(task, Duration::from_secs(60)).with_variables(variables.collect())
}

async fn send(adapter: &SlackAdapter, inputs: Json) -> Outcome {
    adapter.execute(context(inputs)).await
}

fn fields(outcome: Outcome) -> Json {
    let fields = outcome.unwrap().into_fields();
    fields
        .into_iter()
        .map(|(name, value)| (name, value.to_json()))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

fn failure(outcome: Outcome) -> Failure {
    match outcome.unwrap_err() {
        TaskError::Failure(failure) => failure,
        other => panic!("{other}"),
    }
}

fn bpmn(outcome: Outcome) -> BpmnError {
    match outcome.unwrap_err() {
        TaskError::Bpmn(error) => error,
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_message_is_posted_answered_in_its_thread_and_replaced() {
    let server = SlackServer::start([]);
    let adapter = app(&server, json!({}));
    let posted = fields(send(&adapter, json!({"channel": "#orders", "message": "*A-1* is in"})).await);
    assert_eq!(
        (&posted["channel"], &posted["files"]),
        (&json!("C01"), &json!([]))
    );
    let id = posted["message_id"].as_str().unwrap();
    let reply = json!({"channel": "C01", "message": "packed", "thread": id, "also_to_channel": "true"});
    send(&adapter, reply).await.unwrap();
    let blocks = json!([{"type": "section", "text": {"type": "mrkdwn", "text": "*A-1* is out"}}]);
    // As a model's text gives it.
    let update =
        json!({"channel": "C01", "message": "A-1 is out", "update": id, "blocks": blocks.to_string()});
    let updated = fields(send(&adapter, update).await);
    assert_eq!(updated["message_id"], id);
    let messages = server.messages("C01");
    assert_eq!(messages.len(), 2, "{messages:?}");
    assert_eq!(
        (&messages[0]["text"], &messages[0]["blocks"]),
        (&json!("A-1 is out"), &blocks)
    );
    assert_eq!(
        (&messages[1]["thread_ts"], &messages[1]["reply_broadcast"]),
        (&json!(id), &json!(true))
    );
}

#[tokio::test]
async fn links_show_previews_unless_the_task_says_no() {
    let server = SlackServer::start([]);
    let adapter = app(&server, json!({}));
    for (inputs, unfurls) in [
        (json!({"channel": "C01", "message": "a"}), true),
        (
            json!({"channel": "C01", "message": "a", "unfurl": "false"}),
            false,
        ),
    ] {
        send(&adapter, inputs).await.unwrap();
        let (_, told) = server.called().pop().unwrap();
        assert_eq!(
            (&told["unfurl_links"], &told["unfurl_media"]),
            (&json!(unfurls), &json!(unfurls))
        );
    }
}

#[tokio::test]
async fn files_go_along_with_their_comment() {
    let server = SlackServer::start([]);
    let adapter = app(&server, json!({}));
    let file = Value::File(File {
        name: "invoice.pdf".into(),
        media_type: Some("application/pdf".into()),
        encoding: None,
        content: Bytes::from_static(b"%PDF").into(),
    });
    let context = |inputs: Json| {
        let context = context(inputs);
        let mut variables = context.variables.clone();
        variables.insert("invoice".into(), file.clone());
        variables.insert("log".into(), Value::Bytes(Bytes::from_static(b"ok")));
        context.with_variables(variables)
    };
    let inputs = json!({"channel": "C01", "message": "both", "files": "[\"invoice\", \"log\"]"});
    let sent = fields(adapter.execute(context(inputs)).await);
    assert_eq!(
        (&sent["message_id"], &sent["files"]),
        (&Json::Null, &json!(["F01", "F02"]))
    );
    let files = server.files();
    assert_eq!(files["invoice.pdf"], b"%PDF");
    assert_eq!(files["log"], b"ok");
    let messages = server.messages("C01");
    assert_eq!(
        (
            messages.len(),
            &messages[0]["text"],
            &messages[0]["files"][0]["title"]
        ),
        (1, &json!("both"), &json!("invoice.pdf"))
    );
    // What is too much is not sent at all.
    let small = app(&server, json!({"max_bytes": 5}));
    let inputs = json!({"channel": "C01", "files": ["invoice", "log"]});
    let failure = failure(small.execute(context(inputs)).await);
    assert!(failure.nothing_done, "{failure:?}");
    assert_eq!(server.messages("C01").len(), 1);
}

#[tokio::test]
async fn an_incoming_webhook_posts_and_can_nothing_else() {
    let server = SlackServer::start([]);
    let adapter = hook(&server);
    let answer = fields(send(&adapter, json!({"message": "in"})).await);
    assert_eq!(
        (&answer["message_id"], &answer["channel"]),
        (&Json::Null, &Json::Null)
    );
    assert_eq!(server.hooked()[0]["text"], "in");
    for more in [
        json!({"message": "in", "channel": "C01"}),
        json!({"message": "in", "thread": "1.0"}),
        json!({"message": "in", "update": "1.0"}),
        json!({"message": "in", "files": ["a"]}),
    ] {
        let failure = failure(send(&adapter, more).await);
        assert!(
            failure.nothing_done
                && failure
                    .message
                    .contains("services.slack.default is an incoming webhook"),
            "{failure}"
        );
    }
    assert_eq!(server.hooked().len(), 1);
}

#[tokio::test]
async fn tasks_write_to_the_channels_alone_that_they_may() {
    let server = SlackServer::start([]);
    let adapter = app(&server, json!({"channels": ["#orders"]}));
    send(&adapter, json!({"channel": "#orders", "message": "a"}))
        .await
        .unwrap();
    let error = bpmn(send(&adapter, json!({"channel": "C01", "message": "a"})).await);
    assert_eq!(error.code, "SLACK_REFUSED");
    assert!(
        error.message.contains("services.slack.default.channels"),
        "{error}"
    );
    assert_eq!(server.called().len(), 1);
}

#[tokio::test]
async fn a_message_is_known_again_where_it_stands() {
    let server = SlackServer::start([SlackFault::BreakOff]);
    let adapter = app(&server, json!({}));
    let inputs = json!({"channel": "C01", "message": "A-1 is in"});
    assert!(
        matches!(adapter.inquire(&context(inputs.clone())).await, Inquiry::Unknown),
        "the first fails"
    );
    assert!(matches!(
        adapter.inquire(&context(inputs.clone())).await,
        Inquiry::NotDone
    ));
    assert_eq!(adapter.effect(&context(inputs.clone())), Effect::Once);
    let posted = fields(send(&adapter, inputs.clone()).await);
    let Inquiry::Done(found) = adapter.inquire(&context(inputs)).await else {
        panic!("it is there");
    };
    assert_eq!(fields(Ok(found)), posted);
    // In a thread it is looked for there.
    let reply = json!({"channel": "C01", "message": "packed", "thread": posted["message_id"]});
    let replied = fields(send(&adapter, reply.clone()).await);
    let Inquiry::Done(found) = adapter.inquire(&context(reply)).await else {
        panic!("it is there");
    };
    // The message that opens the thread has the same task's key here, and is the first that is found.
    assert_eq!(fields(Ok(found))["channel"], replied["channel"]);
    // What cannot be looked into stays unknown; a replacement may be repeated.
    let by_name = context(json!({"channel": "#orders", "message": "a"}));
    assert!(matches!(adapter.inquire(&by_name).await, Inquiry::Unknown));
    let update = context(json!({"channel": "C01", "message": "a", "update": "1.0"}));
    assert_eq!(adapter.effect(&update), Effect::Repeatable);
    let hooked = context(json!({"message": "a"}));
    assert!(matches!(hook(&server).inquire(&hooked).await, Inquiry::Unknown));
}

#[tokio::test]
async fn what_is_further_back_than_is_looked_stays_unknown() {
    let server = SlackServer::start([]);
    let adapter = app(&server, json!({}));
    for number in 0..=200 {
        let mut context = context(json!({"channel": "C01", "message": number.to_string()}));
        context.task.id = format!("other-{number}");
        adapter.execute(context).await.unwrap();
    }
    let inputs = json!({"channel": "C01", "message": "a"});
    assert!(matches!(
        adapter.inquire(&context(inputs)).await,
        Inquiry::Unknown
    ));
}
