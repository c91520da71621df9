//! What a handler's inputs, answer and errors are in the process.

use std::sync::Arc;
use std::time::Duration;

use engine_client::ExternalTaskQuery;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tests::{Engine, until};
use tokio::sync::Notify;
use worker_runtime::{BpmnError, DrainReport, Handler, HandlerResult, RetryPolicy, Topic, Worker};

use crate::example::{Process, SOON};

const MAPPED: &str = r#"<camunda:inputOutput>
  <camunda:inputParameter name="order">${order}</camunda:inputParameter>
  <camunda:inputParameter name="copies">2</camunda:inputParameter>
  <camunda:outputParameter name="total">${total}</camunda:outputParameter>
  <camunda:outputParameter name="lines">${lines}</camunda:outputParameter></camunda:inputOutput>"#;

#[derive(Deserialize)]
struct Inputs {
    order: Order,
    // A constant in a model is text.
    #[serde(deserialize_with = "worker_runtime::flexible")]
    copies: u32,
}

#[derive(Deserialize)]
struct Order {
    prices: Vec<f64>,
}

#[derive(Serialize)]
struct Output {
    total: f64,
    lines: Vec<String>,
}

async fn print(inputs: Inputs) -> HandlerResult<Output> {
    Ok(Output {
        total: inputs.order.prices.iter().sum::<f64>() * f64::from(inputs.copies),
        lines: inputs.order.prices.iter().map(ToString::to_string).collect(),
    })
}

fn worker<A: 'static>(process: &Process, handler: impl Handler<A>) -> Worker {
    let retry = RetryPolicy::cycle(2, Duration::from_millis(10));
    Worker::builder(Engine::shared().client_as("worker"))
        .serve(Topic::new(&process.key, handler).retry(retry))
        .start()
        .unwrap()
}

#[tokio::test]
async fn inputs_and_answers_are_types_of_the_handlers_own() {
    let process = Process::of_one_task("typed", MAPPED).await;
    let worker = worker(&process, print);
    let instance = process.start(json!({"order": {"prices": [1.5, 2]}})).await;
    let variables = process.completed(&instance).await;
    assert_eq!(variables["total"], json!(7.0));
    assert_eq!(variables["lines"], json!(["1.5", "2"]));
    worker.stop().await;
}

#[tokio::test]
async fn a_wrong_input_is_an_incident_that_names_it() {
    let process = Process::of_one_task("wrong-input", MAPPED).await;
    let worker = worker(&process, print);
    let instance = process.start(json!({"order": {"prices": [1.5, "two"]}})).await;
    let message = process.incident(&instance).await.incident_message.unwrap();
    assert!(
        message.contains("input `order.prices[1]` of task work"),
        "{message}"
    );
    worker.stop().await;
}

#[tokio::test]
async fn an_error_is_tried_again_and_told_with_its_causes() {
    let process = Process::of_one_task("failing", "").await;
    let attempts = Arc::new(std::sync::Mutex::new(Vec::new()));
    let seen = attempts.clone();
    let worker = worker(
        &process,
        move |_: serde_json::Value, context: worker_runtime::TaskContext| {
            seen.lock().unwrap().push(context.task.attempt);
            async {
                let number: u8 = "many".parse()?;
                Ok(json!({"number": number}))
            }
        },
    );
    let instance = process.start(json!({})).await;
    let incident = process.incident(&instance).await;
    assert_eq!(
        incident.incident_message.as_deref(),
        Some("invalid digit found in string")
    );
    assert_eq!(*attempts.lock().unwrap(), [1, 2]);
    worker.stop().await;
}

#[tokio::test]
async fn a_bpmn_error_that_nothing_catches_is_an_incident_with_its_code() {
    let process = Process::of_one_task("uncaught", "").await;
    let worker = worker(&process, async |_: serde_json::Value| -> HandlerResult<()> {
        Err(BpmnError::new("NO_PAPER", "the tray is empty"))?
    });
    let instance = process.start(json!({})).await;
    let message = process.incident(&instance).await.incident_message.unwrap();
    assert!(message.contains("NO_PAPER: the tray is empty"), "{message}");
    worker.stop().await;
}

#[tokio::test]
async fn what_is_under_way_at_the_stop_is_finished() {
    let process = Process::of_one_task("draining", "").await;
    let (begun, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let worker = worker(&process, {
        let (begun, go_on) = (begun.clone(), go_on.clone());
        move |_: serde_json::Value| {
            let (begun, go_on) = (begun.clone(), go_on.clone());
            async move {
                begun.notify_one();
                go_on.notified().await;
                Ok(())
            }
        }
    });
    let instance = process.start(json!({})).await;
    begun.notified().await;
    let stopping = tokio::spawn(worker.run_until(async {}));
    // Handed to the worker only when it is on its way out, it would never end.
    let second = process.start(json!({})).await;
    go_on.notify_one();
    let report = stopping.await.unwrap();
    assert_eq!(
        report,
        DrainReport {
            finished: 1,
            ..DrainReport::default()
        }
    );
    process.completed(&instance).await;
    let free = ExternalTaskQuery {
        process_instance_id: Some(&second),
        not_locked: true,
        ..ExternalTaskQuery::default()
    };
    until(
        "the second instance's task is free for others",
        SOON,
        async || match process.engine.count_external_tasks(&free).await.unwrap() {
            1 => Ok(()),
            count => Err(format!("{count} are")),
        },
    )
    .await;
}
