//! What the gate says about `procos:security`, and about the operator's exceptions.
#![allow(clippy::unwrap_used, reason = "test code")]

use std::collections::{BTreeMap, BTreeSet};

use bpmn::{Allowance, GateContext, check};

/// A process with tasks of two topics. What is given stands in its extension elements, which begin in the second line.
fn process(extensions: &str) -> String {
    format!(
        "<definitions xmlns=\"http://www.omg.org/spec/BPMN/20100524/MODEL\" xmlns:camunda=\"http://camunda.org/schema/1.0/bpmn\" xmlns:procos=\"urn:procos:bpmn:1.0\"><process id=\"p\" isExecutable=\"true\" camunda:historyTimeToLive=\"1\"><extensionElements>\n\
         {extensions}</extensionElements>\n\
         <startEvent id=\"s\"/><sequenceFlow id=\"sa\" sourceRef=\"s\" targetRef=\"a\"/>\
         <serviceTask id=\"a\" camunda:type=\"external\" camunda:topic=\"runs\"/><sequenceFlow id=\"ab\" sourceRef=\"a\" targetRef=\"b\"/>\
         <serviceTask id=\"b\" camunda:type=\"external\" camunda:topic=\"asks\"/><sequenceFlow id=\"bz\" sourceRef=\"b\" targetRef=\"z\"/>\
         <endEvent id=\"z\"/></process></definitions>"
    )
}

fn allowing(tasks: &str) -> String {
    process(&format!(
        "<procos:security><procos:allowedTasks>\n{tasks}</procos:allowedTasks></procos:security>"
    ))
}

/// `runs` runs code of users, `asks` does not.
fn context() -> GateContext {
    GateContext {
        topics: Some(BTreeMap::from([
            ("runs".to_owned(), vec![]),
            ("asks".to_owned(), vec![]),
        ])),
        sandboxed_topics: Some(BTreeSet::from(["runs".to_owned()])),
        ..GateContext::default()
    }
}

/// Line, severity and code of each finding.
fn said(text: &str, context: &GateContext) -> Vec<String> {
    let found = check(&[("a.bpmn", text.as_bytes())], context);
    found
        .iter()
        .map(|it| format!("{} {} {}", it.range.unwrap().start.line, it.severity, it.code))
        .collect()
}

const NONE: [&str; 0] = [];

#[test]
fn a_policy_that_nobody_reads_is_an_error() {
    let context = context();
    assert_eq!(said(&process("<procos:security/>"), &context), NONE);
    let on_a_task = process("").replace(
        "camunda:topic=\"runs\"/>",
        "camunda:topic=\"runs\"><extensionElements><procos:security/></extensionElements></serviceTask>",
    );
    assert_eq!(said(&on_a_task, &context), ["3 error security-misplaced"]);
    let on_the_file = process("").replacen(
        "<process ",
        "<extensionElements><procos:security/></extensionElements><process ",
        1,
    );
    assert_eq!(said(&on_the_file, &context), ["1 error security-misplaced"]);
    let as_attribute = process("").replace(
        "camunda:topic=\"runs\"",
        "camunda:topic=\"runs\" procos:sandboxLevel=\"high\"",
    );
    assert_eq!(said(&as_attribute, &context), ["3 error security-misplaced"]);
    // In the diagram, where nothing else is looked at.
    let diagram = process("").replace(
        "</definitions>",
        "\n<di:BPMNDiagram xmlns:di=\"http://www.omg.org/spec/BPMN/20100524/DI\"><procos:security/></di:BPMNDiagram></definitions>",
    );
    assert_eq!(said(&diagram, &context), ["4 error security-misplaced"]);
}

/// Said once, and not as somebody else's element besides.
#[test]
fn a_policy_in_a_namespace_that_is_nearly_right_is_an_error() {
    for slip in [
        "urn:procos:bpmn:1",
        "urn:procos:bpmn:1.0 ",
        "urn:procos:bmpn:1.0",
        "Urn:ProcOS:bpmn:1.0",
    ] {
        let text = allowing("<procos:task topic=\"none\"/>").replace("urn:procos:bpmn:1.0", slip);
        assert_eq!(said(&text, &context()), ["2 error security-namespace"], "{slip}");
    }
    assert_eq!(
        said(&process("<security><allowedTasks/></security>"), &context()),
        ["2 error security-namespace"]
    );
}

#[test]
fn a_sandbox_level_that_the_workers_would_refuse_is_an_error() {
    let levels = |runs: &str, asks: &str| {
        let entry = |topic: &str, level: &str| match level {
            "" => format!("<procos:task topic=\"{topic}\"/>\n"),
            level => format!("<procos:task topic=\"{topic}\" sandboxLevel=\"{level}\"/>\n"),
        };
        said(
            &allowing(&(entry("runs", runs) + &entry("asks", asks))),
            &context(),
        )
    };
    for (runs, asks) in [("", ""), ("low", "none"), ("medium", ""), ("high", "none")] {
        assert_eq!(levels(runs, asks), NONE, "{runs} {asks}");
    }
    assert_eq!(levels("none", "none"), ["3 error sandbox-level"]);
    for level in ["low", "medium", "high"] {
        assert_eq!(levels("high", level), ["4 error sandbox-level"], "{level}");
    }
    // Of a topic that is listed twice the stricter word counts.
    let twice = "<procos:task topic=\"runs\" sandboxLevel=\"none\"/>\n<procos:task topic=\"runs\" sandboxLevel=\"low\"/>\n<procos:task topic=\"asks\"/>";
    assert_eq!(said(&allowing(twice), &context()), NONE);
    // Where nobody knows what a topic does nothing is said.
    let text = allowing(
        "<procos:task topic=\"runs\" sandboxLevel=\"none\"/>\n<procos:task topic=\"asks\" sandboxLevel=\"low\"/>",
    );
    assert_eq!(said(&text, &GateContext::default()), NONE);
}

#[test]
fn the_operators_topics_count_where_the_process_lists_none() {
    let context = GateContext {
        default_topics: Some(BTreeSet::from(["runs".to_owned()])),
        ..context()
    };
    for silent in [
        "",
        "<procos:security><procos:dataClassification level=\"internal\"/></procos:security>",
    ] {
        assert_eq!(
            said(&process(silent), &context),
            ["3 error topic-not-allowed"],
            "{silent}"
        );
    }
    let own = allowing("<procos:task topic=\"runs\"/>\n<procos:task topic=\"asks\"/>");
    assert_eq!(said(&own, &context), NONE);
    let all = GateContext {
        default_topics: None,
        ..context
    };
    assert_eq!(said(&process(""), &all), NONE);
}

#[test]
fn an_exception_that_lets_nothing_pass_is_named() {
    let allowance = |process: &str, code: &str| Allowance {
        process: process.to_owned(),
        element: "a".to_owned(),
        code: code.to_owned(),
        why: "until May".to_owned(),
    };
    let with = |allowances: Vec<Allowance>| GateContext {
        allowances,
        ..context()
    };
    let listening = process("").replace(
        "camunda:topic=\"runs\"/>",
        "camunda:topic=\"runs\"><extensionElements><camunda:executionListener event=\"start\" class=\"X\"/></extensionElements></serviceTask>",
    );
    let used = allowance("p", "execution-listener");
    assert_eq!(
        said(&listening, &with(vec![used.clone()])),
        ["3 info execution-listener"]
    );
    let slip = with(vec![used.clone(), allowance("p", "java-class")]);
    assert_eq!(
        said(&listening, &slip),
        ["3 info execution-listener", "1 warning unused-exception"]
    );
    let text = process("");
    let found = check(&[("a.bpmn", text.as_bytes())], &with(vec![used]));
    assert_eq!(
        found[0].message,
        "`security.gate.allow` lists `execution-listener` at `a` of the process `p` (until May), and nothing there needs it"
    );
    // What is for other files, or outside of processes, may be needed there.
    let others = with(vec![
        allowance("other", "java-class"),
        allowance("", "java-class"),
    ]);
    assert_eq!(said(&text, &others), NONE);
}
