//! What the commands that need an engine say where there is none, or where it refuses.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value as Json;

/// A port at which nothing listens: it was free a moment ago.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

/// A folder with a configuration whose engine is to be at a port.
fn folder(engine: u16) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let http = free_port();
    let configuration = format!(
        "engine: {{kind: attached, url: \"http://127.0.0.1:{engine}/engine-rest\"}}\nhttp: {{listen: \"127.0.0.1:{http}\"}}\n"
    );
    std::fs::write(folder.path().join("procos.yml"), configuration).unwrap();
    folder
}

fn procos(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_procos"));
    command
        .current_dir(folder)
        .args(arguments)
        .env_clear()
        .env("NO_COLOR", "1");
    command
}

fn run(folder: &Path, arguments: &[&str]) -> (i32, String, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = procos(folder, arguments).output().unwrap();
    (
        status.code().unwrap(),
        String::from_utf8(stdout).unwrap(),
        String::from_utf8(stderr).unwrap(),
    )
}

#[test]
fn an_engine_that_is_away_is_status_3_with_the_remedy() {
    let folder = folder(free_port());
    for arguments in [
        &["ps"][..],
        &["incidents"],
        &["start", "order-check", "--wait"],
        &["message", "paid"],
        &["signal", "closed"],
        &["show", "last"],
        &["retry", "6f1c2d3e"],
        &["cancel", "6f1c2d3e"],
    ] {
        let (status, stdout, stderr) = run(folder.path(), arguments);
        assert_eq!(status, 3, "{arguments:?} {stderr}");
        assert!(stderr.contains("procos up"), "{arguments:?} {stderr}");
        assert!(stdout.is_empty(), "{arguments:?} {stdout}");
    }
    let (status, stdout, _) = run(folder.path(), &["status", "--json"]);
    assert_eq!(status, 3);
    assert_eq!(serde_json::from_str::<Json>(&stdout).unwrap()["ready"], false);
}

#[test]
fn a_login_that_is_refused_is_status_2_with_the_remedy() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let folder = folder(listener.local_addr().unwrap().port());
    // A thread that ends with the test's process.
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = connection.unwrap();
            let _ = connection.read(&mut [0; 4096]);
            let _ = connection
                .write_all(b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        }
    });
    for command in ["ps", "incidents", "status"] {
        let (status, stdout, stderr) = run(folder.path(), &[command]);
        assert_eq!(status, 2, "{command} {stderr}");
        assert!(
            format!("{stdout}{stderr}").contains("engine.auth"),
            "{command} {stdout} {stderr}"
        );
    }
}

#[test]
fn doctor_says_what_is_wrong_and_how_to_mend_it() {
    let folder = folder(free_port());
    let (status, stdout, stderr) = run(folder.path(), &["doctor", "--json"]);
    assert_eq!(status, 1, "{stderr}");
    let checks: Vec<Json> = serde_json::from_str(&stdout).unwrap();
    let engine = checks.iter().find(|check| check["name"] == "engine").unwrap();
    assert_eq!(engine["state"], "trouble");
    assert!(engine["fix"].as_str().unwrap().contains("procos up"), "{engine}");
    assert!(
        checks
            .iter()
            .any(|check| check["name"] == "adapters" && check["state"] == "ok"),
        "{stdout}"
    );
}

#[test]
fn doctor_works_before_the_first_boot() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("procos.yml"),
        format!("http: {{listen: \"127.0.0.1:{}\"}}", free_port()),
    )
    .unwrap();
    let (status, stdout, stderr) = run(folder.path(), &["doctor"]);
    assert_eq!(status, 1, "{stderr}");
    assert!(stdout.contains("procos up"), "{stdout}");
    assert!(!stderr.contains("panicked"), "{stderr}");
}

#[test]
fn a_dry_run_checks_without_an_engine() {
    let folder = folder(free_port());
    std::fs::write(folder.path().join("bad.bpmn"), "nothing").unwrap();
    let (status, stdout, _) = run(folder.path(), &["deploy", "bad.bpmn", "--dry-run", "--json"]);
    assert_eq!(status, 1);
    let answer: Json = serde_json::from_str(&stdout).unwrap();
    assert_eq!(answer["deployment_id"], Json::Null);
    assert_eq!(answer["definitions"], serde_json::json!([]));
    assert_eq!(answer["diagnostics"][0]["file"], "bad.bpmn");
    assert_eq!(run(folder.path(), &["deploy", "nowhere.bpmn"]).0, 2);
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let folder = folder(free_port());
    let mut child = procos(folder.path(), &["config", "show", "--sources"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(
        output.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(output.stderr.is_empty());
}

const MODEL: &str = r#"<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL" xmlns:camunda="http://camunda.org/schema/1.0/bpmn" targetNamespace="t">
  <process id="p" isExecutable="true" camunda:historyTimeToLive="P1D">
    <startEvent id="start"/>
    <sequenceFlow id="to" sourceRef="start" targetRef="task"/>
    <serviceTask id="task" camunda:class="com.example.Pay"/>
    <sequenceFlow id="on" sourceRef="task" targetRef="end"/>
    <endEvent id="end"/>
  </process>
</definitions>"#;

#[test]
fn a_check_needs_no_engine_and_its_status_is_its_answer() {
    let folder = folder(free_port());
    let models = folder.path().join("models/sub");
    std::fs::create_dir_all(&models).unwrap();
    let clean = MODEL.replace("camunda:class=\"com.example.Pay\"", "name=\"Pay\"");
    let clean = clean.replace("serviceTask", "userTask");
    std::fs::write(folder.path().join("models/clean.bpmn"), clean).unwrap();
    let (status, stdout, _) = run(folder.path(), &["check", "models"]);
    assert_eq!((status, stdout.trim()), (0, "✓ no errors, no warnings in 1 file"));

    std::fs::write(models.join("wrong.bpmn"), MODEL.replace("\"p\"", "\"wrong\"")).unwrap();
    let (status, stdout, _) = run(folder.path(), &["check", "models"]);
    assert_eq!(status, 1, "{stdout}");
    assert!(stdout.contains("models/sub/wrong.bpmn:5:28"), "{stdout}");
    assert!(stdout.trim_end().ends_with("1 error in 2 files"), "{stdout}");
    let (status, stdout, _) = run(folder.path(), &["check", "models", "--json"]);
    let answer: Json = serde_json::from_str(&stdout).unwrap();
    assert_eq!(
        (status, &answer["errors"], &answer["warnings"]),
        (1, &1.into(), &0.into())
    );
    assert_eq!(answer["diagnostics"][0]["code"], "java-class");
    let (status, _, _) = run(folder.path(), &["deploy", "models", "--dry-run"]);
    assert_eq!(status, 1);

    let exception =
        "security: {gate: {allow: [{process: wrong, element: task, code: java-class, why: until May}]}}\n";
    std::fs::create_dir(folder.path().join("procos.d")).unwrap();
    std::fs::write(folder.path().join("procos.d/gate.yml"), exception).unwrap();
    for command in [&["check", "models"][..], &["deploy", "models", "--dry-run"]] {
        let (status, stdout, _) = run(folder.path(), command);
        assert_eq!(status, 0, "{stdout}");
        assert!(
            stdout.contains("info[java-class]") && stdout.contains("until May"),
            "{stdout}"
        );
    }
}

#[test]
fn wrong_usage_of_a_check_is_status_2_and_an_unknown_code_a_no() {
    let folder = folder(free_port());
    std::fs::create_dir(folder.path().join("empty")).unwrap();
    for (arguments, wanted, part) in [
        (&["check"][..], 2, "PATH"),
        (&["check", "nowhere.bpmn"], 2, "nowhere.bpmn"),
        (&["check", "empty"], 2, "holds no model"),
        (
            &["check", "--explain", "script-tsk"],
            1,
            "did you mean script-task?",
        ),
        (&["check", "--explain", "script-task", "x.bpmn"], 2, "--explain"),
    ] {
        let (status, _, stderr) = run(folder.path(), arguments);
        assert_eq!(status, wanted, "{arguments:?} {stderr}");
        assert!(stderr.contains(part), "{arguments:?} {stderr}");
    }
    let (status, stdout, _) = run(folder.path(), &["check", "--explain", "script-task"]);
    assert_eq!(status, 0);
    assert!(stdout.starts_with("# script-task\n"), "{stdout}");
}
