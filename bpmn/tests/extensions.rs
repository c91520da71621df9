//! Camunda's extensions, typed, in every spelling of their names.
#![allow(clippy::unwrap_used, reason = "test code")]

use bpmn::camunda::{Extensions, Source, Value};
use bpmn::tree::{Element, Tree};

/// The clean model without its holes.
fn clean() -> String {
    let mut text = include_str!("files/clean.bpmn.in").to_owned();
    while let Some(at) = text.find("{{") {
        let end = text[at..].find("}}").unwrap() + at + 2;
        text.replace_range(at..end, "");
    }
    text
}

fn of(text: &str, id: &str) -> Extensions {
    let tree = Tree::read("a.bpmn", text).unwrap();
    let mut elements = tree.root().descendants();
    let element: &Element<'_> = elements.find(|it| it.value("id") == Some(id)).unwrap();
    Extensions::of(&tree, element)
}

fn text(value: &str) -> Value {
    Value::Text(value.to_owned())
}

#[test]
fn they_are_read_as_the_engine_reads_them() {
    let clean = clean();
    let spellings = [
        clean.clone(),
        clean
            .replace("camunda:", "c:")
            .replace("xmlns:camunda=", "xmlns:c="),
        clean.replace("http://camunda.org/schema/1.0/bpmn", "http://activiti.org/bpmn"),
        clean
            .replace("<camunda:failedJobRetryTimeCycle", "<fox:failedJobRetryTimeCycle")
            .replace(
                "</camunda:failedJobRetryTimeCycle",
                "</fox:failedJobRetryTimeCycle",
            ),
    ];
    for spelling in spellings {
        let work = of(&spelling, "work");
        assert_eq!(
            work.input("url"),
            Some(&text("https://example.org/${order.id}?a=${empty x ? 'b' : x}"))
        );
        assert_eq!(work.input("none"), Some(&Value::Null));
        assert_eq!(
            work.input("rows"),
            Some(&Value::List(vec![text("1"), text("${two}")]))
        );
        assert_eq!(
            work.input("map"),
            Some(&Value::Map(vec![("${a}".to_owned(), text("${b}"))]))
        );
        assert_eq!(work.outputs[0].name, "status");
        assert_eq!(work.retry.as_deref(), Some("R3/PT10S"));
        assert_eq!(work.errors[0].error.as_deref(), Some("e1"));
        let sources: Vec<_> = of(&spelling, "call")
            .ins
            .into_iter()
            .map(|it| it.source)
            .collect();
        assert_eq!(
            sources,
            [
                Source::BusinessKey("${execution.processBusinessKey}".to_owned()),
                Source::Variable("a".to_owned()),
                Source::Expression("${order.id}".to_owned())
            ]
        );
        assert_eq!(of(&spelling, "call").outs[0].source, Source::All);
        let fields = of(&spelling, "start").fields;
        assert_eq!(fields[1].kind.as_deref(), Some("long"));
        assert_eq!(
            fields[1].constraints,
            [
                ("required".to_owned(), None),
                ("min".to_owned(), Some("1".to_owned()))
            ]
        );
        assert_eq!(of(&spelling, "main").properties[0].value, "${kept.as_it(is)}");
    }
}

#[test]
fn what_runs_code_is_told_as_such() {
    let extensions = of(
        "<a xmlns:b='http://www.omg.org/spec/BPMN/20100524/MODEL' xmlns:c='http://camunda.org/schema/1.0/bpmn' xmlns:f='urn:f' id='x'>\
         <b:extensionElements><c:inputOutput><c:inputParameter name='i'><f:script scriptFormat='js' resource='r'>1</f:script></c:inputParameter></c:inputOutput>\
         <c:executionListener event='start' class='x.Y'/><c:taskListener event='create'><c:script scriptFormat='js'>2</c:script></c:taskListener>\
         <f:connector><f:connectorId> http </f:connectorId></f:connector></b:extensionElements></a>",
        "x",
    );
    assert_eq!(
        extensions.input("i"),
        Some(&Value::Script {
            format: "js".to_owned(),
            source: "1".to_owned(),
            resource: Some("r".to_owned())
        })
    );
    let listeners: Vec<_> = extensions
        .listeners
        .iter()
        .map(|it| (it.of_task, it.runs.as_deref()))
        .collect();
    assert_eq!(listeners, [(false, Some("x.Y")), (true, Some("2"))]);
    assert_eq!(extensions.connector.as_deref(), Some("http"));
}
