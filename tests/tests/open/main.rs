//! What the gate refuses would have run: each mutated model is brought past the gate to an engine that is open, and
//! what its code does there is seen.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "test code"
)]

mod drive;
#[path = "../../../bpmn/tests/mutations/mod.rs"]
mod mutations;
mod silent;

use std::collections::BTreeSet;

use drive::{Driver, Seen};
use mutations::{CLEAN, SPELLINGS, Surface, model, surfaces};
use tests::OpenEngine;

/// Elements that use what is declared elsewhere in the model. Nothing leads to them: an instance is begun there.
const USERS: &str = "<bpmn:receiveTask id='waits' messageRef='m1'/>\
    <bpmn:intermediateThrowEvent id='tells'><bpmn:signalEventDefinition signalRef='s1'/></bpmn:intermediateThrowEvent>\
    <bpmn:endEvent id='throws'><bpmn:errorEventDefinition errorRef='e1'/></bpmn:endEvent>";

/// How many spellings besides the plain one each surface is tried in, in turn.
const SPELLINGS_EACH: usize = 2;

/// The model with something in a hole, as the engine gets it.
fn mutated(hole: &str, what: &str, spelling: fn(&str) -> String) -> String {
    let clean = CLEAN.replace("{{scope}}", &format!("{USERS}{{{{scope}}}}"));
    model(&clean, hole, what, spelling).replace('§', "")
}

/// Whether a spelling takes a surface away from where it runs: a start event inside a subprocess has no form.
fn is_moved(surface: &Surface, spelling: &str) -> bool {
    let is_inside = ["nested subprocesses", "a transaction in an event subprocess"].contains(&spelling);
    is_inside && ["attr:formProperty", "attr:field", "constraint"].contains(&surface.hole)
}

/// Where an instance is begun so that it meets the surface: before an element, or at the start form.
fn begin(surface: &Surface) -> Option<&'static str> {
    match (surface.hole, surface.element) {
        ("attr:error", _) => Some("throws"),
        ("attr:message", _) => Some("waits"),
        ("attr:signal", _) => Some("tells"),
        (_, "fl") => Some("a"),
        (_, "f6") => Some("gate"),
        ("attr:definitions" | "top" | "ext:process" | "attr:process", _) => None,
        (_, "main" | "start" | "ts" | "") => None,
        (_, "mi") => Some("mi#multiInstanceBody"),
        (_, element) => Some(element),
    }
}

/// What shows in the answers of the engine that code was run, where neither bean nor class is called.
fn shows(surface: &Surface, seen: &Seen) -> bool {
    let said = |text: &str| seen.said.iter().any(|it| it.contains(text));
    seen.fetched
        || !seen.witnessed.is_empty()
        || match surface.code {
            "shell-task" => said("said = \"from the shell\""),
            // Nobody serves mail here.
            "mail-task" => said("Unable to send email to recipient"),
            // The connector's own complaint: it would have asked an address.
            "connector" => said("HTCL-02005 Request url required"),
            "expression-bean" => said("i = \"jdbc:h2:"),
            "expression-forbidden-name" => said("i = \"x.X\""),
            "expression-engine-object" => said("Cannot serialize object in variable 'i'"),
            "topic-not-allowed" => said("topic = \"shell_script\""),
            "expression-place" => said("class x.X cannot be cast"),
            "script-parameter" => said("injected"),
            _ => false,
        }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_gate_refuses_runs_on_an_open_engine() {
    let Some(engine) = tokio::task::block_in_place(OpenEngine::boot) else {
        tests::skip(
            "open::what_the_gate_refuses_runs_on_an_open_engine",
            "the open engine is not built (mvn -f tests/open package, or script/test java)",
        );
        return;
    };
    let driver = Driver::new(&engine).await;

    // The counterpart: without the thing nothing is seen, wherever an instance is begun.
    for begin in [
        None,
        Some("work"),
        Some("gate"),
        Some("waits"),
        Some("tells"),
        Some("throws"),
    ] {
        for (name, spelling) in SPELLINGS {
            let seen = driver.drive(&mutated("", "", *spelling), begin).await;
            let is_quiet = seen.witnessed.is_empty() && !seen.fetched;
            assert!(seen.deployed && is_quiet, "{name} at {begin:?}: {seen:?}");
        }
    }

    let mut wrong = Vec::new();
    let mut tried = 0;
    for (number, surface) in surfaces().iter().enumerate() {
        let mut met = BTreeSet::new();
        let turns =
            (0..SPELLINGS.len() - 1).map(|it| 1 + (number * SPELLINGS_EACH + it) % (SPELLINGS.len() - 1));
        for turn in std::iter::once(0).chain(turns) {
            let (name, spelling) = SPELLINGS[turn];
            let text = mutated(surface.hole, &surface.what, spelling);
            if met.len() > SPELLINGS_EACH || is_moved(surface, name) || !met.insert(text.clone()) {
                continue;
            }
            let seen = driver.drive(&text, begin(surface)).await;
            tried += 1;
            let shown = shows(surface, &seen);
            if shown == silent::is_silent(surface) {
                wrong.push(format!(
                    "{} at {} with {name} {}: {}\n  {seen:?}",
                    surface.code,
                    surface.hole,
                    if shown {
                        "runs, against what is said of it"
                    } else {
                        "has no effect"
                    },
                    surface.what.trim(),
                ));
            }
        }
    }
    println!("{tried} models tried");
    assert!(
        wrong.is_empty(),
        "{} of {tried}:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}
