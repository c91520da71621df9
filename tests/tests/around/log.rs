//! What is told of a violation, when, and what is done about it.

use std::time::{Duration, Instant};

use serde_json::json;
use tests::{Engine, conditional_process as model};

use crate::world::{CALL, Kernel, Stranger};

/// Long enough to start instances between two looks.
const INTERVAL: Duration = Duration::from_secs(10);

/// What a look itself may take on a machine that builds.
const LOOK: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_violation_on_an_attached_engine_is_stopped_and_logged_within_an_interval() {
    Engine::shared();
    let kernel =
        tokio::task::block_in_place(|| Kernel::start("suspends", "watch: 10s, on_violation: suspend"));
    let stranger = Stranger::new();
    // Told of this one, it has just looked.
    stranger
        .deploy("first", &[("first.bpmn", &model("first", CALL))], &[])
        .await;
    kernel.told("first.bpmn");

    let deployment = [
        ("late.bpmn", model("late", CALL)),
        ("fine.bpmn", model("fine", "${x}")),
    ];
    let files = deployment.each_ref().map(|(file, model)| (*file, model.as_str()));
    let fields = [("deployment-source", "Camunda Modeler")];
    let deployed = stranger.deploy("late diagram", &files, &fields).await;
    let begun = Instant::now();
    let instance = stranger.start("late").await;
    let ended = stranger.start("late").await;
    stranger.delete(&format!("/process-instance/{ended}")).await;
    stranger.until_suspended("late").await;
    assert!(begun.elapsed() < INTERVAL + LOOK, "{:?}", begun.elapsed());

    let line = kernel.told("late.bpmn");
    let fields = &line;
    assert_eq!(
        (&line["level"], &line["target"], &fields["message"]),
        (
            &json!("ERROR"),
            &json!("procos::run::around"),
            &json!("models were deployed around the gate, which refuses them")
        ),
        "{line}"
    );
    assert_eq!(
        (&fields["deployment_id"], &fields["name"], &fields["source"]),
        (&deployed["id"], &json!("late diagram"), &json!("Camunda Modeler")),
        "{line}"
    );
    let findings = fields["findings"].as_str().unwrap();
    assert!(
        findings.starts_with("late.bpmn:7:") && findings.contains("error[expression-call]"),
        "{line}"
    );
    assert!(!findings.contains("fine.bpmn"), "{line}");
    assert_eq!(
        fields["definitions"], "late version 1 is suspended; instances started by then: 2, finished: 1",
        "{line}"
    );
    assert!(line["timestamp"].as_str().unwrap().ends_with('Z'), "{line}");

    assert!(!stranger.is_suspended("fine").await);
    let running = stranger.get(&format!("/process-instance/{instance}")).await;
    assert_eq!(running["suspended"], true, "{running}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_an_attached_engine_it_is_only_told_unless_configured() {
    Engine::shared();
    let kernel = tokio::task::block_in_place(|| Kernel::start("reports", "watch: 500ms"));
    let stranger = Stranger::new();
    stranger
        .deploy("told", &[("told.bpmn", &model("told", CALL))], &[])
        .await;
    let line = kernel.told("told.bpmn");
    assert_eq!(
        line["definitions"], "told version 1 is still active; instances started by then: 0, finished: 0",
        "{line}"
    );
}
