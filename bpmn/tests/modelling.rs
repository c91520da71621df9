//! Whether a model is likely to do what is meant: each warning, and its counterpart that is none.
#![allow(clippy::unwrap_used, reason = "test code")]

use std::collections::{BTreeMap, BTreeSet};

use bpmn::{GateContext, check, complexity, read};
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

#[test]
fn nodes_that_are_never_reached() {
    let line = |extra: &str| {
        format!(
            "<startEvent id=\"s\"/><endEvent id=\"e1\"/>{}{extra}",
            flows(&[("s", "e1")])
        )
    };
    assert_eq!(one(&line("")), NONE);
    let island = format!(
        "\n<task id=\"a\"/>\n<task id=\"b\"/><endEvent id=\"c\"/>{}",
        flows(&[("a", "b"), ("b", "c")])
    );
    assert_eq!(one(&line(&island)), ["a:3 unreachable"]);
    let circle = format!(
        "\n<task id=\"a\"/>\n<task id=\"b\"/>{}",
        flows(&[("a", "b"), ("b", "a")])
    );
    assert_eq!(one(&line(&circle)), ["a:3 unreachable"]);
    // Reached without a sequence flow.
    for by_itself in [
        "<subProcess id=\"x\" triggeredByEvent=\"true\"><startEvent id=\"x1\"><messageEventDefinition messageRef=\"m\"/></startEvent><sequenceFlow id=\"x3\" sourceRef=\"x1\" targetRef=\"x2\"/><endEvent id=\"x2\"/></subProcess>",
        "<task id=\"undo\" isForCompensation=\"true\"/>",
        "<intermediateCatchEvent id=\"x\"><linkEventDefinition name=\"l\"/></intermediateCatchEvent><endEvent id=\"y\"/><sequenceFlow id=\"xy\" sourceRef=\"x\" targetRef=\"y\"/>",
    ] {
        assert_eq!(one(&line(by_itself)), NONE, "{by_itself}");
    }
    // In an unreachable subprocess the rest goes without saying.
    let inside = "\n<subProcess id=\"x\">\n<task id=\"y\"/>\n<endEvent id=\"z\"/></subProcess><endEvent id=\"q\"/><sequenceFlow id=\"xq\" sourceRef=\"x\" targetRef=\"q\"/>";
    assert_eq!(one(&line(inside)), ["a:3 unreachable", "a:4 dead-end"]);
    let boundary = format!(
        "<startEvent id=\"s\"/><task id=\"t\"/><endEvent id=\"z\"/><boundaryEvent id=\"b\" attachedToRef=\"t\"><errorEventDefinition errorRef=\"e\"/></boundaryEvent>{}",
        flows(&[("s", "t"), ("t", "z"), ("b", "z")])
    );
    assert_eq!(one(&boundary), NONE);
}

#[test]
fn nodes_that_lead_nowhere() {
    let text = |last: &str| format!("<startEvent id=\"s\"/>{}\n{last}", flows(&[("s", "t")]));
    assert_eq!(one(&text("<task id=\"t\"/>")), ["a:3 dead-end"]);
    assert_eq!(one(&text("<parallelGateway id=\"t\"/>")), ["a:3 dead-end"]);
    assert_eq!(one(&text("<endEvent id=\"t\"/>")), NONE);
    assert_eq!(
        one(&text(
            "<intermediateThrowEvent id=\"t\"><linkEventDefinition name=\"l\"/></intermediateThrowEvent>"
        )),
        NONE
    );
}

#[test]
fn gateways_that_may_find_no_way_on() {
    let gateway = |kind: &str, default: &str, one: &str, other: &str| {
        let flow = |id: &str, condition: &str| match condition {
            "" => format!("\n<sequenceFlow id=\"{id}\" sourceRef=\"g\" targetRef=\"z\"/>"),
            condition => format!(
                "\n<sequenceFlow id=\"{id}\" sourceRef=\"g\" targetRef=\"z\"><conditionExpression>{condition}</conditionExpression></sequenceFlow>"
            ),
        };
        format!(
            "<startEvent id=\"s\"/><endEvent id=\"z\"/>{}\n<{kind} id=\"g\"{default}/>{}{}",
            flows(&[("s", "g")]),
            flow("f", one),
            flow("h", other)
        )
    };
    let exclusive = |default: &str, a: &str, b: &str| one(&gateway("exclusiveGateway", default, a, b));
    assert_eq!(exclusive("", "${a}", ""), ["a:5 flow-without-condition"]);
    assert_eq!(exclusive(" default=\"h\"", "${a}", ""), NONE);
    assert_eq!(exclusive("", "${a}", "${b}"), ["a:3 gateway-without-default"]);
    for (a, b) in [
        ("${a}", "${!a}"),
        ("${not a}", "#{a}"),
        ("${not a}", "${ a }"),
        ("${x.y &gt; 1}", "${x.y &lt;= 1}"),
        ("${x lt 1}", "${x ge 1}"),
        ("${x == 'a'}", "${x != 'a'}"),
        ("${x == true}", "${x == false}"),
        ("${empty x}", "${not empty x}"),
    ] {
        assert_eq!(exclusive("", a, b), NONE, "{a} {b}");
    }
    for (a, b) in [
        ("${x &gt; 1}", "${x &lt; 1}"),
        ("${x.y == 'a'}", "${x.z != 'a'}"),
        ("${x == 'a'}", "${x == 'b'}"),
    ] {
        assert_eq!(exclusive("", a, b), ["a:3 gateway-without-default"], "{a} {b}");
    }
    assert_eq!(
        one(&gateway("inclusiveGateway", "", "${a}", "${b}")),
        ["a:3 gateway-without-default"]
    );
    assert_eq!(one(&gateway("parallelGateway", "", "", "")), NONE);
}

#[test]
fn references_that_lead_nowhere() {
    let text = |event: &str, flow: &str| {
        format!(
            "<startEvent id=\"s\">{event}</startEvent><endEvent id=\"z\"/>{}\n{flow}",
            flows(&[("s", "z")])
        )
    };
    assert_eq!(one(&text("<messageEventDefinition messageRef=\"m\"/>", "")), NONE);
    assert_eq!(
        one(&text("<messageEventDefinition messageRef=\"q:m\"/>", "")),
        NONE
    );
    for (attribute, definition) in [
        ("messageRef", "messageEventDefinition"),
        ("signalRef", "signalEventDefinition"),
        ("escalationRef", "escalationEventDefinition"),
        ("errorRef", "errorEventDefinition"),
    ] {
        let event = format!("<{definition} {attribute}=\"nowhere\"/>");
        assert_eq!(
            one(&text(&event, "")),
            ["a:2 unresolved-reference"],
            "{attribute}"
        );
    }
    let flow =
        |from: &str, to: &str| format!("<sequenceFlow id=\"x\" sourceRef=\"{from}\" targetRef=\"{to}\"/>");
    assert_eq!(
        one(&text("", &flow("s", "nowhere"))),
        ["a:3 unresolved-reference"]
    );
    assert_eq!(
        one(&text("", &flow("nowhere", "z"))),
        ["a:3 unresolved-reference"]
    );
    let sits = "<boundaryEvent id=\"b\" attachedToRef=\"nowhere\"><errorEventDefinition errorRef=\"e\"/></boundaryEvent><sequenceFlow id=\"bz\" sourceRef=\"b\" targetRef=\"z\"/>";
    assert_eq!(
        one(&text("", sits)),
        ["a:3 unreachable", "a:3 unresolved-reference"]
    );
    let default = format!(
        "<startEvent id=\"s\"/><endEvent id=\"z\"/>{}\n<exclusiveGateway id=\"g\" default=\"s_g\"/>",
        flows(&[("s", "g"), ("g", "z")])
    );
    assert_eq!(one(&default), ["a:3 unresolved-reference"]);
}

#[test]
fn timers_that_never_fire() {
    let timer = |what: &str| {
        let (name, text) = what.split_once(' ').unwrap();
        one(&format!(
            "<startEvent id=\"s\"/><intermediateCatchEvent id=\"t\"><timerEventDefinition>\n<{name}>{text}</{name}></timerEventDefinition></intermediateCatchEvent><endEvent id=\"z\"/>{}",
            flows(&[("s", "t"), ("t", "z")])
        ))
    };
    for good in [
        "timeDate 2030-01-01T00:00:00Z",
        "timeDate 2026-01-01T02:00:00+01:00",
        // In some zone it is not past yet.
        "timeDate 2026-01-01T00:00:00",
        "timeDate 2026-02-01",
        "timeDate PT5M",
        "timeDate ${when}",
        "timeDuration PT15M",
        "timeDuration P1Y2M10DT2H30M",
        "timeDuration ${x}",
        "timeCycle R3/PT10S",
        "timeCycle R/2030-01-01T00:00:00Z/P1D",
        "timeCycle R/PT1H/2030-01-01T00:00:00Z",
        "timeCycle 0 0/5 * * * ?",
        "timeCycle 0 0 12 * * ? 2030",
        "timeCycle ${x}",
    ] {
        assert_eq!(timer(good), NONE, "{good}");
    }
    for past in [
        "timeDate 2025-12-31T23:59:59Z",
        "timeDate 2026-01-01T00:30:00+01:00",
        "timeDate 2025-12-30T00:00:00",
        "timeDate 2001-01-01",
        "timeCycle R3/PT1H/2020-01-01T00:00:00Z",
        "timeCycle R0/PT1H",
    ] {
        assert_eq!(timer(past), ["a:3 timer-in-the-past"], "{past}");
    }
    for bad in [
        "timeDate tomorrow",
        "timeDuration 5 minutes",
        "timeDuration PT",
        "timeCycle every day",
        "timeCycle R3",
        "timeCycle Rx/PT1H",
        "timeCycle 0 0 * * *",
    ] {
        assert_eq!(timer(bad), ["a:3 timer-syntax"], "{bad}");
    }
}

#[test]
fn topics_and_their_errors() {
    let task = |topic: &str, catches: &str| {
        let boundary = |code: &str| {
            match code {
            "" => String::new(),
            "*" => "<boundaryEvent id=\"b\" attachedToRef=\"t\"><errorEventDefinition/></boundaryEvent><sequenceFlow id=\"bz\" sourceRef=\"b\" targetRef=\"z\"/>".to_owned(),
            code => format!("<boundaryEvent id=\"b\" attachedToRef=\"t\"><errorEventDefinition errorRef=\"{code}\"/></boundaryEvent><sequenceFlow id=\"bz\" sourceRef=\"b\" targetRef=\"z\"/>"),
        }
        };
        process(
            "child",
            &format!(
                "<startEvent id=\"s\"/><endEvent id=\"z\"/>{}\n<serviceTask id=\"t\" camunda:type=\"external\" camunda:topic=\"{topic}\"/>{}",
                flows(&[("s", "t"), ("t", "z")]),
                boundary(catches)
            ),
        )
    };
    assert_eq!(said(&[("a", &task("quiet", ""))]), NONE);
    assert_eq!(said(&[("a", &task("missing", ""))]), ["a:3 topic-without-route"]);
    assert_eq!(said(&[("a", &task("${topic}", ""))]), NONE);
    assert_eq!(said(&[("a", &task("loud", ""))]), ["a:3 uncaught-error"]);
    assert_eq!(said(&[("a", &task("loud", "e"))]), ["a:3 uncaught-error"]);
    let found = check(&[("a", task("loud", "e").as_bytes())], &context());
    assert!(
        found[0].message.contains("catches `F` that"),
        "{}",
        found[0].message
    );
    assert_eq!(said(&[("a", &task("loud", "*"))]), NONE);
    // A caller catches it as well as the process itself, in whatever file it is.
    let caller = process(
        "parent",
        &format!(
            "<startEvent id=\"s\"/><endEvent id=\"z\"/><callActivity id=\"c\" calledElement=\"child\"/><boundaryEvent id=\"b\" attachedToRef=\"c\"><errorEventDefinition/></boundaryEvent>{}",
            flows(&[("s", "c"), ("c", "z"), ("b", "z")])
        ),
    );
    assert_eq!(said(&[("a", &task("loud", "")), ("b", &caller)]), NONE);
    // Where nobody knows the topics nothing is said.
    let text = task("missing", "");
    assert_eq!(check(&[("a", text.as_bytes())], &GateContext::default()), []);
}

fn calls(key: &str, called: &str) -> String {
    process(
        key,
        &format!(
            "<startEvent id=\"s\"/><endEvent id=\"z\"/>{}\n<callActivity id=\"c\" calledElement=\"{called}\"/>",
            flows(&[("s", "c"), ("c", "z")])
        ),
    )
}

#[test]
fn files_together() {
    let (a, b, c) = (calls("a", "b"), calls("b", "c"), calls("c", "a"));
    assert_eq!(said(&[("a", &a), ("b", &b), ("c", &c)]), ["a:3 call-recursion"]);
    let found = check(
        &[("a", a.as_bytes()), ("b", b.as_bytes()), ("c", c.as_bytes())],
        &context(),
    );
    assert!(
        found[0].message.contains("`b`, which calls `c`, which calls `a`"),
        "{}",
        found[0].message
    );
    assert_eq!(said(&[("a", &calls("a", "a"))]), ["a:3 call-recursion"]);
    assert_eq!(said(&[("a", &calls("a", "nowhere"))]), ["a:3 unknown-call"]);
    assert_eq!(said(&[("a", &calls("a", "there"))]), NONE);
    assert_eq!(said(&[("a", &calls("a", "${any}"))]), NONE);
    let twice = check(
        &[
            ("a", calls("k", "there").as_bytes()),
            ("b", calls("k", "there").as_bytes()),
        ],
        &context(),
    );
    assert_eq!(twice.len(), 1);
    assert_eq!(
        twice[0].to_string(),
        "b:1:117: error[duplicate-process]: the process `k` is also in a"
    );
    assert_eq!(twice[0].related[0].file, "a");
}

#[test]
fn complexity_is_a_figure() {
    let figure = |content: &str| {
        let (model, _) = read("a", process("p", content).as_bytes());
        complexity(&model.unwrap().processes[0])
    };
    let line = format!(
        "<startEvent id=\"s\"/><endEvent id=\"z\"/>{}",
        flows(&[("s", "z")])
    );
    assert_eq!(figure(&line), 1);
    assert_eq!(figure(&format!("{line}{}", flows(&[("s", "a"), ("s", "b")]))), 3);
    assert_eq!(
        figure(&format!(
            "{line}<task id=\"t\"/><boundaryEvent id=\"b\" attachedToRef=\"t\"/>"
        )),
        2
    );
    let many: String = (0..40)
        .map(|it| flows(&[("s", &format!("t{it}"))]) + &format!("<endEvent id=\"t{it}\"/>"))
        .collect();
    assert_eq!(one(&format!("{line}{many}")), ["a:1 complex-process"]);
    let fewer: String = (0..39)
        .map(|it| flows(&[("s", &format!("t{it}"))]) + &format!("<endEvent id=\"t{it}\"/>"))
        .collect();
    assert_eq!(one(&format!("{line}{fewer}")), NONE);
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
