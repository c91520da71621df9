//! What is read, and from which spellings.
#![allow(clippy::unwrap_used, reason = "a helper of tests fails the test")]

use bpmn::{Event, Kind, Model, read};
use diagnostics::{LineIndex, Range};
use proptest::prelude::*;

const ORDER: &str = include_str!("files/order.bpmn");

fn model(text: &str) -> Model {
    let (model, findings) = read("a.bpmn", text.as_bytes());
    assert_eq!(findings, []);
    model.unwrap()
}

/// What a range covers.
fn covered(text: &str, range: Range) -> &str {
    let lines = LineIndex::new(text);
    &text[lines.offset(range.start)..lines.offset(range.end)]
}

#[test]
fn processes_nodes_and_references() {
    let model = model(ORDER);
    let ids: Vec<_> = model
        .processes
        .iter()
        .map(|it| (it.id.as_str(), it.executable))
        .collect();
    assert_eq!(ids, [("order", true), ("customer", false)]);
    let order = model.process("order").unwrap();
    assert_eq!(order.name.as_deref(), Some("Check an order & price it"));

    let nodes: Vec<_> = order.nodes.iter().map(|it| it.id.as_str()).collect();
    assert_eq!(
        nodes,
        [
            "received",
            "rate",
            "no_rate",
            "pricing",
            "pricing_start",
            "price",
            "ship",
            "enough",
            "done"
        ]
    );
    let node = |id| order.node(id).unwrap();
    assert_eq!(
        node("received").events,
        [Event::Message {
            name: Some("order received".into())
        }]
    );
    assert_eq!(
        node("no_rate").kind,
        Kind::BoundaryEvent {
            attached_to: "rate".into()
        }
    );
    assert_eq!(
        node("no_rate").events,
        [Event::Error {
            code: Some("HTTP_404".into())
        }]
    );
    assert_eq!(
        node("ship").kind,
        Kind::CallActivity {
            called_element: Some("shipping".into())
        }
    );
    assert_eq!(node("pricing").kind, Kind::SubProcess { by_event: false });
    assert_eq!(order.parent(node("price")).unwrap().id, "pricing");
    assert!(order.parent(node("pricing")).is_none());
    assert_eq!(node("rate").property("retry"), Some("R3/PT10S"));
    assert_eq!(node("rate").property("timeout"), None);
}

#[test]
fn topics_wherever_the_engine_takes_them() {
    let model = model(ORDER);
    let topics: Vec<_> = model
        .topics()
        .map(|it| {
            (
                it.process.id.as_str(),
                it.node.id.as_str(),
                it.topic.name.as_str(),
            )
        })
        .collect();
    assert_eq!(
        topics,
        [
            ("order", "rate", "http_request"),
            ("order", "price", "python_script"),
            ("order", "done", "email_send")
        ]
    );
}

#[test]
fn ranges_cover_the_tag_in_every_spelling() {
    let crlf = ORDER.replace('\n', "\r\n");
    let tabs = ORDER.replace("  ", "\t");
    let one_line = ORDER.replace('\n', " ");
    let marked = format!("\u{feff}{ORDER}");
    for text in [ORDER, &crlf, &tabs, &one_line, &marked] {
        let model = model(text);
        let text = text.trim_start_matches('\u{feff}');
        let order = model.process("order").unwrap();
        assert!(covered(text, order.range).starts_with("<bpmn:process id=\"order\""));
        for node in &order.nodes {
            let tag = covered(text, node.range);
            assert!(
                tag.starts_with("<bpmn:") && tag.ends_with('>') && tag[1..].find('<').is_none(),
                "{tag}"
            );
            assert!(tag.contains(&format!("id=\"{}\"", node.id)), "{tag}");
        }
        for it in model.topics() {
            assert_eq!(
                covered(text, it.topic.range),
                format!("camunda:topic=\"{}\"", it.topic.name)
            );
        }
        assert_eq!(
            covered(text, order.node("rate").unwrap().properties[1].range),
            r#"<camunda:property name="retry" value="R3/PT10S" />"#
        );
        assert!(covered(text, model.errors[0].range).starts_with("<bpmn:error id=\"Error_404\""));
        assert!(covered(text, model.messages[1].range).starts_with("<bpmn:message id=\"Message_done\""));
    }
    // And in numbers, where a mistake in both directions would go unseen.
    let model = model(&crlf);
    let price = model.process("order").unwrap().node("price").unwrap().range;
    assert_eq!(
        (
            price.start.line,
            price.start.column,
            price.end.line,
            price.end.column
        ),
        (32, 7, 32, 107)
    );
}

#[test]
fn prefixes_are_only_spelling() {
    let expected = model(ORDER);
    let spellings = [
        ORDER
            .replace("bpmn:", "semantic:")
            .replace("xmlns:bpmn=", "xmlns:semantic="),
        ORDER
            .replace("<bpmn:", "<")
            .replace("</bpmn:", "</")
            .replace("xmlns:bpmn=", "xmlns="),
        ORDER
            .replace("xmlns:camunda=", "xmlns:activiti=")
            .replace("camunda:", "activiti:")
            .replace("http://camunda.org/schema/1.0/bpmn", "http://activiti.org/bpmn"),
        ORDER.replace("\"http_request\"", "'&#104;ttp_request'"),
        // A namespace is what its address says, however that is spelt.
        ORDER.replace(
            "http://camunda.org/schema/1.0/bpmn",
            "http://camunda.org/schema/1.0/bpm&#110;",
        ),
    ];
    for text in spellings {
        let model = model(&text);
        let topics = |model: &Model| model.topics().map(|it| it.topic.name.clone()).collect::<Vec<_>>();
        assert_eq!(topics(&model), topics(&expected), "{text}");
        let events = |model: &Model| {
            model.processes[0]
                .nodes
                .iter()
                .map(|it| it.events.clone())
                .collect::<Vec<_>>()
        };
        assert_eq!(events(&model), events(&expected), "{text}");
        assert_eq!(
            model.processes[0].node("rate").unwrap().property("retry"),
            Some("R3/PT10S")
        );
    }
}

#[test]
fn another_namespace_is_another_name() {
    let text = ORDER
        .replace("http://camunda.org/schema/1.0/bpmn", "urn:else")
        .replace(
            "camunda:historyTimeToLive=\"P30D\"",
            "xmlns:c=\"http://camunda.org/schema/1.0/bpmn\" c:historyTimeToLive=\"1\"",
        );
    assert_eq!(model(&text).topics().count(), 0);
}

/// The engine asks for Camunda's namespace first, whichever stands first in the file.
#[test]
fn of_two_topics_the_newer_namespace_counts() {
    let text = ORDER
        .replace(
            "camunda:topic=\"http_request\"",
            "a:topic=\"old\" camunda:topic=\"http_request\"",
        )
        .replace(
            "xmlns:camunda=",
            "xmlns:a=\"http://activiti.org/bpmn\" xmlns:camunda=",
        );
    assert_eq!(model(&text).topics().next().unwrap().topic.name, "http_request");
}

#[test]
fn a_model_with_mistakes_is_still_a_model() {
    let text = ORDER
        .replace("isExecutable=\"true\" camunda:historyTimeToLive=\"P30D\"", "")
        .replace("Message_order", "nowhere:Message_done")
        .replace("attachedToRef=\"rate\"", "");
    let (model, findings) = read("a.bpmn", text.as_bytes());
    assert_eq!(
        findings.iter().map(|it| it.code.as_str()).collect::<Vec<_>>(),
        ["no-executable-process"]
    );
    let model = model.unwrap();
    assert_eq!(model.topics().count(), 3);
    assert_eq!(
        model.processes[0].nodes[0].events,
        [Event::Message {
            name: Some("order done".into())
        }]
    );
}

/// Every process that ships with the project.
#[test]
fn our_own_processes_have_no_finding() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../processes");
    let mut seen = 0;
    for folder in ["system", "examples"] {
        for entry in std::fs::read_dir(root.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|it| it == "bpmn") {
                let (model, findings) = read(&path.to_string_lossy(), &std::fs::read(&path).unwrap());
                assert_eq!(findings, []);
                assert!(
                    model.unwrap().processes.iter().any(|it| it.executable),
                    "{}",
                    path.display()
                );
                seen += 1;
            }
        }
    }
    assert!(seen > 0, "no process in {}", root.display());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2000) })]

    #[test]
    fn any_bytes_do_no_harm(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        check(&bytes)?;
    }

    #[test]
    fn any_markup_does_no_harm(pieces in proptest::collection::vec(
        prop_oneof![
            Just("<"), Just(">"), Just("/>"), Just("</"), Just("a"), Just("é:"), Just("b=\""), Just("='"), Just("\""),
            Just("&"), Just("#x0;"), Just("lt;"), Just("<!--"), Just("-->"), Just("<![CDATA["), Just("]]>"), Just("<?xml"),
            Just("?>"), Just("<!DOCTYPE"), Just("["), Just(" xmlns"), Just(":c"), Just(" "), Just("\r"), Just("\n"),
        ],
        0..40,
    )) {
        check(pieces.concat().as_bytes())?;
    }

    #[test]
    fn a_real_file_with_wounds_does_no_harm(wounds in proptest::collection::vec(
        (any::<prop::sample::Index>(), 0usize..40, prop_oneof!["[<>/&;:=\"' a-z\\[\\]!?-]{0,4}", ".{0,3}"]),
        1..6,
    )) {
        let mut bytes = ORDER.as_bytes().to_vec();
        for (place, length, with) in wounds {
            let from = place.index(bytes.len());
            let to = (from + length).min(bytes.len());
            bytes.splice(from..to, with.into_bytes());
        }
        check(&bytes)?;
    }
}

/// What holds for whatever is read: without a model something is said, and every place is in the text.
fn check(bytes: &[u8]) -> Result<(), TestCaseError> {
    let (model, findings) = read("a.bpmn", bytes);
    prop_assert!(model.is_some() || !findings.is_empty());
    if let Ok(text) = bpmn::decode("a.bpmn", bytes) {
        let lines = LineIndex::new(&text);
        for range in findings.iter().filter_map(|it| it.range) {
            prop_assert!(range.start <= range.end && range.end <= lines.position(text.len()));
        }
    }
    Ok(())
}

#[test]
fn the_text_of_input_parameters_is_read_from_every_spelling() {
    let text = r#"<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL" xmlns:c="http://camunda.org/schema/1.0/bpmn">
  <process id="p" isExecutable="true" c:historyTimeToLive="P1D"><serviceTask id="t"><extensionElements><c:inputOutput>
    <c:inputParameter name="script_path"> price.py
    </c:inputParameter>
    <c:inputParameter name="script"><![CDATA[a < b]]> &amp;&amp; &#99;<!-- no --> d</c:inputParameter>
    <c:inputParameter name="empty"/>
    <c:inputParameter name="list"><c:list><c:value>1</c:value></c:list></c:inputParameter>
    <c:inputParameter>nameless</c:inputParameter>
    <c:outputParameter name="out">x</c:outputParameter>
  </c:inputOutput></extensionElements></serviceTask></process></definitions>"#;
    let model = model(text);
    let node = model.process("p").unwrap().node("t").unwrap();
    let inputs: Vec<_> = node
        .inputs
        .iter()
        .map(|it| (it.name.as_str(), it.value.as_deref()))
        .collect();
    assert_eq!(
        inputs,
        [
            ("script_path", Some("price.py")),
            ("script", Some("a < b && c d")),
            ("empty", Some("")),
            ("list", None)
        ]
    );
    let place = node.input("script_path").unwrap().range;
    assert_eq!(covered(text, place), r#"<c:inputParameter name="script_path">"#);
    assert!(node.has_output_parameters && node.input("out").is_none());
}
