use std::time::Duration;

use sandbox::{Ending, Language, Limit, LimitHit, OutputFile, Report, SandboxError, Script, ScriptError};
use serde_json::{Map, json};
use worker_api::{BpmnError, Outcome, Retry, TaskError, Value};

use super::failure;
use crate::outcome::{not_run, of};

fn script() -> Script {
    Script {
        language: Language::Python,
        image: None,
        name: "price.py".into(),
        source: String::new(),
        inputs: Map::new(),
        files: Vec::new(),
        output_files: Vec::new(),
        result_variables: Vec::new(),
    }
}

fn report(ending: Ending) -> Report {
    Report {
        ending,
        stdout: "before\n".into(),
        stderr: String::new(),
        files: Vec::new(),
        duration: Duration::from_millis(12),
    }
}

fn outcome(ending: Ending) -> Outcome {
    of(report(ending), &script(), &[])
}

fn bpmn(outcome: Outcome) -> BpmnError {
    match outcome.unwrap_err() {
        TaskError::Bpmn(error) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_result_is_answered_with_what_was_printed() {
    let answer = outcome(Ending::Result(json!({"total": 3}))).unwrap();
    assert_eq!(answer.fields()["result"], Value::Json(json!({"total": 3})));
    assert_eq!(answer.fields()["stdout"], "before\n".into());
    assert_eq!(answer.fields()["duration_ms"], Value::Integer(12));
    let plain = outcome(Ending::Result(json!(3))).unwrap();
    assert_eq!(plain.fields()["result"], Value::Integer(3));
}

#[test]
fn files_come_back_with_a_media_type_by_their_suffix_and_a_missing_one_is_an_error() {
    let mut report = report(Ending::Result(json!(null)));
    let written = |name: &str, content: &str| OutputFile {
        name: name.into(),
        content: content.into(),
    };
    report.files = vec![
        written("out/plot.png", "\u{89}PNG"),
        written("a.csv", "x"),
        written("raw", "y"),
    ];
    let asked = |path: &str| (path.replace(['/', '.'], "_"), path.to_owned());
    let files = [asked("out/plot.png"), asked("a.csv"), asked("raw")];
    let answer = of(report.clone(), &script(), &files).unwrap();
    for (field, name, media_type, encoding) in [
        ("out_plot_png", "plot.png", Some("image/png"), None),
        ("a_csv", "a.csv", Some("text/csv"), Some("UTF-8")),
        ("raw", "raw", None, None),
    ] {
        let Value::File(file) = &answer.fields()[field] else {
            panic!("{answer:?}")
        };
        assert_eq!(
            (
                file.name.as_str(),
                file.media_type.as_deref(),
                file.encoding.as_deref()
            ),
            (name, media_type, encoding)
        );
    }
    let missing = bpmn(of(report, &script(), &[("plot".into(), "other.png".into())]));
    assert_eq!(missing.code, "SCRIPT_ERROR");
    assert_eq!(
        missing.message,
        "price.py: it has not written `other.png`, which `output_files` names for the field `plot`"
    );
}

#[test]
fn a_scripts_error_names_its_line_and_brings_its_traceback() {
    let error = bpmn(outcome(Ending::Error(ScriptError {
        kind: "KeyError".into(),
        message: "'amount'".into(),
        line: Some(4),
        traceback: "  price.py, line 4\nKeyError: 'amount'".into(),
    })));
    assert_eq!(
        (error.code.as_str(), error.message.as_str()),
        ("SCRIPT_ERROR", "price.py:4: KeyError: 'amount'")
    );
    assert_eq!(error.variables["kind"], "KeyError".into());
    assert_eq!(error.variables["line"], Value::Integer(4));
    assert_eq!(error.variables["stdout"], "before\n".into());
    let details = error.details.unwrap();
    assert_eq!(
        details,
        "  price.py, line 4\nKeyError: 'amount'\n\nstandard output:\nbefore"
    );
}

#[test]
fn an_error_without_a_place_or_a_name_is_told_all_the_same() {
    for (error, told) in [
        (ScriptError::default(), "price.py: the script failed"),
        (
            ScriptError {
                kind: "result".into(),
                message: "a set is no JSON\nreally".into(),
                ..ScriptError::default()
            },
            "price.py: a set is no JSON",
        ),
        (
            ScriptError {
                kind: "exit".into(),
                message: "exit status 3".into(),
                ..ScriptError::default()
            },
            "price.py: exit status 3",
        ),
        (
            ScriptError {
                kind: "SystemExit".into(),
                line: Some(2),
                ..ScriptError::default()
            },
            "price.py:2: SystemExit",
        ),
    ] {
        let error = bpmn(outcome(Ending::Error(error)));
        assert_eq!(error.message, told);
        assert!(error.details.unwrap().starts_with(told));
    }
}

#[test]
fn a_limit_is_named_with_its_code_and_only_that_of_time_is_tried_again() {
    for (limit, code, retry) in [
        (Limit::Time, "SCRIPT_TIMEOUT", Retry::ByPolicy),
        (Limit::Memory, "SCRIPT_MEMORY", Retry::Never),
        (Limit::Cpu, "SCRIPT_CPU", Retry::Never),
        (Limit::Processes, "SCRIPT_PROCESSES", Retry::Never),
        (Limit::Output, "SCRIPT_OUTPUT", Retry::Never),
    ] {
        let said = "it may use 64 MiB and wanted more".to_owned();
        let failure = failure(outcome(Ending::Limit(LimitHit { limit, said })));
        assert_eq!(
            (failure.codes.as_slice(), failure.retry),
            ([code.to_owned()].as_slice(), retry)
        );
        assert!(
            failure
                .message
                .starts_with("the script price.py was stopped at its "),
            "{failure}"
        );
        assert!(failure.message.ends_with("64 MiB and wanted more"), "{failure}");
        assert!(failure.details.unwrap().contains("standard output:\nbefore"));
    }
}

#[test]
fn long_output_is_told_from_its_head() {
    let mut report = report(Ending::Gone("signal 9".into()));
    report.stderr = "ä".repeat(100_000);
    let failure = failure(of(report, &script(), &[]));
    assert_eq!(failure.retry, Retry::ByPolicy);
    let details = failure.details.unwrap();
    assert!(
        details.len() < 20_000 && details.ends_with("… (191808 bytes left out)"),
        "{}",
        details.len()
    );
}

#[test]
fn what_the_sandbox_cannot_do_is_tried_again_unless_it_is_refused() {
    let start = SandboxError::Start {
        backend: "docker",
        what: "python".into(),
        said: "no such image".into(),
    };
    for (error, retry) in [
        (start, Retry::ByPolicy),
        (SandboxError::Refused("no probe was stopped".into()), Retry::Never),
        (SandboxError::Order("a name".into()), Retry::Never),
    ] {
        let failure = failure(Err(not_run(&error)));
        assert_eq!((failure.message, failure.retry), (error.to_string(), retry));
    }
}
