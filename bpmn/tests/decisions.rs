//! Decision tables, cases and forms at the gate.
#![allow(clippy::unwrap_used, reason = "test code")]

use bpmn::dmn::{Dmn, Language};
use bpmn::tree::Tree;
use bpmn::{Allowance, GateContext, check};

const NAMESPACES: &[&str] = &[
    "http://www.omg.org/spec/DMN/20151101/dmn.xsd",
    "http://www.omg.org/spec/DMN/20180521/MODEL/",
    "https://www.omg.org/spec/DMN/20191111/MODEL/",
];

/// A table whose cells are given, in a DMN version, with attributes on `definitions`.
fn table(namespace: &str, attributes: &str, input: &str, entry: &str, output: &str) -> String {
    format!(
        r#"<definitions xmlns="{namespace}" xmlns:camunda="http://camunda.org/schema/1.0/dmn" id="d" name="d" namespace="http://camunda.org/schema/1.0/dmn" {attributes}>
<decision id="price" name="Price" camunda:historyTimeToLive="P1D">
<description>${{x.y()}}</description>
<decisionTable id="t">
<input id="i">
{input}
</input>
<output id="o" name="price" typeRef="string" />
<rule id="r">
{entry}
{output}
</rule>
</decisionTable>
</decision>
</definitions>"#
    )
}

fn found(file: &str, text: &str, context: &GateContext) -> Vec<String> {
    check(&[(file, text.as_bytes())], context)
        .iter()
        .map(|it| format!("{} {}", it.code, it.range.map_or(0, |range| range.start.line)))
        .collect()
}

const INPUT: &str = "<inputExpression id=\"ie\"><text>amount</text></inputExpression>";
const ENTRY: &str = "<inputEntry id=\"en\"><text>&gt; 10</text></inputEntry>";
const OUTPUT: &str = "<outputEntry id=\"oe\"><text>\"execution.class()\"</text></outputEntry>";

#[test]
fn simple_tables_pass_in_every_version() {
    for namespace in NAMESPACES {
        let text = table(namespace, "", INPUT, ENTRY, OUTPUT);
        assert_eq!(found("a.dmn", &text, &GateContext::default()), [""; 0]);
        let tree = Tree::read("a.dmn", &text).unwrap();
        let dmn = Dmn::of("a.dmn", &tree).unwrap();
        assert_eq!(dmn.decisions[0].id, "price");
        let cells: Vec<_> = dmn
            .cells
            .iter()
            .map(|it| (it.kind, it.text.text().into_owned(), it.language.clone()))
            .collect();
        assert_eq!(
            cells,
            [
                ("inputExpression", "amount".to_owned(), Language::Feel),
                ("inputEntry", "> 10".to_owned(), Language::Feel),
                ("outputEntry", "\"execution.class()\"".to_owned(), Language::Feel),
            ]
        );
    }
    for pass in [
        "<inputExpression expressionLanguage=\"juel\"><text>order.amount + 1</text></inputExpression>",
        "<inputExpression expressionLanguage=\"JUEL\"><text>${order.amount}</text></inputExpression>",
        "<inputExpression expressionLanguage=\"feel\"><text>date(x) + duration(\"P1D\")</text></inputExpression>",
        "<inputExpression expressionLanguage=\"https://www.omg.org/spec/DMN/20191111/FEEL/\"><text>x.y.z</text></inputExpression>",
        "<inputExpression expressionLanguage=\"feel\"><text>for i in 1..count(list) return i</text></inputExpression>",
        "<inputExpression expressionLanguage=\"feel\"><text>[duration(\"P1Y\") .. duration(\"P2Y\")]</text></inputExpression>",
    ] {
        let text = table(NAMESPACES[2], "", pass, ENTRY, OUTPUT);
        assert_eq!(found("a.dmn", &text, &GateContext::default()), [""; 0], "{pass}");
    }
}

#[test]
fn code_in_any_cell_is_refused() {
    let spellings: &[fn(&str) -> String] = &[
        str::to_owned,
        |text| {
            text.replace("<definitions xmlns=", "<x:definitions xmlns:x=")
                .replace("</", "</x:")
                .replace("<decision", "<x:decision")
                .replace("<input", "<x:input")
                .replace("<output", "<x:output")
                .replace("<rule", "<x:rule")
                .replace("<text", "<x:text")
                .replace("<description", "<x:description")
                .replace("<literal", "<x:literal")
        },
        |text| {
            text.replace("<text>", "<text><![CDATA[")
                .replace("</text>", "]]></text>")
        },
        |text| text.replace("x.y()", "x<!-- no -->.y&#40;)"),
    ];
    let cells = [
        ("dmn-script", "expressionLanguage=\"javascript\"", "1"),
        ("dmn-script", "expressionLanguage=\"Groovy\"", "1"),
        ("dmn-script", "expressionLanguage=\"\"", "1"),
        ("expression-call", "expressionLanguage=\"juel\"", "x.y()"),
        ("expression-call", "expressionLanguage=\"Juel\"", "${x.y()}"),
        (
            "expression-forbidden-name",
            "expressionLanguage=\"juel\"",
            "x['class']",
        ),
        ("feel-code", "", "x.y()"),
        ("feel-code", "", "x . y ()"),
        ("feel-code", "", "1..x.y()"),
        ("feel-code", "", "x...y()"),
        ("feel-code", "expressionLanguage=\"feel\"", "execution"),
        ("feel-code", "", "getClass"),
        ("feel-code", "", "function(a) external"),
    ];
    let mut tried = 0;
    for (code, language, cell) in cells {
        let input = format!("<inputExpression {language}><text>{cell}</text></inputExpression>");
        let entry = format!("<inputEntry {language}><text>{cell}</text></inputEntry>");
        let output = format!("<outputEntry {language}><text>{cell}</text></outputEntry>");
        for namespace in NAMESPACES {
            for (line, text) in [
                (6, table(namespace, "", &input, ENTRY, OUTPUT)),
                (10, table(namespace, "", INPUT, &entry, OUTPUT)),
                (11, table(namespace, "", INPUT, ENTRY, &output)),
            ] {
                for spelling in spellings {
                    let text = spelling(&text);
                    let found = found("a.dmn", &text, &GateContext::default());
                    assert!(found.contains(&format!("{code} {line}")), "{found:?}\n{text}");
                    tried += 1;
                }
            }
        }
    }
    println!("{tried} tables tried");
}

#[test]
fn a_language_on_definitions_is_every_cells() {
    let text = table(
        NAMESPACES[2],
        "expressionLanguage=\"groovy\"",
        INPUT,
        ENTRY,
        OUTPUT,
    );
    assert_eq!(
        found("a.dmn", &text, &GateContext::default()),
        ["dmn-script 6", "dmn-script 10", "dmn-script 11"]
    );
    let context = GateContext {
        allowances: vec![Allowance {
            process: "price".into(),
            element: "ie".into(),
            code: "dmn-script".into(),
            why: "why".into(),
        }],
        ..GateContext::default()
    };
    let errors = check(&[("a.dmn", text.as_bytes())], &context)
        .iter()
        .filter(|it| it.severity == diagnostics::Severity::Error)
        .count();
    assert_eq!(errors, 2);
    let literal = format!(
        "<definitions xmlns=\"{}\"><decision id=\"a\">\n<literalExpression expressionLanguage=\"juel\"><text>x.y()</text></literalExpression></decision></definitions>",
        NAMESPACES[1]
    );
    assert_eq!(
        found("a.dmn", &literal, &GateContext::default()),
        ["expression-call 2"]
    );
    let address = table(
        NAMESPACES[2],
        "xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"\nxsi:schemaLocation=\"urn:x http://x\"",
        INPUT,
        ENTRY,
        OUTPUT,
    );
    assert_eq!(
        found("a.dmn", &address, &GateContext::default()),
        ["schema-location 2"]
    );
}

#[test]
fn cases_and_files_that_are_called_otherwise_are_refused() {
    let context = GateContext::default();
    for name in ["a.cmmn", "acmmn", "a.cmmn10.xml"] {
        assert_eq!(found(name, "<x/>", &context), ["cmmn 0"]);
    }
    let case = "<definitions xmlns=\"http://www.omg.org/spec/CMMN/20151109/MODEL\"/>";
    assert_eq!(found("a.bpmn", case, &context), ["not-bpmn 1"]);
    assert_eq!(found("case.xml", case, &context), ["cmmn 0"]);
    assert_eq!(found("a.dmn", case, &context), ["not-dmn 1"]);
    assert_eq!(found("a.form", "{}", &context), ["form-without-id 0"]);
    assert_eq!(
        found(
            "a.form",
            "{\"id\": \"f\", \"components\": [{\"text\": \"${x.y()}\"}]}",
            &context
        ),
        [""; 0]
    );
    assert_eq!(found("a.py", "import os", &context), [""; 0]);
}
