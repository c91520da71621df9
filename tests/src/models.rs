//! Models of the tests' own.

/// A process of one user task with a condition after it.
#[must_use]
pub fn conditional_process(key: &str, condition: &str) -> String {
    format!(
        r#"<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL" xmlns:camunda="http://camunda.org/schema/1.0/bpmn" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" targetNamespace="urn:test">
  <process id="{key}" isExecutable="true" camunda:historyTimeToLive="P1D">
    <startEvent id="start"/>
    <sequenceFlow id="flow" sourceRef="start" targetRef="task"/>
    <userTask id="task"/>
    <sequenceFlow id="on" sourceRef="task" targetRef="end">
      <conditionExpression xsi:type="tFormalExpression">{condition}</conditionExpression>
    </sequenceFlow>
    <endEvent id="end"/>
  </process>
</definitions>"#
    )
}
