//! What cannot be shown to run, by name, with the reason. `docs/checks.md` says the same.

use std::fs;

use tests::workspace;

use crate::mutations::{Surface, surfaces};

/// A reason, and what there is to see nothing of: the finding, the hole, and a part of what is put there.
type Silent = (
    &'static str,
    &'static [(&'static str, &'static str, &'static str)],
);

const SILENT: &[Silent] = &[
    (
        "What the task is already (external, a decision) wins. Alone it runs",
        &[
            ("java-class", "attr:work", "camunda:class"),
            ("java-class", "attr:send", "camunda:class"),
            ("java-class", "attr:rule", "camunda:class"),
            ("delegate-expression", "attr:work", "camunda:delegateExpression"),
            ("delegate-expression", "attr:send", "camunda:delegateExpression"),
            ("expression-task", "attr:work", "camunda:expression"),
            ("shell-task", "attr:rule", "shell"),
            ("shell-task", "attr:rule", "SheLL"),
            ("mail-task", "attr:rule", "mail"),
            ("mail-task", "attr:rule", "MAIL"),
            ("field-injection", "ext:work", "stringValue"),
            ("field-injection", "ext:work", "camunda:expression"),
        ],
    ),
    (
        "The engine's parser refuses the model today",
        &[
            ("cmmn", "attr:call", "camunda:caseRef"),
            ("script-condition", "attr:condition", "language=''"),
            ("input-script", "input", "<bpmn:script"),
            ("import", "first", "bpmn:import"),
            ("foreign-element", "scope", "foreign:serviceTask"),
            ("foreign-element", "top", "foreign:process"),
            ("foreign-element", "ext:work", "bpmn:scriptTask"),
            ("expression-call", "scope", "loopDataInputRef"),
            ("expression-call", "ext:work", "bpmn:errorEventDefinition"),
            ("expression-place", "scope", "bpmn:from"),
            ("expression-syntax", "input", "${x y}"),
        ],
    ),
    (
        "The condition there is no script in that language. One that is runs",
        &[
            ("script-condition", "attr:condition", "javascript"),
            ("script-condition", "attr:condition", "JUEL"),
            ("script-condition", "attr:till", "groovy"),
            ("script-resource", "attr:condition", "camunda:resource"),
        ],
    ),
    (
        "The engine keeps it as text, or for something that never happens at that element",
        &[
            ("expression-call", "attr:process", "candidateStarterGroups"),
            ("expression-call", "attr:process", "candidateStarterUsers"),
            ("expression-call", "ext:process", "potentialStarter"),
            ("expression-call", "attr:work", "jobPriority"),
            ("expression-call", "attr:work", "assignee"),
            ("expression-call", "top", "bpmn:message"),
            ("expression-call", "top", "bpmn:signal"),
            ("expression-call", "attr:property", "dstExpr"),
            ("expression-call", "attr:property", "linkExpr"),
            ("expression-call", "ext:work", "camunda:failedJobRetryTimeCycle"),
            ("expression-call", "ext:work", "fox:failedJobRetryTimeCycle"),
            ("schema-location", "attr:work", "urn:foreign"),
            ("schema-location", "attr:definitions", "DMN"),
            ("feel-code", "scope", "execution.getId()"),
        ],
    ),
    (
        "Nothing in Camunda 7.24 reads it. Another version or a plug-in may",
        &[
            ("input-script", "ext:work", "camunda:script"),
            ("connector", "ext:work", "foreign:connector"),
            ("foreign-element", "ext:work", "foreign:thing"),
            ("foreign-element", "input", "foreign:any"),
            ("unknown-extension", "ext:work", "camunda:thing"),
            ("expression-place", "attr:work", "implementation"),
            ("expression-place", "attr:work", "foreign:a"),
            ("expression-place", "attr:work", "camunda:anything"),
            ("expression-place", "constraint", "name='min'"),
        ],
    ),
];

/// Whether nothing is to be seen of a surface.
pub(crate) fn is_silent(surface: &Surface) -> bool {
    let mut all = SILENT.iter().flat_map(|(_, silent)| *silent);
    all.any(|(code, hole, part)| {
        surface.code == *code && surface.hole == *hole && surface.what.contains(part)
    })
}

/// `docs/checks.md` has the list. `UPDATE_DOCS=1` writes it.
#[test]
fn the_documentation_names_what_cannot_be_shown_to_run() {
    const BEGIN: &str = "<!-- Written by a test, as far as the next heading; do not edit. -->\n";
    let mut list = String::new();
    for (reason, silent) in SILENT {
        list.push_str(&format!("\n- {reason}:\n"));
        for (code, hole, part) in *silent {
            let met = |it: &Surface| it.code == *code && it.hole == *hole && it.what.contains(part);
            assert!(
                surfaces().iter().any(met),
                "no surface is {code} | {hole} | {part}"
            );
            list.push_str(&format!("  - `{code}`: `{part}`, at `{hole}`\n"));
        }
    }
    let file = workspace().join("docs/checks.md");
    let text = fs::read_to_string(&file).unwrap();
    let (before, rest) = text
        .split_once(BEGIN)
        .expect("docs/checks.md has the place for the list");
    let (_, after) = rest.split_once("\n## ").expect("a heading follows");
    let current = format!("{before}{BEGIN}{list}\n## {after}");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&file, &current).unwrap();
        return;
    }
    assert!(
        text == current,
        "docs/checks.md is not up to date; run `UPDATE_DOCS=1 cargo test -p tests --test open documentation`"
    );
}
