//! The examples of `engine-client`, as programs.

use serde_json::json;
use tests::Engine;
use worker_runtime::{Failure, HandlerResult, Worker};

use crate::example::{Process, SOON, model, program, stock};

#[tokio::test(flavor = "multi_thread")]
async fn the_example_that_starts_a_process_deploys_it_and_shows_how_it_ended() {
    // The adapter in a crate of its own, in a worker of its own.
    let worker = stock();
    worker.wait_for_line("worker started", SOON);
    let file = model("stock.bpmn");
    let variables = r#"{"item": "desk", "quantity": 2}"#;
    let arguments = [file.to_str().unwrap(), "stock", variables];
    let program = program("engine-client", "start", "kernel", &arguments);
    program.wait_for_line("deployed stock version", SOON);
    program.wait_for_line("left = 8", SOON);
    program.wait_for_line("ended: Completed", SOON);
    assert!(program.wait_for_end(SOON).success());
    drop(worker);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_example_of_a_debugger_lists_incidents_and_retries() {
    let process = Process::of_one_task("debugged", "").await;
    let worker = Worker::builder(Engine::shared().client_as("worker"))
        .topic(
            &process.key,
            async |_: serde_json::Value, context: worker_runtime::TaskContext| match context.task.attempt {
                1 => Err(Failure::permanent("out of ink").with_details("cartridge: cyan"))?,
                _ => HandlerResult::Ok(()),
            },
        )
        .start()
        .unwrap();
    let instance = process.start(json!({})).await;
    process.incident(&instance).await;
    let list = program("engine-client", "incidents", "kernel", &[]);
    list.wait_for_line(&format!("instance {instance}, work: out of ink"), SOON);
    list.wait_for_line("    cartridge: cyan", SOON);
    assert!(list.wait_for_end(SOON).success());
    let retry = program("engine-client", "incidents", "kernel", &["retry", &instance]);
    retry.wait_for_line("work is tried again", SOON);
    assert!(retry.wait_for_end(SOON).success());
    process.completed(&instance).await;
    worker.stop().await;
}
