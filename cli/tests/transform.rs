//! Filters of `json_transform` in processes of their own: what they take and how they end.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::time::{Duration, Instant};

use adapter_core::{CoreAdapter, TRANSFORM};
use serde_json::{Value as Json, json};
use worker_api::{Adapter, BpmnError, Failure, Outcome, Retry, Task, TaskContext, TaskError};

const PROCOS: &str = env!("CARGO_BIN_EXE_procos");

/// Runs a filter as a task does, in a process of the real program.
async fn run(adapter: &CoreAdapter, inputs: Json) -> Outcome {
    let task = Task {
        topic: "json_transform".into(),
        ..Task::default()
    };
    let inputs = inputs.as_object().unwrap().clone();
    let variables = inputs.into_iter().map(|(name, value)| (name, value.into()));
    let context = TaskContext::new(task, Duration::from_secs(60)).with_variables(variables.collect());
    adapter.execute(context).await
}

fn adapter() -> CoreAdapter {
    CoreAdapter::transforming_by(PROCOS, [TRANSFORM])
}

async fn result(inputs: Json) -> Json {
    run(&adapter(), inputs).await.unwrap().fields()["result"].to_json()
}

async fn failure(inputs: Json) -> Failure {
    match run(&adapter(), inputs).await.unwrap_err() {
        TaskError::Failure(failure) => failure,
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_filter_gives_its_result() {
    let order = json!({"lines": [{"price": 10, "amount": 2}, {"price": 7, "amount": 1}]});
    let sum = ".lines | map(.price * .amount) | add * $rate";
    let inputs = json!({"value": order, "filter": sum, "arguments": {"rate": 2}});
    assert_eq!(result(inputs).await, 54);
    // As Modeler gives them: all is text.
    let inputs = json!({"value": order.to_string(), "filter": ".lines[].price", "many": "true"});
    assert_eq!(result(inputs).await, json!([10, 7]));
}

#[tokio::test]
async fn what_is_wrong_or_fails_is_told() {
    let wrong = failure(json!({"value": 1, "filter": ".a |"})).await;
    assert_eq!(
        wrong.message,
        "the input `filter`: line 1, column 5: expected term, found its end"
    );
    assert_eq!(wrong.retry, Retry::Never);
    let thrown = run(
        &adapter(),
        json!({"value": 3, "filter": "error({message: \"too much\", limit: .})"}),
    )
    .await;
    let TaskError::Bpmn(BpmnError { code, message, .. }) = thrown.unwrap_err() else {
        panic!("it is one for the model")
    };
    assert_eq!(
        (code.as_str(), message.as_str()),
        ("TRANSFORM_FAILED", "too much")
    );
}

#[tokio::test]
async fn a_filter_reads_no_secrets_of_the_worker() {
    // Of this test's own process there are some.
    assert!(std::env::vars().count() > 0);
    assert_eq!(result(json!({"value": 1, "filter": "env"})).await, json!({}));
}

#[tokio::test]
async fn a_filter_that_takes_too_much_memory_costs_its_own_task_alone() {
    let memory = failure(json!({"value": 1, "filter": "[range(1e9)] | length"})).await;
    assert!(memory.message.contains("more than 512 MiB"), "{}", memory.message);
    let stack = failure(json!({"value": 1, "filter": "def f: 1 + f; f"})).await;
    assert!(
        stack.message.contains("calls itself too often") || stack.message.contains("MiB"),
        "{}",
        stack.message
    );
    let much = run(&adapter(), json!({"value": 1, "filter": "\"x\" * 9000000"}))
        .await
        .unwrap_err();
    assert!(much.to_string().contains("more than 8388608 bytes"), "{much}");
    let large = failure(json!({"value": "x".repeat(9 << 20), "filter": "."})).await;
    assert!(large.message.contains("8388608"), "{}", large.message);
    assert_eq!(result(json!({"value": 1, "filter": "."})).await, 1);
}

/// The processes that this one has started and that run filters.
fn filters() -> usize {
    let children = std::fs::read_dir("/proc").unwrap().filter_map(|entry| {
        let folder = entry.ok()?.path();
        let status = std::fs::read_to_string(folder.join("status")).ok()?;
        let own = format!("PPid:\t{}\n", std::process::id());
        let ended = status.contains("State:\tZ");
        (status.contains(&own) && !ended).then_some(())
    });
    children.count()
}

#[tokio::test]
async fn a_filter_without_end_ends_with_its_task() {
    let adapter = adapter();
    let endless = run(&adapter, json!({"value": 1, "filter": "last(range(infinite))"}));
    let given_up = tokio::time::timeout(Duration::from_secs(1), endless).await;
    assert!(given_up.is_err());
    let until = Instant::now() + Duration::from_secs(30);
    // Others of these tests may be under way; they end by themselves.
    while filters() > 0 {
        assert!(Instant::now() < until, "{} filters still run", filters());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_program_that_is_not_there_is_told() {
    let adapter = CoreAdapter::transforming_by("/nowhere/procos", [TRANSFORM]);
    let TaskError::Failure(failure) = run(&adapter, json!({"value": 1, "filter": "."}))
        .await
        .unwrap_err()
    else {
        panic!()
    };
    assert!(
        failure.message.contains("/nowhere/procos transform"),
        "{}",
        failure.message
    );
    assert_ne!(failure.retry, Retry::Never);
}
