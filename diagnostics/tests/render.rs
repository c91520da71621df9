//! What people see. Each snapshot is one rendering, whole.

use diagnostics::{Diagnostic, Position, Range, Related, Report, Severity, render, render_report};
use insta::assert_snapshot;

const SOURCE: &str =
    "<definitions>\r\n\t<process id=\"prüfung\" isExecutable=\"true\">\r\n  </process>\r\n</definitions>\r\n";

fn range(line: u32, from: u32, to: u32) -> Range {
    Range::new(Position::new(line, from), Position::new(line, to))
}

fn finding() -> Diagnostic {
    Diagnostic::error(
        "history-time-to-live",
        "order.bpmn",
        "process `prüfung` keeps its history for ever",
    )
    .at(range(2, 11, 23))
    .help("add camunda:historyTimeToLive=\"P30D\" to the process")
}

fn nowhere(_: &str) -> Option<&'static str> {
    None
}

fn source(_: &str) -> Option<&'static str> {
    Some(SOURCE)
}

#[test]
fn the_line_is_shown_where_the_source_is_known() {
    assert_snapshot!(render(&finding(), source, false), @r#"
error[history-time-to-live]: process `prüfung` keeps its history for ever
 --> order.bpmn:2:11
  |
2 |     <process id="prüfung" isExecutable="true">
  |              ^^^^^^^^^^^^
  |
  = help: add camunda:historyTimeToLive="P30D" to the process
"#);
}

#[test]
fn the_place_is_named_where_it_is_not() {
    assert_snapshot!(render(&finding(), nowhere, false), @r#"
error[history-time-to-live]: process `prüfung` keeps its history for ever
--> order.bpmn:2:11
 = help: add camunda:historyTimeToLive="P30D" to the process
"#);
}

#[test]
fn a_file_as_a_whole_has_no_place() {
    let mut finding = finding();
    finding.range = None;
    finding.severity = Severity::Warning;
    assert_snapshot!(render(&finding, source, false), @r#"
warning[history-time-to-live]: process `prüfung` keeps its history for ever
--> order.bpmn
 = help: add camunda:historyTimeToLive="P30D" to the process
"#);
}

#[test]
fn related_places_follow() {
    let related = |file: &str, range| Related {
        message: "first declared here".into(),
        file: file.into(),
        range,
    };
    let finding = Diagnostic::new(Severity::Info, "duplicate-id", "order.bpmn", "`a` is there twice")
        .at(range(3, 3, 13))
        .related(related("order.bpmn", Some(range(2, 2, 9))))
        .related(related("other.bpmn", None));
    let source = |file: &str| (file == "order.bpmn").then_some(SOURCE);
    assert_snapshot!(render(&finding, source, false), @r#"
info[duplicate-id]: `a` is there twice
 --> order.bpmn:3:3
  |
3 |   </process>
  |   ^^^^^^^^^^
  |
note: first declared here
 --> order.bpmn:2:2
  |
2 |     <process id="prüfung" isExecutable="true">
  |     ^^^^^^^
note: first declared here
 --> other.bpmn
"#);
}

#[test]
fn a_report_ends_with_its_count() {
    let warning = Diagnostic::warning("dead-end", "order.bpmn", "`a` leads nowhere").at(range(1, 1, 1));
    let report = Report::new(vec![finding(), warning.clone(), warning]);
    assert_snapshot!(render_report(&report, nowhere, false), @r#"
error[history-time-to-live]: process `prüfung` keeps its history for ever
--> order.bpmn:2:11
 = help: add camunda:historyTimeToLive="P30D" to the process

warning[dead-end]: `a` leads nowhere
--> order.bpmn:1:1

warning[dead-end]: `a` leads nowhere
--> order.bpmn:1:1

1 error, 2 warnings
"#);
    assert_eq!(render_report(&Report::default(), nowhere, false), "");
}

#[test]
fn colour_is_the_callers_choice() {
    assert!(!render(&finding(), source, false).contains('\u{1b}'));
    assert!(render(&finding(), source, true).contains("\u{1b}["));
}

#[test]
fn control_characters_come_out_visible() {
    let evil = "\u{1b}]0;owned\u{7}\u{202e}";
    let finding = Diagnostic::error(evil, evil, evil)
        .at(range(1, 1, 2))
        .help(evil)
        .related(Related {
            message: evil.into(),
            file: evil.into(),
            range: Some(range(1, 2, 3)),
        });
    for text in [
        render(&finding, |_| Some(evil), false),
        render(&finding, |_| None, false),
    ] {
        assert!(!text.contains(['\u{1b}', '\u{7}', '\u{202e}']), "{text:?}");
    }
}

#[test]
fn a_range_that_is_not_in_the_text_does_no_harm() {
    for (text, range) in [
        ("", range(9, 9, 9)),
        ("ab\nc", Range::new(Position::new(2, 7), Position::new(1, 1))),
        ("ab\rc\rd", Range::new(Position::new(1, 1), Position::new(3, 2))),
        (
            "\u{feff}ab",
            Range::new(Position::new(0, 0), Position::new(u32::MAX, u32::MAX)),
        ),
    ] {
        let finding = Diagnostic::error("code", "file", "message").at(range);
        assert!(render(&finding, |_| Some(text), false).contains("message"));
    }
}

#[test]
fn a_line_of_megabytes_is_cut_to_the_place() {
    let text = format!("{}<here/>{}", "é".repeat(1 << 20), "x".repeat(1 << 20));
    let start = (1 << 20) + 1;
    let finding = Diagnostic::error("code", "file", "message").at(range(1, start, start + 7));
    let shown = render(&finding, |_| Some(&text), false);
    assert!(
        shown.len() < 2000 && shown.contains("<here/>") && shown.contains("^^^^^^^"),
        "{} bytes",
        shown.len()
    );
}
