//! What tasks publish.

use super::*;
use tests::free_port;
use worker_api::Effect;

async fn publish(adapter: &BrokerAdapter, inputs: Json) -> Outcome {
    adapter.execute(context(inputs)).await
}

#[tokio::test]
async fn a_message_is_confirmed_and_says_what_the_task_says() {
    let Some(rabbit) = rabbit() else { return };
    let (channel, adapter) = (channel(rabbit).await, adapter(settings(rabbit, json!({}))));
    queue(&channel, "orders").await;
    let declared = channel.exchange_declare(
        "shop".into(),
        ExchangeKind::Topic,
        ExchangeDeclareOptions::default(),
        FieldTable::default(),
    );
    declared.await.unwrap();
    let bound = channel.queue_bind(
        "orders".into(),
        "shop".into(),
        "order.#".into(),
        QueueBindOptions::default(),
        FieldTable::default(),
    );
    bound.await.unwrap();
    let inputs = json!({
        "exchange": "shop", "routing_key": "order.paid", "payload": {"number": 7},
        "headers": {"shop": "north", "items": 3, "total": 1.5, "new": true, "tags": ["a"]},
        "correlation_id": "c-1", "reply_to": "answers", "message_type": "paid", "priority": "3", "expires": "10m",
    });
    let answer = publish(&adapter, inputs).await.unwrap();
    assert_eq!(answer.fields()["confirmed"].to_json(), true);
    assert_eq!(answer.fields()["message_id"].to_json(), "task-1");
    let got = next(&channel, "orders").await;
    assert_eq!(
        serde_json::from_slice::<Json>(&got.data).unwrap(),
        json!({"number": 7})
    );
    let properties = &got.properties;
    let text = |field: &Option<lapin::types::ShortString>| field.as_ref().unwrap().to_string();
    assert_eq!(
        [
            text(properties.message_id()),
            text(properties.content_type()),
            text(properties.correlation_id()),
            text(properties.reply_to()),
            text(properties.kind()),
            text(properties.expiration()),
            text(properties.app_id()),
        ],
        [
            "task-1",
            "application/json",
            "c-1",
            "answers",
            "paid",
            "600000",
            "procos"
        ]
    );
    assert_eq!(
        (*properties.priority(), *properties.delivery_mode()),
        (Some(3), Some(2))
    );
    assert_eq!(
        [header(properties, "shop"), header(properties, "tags")],
        ["north", r#"["a"]"#]
    );
    let headers = properties.headers().clone().unwrap();
    for (name, value) in [
        ("items", AMQPValue::LongLongInt(3)),
        ("total", AMQPValue::Double(1.5)),
        ("new", AMQPValue::Boolean(true)),
    ] {
        assert_eq!(headers.inner()[name], value);
    }
}

#[tokio::test]
async fn texts_files_and_events_are_sent_as_what_they_are() {
    let Some(rabbit) = rabbit() else { return };
    let (channel, adapter) = (channel(rabbit).await, adapter(settings(rabbit, json!({}))));
    queue(&channel, "kinds").await;
    let with = |payload: Value, more: Json| {
        let mut inputs = json!({"routing_key": "kinds"});
        inputs
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        let context = context(inputs);
        let mut variables = context.variables.clone();
        variables.insert("payload".to_owned(), payload);
        context.with_variables(variables)
    };
    let file = || {
        Value::File(File {
            name: "a.pdf".into(),
            media_type: Some("application/pdf".into()),
            encoding: None,
            content: Bytes::from_static(b"%PDF").into(),
        })
    };
    for (payload, more, kind, body) in [
        (
            Value::from("hello"),
            json!({}),
            "text/plain; charset=utf-8",
            "hello",
        ),
        (
            Value::from("<a/>"),
            json!({"content_type": "text/xml"}),
            "text/xml",
            "<a/>",
        ),
        (file(), json!({}), "application/pdf", "%PDF"),
        (
            Value::Bytes(Bytes::from_static(b"raw")),
            json!({}),
            "application/octet-stream",
            "raw",
        ),
        (
            Value::from(json!([1])),
            json!({"persistent": "false"}),
            "application/json",
            "[1]",
        ),
        (Value::Null, json!({}), "application/json", "null"),
    ] {
        adapter.execute(with(payload, more)).await.unwrap();
        let got = next(&channel, "kinds").await;
        got.ack(BasicAckOptions::default()).await.unwrap();
        assert_eq!(got.properties.content_type().as_ref().unwrap().as_str(), kind);
        assert_eq!(String::from_utf8_lossy(&got.data), body);
        let mode = if body == "[1]" { 1 } else { 2 };
        assert_eq!(*got.properties.delivery_mode(), Some(mode));
    }
    let event = json!({"event_type": "shop.paid", "subject": "A-1", "message_id": "e-1"});
    adapter
        .execute(with(Value::from(json!({"amount": 3})), event.clone()))
        .await
        .unwrap();
    let got = next(&channel, "kinds").await;
    assert_eq!(
        got.properties.content_type().as_ref().unwrap().as_str(),
        "application/cloudevents+json"
    );
    let mut said: Json = serde_json::from_slice(&got.data).unwrap();
    let time = said["time"].take();
    assert!(
        time.as_str().unwrap().parse::<jiff::Timestamp>().is_ok(),
        "{time}"
    );
    assert_eq!(
        said,
        json!({"specversion": "1.0", "id": "e-1", "source": "urn:procos", "type": "shop.paid", "subject": "A-1", "time": null,
               "datacontenttype": "application/json", "data": {"amount": 3}})
    );
    let refused = failure(adapter.execute(with(file(), event)).await);
    assert!(
        refused.message.contains("no file") && refused.nothing_done,
        "{refused}"
    );
}

#[tokio::test]
async fn what_no_queue_gets_is_told_unless_that_is_meant() {
    let Some(rabbit) = rabbit() else { return };
    let adapter = adapter(settings(rabbit, json!({})));
    let inputs =
        |mandatory: bool| json!({"exchange": "amq.topic", "routing_key": "nobody", "mandatory": mandatory});
    let error = bpmn(publish(&adapter, inputs(true)).await);
    assert_eq!(error.code, "MESSAGE_UNROUTABLE");
    assert!(
        error.message.contains("`nobody`")
            && error.message.contains("`amq.topic`")
            && error.message.contains("NO_ROUTE"),
        "{error}"
    );
    publish(&adapter, inputs(false)).await.unwrap();
}

#[tokio::test]
async fn what_the_broker_or_the_operator_refuses_is_told_and_others_go_on() {
    let Some(rabbit) = rabbit() else { return };
    let (channel, adapter) = (
        channel(rabbit).await,
        adapter(settings(
            rabbit,
            json!({"exchanges": ["", "nowhere", "amq.rabbitmq.trace"], "max_bytes": 100}),
        )),
    );
    queue(&channel, "refused").await;
    let ok = json!({"routing_key": "refused", "payload": 1});
    let missing = json!({"exchange": "nowhere", "payload": 1});
    let (first, error, second) = tokio::join!(
        publish(&adapter, ok.clone()),
        publish(&adapter, missing),
        publish(&adapter, ok.clone())
    );
    // What closes one channel closes no other.
    first.unwrap();
    second.unwrap();
    let error = bpmn(error);
    assert_eq!(error.code, "EXCHANGE_NOT_FOUND");
    assert!(error.message.contains("`nowhere`"), "{error}");
    let error = bpmn(publish(&adapter, json!({"exchange": "amq.topic"})).await);
    assert_eq!(error.code, "MESSAGE_REFUSED");
    assert!(
        error.message.contains("services.broker.default.exchanges"),
        "{error}"
    );
    let internal = failure(publish(&adapter, json!({"exchange": "amq.rabbitmq.trace", "payload": 1})).await);
    assert!(
        internal.message.contains("services.broker.default.username") && internal.retry == Retry::Never,
        "{internal}"
    );
    for (inputs, told) in [
        (json!({"payload": 1}), "`routing_key`"),
        (
            json!({"routing_key": "refused", "payload": "a".repeat(101)}),
            "`max_bytes`",
        ),
        (
            json!({"routing_key": "a".repeat(256)}),
            "`routing_key` has 256 bytes",
        ),
        (
            json!({"routing_key": "refused", "message_id": "a".repeat(256)}),
            "`message_id` has 256",
        ),
        (
            json!({"routing_key": "refused", "expires": "soon"}),
            "`expires` is \"soon\"",
        ),
        (json!({"routing_key": "refused", "priority": 300}), "priority"),
        (json!({"routing_key": "refused", "connection": "other"}), "other"),
    ] {
        let failure = failure(publish(&adapter, inputs).await);
        assert!(failure.message.contains(told), "{told}: {failure}");
        assert!(
            failure.nothing_done && failure.retry == Retry::Never,
            "{failure:?}"
        );
    }
    publish(&adapter, ok).await.unwrap();
}

#[tokio::test]
async fn a_broker_that_is_not_there_is_silent_or_knows_no_such_login_is_told() {
    let Some(rabbit) = rabbit() else { return };
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let at = |port: u16| json!({"url": format!("amqp://127.0.0.1:{port}"), "timeout": "1s"});
    let inputs = || json!({"routing_key": "a", "payload": 1});
    for (settings, told) in [
        (at(free_port()), "cannot be spoken to"),
        (
            at(silent.local_addr().unwrap().port()),
            "`timeout` of services.broker.default",
        ),
    ] {
        let adapter = adapter(settings);
        let failure = failure(publish(&adapter, inputs()).await);
        assert!(failure.message.contains(told), "{failure}");
        assert!(
            failure.nothing_done && failure.retry != Retry::Never,
            "{failure:?}"
        );
        assert!(adapter.health().await.unwrap_err().contains(told));
    }
    for (more, told) in [
        (
            json!({"username": "guest", "password": "the-wrong-one"}),
            "services.broker.default.username",
        ),
        (
            json!({"url": format!("amqp://127.0.0.1:{}/nowhere", rabbit.port())}),
            "services.broker.default.url",
        ),
        (
            json!({"username": "guest", "password": "secret:not-there"}),
            "services.broker.default.password",
        ),
    ] {
        let adapter = adapter(settings(rabbit, more));
        let failure = failure(publish(&adapter, inputs()).await);
        assert!(failure.message.contains(told), "{told}: {failure}");
        assert!(
            failure.nothing_done && failure.retry == Retry::Never,
            "{failure:?}"
        );
        assert!(!format!("{failure:?}").contains("the-wrong-one"), "{failure:?}");
    }
    adapter(settings(
        rabbit,
        json!({"username": "guest", "password": "guest"}),
    ))
    .health()
    .await
    .unwrap();
}

#[tokio::test]
async fn a_connection_is_encrypted_and_both_show_their_certificates() {
    let Some(rabbit) = rabbit() else { return };
    let url = format!("amqps://localhost:{}", rabbit.encrypted_port());
    let own = json!({
        "url": url, "ca_file": rabbit.ca_file(), "certificate_file": rabbit.certificate_file(), "key_file": rabbit.key_file(),
    });
    let inputs = || json!({"exchange": "amq.topic", "routing_key": "a", "mandatory": false});
    publish(&adapter(own.clone()), inputs()).await.unwrap();
    for (key, told) in [
        ("ca_file", "`ca_file` of services.broker.default"),
        ("certificate_file", "cannot be spoken to"),
    ] {
        let mut lacking = own.clone();
        lacking.as_object_mut().unwrap().remove(key);
        if key == "certificate_file" {
            lacking.as_object_mut().unwrap().remove("key_file");
        }
        let failure = failure(publish(&adapter(lacking), inputs()).await);
        assert!(failure.message.contains(told), "{failure}");
        assert!(failure.nothing_done, "{failure:?}");
    }
    let mut wrong = own;
    wrong["key_file"] = json!("/nowhere/key.pem");
    let failure = failure(publish(&adapter(wrong), inputs()).await);
    assert!(
        failure.message.contains("services.broker.default.key_file"),
        "{failure}"
    );
}

#[test]
fn a_message_is_sent_once_unless_it_may_come_again() {
    let adapter = adapter(json!({"url": "amqp://127.0.0.1"}));
    for (inputs, effect) in [
        (json!({"payload": {"a": 1}}), Effect::Once),
        (json!({"repeatable": "true"}), Effect::Repeatable),
    ] {
        assert_eq!(adapter.effect(&context(inputs)), effect);
    }
}

#[test]
fn settings_that_cannot_be_meant_are_told() {
    let url = "amqps://broker.example.com";
    for (settings, key) in [
        (json!({"url": "https://broker.example.com"}), "url"),
        (json!({"url": "amqps://ada:secret@broker.example.com"}), "url"),
        (json!({"url": "amqps://broker.example.com?heartbeat=0"}), "url"),
        (
            json!({"url": "amqp://broker.example.com", "ca_file": "/a.pem"}),
            "url",
        ),
        (json!({"url": url, "username": "ada"}), "username"),
        (json!({"url": url, "certificate_file": "/a.pem"}), "key_file"),
        (
            json!({"url": url, "consume": {"a": {"process": "b", "message": "c"}}}),
            "consume.a.message",
        ),
        (
            json!({"url": url, "consume": {"a": {"business_key": "$.b"}}}),
            "consume.a.message",
        ),
        (
            json!({"url": url, "consume": {"a": {"prefetch": 0}}}),
            "consume.a.prefetch",
        ),
    ] {
        let connections = serde_json::from_value(json!({"default": settings})).unwrap();
        let error = BrokerAdapter::new(connections, SecretStore::default())
            .err()
            .unwrap();
        assert_eq!(error.key, format!("default.{key}"), "{settings}");
    }
}

#[tokio::test]
async fn a_message_belongs_to_the_instances_trace() {
    let Some(rabbit) = rabbit() else { return };
    let (channel, adapter) = (channel(rabbit).await, adapter(settings(rabbit, json!({}))));
    queue(&channel, "traced").await;
    let wanted = "00-4b25e367ea0b11f19a8b0242498c20cb-5c25e367ea0b11f0-01";
    for event_type in [None, Some("paid")] {
        let mut inputs = json!({"routing_key": "traced", "payload": {"number": 7}});
        if let Some(event_type) = event_type {
            inputs["event_type"] = event_type.into();
        }
        let mut context = context(inputs);
        context.task.id = "5c25e367-ea0b-11f1-0000-000000000001".into();
        context.task.process_instance_id = "4b25e367-ea0b-11f1-9a8b-0242498c20cb".into();
        adapter.execute(context).await.unwrap();
        let got = next(&channel, "traced").await;
        got.ack(BasicAckOptions::default()).await.unwrap();
        assert_eq!(header(&got.properties, "traceparent"), wanted);
        let body: Json = serde_json::from_slice(&got.data).unwrap();
        assert_eq!(body.get("traceparent").is_some(), event_type.is_some(), "{body}");
    }
}

#[tokio::test]
async fn a_task_that_is_given_up_closes_its_connection() {
    let silent = tests::Silent::start().await;
    let adapter = adapter(json!({"url": format!("amqp://{}", silent.address()), "timeout": "1h"}));
    silent
        .gives_up(publish(&adapter, json!({"routing_key": "q", "payload": 1})))
        .await;
}
