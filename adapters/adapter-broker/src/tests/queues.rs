//! What comes from queues.

use std::sync::Arc;

use super::*;
use lapin::BasicProperties;
use lapin::options::{BasicNackOptions, BasicPublishOptions};
use tests::Arrivals;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use worker_api::{InboundContext, PortError};

use crate::consume::{QUEUE, REASON, arguments};

/// A queue that is consumed, with the port behind it.
struct Consumed {
    port: Arc<Arrivals>,
    stop: CancellationToken,
    runs: JoinHandle<Result<(), Failure>>,
}

impl Consumed {
    async fn start(adapter: &BrokerAdapter, refuses: Vec<PortError>) -> Self {
        let port = Arc::new(Arrivals::refusing(refuses));
        let stop = CancellationToken::new();
        let (told, mut ready) = tokio::sync::mpsc::unbounded_channel();
        let context = InboundContext::new(Arc::clone(&port) as _, stop.clone(), move || {
            let _ = told.send(());
        });
        let inbound = adapter.inbounds().remove(0);
        let runs = tokio::spawn(async move { inbound.run(context).await });
        ready.recv().await.expect("it takes messages");
        Self { port, stop, runs }
    }

    async fn end(self) -> Result<(), Failure> {
        self.stop.cancel();
        self.runs.await.unwrap()
    }

    async fn asked(&self, times: usize) {
        tests::until("the engine is asked", SOON, async || {
            let asked = self.port.asked();
            (asked >= times).then_some(()).ok_or(asked)
        })
        .await;
    }
}

async fn send(channel: &Channel, queue: &str, id: &str, body: &str) {
    let sent = channel.basic_publish(
        "".into(),
        queue.into(),
        BasicPublishOptions {
            mandatory: true,
            ..BasicPublishOptions::default()
        },
        body.as_bytes(),
        BasicProperties::default()
            .with_message_id(id.into())
            .with_delivery_mode(2),
    );
    let confirmed = sent.await.unwrap().await.unwrap();
    assert!(confirmed.is_ack() && confirmed.take_message().is_none());
}

/// The queue as somebody else sees it: how many messages are ready.
async fn ready(channel: &Channel, queue: &str) -> u32 {
    let declared = channel.queue_declare(
        queue.into(),
        QueueDeclareOptions::durable().passive(),
        FieldTable::default(),
    );
    declared.await.unwrap().message_count()
}

fn no_match() -> PortError {
    PortError::NoMatch {
        message: "paid".into(),
        conditions: "without further conditions".into(),
    }
}

fn away() -> PortError {
    PortError::Unavailable {
        action: "correlate".into(),
        reason: "the engine is away".into(),
    }
}

#[tokio::test]
async fn messages_start_processes_and_continue_them_with_their_ids() {
    let Some(rabbit) = rabbit() else { return };
    let channel = channel(rabbit).await;
    for (queue, settings) in [
        (
            "starts",
            json!({"process": "order", "business_key": "$.number", "variables": {"item": "$.item"}}),
        ),
        (
            "goes-on",
            json!({"message": "paid", "business_key": "$.number", "id": "$.event", "tenant": "shop"}),
        ),
        ("by-property", json!({"message": "paid"})),
    ] {
        let adapter = adapter(super::settings(rabbit, json!({"consume": {queue: settings}})));
        assert_eq!(adapter.inbounds()[0].name(), format!("broker.default.{queue}"));
        let consumed = Consumed::start(&adapter, Vec::new()).await;
        send(
            &channel,
            queue,
            "m-1",
            r#"{"number": 7, "item": "desk", "event": "e-1"}"#,
        )
        .await;
        consumed.asked(1).await;
        let (started, correlated) = (consumed.port.started(), consumed.port.correlated());
        match queue {
            "starts" => {
                assert_eq!(
                    (started[0].business_key.as_deref(), started[0].unless_there),
                    (Some("7"), true)
                );
                assert_eq!(started[0].variables["item"].to_json(), "desk");
            }
            "goes-on" => assert_eq!(
                (
                    correlated[0].once_per.as_deref(),
                    correlated[0].tenant_id.as_deref()
                ),
                (Some("e-1"), Some("shop"))
            ),
            _ => assert_eq!(correlated[0].once_per.as_deref(), Some("m-1")),
        }
        consumed.end().await.unwrap();
        assert_eq!(ready(&channel, queue).await, 0, "it was acknowledged");
    }
}

#[tokio::test]
async fn cloud_events_say_themselves_what_they_are() {
    let Some(rabbit) = rabbit() else { return };
    let channel = channel(rabbit).await;
    let adapter = adapter(settings(rabbit, json!({"consume": {"procos.requests": {}}})));
    let consumed = Consumed::start(&adapter, Vec::new()).await;
    for body in [
        json!({"specversion": "1.0", "type": "shop.paid", "id": "1", "source": "a", "subject": "A-1", "data": {"amount": 3}}),
        json!({"specversion": "1.0", "type": "shop.paid", "id": "1", "source": "b", "data": [1]}),
    ] {
        send(&channel, "procos.requests", "m", &body.to_string()).await;
    }
    send(
        &channel,
        "procos.requests",
        "m",
        r#"{"specversion": "1.0", "id": "2"}"#,
    )
    .await;
    let dead = next(&channel, "procos.requests.dead").await;
    let reason = header(&dead.properties, REASON);
    assert!(reason.contains("no CloudEvent"), "{reason}");
    consumed.asked(2).await;
    let mut correlated = consumed.port.correlated();
    correlated.sort_by(|a, b| a.once_per.cmp(&b.once_per));
    assert_eq!(
        correlated
            .iter()
            .map(|one| one.once_per.as_deref().unwrap())
            .collect::<Vec<_>>(),
        ["a 1", "b 1"]
    );
    assert_eq!(
        (correlated[0].name.as_str(), correlated[0].business_key.as_deref()),
        ("shop.paid", Some("A-1"))
    );
    assert_eq!(correlated[0].variables["amount"].to_json(), 3);
    assert_eq!(correlated[1].variables["payload"].to_json(), json!([1]));
    consumed.end().await.unwrap();
}

#[tokio::test]
async fn what_cannot_be_taken_lies_among_the_dead_letters_with_the_reason() {
    let Some(rabbit) = rabbit() else { return };
    let channel = channel(rabbit).await;
    queue(&channel, "own-dead-letters").await;
    let rejected = || PortError::Rejected {
        action: "start the process `order`".into(),
        reason: "a value is wrong".into(),
    };
    for (body, refuses, told) in [
        ("no json", vec![], "it is no JSON"),
        (r#"{"number": null}"#, vec![], "no business key at $.number"),
        (r#"{"number": 1}"#, vec![rejected()], "a value is wrong"),
        (
            r#"{"number": 1, "note": "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}"#,
            vec![],
            "has 66 bytes",
        ),
    ] {
        let more = json!({
            "max_bytes": 60,
            "consume": {"letters": {"process": "order", "business_key": "$.number", "dead_letters": "own-dead-letters"}},
        });
        let consumed = Consumed::start(&adapter(settings(rabbit, more)), refuses).await;
        send(&channel, "letters", "m-1", body).await;
        let dead = next(&channel, "own-dead-letters").await;
        dead.ack(BasicAckOptions::default()).await.unwrap();
        assert_eq!(String::from_utf8_lossy(&dead.data), body);
        assert_eq!(dead.properties.message_id().as_ref().unwrap().as_str(), "m-1");
        let reason = header(&dead.properties, REASON);
        assert!(reason.contains(told), "{reason}");
        assert_eq!(header(&dead.properties, QUEUE), "letters");
        consumed.end().await.unwrap();
        assert_eq!(ready(&channel, "letters").await, 0);
    }
}

#[tokio::test]
async fn a_message_waits_for_somebody_who_waits_for_it_and_for_the_engine() {
    let Some(rabbit) = rabbit() else { return };
    let channel = channel(rabbit).await;
    let adapter = |queue: &str, patience: &str| {
        let consume = json!({"consume": {queue: {"message": "paid", "patience": patience}}});
        adapter(settings(rabbit, consume))
    };
    // The engine is away, then nobody waits, then somebody does.
    let consumed = Consumed::start(&adapter("patient", "60s"), vec![away(), away(), no_match()]).await;
    send(&channel, "patient", "m-1", "{}").await;
    consumed.asked(4).await;
    consumed.end().await.unwrap();
    assert_eq!(
        ready(&channel, "patient").await + ready(&channel, "patient.dead").await,
        0
    );
    // The engine's absence is waited out even without patience; that nobody waits is not.
    let consumed = Consumed::start(&adapter("impatient", "1ms"), vec![away(), no_match()]).await;
    send(&channel, "impatient", "m-1", "{}").await;
    let dead = next(&channel, "impatient.dead").await;
    let reason = header(&dead.properties, REASON);
    assert!(reason.contains("nothing waits"), "{reason}");
    consumed.end().await.unwrap();
}

#[tokio::test]
async fn what_is_in_hand_goes_back_where_procos_stops() {
    let Some(rabbit) = rabbit() else { return };
    let channel = channel(rabbit).await;
    let adapter = adapter(settings(
        rabbit,
        json!({"consume": {"back": {"message": "paid", "prefetch": 1}}}),
    ));
    let consumed = Consumed::start(&adapter, vec![away(); 1000]).await;
    send(&channel, "back", "m-1", "{}").await;
    send(&channel, "back", "m-2", "{}").await;
    consumed.asked(1).await;
    consumed.end().await.unwrap();
    tests::until("both are back", SOON, async || {
        let ready = ready(&channel, "back").await;
        (ready == 2).then_some(()).ok_or(ready)
    })
    .await;
}

#[tokio::test]
async fn a_login_that_may_not_steer_processes_loses_no_message() {
    let Some(rabbit) = rabbit() else { return };
    let channel = channel(rabbit).await;
    let adapter = adapter(settings(
        rabbit,
        json!({"consume": {"barred": {"message": "paid"}}}),
    ));
    let barred = PortError::NotPermitted {
        action: "correlate".into(),
        reason: "403".into(),
    };
    let consumed = Consumed::start(&adapter, vec![barred]).await;
    send(&channel, "barred", "m-1", "{}").await;
    let failure = consumed.runs.await.unwrap().unwrap_err();
    assert!(failure.message.contains("login"), "{failure}");
    tests::until("it is back", SOON, async || {
        let ready = ready(&channel, "barred").await;
        (ready == 1).then_some(()).ok_or(ready)
    })
    .await;
}

#[tokio::test]
async fn queues_are_made_to_last_or_asked_for() {
    let Some(rabbit) = rabbit() else { return };
    let channel = channel(rabbit).await;
    let not_declared = adapter(settings(
        rabbit,
        json!({"consume": {"not-there": {"message": "paid", "declare": false}}}),
    ));
    let context = InboundContext::new(Arc::new(Arrivals::default()), CancellationToken::new(), || {});
    let failure = not_declared.inbounds()[0].run(context).await.unwrap_err();
    assert!(
        failure.message.contains("`not-there`") && failure.message.contains("declare: true"),
        "{failure}"
    );
    // One that is there stays as it is: this one is no quorum queue.
    queue(&channel, "classic").await;
    for name in ["classic", "made"] {
        let consume = json!({"consume": {name: {"message": "paid"}}});
        let consumed = Consumed::start(&adapter(settings(rabbit, consume)), Vec::new()).await;
        consumed.end().await.unwrap();
    }
    // The broker refuses another kind under the same name.
    let dead_letters = "made.dead".to_owned();
    for (name, arguments) in [
        ("classic", FieldTable::default()),
        ("made", arguments(Some(&dead_letters))),
        ("made.dead", arguments(None)),
    ] {
        let again = channel.queue_declare(name.into(), QueueDeclareOptions::durable(), arguments);
        again.await.unwrap();
    }
    // What the broker itself gives up is not lost.
    send(&channel, "made", "m-1", "{}").await;
    let given_up = BasicNackOptions {
        requeue: false,
        ..BasicNackOptions::default()
    };
    next(&channel, "made").await.nack(given_up).await.unwrap();
    assert_eq!(next(&channel, "made.dead").await.data, b"{}");
}

#[tokio::test(flavor = "multi_thread")]
async fn tasks_and_queues_survive_a_broker_that_is_killed() {
    let Some(mut own) = RabbitMq::start().map_err(|why| skip("RabbitMQ", why)).ok() else {
        return;
    };
    let consume = json!({"timeout": "5s", "consume": {"lasting": {"message": "paid"}}});
    let adapter = adapter(settings(&own, consume));
    let consumed = Consumed::start(&adapter, Vec::new()).await;
    let publish = async |number: usize| {
        let inputs = json!({"routing_key": "lasting", "payload": {}, "message_id": format!("m-{number}")});
        adapter.execute(context(inputs)).await
    };
    publish(0).await.unwrap();
    consumed.asked(1).await;
    own.kill9().wait_gone(SOON).await;
    let lost = consumed.runs.await.unwrap().unwrap_err();
    assert!(lost.retry != Retry::Never, "it is run again: {lost}");
    // The connection may not have heard of it yet; whether the broker has got the message is not known then.
    let _ = failure(publish(1).await);
    let failure = failure(publish(1).await);
    assert!(
        failure.nothing_done && failure.retry != Retry::Never,
        "{failure:?}"
    );
    own.restart();
    // The same adapter, without being told.
    publish(2).await.unwrap();
    let consumed = Consumed::start(&adapter, Vec::new()).await;
    consumed.asked(1).await;
    let correlated = consumed.port.correlated();
    assert_eq!(correlated[0].once_per.as_deref(), Some("m-2"));
    consumed.end().await.unwrap();
}
