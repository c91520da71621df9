//! What really comes out of a process. Each test runs this binary again, with `emit` as the only test in it.
#![allow(clippy::unwrap_used, reason = "a helper of tests fails the test")]

use std::env;
use std::io::{Read, stdin};
use std::process::{Child, Command, Output, Stdio};

use serde_json::{Value, json};
use telemetry::logging::{Error, Format, init};
use tracing_subscriber::filter::LevelFilter;

/// Not a test of its own: the program that the others start.
#[test]
#[ignore = "started by the other tests"]
fn emit() {
    let format = if env::var("FORMAT").is_ok_and(|it| it == "human") {
        Format::Human
    } else {
        Format::Auto
    };
    let verbosity = env::var("VERBOSITY").map_or(0, |it| it.parse().unwrap());
    // Ends when the other side is ready.
    stdin().read_to_end(&mut Vec::new()).unwrap();
    if let Err(error) = init(format, LevelFilter::INFO, verbosity) {
        println!("refused: {error}");
        return;
    }
    assert!(matches!(init(format, LevelFilter::INFO, 0), Err(Error::Twice)));
    let outer = tracing::info_span!("process_execution", instance = "i-1", topic = "outer");
    let _outer = outer.enter();
    let inner = tracing::info_span!("external_task", task = "t-1", topic = "http_request");
    let _inner = inner.enter();
    tracing::info!(attempt = 3, task = "t-1, again", "done \"so\"\nfar");
    tracing::debug!("detail");
    tracing::debug!(target: "hyper::client", "byte by byte");
    println!("survived");
}

fn start(variables: &[(&str, &str)]) -> Child {
    Command::new(env::current_exe().unwrap())
        .args(["--ignored", "--exact", "emit", "--nocapture"])
        .env_remove("RUST_LOG")
        .env_remove("PROCOS_LOG")
        .envs(variables.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn run(variables: &[(&str, &str)]) -> Output {
    let mut child = start(variables);
    drop(child.stdin.take());
    child.wait_with_output().unwrap()
}

fn lines(output: &Output) -> Vec<String> {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stderr.clone())
        .unwrap()
        .lines()
        .map(str::to_owned)
        .collect()
}

#[test]
fn json_lines_where_nobody_watches() {
    let lines = lines(&run(&[]));
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert_eq!(
        lines[0].matches("\"topic\"").count(),
        1,
        "a key twice: {}",
        lines[0]
    );
    let mut line: Value = serde_json::from_str(&lines[0]).unwrap();
    let time = line.as_object_mut().unwrap().remove("timestamp").unwrap();
    assert!(
        time.as_str().unwrap().ends_with('Z') && time.as_str().unwrap().contains('T'),
        "{time}"
    );
    assert_eq!(
        line,
        json!({
            "level": "INFO", "target": "logging", "name": "external_task", "message": "done \"so\"\nfar", "attempt": 3,
            "instance": "i-1", "task": "t-1", "topic": "http_request"
        })
    );
}

#[test]
fn human_lines_by_choice() {
    let lines = lines(&run(&[("FORMAT", "human")]));
    let (time, rest) = lines[0].split_once(' ').unwrap();
    assert_eq!(time.len(), "05:31:07.123".len(), "{time}");
    assert!(rest.contains("INFO") && rest.contains("done \"so\""), "{rest}");
    let all = lines.join("\n");
    assert!(
        all.contains("attempt=3") && all.contains("topic=\"http_request\""),
        "{all}"
    );
    assert!(!all.contains('\u{1b}'), "{all}");
}

#[test]
fn human_lines_have_the_local_time() {
    let hour = |zone| lines(&run(&[("FORMAT", "human"), ("TZ", zone)]))[0][..2].to_owned();
    // Eleven hours apart: even where an hour ends between the two, they differ.
    assert_ne!(hour("Etc/GMT+11"), hour("Etc/GMT"));
}

#[test]
fn v_shows_more_of_ours_and_not_of_the_libraries() {
    let lines = lines(&run(&[("VERBOSITY", "1")]));
    assert!(lines.len() == 2 && lines[1].contains("detail"), "{lines:?}");
}

#[test]
fn the_environment_has_the_last_word() {
    assert_eq!(lines(&run(&[("RUST_LOG", "off"), ("VERBOSITY", "2")])), [""; 0]);
    assert_eq!(
        lines(&run(&[("RUST_LOG", "off"), ("PROCOS_LOG", "trace")])).len(),
        3
    );
    assert_eq!(lines(&run(&[("PROCOS_LOG", "")])).len(), 1);
}

#[test]
fn a_filter_that_is_none_is_refused_by_name() {
    let output = run(&[("PROCOS_LOG", "info,=loud=")]);
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(
        said.contains("refused: PROCOS_LOG=\"info,=loud=\" is not a log filter"),
        "{said}"
    );
}

#[test]
fn a_closed_standard_error_does_no_harm() {
    for format in ["human", "json"] {
        let mut child = start(&[("FORMAT", format)]);
        drop(child.stderr.take());
        drop(child.stdin.take());
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(
            output.status.success() && said.contains("survived"),
            "{format}: {said}"
        );
    }
}
