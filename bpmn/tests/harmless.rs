//! Whatever is given: an answer, no panic, and in bounded time.
#![allow(clippy::unwrap_used, reason = "test code")]

use std::collections::BTreeMap;
use std::time::Instant;

use bpmn::{GateContext, check, decode, tree::Tree};
use diagnostics::LineIndex;
use proptest::prelude::*;

const CLEAN: &str = include_str!("files/clean.bpmn.in");

/// Pieces of models and of what is none.
const SOUP: &[&str] = &[
    "<definitions xmlns=\"http://www.omg.org/spec/BPMN/20100524/MODEL\" xmlns:camunda=\"http://camunda.org/schema/1.0/bpmn\">",
    "</definitions>",
    "<process id=\"p\" isExecutable=\"true\">",
    "</process>",
    "<subProcess id=\"s\" triggeredByEvent=\"true\">",
    "</subProcess>",
    "<serviceTask id=\"t\" camunda:type=\"external\" camunda:topic=\"${x}\">",
    "</serviceTask>",
    "<userTask id=\"t\">",
    "</userTask>",
    "<documentation>",
    "</documentation>",
    "<extensionElements>",
    "</extensionElements>",
    "<camunda:inputOutput>",
    "</camunda:inputOutput>",
    "<camunda:inputParameter name=\"script\">",
    "</camunda:inputParameter>",
    "<sequenceFlow id=\"t\" sourceRef=\"t\" targetRef=\"s\">",
    "</sequenceFlow>",
    "<conditionExpression language=\"feel\">",
    "</conditionExpression>",
    "<boundaryEvent id=\"s\" attachedToRef=\"s\"/>",
    "<callActivity calledElement=\"p\"/>",
    "<exclusiveGateway id=\"s\" default=\"t\"/>",
    "<timerEventDefinition><timeCycle>R/</timeCycle></timerEventDefinition>",
    "<![CDATA[",
    "]]>",
    "<!--",
    "-->",
    "<?x ?>",
    "${x.y()}",
    "${",
    "#{\u{1f600}}",
    "&#36;{",
    "\"",
    "é",
    "\r\n",
];

const NAMES: &[&str] = &["a.bpmn", "a.dmn", "a.cmmn", "a.form", "a"];

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1500) })]

    #[test]
    fn any_bytes_do_no_harm(
        name in proptest::sample::select(NAMES),
        bytes in proptest::collection::vec(any::<u8>(), 0..300),
    ) {
        harmless(name, &bytes)?;
    }

    #[test]
    fn any_pieces_do_no_harm(
        name in proptest::sample::select(NAMES),
        pieces in proptest::collection::vec(proptest::sample::select(SOUP), 0..40),
    ) {
        harmless(name, pieces.concat().as_bytes())?;
        let closed = format!("{}{}{}", SOUP[0], pieces.concat(), SOUP[1]);
        harmless(name, closed.as_bytes())?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(150) })]

    #[test]
    fn a_real_model_with_wounds_does_no_harm(wounds in proptest::collection::vec(
        (any::<prop::sample::Index>(), 0usize..40, prop_oneof!["[<>/&;:=\"' a-z\\[\\]!?{}$#()-]{0,4}", ".{0,3}"]),
        1..6,
    )) {
        let mut bytes = CLEAN.as_bytes().to_vec();
        for (place, length, with) in wounds {
            let from = place.index(bytes.len());
            let to = (from + length).min(bytes.len());
            bytes.splice(from..to, with.into_bytes());
        }
        harmless("a.bpmn", &bytes)?;
    }
}

/// What holds for whatever is checked: every place is in the text, a second look finds the same.
fn harmless(name: &str, bytes: &[u8]) -> Result<(), TestCaseError> {
    let found = check(&[(name, bytes)], &GateContext::default());
    prop_assert_eq!(&found, &check(&[(name, bytes)], &GateContext::default()));
    if let Ok(text) = decode(name, bytes) {
        let lines = LineIndex::new(&text);
        for it in &found {
            if let Some(range) = it.range {
                prop_assert!(
                    range.start <= range.end && range.end <= lines.position(text.len()),
                    "{it:?}"
                );
            }
        }
    }
    for it in &found {
        prop_assert!(bpmn::explain(&it.code).is_some(), "{it:?}");
    }
    Ok(())
}

/// The tree keeps every letter of text, with its place.
#[test]
fn the_tree_keeps_all_text_with_its_place() {
    let text = "<a>1<!-- c -->2<b>3</b><![CDATA[<4>]]>&lt;5</a>";
    let tree = Tree::read("a", text).unwrap();
    let root = tree.root();
    assert_eq!(root.text(), "12<4><5");
    assert_eq!(root.children[0].text(), "3");
    assert_eq!(root.span, 0..text.len());
    let pieces: Vec<_> = root
        .texts
        .iter()
        .map(|it| (&*it.value, &text[it.span.clone()], it.after))
        .collect();
    assert_eq!(
        pieces,
        [
            ("1", "1", 0),
            ("2", "2", 0),
            ("<4>", "<![CDATA[<4>]]>", 1),
            ("<", "&lt;", 1),
            ("5", "5", 1)
        ]
    );
}

fn around(content: &str) -> String {
    format!("{}{}{content}{}{}", SOUP[0], SOUP[2], SOUP[3], SOUP[1])
}

/// Sizes that a slip in the algorithm would turn into minutes: each of these is as large as the limits allow.
#[test]
fn large_models_are_checked() {
    let task = |it: usize| {
        format!(
            "<serviceTask id=\"t{it}\" name=\"Task {it}\" camunda:type=\"external\" camunda:topic=\"http_request\"><extensionElements><camunda:inputOutput><camunda:inputParameter name=\"url\">https://example.org/${{order[{it}].id}}?q=${{a and b}}</camunda:inputParameter></camunda:inputOutput></extensionElements></serviceTask><sequenceFlow id=\"f{it}\" sourceRef=\"t{it}\" targetRef=\"t{}\"/>",
            it + 1
        )
    };
    let tasks: String = (0..3_100).map(task).collect();
    let mut models = vec![
        ("a model of a megabyte", around(&(tasks + "<startEvent id=\"t3100\"/>"))),
        ("flows alone", around(&"<sequenceFlow id=\"f\" sourceRef=\"a\" targetRef=\"b\"/>".repeat(19_000))),
        (
            "a gateway with all flows",
            around(&format!(
                "<exclusiveGateway id=\"a\"/>{}",
                "<sequenceFlow id=\"f\" sourceRef=\"a\" targetRef=\"b\"><conditionExpression>${x &gt; 1}</conditionExpression></sequenceFlow>"
                    .repeat(9_000)
            )),
        ),
        ("boundary events", around(&"<boundaryEvent id=\"s\" attachedToRef=\"s\"/>".repeat(19_000))),
        (
            "calls in a chain",
            format!(
                "{}{}{}",
                SOUP[0],
                (0..6_000)
                    .map(|it| format!("<process id=\"p{it}\" isExecutable=\"true\"><callActivity id=\"c\" calledElement=\"p{}\"/></process>", it + 1))
                    .collect::<String>(),
                SOUP[1]
            ),
        ),
        (
            "calls in a circle",
            format!(
                "{}{}{}",
                SOUP[0],
                (0..6_000)
                    .map(|it| format!("<process id=\"p{it}\" isExecutable=\"true\"><callActivity id=\"c\" calledElement=\"p{}\"/></process>", (it + 1) % 6_000))
                    .collect::<String>(),
                SOUP[1]
            ),
        ),
        (
            "namespaces",
            around(&(0..19_000).map(|it| format!("<x:a xmlns:x=\"urn:{it}\"/>")).collect::<String>()),
        ),
        ("attributes", around(&format!("<task {}/>", (0..900).map(|it| format!("a{it}=\"${{x}}\" ")).collect::<String>()))),
        ("one long text", around(&format!("<userTask id=\"t\"><documentation>{}</documentation></userTask>", "${x.y()} ".repeat(20_000)))),
        ("references", around(&format!("<userTask id=\"t\"><documentation>{}</documentation></userTask>", "&#36;&#123;x.y()} ".repeat(20_000)))),
    ];
    let nested = 250;
    models.push((
        "nested subprocesses",
        around(&format!(
            "{}{}",
            "<subProcess id=\"s\">".repeat(nested),
            "</subProcess>".repeat(nested)
        )),
    ));
    let codes = (0..60).map(|it| format!("HTTP_{it}")).collect();
    let context = GateContext {
        topics: Some(BTreeMap::from([("http_request".to_owned(), codes)])),
        ..GateContext::default()
    };
    for (name, text) in models {
        let begin = Instant::now();
        let found = check(&[("a.bpmn", text.as_bytes())], &context);
        println!(
            "{name}: {} KiB, {} findings, {:?}",
            text.len() >> 10,
            found.len(),
            begin.elapsed()
        );
        assert!(!found.is_empty(), "{name}");
        if name == "a model of a megabyte" {
            assert!(text.len() > 1 << 20);
        }
    }
}
