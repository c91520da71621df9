//! With a real broker.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "test code")]

use std::sync::OnceLock;
use std::time::Duration;

use bytes::Bytes;
use lapin::message::BasicGetMessage;
use lapin::options::{
    BasicAckOptions, BasicGetOptions, ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, ExchangeKind};
use secrets::SecretStore;
use serde_json::{Value as Json, json};
use tests::{RabbitMq, skip};
use worker_api::{Adapter, BpmnError, Failure, File, Outcome, Retry, Task, TaskContext, TaskError, Value};

use crate::BrokerAdapter;
use crate::link::Broker;

mod dispatching;
mod publishing;
mod queues;

/// How long what should happen soon may take on a busy machine.
const SOON: Duration = Duration::from_secs(60);

/// The one broker of these tests, unless they break it.
fn rabbit() -> Option<&'static RabbitMq> {
    static SHARED: OnceLock<Result<RabbitMq, &'static str>> = OnceLock::new();
    match SHARED.get_or_init(RabbitMq::start) {
        Ok(rabbit) => Some(rabbit),
        Err(why) => {
            skip("RabbitMQ", why);
            None
        }
    }
}

fn settings(rabbit: &RabbitMq, more: Json) -> Json {
    let mut settings = json!({"url": format!("amqp://127.0.0.1:{}", rabbit.port())});
    settings
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    settings
}

fn adapter(settings: Json) -> BrokerAdapter {
    let connections = serde_json::from_value(json!({"default": settings})).unwrap();
    BrokerAdapter::new(connections, SecretStore::default()).unwrap()
}

/// A channel of a test's own, as anybody else has one.
async fn channel(rabbit: &RabbitMq) -> Channel {
    let settings = serde_json::from_value(settings(rabbit, json!({}))).unwrap();
    let broker = Broker::new("test", settings, SecretStore::default()).unwrap();
    broker.channel().await.unwrap()
}

/// A queue of a test's own.
async fn queue(channel: &Channel, name: &str) {
    channel
        .queue_declare(name.into(), QueueDeclareOptions::durable(), FieldTable::default())
        .await
        .unwrap();
}

/// The next message of a queue, which is soon there.
async fn next(channel: &Channel, queue: &str) -> BasicGetMessage {
    tests::until("there is a message", SOON, async || {
        let got = channel.basic_get(queue.into(), BasicGetOptions::default()).await;
        got.map_err(|error| error.to_string())?
            .ok_or_else(|| "none yet".to_owned())
    })
    .await
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

fn context(inputs: Json) -> TaskContext {
    let task = Task {
        id: "task-1".into(),
        activity_id: "tell".into(),
        topic: "message_publish".into(),
        process_instance_id: "instance-1".into(),
        ..Task::default()
    };
    let inputs = inputs.as_object().unwrap().clone();
    let variables = inputs.into_iter().map(|(name, value)| (name, value.into()));
    TaskContext::new(task, Duration::from_secs(60)).with_variables(variables.collect())
}

/// A header that is a text.
fn header(properties: &lapin::BasicProperties, name: &str) -> String {
    match properties
        .headers()
        .as_ref()
        .and_then(|all| all.inner().get(name))
    {
        Some(AMQPValue::LongString(text)) => text.to_string(),
        other => panic!("{name}: {other:?}"),
    }
}
