//! Nodes that are never reached, and nodes that lead nowhere.

use crate::{NONE, flows, one};

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
