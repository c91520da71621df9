//! The examples of `worker-runtime`, as programs.

use rustix::process::Signal;
use serde_json::json;

use crate::example::{Process, SOON, model, program};

#[tokio::test(flavor = "multi_thread")]
async fn the_example_of_a_worker_works_and_stops_when_told_to() {
    let process = Process::example("tax").await;
    let worker = program("worker-runtime", "tax", "worker", &[]);
    worker.wait_for_line("worker started", SOON);
    let instance = process.start(json!({"net": 200, "rate": 0.25})).await;
    let variables = process.completed(&instance).await;
    assert_eq!(variables["gross"], json!(250.0), "{variables:?}");
    worker.signal(Signal::TERM);
    assert!(worker.wait_for_end(SOON).success());
    worker.wait_for_line("worker stopped", SOON);
}

#[test]
fn the_example_of_a_worker_has_less_than_twenty_lines() {
    let source = std::fs::read_to_string(model("tax.rs")).unwrap();
    let is_code = |line: &&str| !line.is_empty() && !line.starts_with("//");
    let lines = source.lines().map(str::trim).filter(is_code).count();
    assert!(lines < 20, "{lines} lines without comments");
}
