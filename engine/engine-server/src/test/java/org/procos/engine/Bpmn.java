package org.procos.engine;

/** Models for tests: start, one element, end. */
final class Bpmn {
  private Bpmn() {}

  static String process(String key, String element) {
    return process(key, element, "camunda:historyTimeToLive=\"1\"");
  }

  static String process(String key, String element, String attributes) {
    return """
        <bpmn:definitions xmlns:bpmn="http://www.omg.org/spec/BPMN/20100524/MODEL"
            xmlns:camunda="http://camunda.org/schema/1.0/bpmn" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
            targetNamespace="test">
          <bpmn:process id="%s" isExecutable="true" %s>
            <bpmn:startEvent id="start"/><bpmn:sequenceFlow id="in" sourceRef="start" targetRef="it"/>
            %s
            <bpmn:sequenceFlow id="out" sourceRef="it" targetRef="end"/><bpmn:endEvent id="end"/>
          </bpmn:process>
        </bpmn:definitions>
        """.formatted(key, attributes, element);
  }

  static String external(String key, String topic) {
    return process(key, "<bpmn:serviceTask id=\"it\" camunda:type=\"external\" camunda:topic=\"" + topic + "\"/>");
  }

  /** A user task whose input parameter {@code result} is the expression: evaluated at the start, and there to read. */
  static String expression(String key, String expression) {
    return process(key, """
        <bpmn:userTask id="it"><bpmn:extensionElements><camunda:inputOutput>
          <camunda:inputParameter name="result">%s</camunda:inputParameter>
        </camunda:inputOutput></bpmn:extensionElements></bpmn:userTask>
        """.formatted(expression));
  }
}
