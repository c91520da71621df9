//! Pools that take offers on the real engine: one asks it, many work, and whatever is killed on the way loses nothing. And the
//! events of all that.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::StreamExt;
use lapin::options::{BasicAckOptions, BasicConsumeOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use lapin::{Channel, Connection, ConnectionProperties};
use serde_json::{Value as Json, json};
use tests::{Process, Procos, RabbitMq, Running, Scratch, skip, until};

use crate::world::{SOON, Worker, task};

/// How many instances are on their way while things are killed.
const INSTANCES: usize = 40;

fn broker(rabbit: &RabbitMq) -> Json {
    let url = format!("amqp://127.0.0.1:{}", rabbit.port());
    json!({"main": {"url": url, "timeout": "5s"}})
}

/// The dispatcher's own sections, and those of the workers.
fn configuration(rabbit: &RabbitMq, key: &str) -> Json {
    json!({
        "routes": {key: {"adapter": "core", "topic": "response_formatting", "retry": "R20/PT1S"}},
        "services": {"broker": broker(rabbit)},
        "dispatch": {"broker": "main", "interval": "100ms", "lifetime": "10s"},
        "workers": {
            "lock_duration": "5s",
            "pools": [{"name": "own", "capacity": 8, "topics": [key], "dispatched": true}],
        },
    })
}

/// `procos dispatcher` with the configuration of a worker, and more of its own.
fn dispatcher(worker: &Scratch, scratch: &Scratch, more: &Json) -> Running {
    let configured = std::fs::read_to_string(worker.path().join("procos.yml")).unwrap();
    let mut configured: Json = serde_json::from_str(&configured).unwrap();
    let sections = configured.as_object_mut().unwrap();
    sections.extend(more.as_object().unwrap().clone());
    sections.insert(
        "http".into(),
        json!({"listen": format!("127.0.0.1:{}", tests::free_port())}),
    );
    std::fs::write(scratch.path().join("procos.yml"), configured.to_string()).unwrap();
    let process = Procos::new(scratch.path()).args(["dispatcher"]).spawn();
    process.wait_for_line("dispatcher starts", SOON);
    process
}

async fn deployed(name: &str) -> Process {
    let process = Process::new(name);
    let formats = task(
        &[("template", "{{ value.number }}"), ("value", "${order}")],
        &["text"],
    );
    process.deploy_task(&formats, "").await;
    process
}

async fn start(process: &Process, number: usize) -> String {
    start_with(process, json!({"number": number})).await
}

async fn start_with(process: &Process, order: Json) -> String {
    let variables = [("order".to_owned(), engine_client::Variable::Json(order))];
    process.start_with(&variables.into_iter().collect()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn offered_tasks_are_done_while_dispatcher_worker_and_broker_are_killed() {
    let mut rabbit = match RabbitMq::start() {
        Ok(rabbit) => rabbit,
        Err(why) => return skip("RabbitMQ", why),
    };
    let process = deployed("dispatch").await;
    let configuration = configuration(&rabbit, &process.key);
    let mut one = Worker::start("offered-1", &[], &configuration);
    let _other = Worker::start("offered-2", &[], &configuration);
    let own = Scratch::new("dispatcher");
    let mut dispatching = dispatcher(&one.scratch, &own, &json!({}));
    let mut instances = Vec::new();
    let third = INSTANCES / 4;
    for number in 0..third {
        instances.push(start(&process, number).await);
    }
    one.kill9_and_start().await;
    for number in third..2 * third {
        instances.push(start(&process, number).await);
    }
    dispatching.kill9().wait_gone(SOON).await;
    for number in 2 * third..3 * third {
        instances.push(start(&process, number).await);
    }
    dispatching = tokio::task::block_in_place(|| dispatcher(&one.scratch, &own, &json!({})));
    rabbit.kill9().wait_gone(SOON).await;
    for number in 3 * third..INSTANCES {
        instances.push(start(&process, number).await);
    }
    tokio::task::block_in_place(|| rabbit.restart());
    for (number, instance) in instances.iter().enumerate() {
        until("the instance is completed", SOON, async || {
            let state = process.engine.instance_record(instance).await.unwrap().state;
            state.is_over().then_some(()).ok_or(format!("{state:?}"))
        })
        .await;
        let variables = process.process_variables(instance).await;
        assert_eq!(variables["text"], json!(number.to_string()));
    }
    drop(dispatching);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suspended_task_that_was_offered_waits_and_runs_when_it_may() {
    let rabbit = match RabbitMq::start() {
        Ok(rabbit) => rabbit,
        Err(why) => return skip("RabbitMQ", why),
    };
    let process = deployed("suspended").await;
    let configuration = configuration(&rabbit, &process.key);
    let instance = start(&process, 1).await;
    // The offer is there before the instance is suspended, and the worker comes after that.
    let (scratch, own) = (Scratch::new("offers"), Scratch::new("dispatcher"));
    let engine = Worker::settings(&[], &configuration);
    std::fs::write(scratch.path().join("procos.yml"), engine.to_string()).unwrap();
    let _dispatching = dispatcher(&scratch, &own, &json!({}));
    let queue = format!("procos.dispatch.{}", process.key);
    until("the task is offered", SOON, async || {
        let queues = rabbit.queues();
        queues
            .contains(&(queue.clone(), 1))
            .then_some(())
            .ok_or_else(|| format!("{queues:?}"))
    })
    .await;
    process.engine.suspend_instance(&instance, true).await.unwrap();
    let _worker = Worker::start("offered", &[], &configuration);
    until("the offer is taken", SOON, async || {
        let queues = rabbit.queues();
        queues
            .contains(&(queue.clone(), 0))
            .then_some(())
            .ok_or_else(|| format!("{queues:?}"))
    })
    .await;
    let task = process.engine.external_tasks(&instance).await.unwrap().remove(0);
    assert!(task.suspended);
    process.engine.suspend_instance(&instance, false).await.unwrap();
    process.completed(&instance).await;
}

/// What a queue of a test's own gets of the events, by instance: their types, in the order in which they came.
struct Told {
    channel: Channel,
    events: BTreeMap<String, Vec<String>>,
}

impl Told {
    async fn listen(rabbit: &RabbitMq) -> Self {
        let url = format!("amqp://127.0.0.1:{}/%2f", rabbit.port());
        let connection = Connection::connect(&url, ConnectionProperties::default())
            .await
            .unwrap();
        let channel = connection.create_channel().await.unwrap();
        let none = FieldTable::default;
        channel
            .queue_declare("told".into(), QueueDeclareOptions::durable(), none())
            .await
            .unwrap();
        let bound = channel.queue_bind(
            "told".into(),
            "procos.events".into(),
            "#".into(),
            QueueBindOptions::default(),
            none(),
        );
        bound.await.unwrap();
        Self {
            channel,
            events: BTreeMap::new(),
        }
    }

    /// Waits until the events of an instance end with this type.
    async fn until(&mut self, instance: &str, last: &str) {
        let tag = "".into();
        let consuming = self.channel.basic_consume(
            "told".into(),
            tag,
            BasicConsumeOptions::default(),
            FieldTable::default(),
        );
        let mut consumer = consuming.await.unwrap();
        let told = async {
            while self
                .events
                .get(instance)
                .and_then(|all| all.last())
                .map(String::as_str)
                != Some(last)
            {
                let delivery = consumer.next().await.unwrap().unwrap();
                delivery.ack(BasicAckOptions::default()).await.unwrap();
                let event: Json = serde_json::from_slice(&delivery.data).unwrap();
                assert_eq!(delivery.routing_key.as_str(), event["type"].as_str().unwrap());
                let of = event["data"]["instance_id"].as_str().unwrap().to_owned();
                let kind = event["type"].as_str().unwrap().to_owned();
                self.events.entry(of).or_default().push(kind);
            }
        };
        tokio::time::timeout(SOON, told).await.expect("it is told");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_is_told_in_order_also_what_happened_while_nobody_told() {
    let rabbit = match RabbitMq::start() {
        Ok(rabbit) => rabbit,
        Err(why) => return skip("RabbitMQ", why),
    };
    let process = deployed("events").await;
    let configuration = configuration(&rabbit, &process.key);
    let events = json!({"events": {"broker": "main", "interval": "200ms"}});
    let worker = Worker::start("told", &[], &configuration);
    let own = Scratch::new("dispatcher");
    let mut dispatching = dispatcher(&worker.scratch, &own, &events);
    dispatching.wait_for_line("\"inbound\":\"events\"", SOON);
    let mut told = Told::listen(&rabbit).await;
    let all = [
        "instance.started",
        "task.created",
        "task.completed",
        "instance.completed",
    ];
    let all = all.map(|kind| format!("procos.{kind}"));
    let second = start(&process, 2).await;
    told.until(&second, "procos.instance.completed").await;
    assert_eq!(told.events[&second], all);
    // A wrong order makes the task fail: its attempts are told, too.
    dispatching.kill9().wait_gone(SOON).await;
    let third = start_with(&process, json!({"no": "number"})).await;
    let cancelled = async {
        until("it fails", SOON, async || {
            let tasks = process.engine.external_tasks(&third).await.unwrap();
            let retries = tasks[0].retries;
            retries.is_some().then_some(()).ok_or("not yet")
        })
        .await;
        process.engine.cancel_instance(&third).await.unwrap();
    };
    dispatching = tokio::task::block_in_place(|| dispatcher(&worker.scratch, &own, &events));
    tokio::time::timeout(Duration::from_secs(60), cancelled)
        .await
        .unwrap();
    told.until(&third, "procos.instance.terminated").await;
    let told = &told.events[&third];
    assert_eq!(
        told[0..3],
        [
            "procos.instance.started",
            "procos.task.created",
            "procos.task.failed"
        ]
    );
    assert!(told.contains(&"procos.task.cancelled".to_owned()), "{told:?}");
    drop(dispatching);
}
