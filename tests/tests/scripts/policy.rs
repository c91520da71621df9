//! What a process says about its scripts in `procos:security`, and what docs/security-in-the-model.md shows of it.

use std::fs;
use std::path::PathBuf;

use engine_client::{DeploymentRequest, Resource};
use serde_json::{Value, json};
use tests::{Engine, Procos, workspace};

use crate::world::System;

fn offer() -> String {
    fs::read_to_string(workspace().join("docs/examples/offer.bpmn")).unwrap()
}

/// Deploys this as a process of its own name, and gives what is said.
fn deploy(name: &str, model: &str, code: i32) -> String {
    let system = System::shared();
    let file: PathBuf = system.scratch.path().join(format!("{name}.bpmn"));
    fs::write(&file, model.replace("\"offer\"", &format!("\"{name}\""))).unwrap();
    let deployed = Procos::new(system.scratch.path())
        .args(["deploy"])
        .args([file])
        .run();
    deployed.expect_code(code).stdout
}

/// Starts it, and waits for what becomes of it.
fn start(name: &str, code: i32) -> Value {
    Procos::new(System::shared().scratch.path())
        .args(["start", name, "--var", "price=10.5", "--var", "amount=12"])
        .args(["--wait", "60s", "--json"])
        .run()
        .expect_code(code)
        .json()
}

fn run(name: &str, model: &str, code: i32) -> Value {
    deploy(name, model, 0);
    start(name, code)
}

/// The incident that it comes to where it is deployed around the gate, as Modeler can.
async fn refused(name: &str, model: &str) -> String {
    System::shared();
    let content = model.replace("\"offer\"", &format!("\"{name}\""));
    let request = DeploymentRequest {
        name,
        changed_only: false,
        source: "test",
        tenant_id: None,
        resources: vec![Resource {
            name: format!("{name}.bpmn"),
            content: content.into(),
        }],
    };
    Engine::shared().client().deploy(&request).await.unwrap();
    let told = start(name, 1);
    assert_eq!(told["state"], "incident", "{told}");
    told["incidents"].to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_example_with_a_policy_runs() {
    let told = run("offer", &offer(), 0);
    assert_eq!(told["variables"]["offer"], "All together 113.4", "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_example_does_not_allow_does_not_run() {
    let line = "          <procos:task topic=\"python_script\" sandboxLevel=\"high\" />\n";
    let model = offer();
    assert!(model.contains(line));
    let without = model.replace(line, "");
    let said = deploy("offer_without_scripts", &without, 1);
    assert!(
        said.contains("topic-not-allowed") && said.contains("python_script"),
        "{said}"
    );
    let told = refused("offer_without_scripts", &without).await;
    for part in [
        "python_script",
        "work_out_price",
        "offer_without_scripts",
        "response_formatting",
    ] {
        assert!(told.contains(part), "no {part} in {told}");
    }
    let told = refused(
        "offer_outside",
        &model.replace("sandboxLevel=\"high\"", "sandboxLevel=\"none\""),
    )
    .await;
    assert!(told.contains("needs a sandbox"), "{told}");
    let formats = "topic=\"response_formatting\" sandboxLevel=\"none\"";
    let told = refused(
        "offer_formats",
        &model.replace(formats, "topic=\"response_formatting\" sandboxLevel=\"low\""),
    )
    .await;
    assert!(told.contains("runs no code of users"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_has_no_more_than_the_level_that_the_process_asks_for() {
    // The pool allows 64 MiB in the working directory, and 16 are what `high` stands for.
    let room = "import os; result = os.statvfs(\".\").f_blocks * os.statvfs(\".\").f_frsize";
    let start = offer().find("discount = ").unwrap();
    let end = offer().find(", 2)</camunda").unwrap() + ", 2)".len();
    let mut model = offer();
    model.replace_range(start..end, room);
    let told = run("offer_room", &model, 0);
    assert_eq!(told["variables"]["total"], json!(16 << 20), "{told}");
    let told = run(
        "offer_more_room",
        &model.replace("sandboxLevel=\"high\"", "sandboxLevel=\"low\""),
        0,
    );
    assert_eq!(told["variables"]["total"], json!(64 << 20), "{told}");
}

/// The part of the example that the page shows is the example's.
#[test]
fn the_page_shows_the_example() {
    let page = fs::read_to_string(workspace().join("docs/security-in-the-model.md")).unwrap();
    let model = offer();
    let (_, rest) = model.split_once("      <procos:security>").unwrap();
    let (inside, _) = rest.split_once("      </procos:security>").unwrap();
    let shown = format!("<procos:security>{inside}</procos:security>").replace("\n      ", "\n");
    assert!(
        page.contains(&shown),
        "docs/security-in-the-model.md does not show:\n{shown}"
    );
}
