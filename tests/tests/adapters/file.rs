//! Files on the real engine: written by one task, read by the next worker.

use serde_json::json;
use tests::{Process, Scratch};

use crate::world::{Worker, task};

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_written_and_its_path_kept() {
    let folder = Scratch::new("orders");
    let process = Process::new("file");
    let _worker = Worker::start(
        "file",
        &[&process.key],
        &json!({
            "routes": {&process.key: {"adapter": "file", "topic": "file_write"}},
            "services": {"file": {"default": {"path": folder.path(), "write": true}}},
        }),
    );
    let inside = task(
        &[("path", "2026/${order}.txt"), ("content", "a desk")],
        &["path", "size"],
    );
    process.deploy_task(&inside, "").await;
    let order = [("order".to_owned(), json!("A-1").into())];
    let instance = process.start_with(&order.into_iter().collect()).await;
    process.completed(&instance).await;
    let kept = process.process_variables(&instance).await;
    assert_eq!(
        (&kept["path"], &kept["size"]),
        (&json!("2026/A-1.txt"), &json!(6))
    );
    let written = std::fs::read_to_string(folder.path().join("2026/A-1.txt")).unwrap();
    assert_eq!(written, "a desk");
}
