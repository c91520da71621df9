//! Whether a model is likely to do what is meant: each warning, and its counterpart that is none.
#![allow(clippy::unwrap_used, reason = "test code")]

use std::collections::{BTreeMap, BTreeSet};

mod complexity;
mod gateways;
mod reach;
mod references;
mod timers;
mod together;
mod topics;

use bpmn::{GateContext, check};
use diagnostics::Severity;

/// A file with one process around some content, which begins in the second line.
fn process(key: &str, content: &str) -> String {
    format!(
        "<definitions xmlns=\"http://www.omg.org/spec/BPMN/20100524/MODEL\" xmlns:camunda=\"http://camunda.org/schema/1.0/bpmn\"><process id=\"{key}\" isExecutable=\"true\" camunda:historyTimeToLive=\"P1D\">\n{content}\n</process>\n<message id=\"m\" name=\"m\"/><error id=\"e\" errorCode=\"E\"/></definitions>"
    )
}

fn flows(pairs: &[(&str, &str)]) -> String {
    pairs
        .iter()
        .map(|(from, to)| {
            format!("<sequenceFlow id=\"{from}_{to}\" sourceRef=\"{from}\" targetRef=\"{to}\"/>")
        })
        .collect()
}

fn context() -> GateContext {
    GateContext {
        now: Some("2026-01-01T00:00:00Z".parse().unwrap()),
        topics: Some(BTreeMap::from([
            ("quiet".to_owned(), vec![]),
            ("loud".to_owned(), vec!["E".to_owned(), "F".to_owned()]),
        ])),
        deployed: Some(BTreeSet::from(["there".to_owned()])),
        ..GateContext::default()
    }
}

/// `file:line code` of each finding about some files.
fn said(files: &[(&str, &str)]) -> Vec<String> {
    let files: Vec<_> = files
        .iter()
        .map(|(name, text)| (*name, text.as_bytes()))
        .collect();
    check(&files, &context())
        .iter()
        .map(|it| {
            format!(
                "{}:{} {}",
                it.file,
                it.range.map_or(0, |range| range.start.line),
                it.code
            )
        })
        .collect()
}

fn one(content: &str) -> Vec<String> {
    said(&[("a", &process("p", content))])
}

const NONE: [&str; 0] = [];

#[test]
fn warnings_are_no_errors() {
    let text = process("p", "<startEvent id=\"s\"/>");
    let found = check(&[("a", text.as_bytes())], &context());
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].severity, Severity::Warning);
    assert!(found[0].help.is_some());
}

/// Every model that ships with the project, alone and together.
#[test]
fn our_own_models_have_no_finding() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut files = Vec::new();
    for folder in [
        "processes/system",
        "processes/examples",
        "docs/examples",
        "workers/worker-runtime/examples",
    ] {
        for entry in std::fs::read_dir(root.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|it| it == "bpmn") {
                files.push((path.to_string_lossy().into_owned(), std::fs::read(&path).unwrap()));
            }
        }
    }
    assert!(files.len() >= 6, "{files:?}");
    files.sort();
    let files: Vec<_> = files
        .iter()
        .map(|(name, bytes)| (name.as_str(), bytes.as_slice()))
        .collect();
    assert_eq!(check(&files, &GateContext::default()), []);
}
