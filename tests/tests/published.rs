//! The checks on models that somebody else has made: those of Camunda's own tests.
#![allow(clippy::unwrap_used, reason = "test code")]

use std::collections::BTreeMap;

use serde_json::Value;
use tests::{Procos, Scratch, skip, workspace};

/// How often each code is found. What a check says of two thousand models changes with the checks alone: whoever changes
/// a figure has looked at the models behind it.
const FOUND: &[(&str, u64)] = &[
    ("cmmn", 484),
    ("connector", 1),
    ("dead-end", 292),
    ("delegate-expression", 23),
    ("dmn-script", 1),
    ("doctype", 2),
    ("duplicate-process", 1270),
    ("execution-listener", 347),
    ("expression-call", 20),
    ("expression-engine-object", 2),
    ("expression-place", 3),
    ("expression-syntax", 2),
    ("expression-task", 336),
    ("field-injection", 121),
    ("file-too-large", 1),
    ("flow-without-condition", 3),
    ("form-handler-class", 2),
    ("form-validator", 10),
    ("gateway-without-default", 41),
    ("input-script", 36),
    ("invalid-history-time-to-live", 3),
    ("java-class", 276),
    ("mail-task", 16),
    ("missing-history-time-to-live", 1940),
    ("nameless-property", 3),
    ("no-executable-process", 5),
    ("not-a-form", 1),
    ("not-bpmn", 2),
    ("not-xml", 1),
    ("script-condition", 8),
    ("script-resource", 15),
    ("script-task", 87),
    ("shell-task", 3),
    ("task-listener", 67),
    ("timer-syntax", 4),
    ("topic-without-route", 57),
    ("unreachable", 21),
    ("unresolved-reference", 46),
    ("variable-mapping-class", 12),
];

/// Their moments pass, and nobody's checks have changed.
const BY_THE_CLOCK: &str = "timer-in-the-past";

#[test]
fn camundas_own_models_are_judged_as_they_were() {
    let models = workspace().join("tests/models/target/models");
    if !models.is_dir() {
        return skip(
            "published::camundas_own_models_are_judged_as_they_were",
            "the models are not fetched (mvn -f tests/models package, or script/test java)",
        );
    }
    let scratch = Scratch::new("published");
    let checked = Procos::new(scratch.path())
        .args(["check", "--json"])
        .args([models])
        .run()
        .expect_code(1);
    let mut found: BTreeMap<String, u64> = BTreeMap::new();
    for finding in checked.json()["diagnostics"].as_array().unwrap() {
        assert!(finding["help"].is_string(), "{finding}");
        *found.entry(text(finding, "code")).or_default() += 1;
    }
    found.remove(BY_THE_CLOCK);
    let wanted: BTreeMap<String, u64> = FOUND
        .iter()
        .map(|(code, count)| ((*code).to_owned(), *count))
        .collect();
    assert_eq!(found, wanted);
}

fn text(finding: &Value, key: &str) -> String {
    finding[key].as_str().unwrap_or_default().to_owned()
}
