//! References that lead nowhere.

use bpmn::check;

use crate::{NONE, context, flows, one, process};

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
fn a_compensation_compensates_what_is_beside_it() {
    let text = |throws: &str| {
        format!(
            "<startEvent id=\"s\"/><task id=\"t\"/><subProcess id=\"sub\"><startEvent id=\"i\"/><task id=\"inner\"/><endEvent id=\"j\"/>{}</subProcess>{}\n{throws}",
            flows(&[("i", "inner"), ("inner", "j")]),
            flows(&[("s", "t"), ("t", "sub"), ("sub", "z")])
        )
    };
    let end = |activity: &str| {
        one(&text(&format!(
            "<endEvent id=\"z\"><compensateEventDefinition{activity}/></endEvent>"
        )))
    };
    assert_eq!(end(""), NONE);
    assert_eq!(end(" activityRef=\"t\""), NONE);
    assert_eq!(end(" activityRef=\"sub\""), NONE);
    assert_eq!(end(" activityRef=\"nowhere\""), ["a:3 unresolved-reference"]);
    assert_eq!(end(" activityRef=\"inner\""), ["a:3 unresolved-reference"]);
    // Out of an event subprocess what is beside that.
    let aside = |activity: &str| {
        one(&text(&format!(
            "<endEvent id=\"z\"/><subProcess id=\"x\" triggeredByEvent=\"true\"><startEvent id=\"x1\"><errorEventDefinition/></startEvent><sequenceFlow id=\"x3\" sourceRef=\"x1\" targetRef=\"x2\"/>\n<endEvent id=\"x2\"><compensateEventDefinition activityRef=\"{activity}\"/></endEvent></subProcess>"
        )))
    };
    assert_eq!(aside("t"), NONE);
    assert_eq!(aside("inner"), ["a:4 unresolved-reference"]);
    // Where a compensation is caught the engine takes no activity.
    let caught = "<endEvent id=\"z\"/><boundaryEvent id=\"b\" attachedToRef=\"t\"><compensateEventDefinition activityRef=\"nowhere\"/></boundaryEvent>";
    assert_eq!(one(&text(caught)), NONE);
}

#[test]
fn a_sequence_flow_without_an_id_is_called_by_its_ends() {
    let text = process(
        "p",
        "<startEvent id=\"s\"/><sequenceFlow sourceRef=\"s\" targetRef=\"nowhere\"/>",
    );
    let found = check(&[("a", text.as_bytes())], &context());
    let called = "the sequence flow from `s` to `nowhere`";
    assert!(found.iter().any(|it| it.message.contains(called)), "{found:?}");
}
