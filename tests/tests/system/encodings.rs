//! Models in other encodings than UTF-8, from the file to the finished instance.

use crate::world::System;

fn model(encoding: &str, key: &str) -> String {
    format!(
        r#"<?xml version="1.0" encoding="{encoding}"?>
<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL" xmlns:camunda="http://camunda.org/schema/1.0/bpmn" xmlns:procos="urn:procos:bpmn:1.0" targetNamespace="urn:test">
  <process id="{key}" isExecutable="true" camunda:historyTimeToLive="P1D">
    <extensionElements>
      <procos:security><procos:allowedTasks><procos:task topic="response_formatting"/></procos:allowedTasks></procos:security>
    </extensionElements>
    <startEvent id="start"/>
    <sequenceFlow id="to" sourceRef="start" targetRef="say"/>
    <serviceTask id="say" camunda:type="external" camunda:topic="response_formatting">
      <extensionElements>
        <camunda:inputOutput>
          <camunda:inputParameter name="value">x</camunda:inputParameter>
          <camunda:inputParameter name="template">Größe</camunda:inputParameter>
          <camunda:outputParameter name="said">${{text}}</camunda:outputParameter>
        </camunda:inputOutput>
      </extensionElements>
    </serviceTask>
    <sequenceFlow id="on" sourceRef="say" targetRef="end"/>
    <endEvent id="end"/>
  </process>
</definitions>"#
    )
}

/// Where the worker could not read the model's policy it would refuse the task.
fn runs(file: &str, key: &str, content: &[u8]) {
    let system = System::shared();
    std::fs::write(system.scratch.path().join(file), content).unwrap();
    system.procos(["deploy", file]).run().expect_code(0);
    let answer = system.start_and_wait(&[key]);
    assert_eq!(answer["state"], "completed", "{answer}");
    assert_eq!(answer["variables"]["said"], "Größe", "{answer}");
}

#[test]
fn a_process_in_iso_8859_1_runs_by_its_policy() {
    let text = model("ISO-8859-1", "größe");
    let bytes: Vec<u8> = text
        .chars()
        .map(|c| u8::try_from(u32::from(c)).unwrap())
        .collect();
    runs("latin1.bpmn", "größe", &bytes);
}

#[test]
fn a_process_in_utf_16_runs_by_its_policy() {
    let text = model("UTF-16", "wide");
    let units = text.encode_utf16().flat_map(u16::to_le_bytes);
    let bytes: Vec<u8> = [0xff, 0xfe].into_iter().chain(units).collect();
    runs("wide.bpmn", "wide", &bytes);
}
