//! Each kind of finding: its code, its place, its words.

use bpmn::{MAX_BYTES, MAX_DEPTH, MAX_ELEMENTS, codes, read};
use diagnostics::render;
use insta::assert_snapshot;

const OPEN: &str = r#"<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL" xmlns:camunda="http://camunda.org/schema/1.0/bpmn">"#;

/// A file around some content.
fn file(content: &str) -> String {
    format!("{OPEN}\n{content}\n</definitions>")
}

/// Everything that is said about a text, as people see it.
fn say(text: &str) -> String {
    let (_, findings) = read("a.bpmn", text.as_bytes());
    findings
        .iter()
        .map(|it| render(it, |_| Some(text), false))
        .collect::<Vec<_>>()
        .join("\n\n")
}

/// `line:column-line:column code` of each finding.
fn places(bytes: &[u8]) -> Vec<String> {
    let place = |it: diagnostics::Range| {
        format!(
            "{}:{}-{}:{} ",
            it.start.line, it.start.column, it.end.line, it.end.column
        )
    };
    let (_, findings) = read("a.bpmn", bytes);
    findings
        .iter()
        .map(|it| it.range.map(place).unwrap_or_default() + &it.code)
        .collect()
}

#[test]
fn a_tag_that_is_closed_by_another() {
    assert_snapshot!(say(&file("  <process id=\"a\">\n  </proces>")), @r#"
error[not-xml]: `process` is closed by `</proces>`
 --> a.bpmn:3:3
  |
3 |   </proces>
  |   ^^^^^^^^^
  |
  = help: open the file in a text editor at this place and repair it, or save it anew with Camunda Modeler
note: `process` is opened here
 --> a.bpmn:2:3
  |
2 |   <process id="a">
  |   ^^^^^^^^^^^^^^^^
"#);
}

#[test]
fn a_file_that_ends_too_early() {
    assert_snapshot!(say(&format!("{OPEN}\n  <process id=\"a\">\n")), @r#"
error[not-xml]: the file ends inside `process`
 --> a.bpmn:3:1
  |
3 |
  | ^
  |
  = help: open the file in a text editor at this place and repair it, or save it anew with Camunda Modeler
note: `process` is opened here
 --> a.bpmn:2:3
  |
2 |   <process id="a">
  |   ^^^^^^^^^^^^^^^^
"#);
}

#[test]
fn a_file_of_another_kind() {
    assert_snapshot!(say("hello\n"), @r#"
error[not-xml]: this is not XML
 --> a.bpmn:1:1
  |
1 | hello
  | ^^^^^
  |
  = help: open the file in a text editor at this place and repair it, or save it anew with Camunda Modeler
"#);
    assert_snapshot!(say(r#"<definitions xmlns="https://www.omg.org/spec/DMN/20191111/MODEL/"/>"#), @r#"
error[not-bpmn]: the root element is `definitions` of https://www.omg.org/spec/DMN/20191111/MODEL/, not BPMN's `definitions`
 --> a.bpmn:1:1
  |
1 | <definitions xmlns="https://www.omg.org/spec/DMN/20191111/MODEL/"/>
  | ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
  |
  = help: give a BPMN 2.0 file, such as Camunda Modeler saves for Camunda Platform 7
"#);
}

#[test]
fn a_prefix_that_nobody_declared() {
    assert_snapshot!(say(&file("<process id=\"a\"><x:y/></process>")), @r#"
error[not-xml]: the prefix `x` is not declared: xmlns:x="…" is missing
 --> a.bpmn:2:17
  |
2 | <process id="a"><x:y/></process>
  |                 ^^^^^^
  |
  = help: open the file in a text editor at this place and repair it, or save it anew with Camunda Modeler
"#);
}

#[test]
fn a_process_that_is_not_executable() {
    assert_snapshot!(say(&file("<process id=\"a\"/>")), @r#"
error[no-executable-process]: the process `a` is not executable
 --> a.bpmn:2:1
  |
2 | <process id="a"/>
  | ^^^^^^^^^^^^^^^^^
  |
  = help: set isExecutable="true" on the process (in Camunda Modeler: select the process, tick Executable)
"#);
    assert_snapshot!(say(&file("<process id=\"a\"/>\n<process id=\"b\" isExecutable=\"false\"/>")), @r#"
error[no-executable-process]: no process in the file is executable
 --> a.bpmn:2:1
  |
2 | <process id="a"/>
  | ^^^^^^^^^^^^^^^^^
  |
  = help: set isExecutable="true" on the process (in Camunda Modeler: select the process, tick Executable)
note: nor is this one executable
 --> a.bpmn:3:1
  |
3 | <process id="b" isExecutable="false"/>
  | ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
"#);
}

#[test]
fn a_process_without_history_time_to_live() {
    assert_snapshot!(say(&file("<process id=\"a\" isExecutable=\"true\"/>")), @r#"
error[missing-history-time-to-live]: the process `a` does not say how long to keep its history
 --> a.bpmn:2:1
  |
2 | <process id="a" isExecutable="true"/>
  | ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
  |
  = help: set camunda:historyTimeToLive on the process, such as P30D for thirty days
"#);
    assert_snapshot!(say(&file("<process id=\"a\" isExecutable=\"true\" camunda:historyTimeToLive=\"P1M\"/>")), @r#"
error[invalid-history-time-to-live]: the history time to live of the process `a` is not in days: `P1M`
 --> a.bpmn:2:37
  |
2 | <process id="a" isExecutable="true" camunda:historyTimeToLive="P1M"/>
  |                                     ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
  |
  = help: give whole days, as a number or like P30D: no other unit, no negative number
"#);
}

#[test]
fn a_process_without_id() {
    assert_snapshot!(say(&file("<process isExecutable=\"true\" camunda:historyTimeToLive=\"7\"/>")), @r#"
error[missing-process-id]: the process has no id
 --> a.bpmn:2:1
  |
2 | <process isExecutable="true" camunda:historyTimeToLive="7"/>
  | ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
  |
  = help: give the process an id: it is the key by which it is started
"#);
}

#[test]
fn a_process_whose_id_is_too_long_for_the_engine() {
    let process = |id: &str| {
        file(&format!(
            "<process id=\"{id}\" isExecutable=\"true\" camunda:historyTimeToLive=\"7\"/>"
        ))
    };
    assert_eq!(places(process(&"ä".repeat(255)).as_bytes()), [""; 0]);
    let too_long = say(&process(&"a".repeat(256)));
    assert!(
        too_long
            .starts_with("error[process-id-too-long]: the process's id has 256 characters, 255 is the most"),
        "{too_long}"
    );
}

#[test]
fn a_file_without_process() {
    assert_snapshot!(say(&file("<message id=\"m\"/>")), @r#"
error[no-process]: the file has no process
 --> a.bpmn:1:1
  |
1 | <definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL" xmlns:camunda="http://camunda.org/schema/1.0/bpmn">
  | ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
  |
  = help: add a process with at least a start event; a diagram with empty pools alone cannot run
"#);
}

#[test]
fn a_document_type() {
    let text = format!(
        "<!DOCTYPE definitions [<!ENTITY x SYSTEM \"file:///etc/passwd\">]>\n{}",
        file("&x;")
    );
    assert_snapshot!(say(&text), @r#"
error[doctype]: the file has a document type declaration
 --> a.bpmn:1:1
  |
1 | <!DOCTYPE definitions [<!ENTITY x SYSTEM "file:///etc/passwd">]>
  | ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
  |
  = help: remove the <!DOCTYPE …> declaration: BPMN needs none
"#);
}

#[test]
fn history_time_to_live_as_the_engine_reads_it() {
    let with = |value: &str| {
        let process = format!(r#"<process id="a" isExecutable="true" camunda:historyTimeToLive="{value}"/>"#);
        places(file(&process).as_bytes())
    };
    for good in ["0", "30", "+30", "P30D", "P0D"] {
        assert!(with(good).is_empty(), "{good}");
    }
    for bad in [
        "-1",
        "P-1D",
        "P+1D",
        "P1M",
        "PT1H",
        "1.5",
        "PD",
        "a",
        "99999999999",
        "${x}",
    ] {
        assert_eq!(
            with(bad),
            [format!(
                "2:37-2:{} {}",
                65 + bad.len(),
                codes::INVALID_HISTORY_TIME_TO_LIVE.code
            )]
        );
    }
    assert_eq!(
        with(""),
        [format!("2:1-2:67 {}", codes::MISSING_HISTORY_TIME_TO_LIVE.code)]
    );
}

/// The places of what is no XML. In each text `‹` and `›` enclose where it breaks.
#[test]
fn places_are_exact() {
    let cases = [
        "‹›",
        "‹x›",
        " \r\n\t‹x›",
        "<a>\r\n\té<b>\n‹</a>›",
        "<a>\n𝄞‹<›b",
        "<a>\r<b c=‹1/>›</a>",
        "<a>é<b c=\"1\" ‹c=\"2\"/>›</a>",
        "<a><b ‹c=\"&nbsp;\"›/></a>",
        "<a><b ‹c=\"1 < 2\"›/></a>",
        "<a>é‹&nbsp;›</a>",
        "<a>‹&#0;›</a>",
        "<a>‹&#x1;›</a>",
        "<a>‹\u{1}›</a>",
        "<a>‹<x:b/>›</a>",
        "<a ‹x:b=\"\"›/>",
        "<a/>\n‹<b/>›",
        "<a/>\n  ‹x›",
        "\n‹<?xml version=\"1.0\"?>›<a/>",
        "<a>‹<1/>›</a>",
        "<a>‹<b\u{85}c=\"1\"/>›</a>",
        "<a xmlns:x=\"u\" xmlns:y=\"u\" x:b=\"\" ‹y:b=\"\"›/>",
        "<a>\n  <b>\n  </b>\n‹›",
    ];
    for case in cases {
        let from = case.find('‹').unwrap();
        let to = case.find('›').unwrap() - '‹'.len_utf8();
        let text = case.replace(['‹', '›'], "");
        let lines = diagnostics::LineIndex::new(&text);
        let (start, end) = (lines.position(from), lines.position(to));
        let expected = format!(
            "{}:{}-{}:{} not-xml",
            start.line, start.column, end.line, end.column
        );
        assert_eq!(places(text.as_bytes()), [expected], "{case:?}");
    }
}

#[test]
fn a_byte_order_mark_is_no_column() {
    assert_eq!(places("\u{feff}<a><x:b/></a>".as_bytes()), ["1:4-1:10 not-xml"]);
}

#[test]
fn limits() {
    let nested = |depth: usize| format!("{}{}", "<a>".repeat(depth), "</a>".repeat(depth));
    assert_eq!(places(nested(MAX_DEPTH).as_bytes()), ["1:1-1:4 not-bpmn"]);
    assert_eq!(places(nested(MAX_DEPTH + 1).as_bytes()), ["1:769-1:772 too-deep"]);
    let wide = |elements: usize| format!("<a>{}</a>", "<b/>".repeat(elements - 1));
    assert_eq!(places(wide(MAX_ELEMENTS).as_bytes()), ["1:1-1:4 not-bpmn"]);
    assert_eq!(
        places(wide(MAX_ELEMENTS + 1).as_bytes()),
        ["1:80000-1:80004 file-too-large"]
    );
    let long = |bytes: usize| format!("<a>{}</a>", " ".repeat(bytes - 7));
    assert_eq!(places(long(MAX_BYTES).as_bytes()), ["1:1-1:4 not-bpmn"]);
    assert_eq!(places(long(MAX_BYTES + 1).as_bytes()), ["file-too-large"]);
}

#[test]
fn a_property_without_a_name() {
    let text = file(
        r#"<process id="a" isExecutable="true" camunda:historyTimeToLive="P1D">
  <subProcess id="s">
    <serviceTask id="t" camunda:type="external" camunda:topic="x">
      <extensionElements>
        <camunda:properties>
          <camunda:property value="5s" />
          <camunda:property name="timeout" />
        </camunda:properties>
      </extensionElements>
    </serviceTask>
  </subProcess>
  <userTask id="u">
    <extensionElements>
      <camunda:formData>
        <camunda:formField id="f">
          <camunda:properties><camunda:property id="p" value="v" /></camunda:properties>
        </camunda:formField>
      </camunda:formData>
    </extensionElements>
  </userTask>
</process>"#,
    );
    assert_snapshot!(say(&text), @r#"
error[nameless-property]: an extension property of `t` has no name
 --> a.bpmn:7:11
  |
7 |           <camunda:property value="5s" />
  |           ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
  |
  = help: give the property a name, or remove it
"#);
}
