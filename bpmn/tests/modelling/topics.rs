//! Topics that nobody works, and errors that nothing catches.

use bpmn::{GateContext, check};

use crate::{NONE, context, flows, process, said};

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
