//! Models beyond a row of external tasks, as text, for the real engines.

/// A model of one process. What stands beside the process (messages, signals) comes first.
pub(crate) fn model(key: &str, beside: &str, process: &str) -> String {
    format!(
        r#"<?xml version="1.0" encoding="UTF-8"?>
<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL" xmlns:camunda="http://camunda.org/schema/1.0/bpmn" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" targetNamespace="urn:procos:tests">
{beside}
<process id="{key}" isExecutable="true" camunda:historyTimeToLive="P1D">
{process}
</process>
</definitions>
"#
    )
}

/// A process of steps one after another, from `start` to `end`; a flow is called `FROM-TO`.
pub(crate) fn row(key: &str, steps: &[(&str, &str)]) -> String {
    model(key, "", &row_of(steps))
}

/// The same without what is around the process: for a model with messages.
pub(crate) fn row_of(steps: &[(&str, &str)]) -> String {
    let mut process = String::from("<startEvent id=\"start\"/>\n");
    let mut from = "start";
    for (id, step) in steps {
        process += step;
        process += &flow(from, id);
        from = id;
    }
    process + "<endEvent id=\"end\"/>\n" + &flow(from, "end")
}

pub(crate) fn flow(from: &str, to: &str) -> String {
    format!("<sequenceFlow id=\"{from}-{to}\" sourceRef=\"{from}\" targetRef=\"{to}\"/>\n")
}

/// A flow whose condition cannot be evaluated: whoever leaves `from` fails.
pub(crate) fn broken_flow(from: &str, to: &str) -> String {
    format!(
        "<sequenceFlow id=\"{from}-{to}\" sourceRef=\"{from}\" targetRef=\"{to}\"><conditionExpression \
         xsi:type=\"tFormalExpression\">${{missing}}</conditionExpression></sequenceFlow>\n"
    )
}

/// An external task.
pub(crate) fn task(id: &str, topic: &str) -> String {
    format!("<serviceTask id=\"{id}\" camunda:type=\"external\" camunda:topic=\"{topic}\"/>\n")
}

/// Waits for the message that the model declares as `message`.
pub(crate) fn receive(id: &str) -> String {
    format!("<receiveTask id=\"{id}\" messageRef=\"message\"/>\n")
}

/// The declaration of a message of this name.
pub(crate) fn message(name: &str) -> String {
    format!("<message id=\"message\" name=\"{name}\"/>\n")
}
