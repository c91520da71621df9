use std::fs;
use std::path::Path;

use ::deploy::{GateContext, Model};

use super::*;

const MODEL: &str = r#"<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL" xmlns:camunda="http://camunda.org/schema/1.0/bpmn" targetNamespace="t">
  <process id="p" isExecutable="true" camunda:historyTimeToLive="P1D">
    <startEvent id="s"/>
    <sequenceFlow id="f" sourceRef="s" targetRef="g"/>
    <exclusiveGateway id="g"/>
    <sequenceFlow id="yes" sourceRef="g" targetRef="a"><conditionExpression>${x.run()}</conditionExpression></sequenceFlow>
    <sequenceFlow id="no" sourceRef="g" targetRef="b"><conditionExpression>${y}</conditionExpression></sequenceFlow>
    <serviceTask id="a" camunda:class="com.example.Pay"/>
    <serviceTask id="b" camunda:type="external" camunda:topic="http_requests"/>
  </process>
</definitions>"#;

fn bundle() -> Bundle {
    let model = |file: &str, content: &str| Model {
        resource: file.to_owned(),
        file: file.to_owned(),
        content: content.to_owned().into(),
    };
    Bundle::new("p", vec![model("order.bpmn", MODEL), model("a.py", "pass")])
}

#[test]
fn findings_are_drawn_at_their_places_and_summed_up() {
    let topics = [("http_request".to_owned(), Vec::new())];
    let gate = GateContext {
        topics: Some(topics.into()),
        ..GateContext::default()
    };
    let report = bundle().check(&gate);
    insta::assert_snapshot!(text(&report, &bundle(), &Theme::plain()));
}

#[test]
fn findings_are_drawn_alike_in_every_encoding() {
    let wide = MODEL.encode_utf16().flat_map(u16::to_be_bytes);
    let model = |content: Vec<u8>| {
        let model = Model {
            resource: "a.bpmn".to_owned(),
            file: "a.bpmn".to_owned(),
            content: content.into(),
        };
        let bundle = Bundle::new("p", vec![model]);
        text(&bundle.check(&GateContext::default()), &bundle, &Theme::plain())
    };
    let drawn = model([0xfe, 0xff].into_iter().chain(wide).collect());
    assert!(drawn.contains("camunda:class=\"com.example.Pay\""), "{drawn}");
    assert_eq!(drawn, model(MODEL.as_bytes().to_vec()));
}

#[test]
fn no_findings_are_said_too() {
    insta::assert_snapshot!(text(&Report::default(), &bundle(), &Theme::plain()), @"✓ no errors, no warnings in 1 file");
}

#[test]
fn complexity_is_told_for_each_process() {
    insta::assert_snapshot!(complexities(&bundle(), &Theme::plain()), @"p  complexity 2  order.bpmn");
}

#[test]
fn every_code_that_a_command_can_say_has_a_page() {
    for code in [
        "java-class",
        "missing-script",
        "text-too-long",
        "not-in-force",
        "engine-refused",
    ] {
        let page = page(code).unwrap();
        assert!(page.starts_with(&format!("# {code}\n")), "{page}");
    }
    assert_eq!(page("none"), None);
}

/// The list in `docs/checks.md` is the pages' own. `UPDATE_DOCS=1` writes it.
#[test]
fn the_list_of_codes_in_the_documents_is_that_of_the_program() {
    const BEGIN: &str = "<!-- The list below is written by a test; do not edit. -->\n";
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/checks.md");
    let written = fs::read_to_string(&file).unwrap();
    let (before, _) = written.split_once(BEGIN).unwrap();
    let mut wanted = format!("{before}{BEGIN}");
    for code in codes::ALL.iter().chain(besides::PAGES) {
        let meaning = code.page.split("\n## Why").next().unwrap();
        let meaning = meaning.trim_start_matches(&format!("# {}", code.code)).trim();
        let help = format!("{}{}", code.help[..1].to_uppercase(), &code.help[1..]).replace('<', "&lt;");
        wanted.push_str(&format!(
            "\n### {}\n\n{meaning}\n\n*What to do:* {help}.\n",
            code.code
        ));
    }
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&file, &wanted).unwrap();
    }
    assert!(
        fs::read_to_string(&file).unwrap() == wanted,
        "docs/checks.md is not what the codes say; run `UPDATE_DOCS=1 cargo test -p cli the_list_of_codes`"
    );
}
