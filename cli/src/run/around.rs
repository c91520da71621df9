//! Models that were deployed around the gate, as people and programs read it.

use microkernel::{Intruder, Violation};
use serde_json::{Value as Json, json};

use super::reporter::Reporter;
use crate::output::harmless;

/// Into the log.
pub(super) fn log(violation: &Violation) {
    let Violation {
        deployment_id,
        name,
        source,
        ..
    } = violation;
    let findings = violation.report.diagnostics.iter().map(ToString::to_string);
    tracing::error!(
        deployment_id,
        name,
        source,
        findings = findings.collect::<Vec<_>>().join("\n"),
        definitions = lines(violation).join("\n"),
        again = violation.again,
        "models were deployed around the gate, which refuses them"
    );
}

/// For a person at `procos up`, and for a program.
pub(super) fn tell(violation: &Violation, reporter: &Reporter) {
    for (number, line) in text(violation).iter().enumerate() {
        if number == 0 {
            reporter.warn("gate", line);
        } else {
            reporter.line(&format!("             {line}"));
        }
    }
    reporter.object(&object(violation));
}

fn text(violation: &Violation) -> Vec<String> {
    let name = violation.name.as_deref().unwrap_or(&violation.deployment_id);
    let name = harmless(name);
    let mut text = vec![match violation.again {
        false => format!("`{name}` was deployed around the gate, which refuses it"),
        true => format!("`{name}`, which the gate refuses, went on after it had been suspended"),
    }];
    let findings = violation.report.diagnostics.iter();
    text.extend(findings.map(|it| harmless(&it.to_string())));
    text.extend(lines(violation));
    text.push(
        "correct the model and deploy it with `procos deploy`, or list the exception in security.gate.allow"
            .to_owned(),
    );
    text
}

/// What became of the definitions.
fn lines(violation: &Violation) -> Vec<String> {
    let mut lines: Vec<String> = violation.definitions.iter().map(line).collect();
    if lines.is_empty() {
        lines.push("it brought no process".to_owned());
    }
    lines.extend(violation.failures.iter().cloned());
    lines
}

fn line(definition: &Intruder) -> String {
    let Intruder {
        key,
        version,
        suspended,
        started,
        finished,
        ..
    } = definition;
    let state = if *suspended { "suspended" } else { "still active" };
    let ran = match (started, finished) {
        (Some(started), Some(finished)) => {
            format!("instances started by then: {started}, finished: {finished}")
        }
        _ => "the engine does not tell how many instances were started".to_owned(),
    };
    format!("{key} version {version} is {state}; {ran}")
}

fn object(violation: &Violation) -> Json {
    let definitions = violation.definitions.iter().map(|it| {
        json!({
            "id": it.id, "key": it.key, "version": it.version, "suspended": it.suspended,
            "started": it.started, "finished": it.finished,
        })
    });
    json!({"violation": {
        "deployment_id": violation.deployment_id,
        "name": violation.name,
        "source": violation.source,
        "diagnostics": violation.report.diagnostics,
        "definitions": definitions.collect::<Vec<_>>(),
        "failures": violation.failures,
        "again": violation.again,
    }})
}

#[cfg(test)]
mod tests {
    use deploy::Report;
    use diagnostics::Diagnostic;

    use super::*;

    #[test]
    fn a_violation_names_model_finding_state_and_remedy() {
        let mut violation = Violation {
            deployment_id: "d1".into(),
            name: Some("diagram_1".into()),
            source: None,
            report: Report::new(vec![Diagnostic::error(
                "java-class",
                "a.bpmn",
                "`camunda:class` runs code",
            )]),
            definitions: vec![Intruder {
                id: "a:1:x".into(),
                key: "a".into(),
                version: 1,
                suspended: true,
                started: Some(2),
                finished: Some(1),
            }],
            failures: Vec::new(),
            again: false,
        };
        insta::assert_snapshot!(text(&violation).join("\n"), @r"
        `diagram_1` was deployed around the gate, which refuses it
        a.bpmn: error[java-class]: `camunda:class` runs code
        a version 1 is suspended; instances started by then: 2, finished: 1
        correct the model and deploy it with `procos deploy`, or list the exception in security.gate.allow
        ");
        violation.again = true;
        assert_eq!(
            text(&violation)[0],
            "`diagram_1`, which the gate refuses, went on after it had been suspended"
        );
    }
}
