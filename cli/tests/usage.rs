//! What the binary says without an engine: help, wrong usage, wrong configuration, exit status.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::fmt::Write;
use std::path::Path;
use std::process::{Command, Output};

use insta::assert_snapshot;

fn procos(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_procos"));
    command
        .current_dir(folder)
        .args(arguments)
        .env_clear()
        .env("NO_COLOR", "1")
        .env("COLUMNS", "100");
    command
}

fn told(output: &Output) -> String {
    let mut told = format!("exit status {}\n", output.status.code().unwrap());
    for (name, bytes) in [("stdout", &output.stdout), ("stderr", &output.stderr)] {
        if !bytes.is_empty() {
            write!(told, "--- {name}\n{}", String::from_utf8_lossy(bytes)).unwrap();
        }
    }
    told
}

/// Runs it in an empty folder.
fn run(arguments: &[&str]) -> String {
    let folder = tempfile::tempdir().unwrap();
    told(&procos(folder.path(), arguments).output().unwrap())
}

/// Runs it in a folder with a configuration file.
fn configured(configuration: &str, arguments: &[&str]) -> String {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("procos.yml"), configuration).unwrap();
    told(&procos(folder.path(), arguments).output().unwrap())
}

#[test]
fn help_teaches() {
    assert_snapshot!("help", run(&["--help"]));
    assert_snapshot!("help-up", run(&["up", "--help"]));
    assert_snapshot!("help-worker", run(&["worker", "--help"]));
}

#[test]
fn the_version_is_told() {
    assert_eq!(
        run(&["--version"]),
        format!(
            "exit status 0\n--- stdout\nprocos {}\n",
            env!("CARGO_PKG_VERSION")
        )
    );
}

#[test]
fn wrong_usage_is_status_2() {
    assert_snapshot!("bad-flag", run(&["up", "--engin", "java"]));
    assert_snapshot!("bad-command", run(&["upp"]));
    assert_snapshot!("bad-kind", run(&["up", "--engine", "jvm"]));
    assert_snapshot!("bad-variable", run(&["start", "a", "--var", "b=c"]));
    assert_snapshot!("bad-duration", run(&["status", "--wait", "soon"]));
}

#[test]
fn a_wrong_configuration_is_status_2_with_its_place() {
    assert_snapshot!("unknown-key", configured("engine:\n  urll: http://a\n", &["ps"]));
    assert_snapshot!("missing-file", run(&["--config", "other.yml", "ps"]));
    assert_snapshot!("as-json", configured("- a\n", &["--json", "ps"]));
    assert_snapshot!(
        "missing-jar",
        configured(
            "engine: {jar: nowhere.jar}\nhttp: {listen: '127.0.0.1:0'}\n",
            &["up"]
        )
    );
    assert_snapshot!(
        "unknown-topic",
        configured(
            "engine: {kind: attached}\nhttp: {listen: '127.0.0.1:0'}\n\
             workers:\n  pools:\n    - {name: a, capacity: 1, topics: [http_reqest]}\n",
            &["up"]
        )
    );
    assert_snapshot!(
        "unknown-pool",
        configured(
            "engine: {kind: attached}\nhttp: {listen: '127.0.0.1:0'}\n",
            &["worker", "--pool", "python"]
        )
    );
}

#[test]
fn a_login_that_is_not_there_is_status_2() {
    assert_snapshot!("no-login", run(&["ps"]));
}

#[test]
fn no_engine_is_status_3() {
    // A port that nobody listens at: it was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let url = format!("http://127.0.0.1:{port}/engine-rest");
    let told = configured(&format!("engine: {{kind: attached, url: '{url}'}}"), &["ps"]);
    assert!(told.starts_with("exit status 3\n"), "{told}");
    assert!(told.contains(&url) && told.contains("procos up"), "{told}");
}

#[test]
fn a_port_in_use_is_status_3_with_the_key_to_change() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let told = configured(
        &format!("engine: {{kind: attached}}\nhttp: {{listen: '{address}'}}"),
        &["up"],
    );
    assert!(told.starts_with("exit status 3\n"), "{told}");
    assert!(
        told.contains(&address.to_string()) && told.contains("http.listen"),
        "{told}"
    );
}

#[test]
fn completions_are_printed_for_every_shell() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let told = run(&["completions", shell]);
        assert!(told.starts_with("exit status 0\n--- stdout\n"), "{told}");
        assert!(told.contains("no-workers"), "{shell}");
    }
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = procos(folder.path(), &["completions", "bash"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert!(output.status.success());
}

#[test]
fn what_is_told_cannot_steer_the_terminal() {
    let told = configured("\"\\e[2J\\e]0;mine\\a\": 1\n", &["config", "show"]);
    assert!(
        told.contains("[2J ]0;mine") && !told.contains('\u{1b}') && !told.contains('\u{7}'),
        "{told:?}"
    );
}
