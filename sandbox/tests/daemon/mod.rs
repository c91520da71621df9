//! The Docker daemon of this machine, for tests, and what they all do with it.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "test code: a failed expectation is a failed test; not every test uses all of it"
)]

use std::collections::HashMap;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use bollard::Docker;
use bollard::models::ContainerSummary;
use bollard::query_parameters::ListContainersOptionsBuilder;
use sandbox::{BackendChoice, Ending, Language, Level, Report, Sandbox, Script, Settings};

/// How long anything may take that is waited for.
pub(crate) const LONG: Duration = Duration::from_secs(60);

/// The daemon, or nothing where there is none, which is said.
pub(crate) async fn docker(test: &str) -> Option<Docker> {
    let docker = Docker::connect_with_defaults().unwrap();
    match docker.negotiate_version().await {
        Ok(docker) => Some(docker),
        Err(error) => {
            assert!(
                std::env::var_os("CI").is_none(),
                "{test} must not be left out in continuous integration: {error}"
            );
            // Not `eprintln!`, which the test runner keeps to itself where a test passes.
            let _ = writeln!(std::io::stderr(), "SKIPPED docker {test}: no Docker daemon");
            None
        }
    }
}

/// Docker's backend with so many warm cells for Python.
pub(crate) fn settings(state_dir: &Path, warm: usize) -> Settings {
    let mut settings = Settings::new(state_dir);
    settings.backend = BackendChoice::Docker;
    settings.limits = Level::Low.limits();
    settings.limits.pids = 32;
    settings.limits.memory = 128 << 20;
    settings.warm = warm;
    settings.languages = vec![Language::Python];
    settings
}

/// A script in Python.
pub(crate) fn python(source: &str) -> Script {
    Script {
        language: Language::Python,
        image: None,
        name: "test.py".to_owned(),
        source: source.to_owned(),
        inputs: serde_json::Map::new(),
        files: Vec::new(),
        output_files: Vec::new(),
        result_variables: Vec::new(),
    }
}

/// What a script returns.
pub(crate) fn result(report: Report) -> serde_json::Value {
    match report.ending {
        Ending::Result(result) => result,
        other => panic!("no result but {other:?}: {} {}", report.stdout, report.stderr),
    }
}

/// The ids of the owners noted in this folder.
pub(crate) fn owners(state_dir: &Path) -> Vec<String> {
    let notes = std::fs::read_dir(state_dir.join("docker/sandbox-owners"));
    let notes = notes.into_iter().flatten().flatten();
    notes
        .map(|note| note.file_name().into_string().unwrap())
        .collect()
}

/// All containers of an owner, also those that have ended.
pub(crate) async fn containers(docker: &Docker, owner: &str) -> Vec<ContainerSummary> {
    let filters = HashMap::from([("label", vec![format!("org.procos.sandbox.owner={owner}")])]);
    let options = ListContainersOptionsBuilder::default()
        .all(true)
        .filters(&filters)
        .build();
    docker.list_containers(Some(options)).await.unwrap()
}

/// Their states, such as `running`, in order.
pub(crate) async fn states(docker: &Docker, owner: &str) -> Vec<String> {
    let containers = containers(docker, owner).await;
    let mut states: Vec<String> = containers
        .into_iter()
        .map(|it| it.state.unwrap().to_string())
        .collect();
    states.sort();
    states
}

/// Waits until this is so.
pub(crate) async fn until(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + LONG;
    while !condition().await {
        assert!(
            Instant::now() < deadline,
            "not within {} s: {what}",
            LONG.as_secs()
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Waits until an owner's containers are in these states: what the self-test had is removed behind one's back.
pub(crate) async fn until_states(docker: &Docker, owner: &str, expected: &[&str]) {
    until(&format!("{expected:?}"), async || {
        states(docker, owner).await == expected
    })
    .await;
}

/// Waits until so many cells wait.
pub(crate) async fn until_warm(sandbox: &Sandbox, cells: usize) {
    until("cells wait", async || sandbox.waiting() == cells).await;
}
