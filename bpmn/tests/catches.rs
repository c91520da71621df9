//! Who catches which error: one model with every kind of scope, and a table over it.
#![allow(clippy::unwrap_used, reason = "a helper of tests fails the test")]

use bpmn::{Model, read};

fn model() -> Model {
    let text = include_str!("files/scopes.bpmn");
    let (model, findings) = read("scopes.bpmn", text.as_bytes());
    assert_eq!(findings, []);
    model.unwrap()
}

#[test]
fn errors_are_caught_as_the_engine_does() {
    let model = model();
    let table = [
        // process, activity, code, caught
        ("boundary", "guarded", "A", true),
        ("boundary", "guarded", "a", false),
        ("boundary", "guarded", "B", false),
        ("boundary", "guarded", "", false),
        ("boundary", "neighbour", "A", false),
        ("boundary", "catch_all", "anything", true),
        ("boundary", "catch_all", "", false),
        ("boundary", "catch_all_no_code", "anything", true),
        ("boundary", "dangling", "E_nowhere", true),
        ("boundary", "dangling", "A", false),
        ("boundary", "timed", "A", false),
        ("boundary", "called", "A", true),
        ("boundary", "nobody", "A", false),
        ("nobody", "guarded", "A", false),
        ("nested", "inner", "SUB", true),
        ("nested", "inner", "TX", true),
        ("nested", "inner", "OTHER", false),
        ("nested", "outside", "SUB", false),
        ("nested", "each", "MI", true),
        ("nested", "in_each", "MI_SUB", true),
        ("events", "work", "PROCESS", true),
        ("events", "work", "INNER", false),
        ("events", "deep", "INNER", true),
        ("events", "deep", "PROCESS", true),
        ("events", "sibling", "INNER", false),
        // What an event subprocess does itself it does not catch, but what lies around it does.
        ("events", "repair", "INNER", false),
        ("events", "repair", "PROCESS", true),
        ("events", "report", "PROCESS", false),
        ("events", "call_in_report", "PROCESS", true),
        // In a plain subprocess a start event catches nothing.
        ("refused", "beside", "PLAIN", false),
        ("refused", "in_plain", "PLAIN", false),
    ];
    for (process, activity, code, caught) in table {
        assert_eq!(
            model.catches(process, activity, code),
            caught,
            "{code} of {activity} in {process}"
        );
    }
}
