//! A program of a user's own on the real engine.

use serde_json::json;
use tests::{Process, boundary, workspace};

use crate::world::{Worker, task};

#[tokio::test(flavor = "multi_thread")]
async fn a_program_works_for_a_process_and_its_error_is_caught() {
    let process = Process::new("program");
    let inside = task(&[("iban", "${iban}")], &["iban", "country"]);
    process.deploy_task(&inside, &boundary("IBAN_WRONG")).await;
    let worker = Worker::start(
        "program",
        &[&process.key],
        &json!({
            "routes": {&process.key: {"adapter": "program", "topic": "iban_check"}},
            "services": {"program": {"iban": {"directory": workspace().join("examples/adapters/iban")}}},
            "sandbox": {"backend": "bubblewrap", "warm": 0},
        }),
    );
    let start = async |iban: &str| {
        let variables = [("iban".to_owned(), json!(iban).into())];
        process.start_with(&variables.into_iter().collect()).await
    };
    let instance = start("DE89370400440532013000").await;
    process.completed(&instance).await;
    let variables = process.process_variables(&instance).await;
    assert_eq!(variables["country"], "DE");
    let wrong = start("DE88370400440532013000").await;
    process.rescued(&wrong).await;
    let shown = worker.procos(&["adapters", "program"]).stdout;
    assert!(
        shown.contains("iban_check") && shown.contains("IBAN_WRONG"),
        "{shown}"
    );
}
