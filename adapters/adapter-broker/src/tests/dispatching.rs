//! Offers of tasks, and events.

use std::sync::Arc;
use std::time::Instant;

use jiff::Timestamp;
use worker_api::{Dispatch, Lead, Offer, ProcessEvent};

use super::*;

/// Long enough for what nobody is to wait for.
const LIFETIME: Duration = Duration::from_secs(300);

fn offers(topic: &str, ids: impl IntoIterator<Item = usize>) -> Vec<Offer> {
    let offer = |id: usize| Offer {
        topic: topic.to_owned(),
        task_id: id.to_string(),
    };
    ids.into_iter().map(offer).collect()
}

fn ids(offers: &[Offer]) -> Vec<usize> {
    let mut ids: Vec<usize> = offers
        .iter()
        .map(|offer| offer.task_id.parse().unwrap())
        .collect();
    ids.sort_unstable();
    ids
}

/// The offers as two processes have them.
fn two(rabbit: &RabbitMq) -> [Arc<dyn Dispatch>; 2] {
    [(), ()].map(|()| adapter(settings(rabbit, json!({}))).dispatch("default").unwrap())
}

/// The right to offer, once whoever has it in another test has given it back.
async fn lead(dispatch: &dyn Dispatch) -> Box<dyn Lead> {
    tests::until("one may offer", SOON, async || {
        dispatch
            .lead()
            .await
            .map_err(|failure| failure.message)?
            .ok_or_else(|| "another does".to_owned())
    })
    .await
}

async fn waiting(lead: &dyn Lead, topic: &str, wanted: usize) {
    tests::until("so many offers wait", SOON, async || {
        let waiting = lead.waiting(topic).await.unwrap();
        (waiting == wanted).then_some(()).ok_or(waiting)
    })
    .await;
}

#[tokio::test]
async fn an_offer_is_taken_once_and_what_is_too_much_is_left_for_others() {
    let Some(rabbit) = rabbit() else { return };
    let [one, other] = two(rabbit);
    let lead = lead(one.as_ref()).await;
    // Nobody has asked for the topic yet, and nothing is lost all the same.
    assert_eq!(lead.waiting("taken").await.unwrap(), 0);
    lead.offer(&offers("taken", 0..50), LIFETIME).await.unwrap();
    waiting(lead.as_ref(), "taken", 50).await;
    let topics = ["taken", "empty"];
    let (first, second) = tokio::join!(one.take(&topics, 20, SOON), other.take(&topics, 10, SOON));
    let (first, second) = (first.unwrap(), second.unwrap());
    assert_eq!((first.len(), second.len()), (20, 10));
    assert!(first.iter().all(|offer| offer.topic == "taken"));
    waiting(lead.as_ref(), "taken", 20).await;
    let third = other.take(&topics, 100, SOON).await.unwrap();
    assert_eq!(ids(&[first, second, third].concat()), Vec::from_iter(0..50));
}

#[tokio::test]
async fn who_finds_nothing_waits_and_is_woken_by_the_first_offer() {
    let Some(rabbit) = rabbit() else { return };
    let adapter = adapter(settings(rabbit, json!({})));
    let dispatch = adapter.dispatch("default").unwrap();
    assert_eq!(dispatch.take(&["woken"], 1, Duration::ZERO).await.unwrap(), []);
    let waits = Duration::from_millis(300);
    let began = Instant::now();
    assert_eq!(dispatch.take(&["woken"], 1, waits).await.unwrap(), []);
    assert!(began.elapsed() >= waits);
    let lead = lead(dispatch.as_ref()).await;
    let offering = async {
        lead.waiting("woken").await.unwrap();
        lead.offer(&offers("woken", [7]), LIFETIME).await.unwrap();
    };
    let (taken, ()) = tokio::join!(dispatch.take(&["woken"], 1, SOON), offering);
    assert_eq!(ids(&taken.unwrap()), [7]);
}

#[tokio::test]
async fn one_at_a_time_may_offer() {
    let Some(rabbit) = rabbit() else { return };
    let [one, other] = two(rabbit);
    let first = lead(one.as_ref()).await;
    assert!(other.lead().await.unwrap().is_none());
    drop(first);
    lead(other.as_ref()).await;
}

#[tokio::test]
async fn an_offer_that_nobody_takes_is_withdrawn() {
    let Some(rabbit) = rabbit() else { return };
    let adapter = adapter(settings(rabbit, json!({})));
    let dispatch = adapter.dispatch("default").unwrap();
    let lead = lead(dispatch.as_ref()).await;
    lead.waiting("withdrawn").await.unwrap();
    lead.offer(&offers("withdrawn", [1]), Duration::from_millis(1))
        .await
        .unwrap();
    waiting(lead.as_ref(), "withdrawn", 0).await;
    assert_eq!(
        dispatch.take(&["withdrawn"], 1, Duration::ZERO).await.unwrap(),
        []
    );
}

#[tokio::test]
async fn queues_that_somebody_deletes_are_made_again() {
    let Some(rabbit) = rabbit() else { return };
    let adapter = adapter(settings(rabbit, json!({})));
    let dispatch = adapter.dispatch("default").unwrap();
    dispatch.take(&["deleted"], 1, Duration::ZERO).await.unwrap();
    let channel = channel(rabbit).await;
    let deleted = channel.queue_delete("procos.dispatch.deleted".into(), Default::default());
    deleted.await.unwrap();
    let failure = dispatch.take(&["deleted"], 1, Duration::ZERO).await.unwrap_err();
    assert!(failure.message.contains("NOT_FOUND"), "{}", failure.message);
    assert_eq!(dispatch.take(&["deleted"], 1, Duration::ZERO).await.unwrap(), []);
}

#[tokio::test]
async fn connections_that_are_not_there_and_brokers_that_do_not_answer_are_told() {
    let nobody = format!("amqp://127.0.0.1:{}", tests::free_port());
    let adapter = adapter(json!({"url": nobody, "timeout": "2s"}));
    let unknown = adapter.dispatch("main").unwrap_err();
    assert!(unknown.message.contains("`main`"), "{}", unknown.message);
    let dispatch = adapter.dispatch("default").unwrap();
    for failure in [
        dispatch.take(&["t"], 1, Duration::ZERO).await.unwrap_err(),
        dispatch.lead().await.err().unwrap(),
        adapter
            .events("default", "e")
            .unwrap()
            .tell(&[event(1)])
            .await
            .unwrap_err(),
    ] {
        assert!(failure.message.contains(&nobody), "{}", failure.message);
        assert_ne!(failure.retry, Retry::Never);
    }
}

fn event(number: usize) -> ProcessEvent {
    ProcessEvent {
        id: format!("event-{number}"),
        kind: "procos.task.completed".into(),
        time: Some(Timestamp::from_second(1_700_000_000).unwrap()),
        subject: Some("order-1".into()),
        data: json!({"number": number}),
    }
}

#[tokio::test]
async fn events_are_cloud_events_in_their_order_by_their_types() {
    let Some(rabbit) = rabbit() else { return };
    let (adapter, channel) = (adapter(settings(rabbit, json!({}))), channel(rabbit).await);
    let sink = adapter.events("default", "told").unwrap();
    // Makes the exchange, to which one can bind then.
    sink.tell(&[]).await.unwrap();
    queue(&channel, "listener").await;
    let bound = channel.queue_bind(
        "listener".into(),
        "told".into(),
        "procos.task.*".into(),
        QueueBindOptions::default(),
        FieldTable::default(),
    );
    bound.await.unwrap();
    let other = ProcessEvent {
        kind: "procos.instance.started".into(),
        ..event(2)
    };
    sink.tell(&[event(1), other, event(3)]).await.unwrap();
    for number in [1, 3] {
        let message = next(&channel, "listener").await;
        message.ack(BasicAckOptions::default()).await.unwrap();
        let told: Json = serde_json::from_slice(&message.data).unwrap();
        assert_eq!(
            told,
            json!({
                "specversion": "1.0", "id": format!("event-{number}"), "source": "urn:procos",
                "type": "procos.task.completed", "time": "2023-11-14T22:13:20Z", "subject": "order-1",
                "datacontenttype": "application/json", "data": {"number": number},
            })
        );
        let properties = &message.properties;
        assert_eq!(
            properties.content_type().as_ref().unwrap().as_str(),
            "application/cloudevents+json"
        );
        assert_eq!(
            properties.message_id().as_ref().unwrap().as_str(),
            format!("event-{number}")
        );
    }
}
