//! Models for tests.

use crate::{Bundle, Model};

/// A process that waits at a user task, so that it can be started and seen.
pub(crate) fn process(key: &str) -> String {
    format!(
        r#"<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL" xmlns:camunda="http://camunda.org/schema/1.0/bpmn" targetNamespace="urn:test">
  <process id="{key}" isExecutable="true" camunda:historyTimeToLive="P1D">
    <startEvent id="start"/>
    <sequenceFlow id="flow" sourceRef="start" targetRef="task"/>
    <userTask id="task"/>
    <sequenceFlow id="on" sourceRef="task" targetRef="end"/>
    <endEvent id="end"/>
  </process>
</definitions>"#
    )
}

/// Models of these names and texts.
pub(crate) fn bundle(files: &[(&str, &str)]) -> Bundle {
    let models = files.iter().map(|(name, text)| Model {
        resource: (*name).to_owned(),
        file: (*name).to_owned(),
        content: (*text).to_owned().into(),
    });
    Bundle::new("test", models.collect())
}
