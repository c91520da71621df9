//! RabbitMQ on the real engine: what a task publishes comes back by a queue and continues the instance.

use std::collections::BTreeSet;

use serde_json::json;
use tests::{Process, RabbitMq, skip, until};

use crate::world::{SOON, Worker, task};

/// How many instances are on their way while things are killed.
const INSTANCES: usize = 30;

#[tokio::test(flavor = "multi_thread")]
async fn messages_come_to_their_instances_once_while_the_broker_and_the_worker_are_killed() {
    let mut rabbit = match RabbitMq::start() {
        Ok(rabbit) => rabbit,
        Err(why) => return skip("RabbitMQ", why),
    };
    let process = Process::new("broker");
    let (message, queue) = (format!("{}-paid", process.key), "requests");
    let publish = task(
        &[
            ("routing_key", queue),
            ("event_type", &message),
            ("subject", "${number}"),
            ("payload", r#"{"paid": "${number}"}"#),
            ("repeatable", "true"),
        ],
        &["message_id"],
    );
    // Each message is waited for twice: one that came twice would end an instance without its second.
    process
        .deploy(&format!(
            r#"<message id="m" name="{message}"/><process id="KEY" isExecutable="true" camunda:historyTimeToLive="P1D">
  <startEvent id="start"/><sequenceFlow id="f1" sourceRef="start" targetRef="one"/>
  <serviceTask id="one" camunda:type="external" camunda:topic="TOPIC">{publish}</serviceTask>
  <sequenceFlow id="f2" sourceRef="one" targetRef="first"/>
  <intermediateCatchEvent id="first"><messageEventDefinition messageRef="m"/></intermediateCatchEvent>
  <sequenceFlow id="f3" sourceRef="first" targetRef="two"/>
  <serviceTask id="two" camunda:type="external" camunda:topic="TOPIC">{publish}</serviceTask>
  <sequenceFlow id="f4" sourceRef="two" targetRef="second"/>
  <intermediateCatchEvent id="second"><messageEventDefinition messageRef="m"/></intermediateCatchEvent>
  <sequenceFlow id="f5" sourceRef="second" targetRef="end"/><endEvent id="end"/>
</process>"#
        ))
        .await;
    let mut worker = Worker::start(
        "broker",
        &[&process.key],
        &json!({
            "routes": {&process.key: {"adapter": "broker", "topic": "message_publish", "retry": "R100/PT1S"}},
            "services": {"broker": {"default": {
                "url": format!("amqp://127.0.0.1:{}", rabbit.port()), "timeout": "5s",
                "consume": {queue: {"patience": "60s"}},
            }}},
            "workers": {"lock_duration": "5s", "pools": [{"name": "own", "capacity": 8, "topics": [&process.key]}]},
        }),
    );
    let mut instances = Vec::new();
    let start = async |number: usize| {
        let number = format!("{}-{number}", process.key);
        let variables = [("number".to_owned(), json!(number).into())]
            .into_iter()
            .collect();
        let started = process
            .engine
            .start_instance(&process.key, None, Some(&number), &variables);
        started.await.unwrap().id
    };
    for number in 0..INSTANCES / 2 {
        instances.push(start(number).await);
    }
    rabbit.kill9().wait_gone(SOON).await;
    for number in INSTANCES / 2..INSTANCES {
        instances.push(start(number).await);
    }
    tokio::task::block_in_place(|| rabbit.restart());
    worker.kill9_and_start().await;
    for instance in &instances {
        process.completed(instance).await;
    }
    let mut ids = BTreeSet::new();
    for instance in &instances {
        let variables = process.process_variables(instance).await;
        ids.insert(variables["message_id"].to_string());
    }
    assert_eq!(ids.len(), INSTANCES);
    until("nothing is left", SOON, async || {
        let listed = rabbit.queues();
        let wanted = [("requests".to_owned(), 0), ("requests.dead".to_owned(), 0)];
        (listed == wanted)
            .then_some(())
            .ok_or_else(|| format!("{listed:?}"))
    })
    .await;
}
