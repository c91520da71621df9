package org.procos.engine;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.procos.engine.EngineProcess.Answer;

/** What ProcOS relies on, the same on every database. One engine serves all tests; each has a key of its own. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
abstract class EngineContract {
  EngineProcess engine;
  final String key = "k" + UUID.randomUUID().toString().replace("-", "").substring(0, 12);

  abstract Map<String, Object> database() throws Exception;

  @BeforeAll
  void boot() throws Exception {
    engine = EngineProcess.boot(database());
    deployed(Bpmn.external(key, key));
  }

  @AfterAll
  void stop() {
    if (engine != null) {
      engine.close();
    }
  }

  @ParameterizedTest(name = "{0} {1}")
  @CsvSource({
      // method, path, admin, kernel, worker, anonymous
      "GET,    /version,                              200, 200, 200, 401",
      "GET,    /engine,                               200, 200, 403, 401",
      "GET,    /engine/default/deployment,            200, 200, 403, 401",
      "GET,    /deployment,                           200, 200, 403, 401",
      "GET,    /process-definition/key/KEY/xml,       200, 200, 200, 401",
      "GET,    /engine/default/process-definition/key/KEY/xml, 200, 200, 200, 401",
      "POST,   /process-definition/key/KEY/start,     200, 200, 403, 401",
      "POST,   /message,                              400, 400, 403, 401",
      "GET,    /process-instance,                     200, 200, 200, 401",
      "DELETE, /process-instance/none,                404, 404, 403, 401",
      "POST,   /process-instance/delete,              400, 400, 403, 401",
      "GET,    /external-task,                        200, 200, 200, 401",
      "GET,    /external-task/..%2fdeployment,        400, 400, 400, 400",
      "GET,    /history/process-instance,             200, 200, 403, 401",
      "GET,    /incident,                             200, 200, 403, 401",
      "GET,    /task,                                 200, 200, 403, 401",
      "GET,    /batch,                                200, 200, 403, 401",
      "GET,    /user/admin/profile,                   200, 404, 403, 401",
      "GET,    /telemetry/data,                       200, 403, 403, 401",
      "GET,    /identity/password-policy,             404, 404, 403, 401"})
  void answersEachUserAsTheyMay(String method, String path, int admin, int kernel, int worker, int anonymous) throws Exception {
    String real = path.replace("KEY", key);
    Object body = method.equals("POST") ? Map.of() : null;
    assertEquals(anonymous, engine.call(null, method, real, body).status(), "anonymous");
    assertEquals(worker, engine.call("worker", method, real, body).status(), "worker");
    assertEquals(kernel, engine.call("kernel", method, real, body).status(), "kernel");
    assertEquals(admin, engine.call("admin", method, real, body).status(), "admin");
  }

  @Test
  void kernelSeesNoOtherUserAndCreatesNone() throws Exception {
    JsonNode seen = engine.call("kernel", "GET", "/user", null).json();
    assertEquals(List.of("kernel"), seen.findValuesAsText("id"), "everybody sees themselves");
    assertTrue(engine.call("admin", "GET", "/user/count", null).json().get("count").asInt() >= 3);
    Object mallory = Map.of("profile", Map.of("id", "mallory"), "credentials", Map.of("password", "x"));
    assertEquals(403, engine.call("kernel", "POST", "/user/create", mallory).status());
    Object grant = Map.of("type", 1, "permissions", List.of("ALL"), "userId", "kernel", "resourceType", 1, "resourceId", "*");
    assertEquals(403, engine.call("kernel", "POST", "/authorization/create", grant).status());
    assertEquals(200, engine.call("kernel", "GET", "/authorization/count", null).status());
  }

  @Test
  void workerMayNotDeploy() throws Exception {
    assertEquals(403, engine.deploy("worker", "x.bpmn", Bpmn.external(key + "w", "w"), Map.of()).status());
  }

  @Test
  void workerDoesAllThatAnExternalTaskNeeds() throws Exception {
    String process = deployed(Bpmn.external(key + "worker", key + "worker"));
    String instance = start(process);
    JsonNode task = fetch(process, "w1", 60_000).get(0);
    String id = "/external-task/" + task.get("id").asText();
    assertEquals(204, worker("POST", id + "/extendLock", Map.of("workerId", "w1", "newDuration", 60_000)).status());
    assertEquals(200, worker("GET", "/external-task?workerId=w1&locked=true", null).status());
    String local = "/execution/" + task.get("executionId").asText() + "/localVariables/receipt";
    assertEquals(204, worker("PUT", local, Map.of("value", "sent", "type", "String")).status());
    assertEquals("sent", worker("GET", local, null).json().get("value").asText());
    assertEquals(204, worker("POST", id + "/failure",
        Map.of("workerId", "w1", "errorMessage", "again", "retries", 2, "retryTimeout", 0)).status());
    JsonNode again = fetch(process, "w1", 60_000).get(0);
    assertEquals(2, again.get("retries").asInt());
    assertEquals(204, worker("POST", id + "/unlock", null).status());
    assertEquals(204, worker("POST", id + "/lock", Map.of("workerId", "w2", "lockDuration", 60_000)).status());
    assertEquals(200, worker("GET", "/process-instance/" + instance, null).status());
    assertEquals(200, worker("GET", "/process-instance?subProcessInstance=" + instance, null).status());
    assertEquals(204, worker("POST", id + "/complete", Map.of("workerId", "w2")).status());
    assertEquals(404, worker("GET", "/process-instance/" + instance, null).status());
  }

  @Test
  void workerServesEveryTenant() throws Exception {
    String process = key + "tenant";
    Answer answer = engine.deploy("kernel", "t.bpmn", Bpmn.external(process, process), Map.of("tenant-id", "acme"));
    assertEquals(200, answer.status(), answer.body());
    assertEquals(200, engine.call("kernel", "POST", "/process-definition/key/" + process + "/tenant-id/acme/start", Map.of()).status());
    assertEquals("acme", fetch(process, "w", 60_000).get(0).get("tenantId").asText());
  }

  @Test
  void foreignLiveLockIsRefused() throws Exception {
    String process = deployed(Bpmn.external(key + "lock", key + "lock"));
    start(process);
    String id = "/external-task/" + fetch(process, "one", 60_000).get(0).get("id").asText();
    Object lock = Map.of("workerId", "two", "lockDuration", 60_000);
    assertEquals(400, worker("POST", id + "/lock", lock).status());
    assertEquals("one", worker("GET", id, null).json().get("workerId").asText());
    assertEquals(204, worker("POST", id + "/unlock", null).status());
    assertEquals(204, worker("POST", id + "/lock", lock).status());
  }

  @Test
  void aSecondPollOfAWorkerEndsItsFirst() throws Exception {
    Map<String, Object> poll = Map.of("workerId", key, "maxTasks", 1, "asyncResponseTimeout", 60_000,
        "topics", List.of(Map.of("topicName", key + "nothing", "lockDuration", 1000)));
    var first = engine.callAsync("worker", "POST", "/external-task/fetchAndLock", poll);
    while (!first.isDone()) {
      // Whichever of two polls reached the engine first is the one that a later poll ends.
      engine.callAsync("worker", "POST", "/external-task/fetchAndLock", poll);
      try {
        first.get(2, TimeUnit.SECONDS);
      } catch (java.util.concurrent.TimeoutException e) {
        assertTrue(engine.process.isAlive());
      }
    }
    assertEquals(503, first.get().status());
  }

  @Test
  void uncaughtBpmnErrorDoesNotEndTheInstance() throws Exception {
    String process = deployed(Bpmn.external(key + "error", key + "error"));
    String instance = start(process);
    String id = "/external-task/" + fetch(process, "w", 60_000).get(0).get("id").asText();
    Answer answer = worker("POST", id + "/bpmnError", Map.of("workerId", "w", "errorCode", "NOBODY"));
    assertFalse(answer.ok(), answer.body());
    assertEquals(200, engine.call("kernel", "GET", "/process-instance/" + instance, null).status());
  }

  @Test
  void mapsAndListsAsInputsTravelAsJson() throws Exception {
    String process = deployed(Bpmn.process(key + "map", """
        <bpmn:serviceTask id="it" camunda:type="external" camunda:topic="%s"><bpmn:extensionElements><camunda:inputOutput>
          <camunda:inputParameter name="m"><camunda:map><camunda:entry key="a">1</camunda:entry>
            <camunda:entry key="b"><camunda:list><camunda:value>x</camunda:value></camunda:list></camunda:entry>
          </camunda:map></camunda:inputParameter>
        </camunda:inputOutput></bpmn:extensionElements></bpmn:serviceTask>""".formatted(key + "map")));
    start(process);
    JsonNode map = fetch(process, "w", 1).get(0).get("variables").get("m");
    assertEquals("application/json", map.get("valueInfo").get("serializationDataFormat").asText());
    assertEquals("{\"a\":\"1\",\"b\":[\"x\"]}", map.get("value").asText());
  }

  @ParameterizedTest
  @ValueSource(strings = {"javascript", "groovy", "python", "ruby", "juel"})
  void scriptsDoNotRun(String language) throws Exception {
    String process = deployed(Bpmn.process(key + language,
        "<bpmn:scriptTask id=\"it\" scriptFormat=\"" + language + "\"><bpmn:script>1</bpmn:script></bpmn:scriptTask>"));
    Answer answer = engine.call("kernel", "POST", "/process-definition/key/" + process + "/start", Map.of());
    assertEquals(500, answer.status());
    assertTrue(answer.body().contains("Can't find scripting engine for '" + language + "'"), answer.body());
  }

  @Test
  void feelRunsAndSeesVariablesOnly() throws Exception {
    String condition = "<bpmn:scriptTask id=\"it\" scriptFormat=\"feel\" camunda:resultVariable=\"r\"><bpmn:script>%s</bpmn:script>"
        + "</bpmn:scriptTask><bpmn:sequenceFlow id=\"w\" sourceRef=\"it\" targetRef=\"wait\"/><bpmn:userTask id=\"wait\"/>";
    String sum = deployed(Bpmn.process(key + "feel", condition.formatted("x + 1")));
    assertEquals(42, resultOf(sum, "r", Map.of("x", Map.of("value", 41, "type", "Integer"))).asInt());
    String out = deployed(Bpmn.process(key + "feelx", condition.formatted("if execution = null and dataSource = null then \"closed\" else \"open\"")));
    assertEquals("closed", resultOf(out, "r", Map.of()).asText());
  }

  @ParameterizedTest
  @ValueSource(strings = {
      "${dataSource}", "${systemEnvironment['PATH']}", "${systemProperties['user.home']}", "${settings}", "${processEngine}",
      "${execution.processEngineServices.runtimeService}", "${execution.getProcessEngine().name}",
      "${execution.processEngineServices}", "${execution.bpmnModelInstance}",
      "${''.getClass().forName('java.lang.Runtime')}", "${''.class.name}", "${execution.class}",
      "${execution.getProcessDefinition().deploymentId}", "${execution.remove()}",
      "${S('{}').mapTo('java.util.HashMap')}", "${n.getInteger('x')}", "${now().getClass()}"})
  void expressionsReachNothingButData(String expression) throws Exception {
    String process = deployed(Bpmn.expression(key + "x" + Integer.toHexString(expression.hashCode()), expression));
    Answer answer = engine.call("kernel", "POST", "/process-definition/key/" + process + "/start",
        Map.of("variables", Map.of("n", Map.of("value", 1, "type", "Integer"))));
    assertEquals(500, answer.status(), expression + " -> " + answer.body());
    assertTrue(answer.body().contains("is closed to expressions") || answer.body().contains("Cannot resolve identifier"), answer.body());
  }

  @ParameterizedTest
  @CsvSource(delimiter = '|', value = {
      "${s.trim().toUpperCase()} | X", "${execution.hasVariable('s') ? s.length() : 0} | 3",
      "${execution.processBusinessKey} | bk", "${execution.getVariable('s').contains('x')} | true",
      "${j.prop('a').prop('b').value()} | 7", "${j.jsonPath('$.a.b').numberValue()} | 7",
      "${o.a.class} | 8", "${S('[1,2]').elements().size()} | 2", "${empty s} | false", "${dateTime().plusDays(1).year > 2000} | true"})
  void expressionsOverDataWork(String expression, String expected) throws Exception {
    String process = deployed(Bpmn.expression(key + "d" + Integer.toHexString(expression.hashCode()), expression));
    JsonNode result = resultOf(process, "result", Map.of(
        "s", Map.of("value", " x ", "type", "String"),
        "j", Map.of("value", "{\"a\":{\"b\":7}}", "type", "Json"),
        "o", Map.of("value", "{\"a\":{\"class\":8}}", "type", "Object", "valueInfo",
            Map.of("objectTypeName", "java.util.HashMap<java.lang.String,java.lang.Object>", "serializationDataFormat", "application/json"))));
    assertEquals(expected, result.asText());
  }

  @Test
  void objectsOfOtherTypesAreNotMade() throws Exception {
    String process = deployed(Bpmn.expression(key + "type", "${o.time}"));
    Answer answer = engine.call("kernel", "POST", "/process-definition/key/" + process + "/start", Map.of("variables", Map.of("o",
        Map.of("value", "0", "type", "Object", "valueInfo",
            Map.of("objectTypeName", "java.util.Date", "serializationDataFormat", "application/json")))));
    assertEquals(500, answer.status(), answer.body());
    assertTrue(answer.body().contains("Cannot deserialize"), answer.body());
  }

  @Test
  void javaSerialisedObjectsAreRefused() throws Exception {
    Answer answer = engine.call("kernel", "POST", "/process-definition/key/" + key + "/start", Map.of("variables", Map.of("o",
        Map.of("value", "rO0ABXQAAXg=", "type", "Object", "valueInfo",
            Map.of("objectTypeName", "java.lang.String", "serializationDataFormat", "application/x-java-serialized-object")))));
    assertFalse(answer.ok(), answer.body());
  }

  @Test
  void classesOfModelsAreNotMade() throws Exception {
    String process = deployed(Bpmn.process(key + "class",
        "<bpmn:serviceTask id=\"it\" camunda:class=\"org.camunda.bpm.engine.impl.bpmn.behavior.NoneEndEventActivityBehavior\"/>"));
    Answer answer = engine.call("kernel", "POST", "/process-definition/key/" + process + "/start", Map.of());
    assertEquals(500, answer.status());
    assertTrue(answer.body().contains("runs no classes for models"), answer.body());
  }

  @ParameterizedTest
  @CsvSource({"shell, runs no classes for models", "SHELL, runs no classes for models", "mail, Cannot load class"})
  void shellAndMailTasksAreRefusedAtDeployment(String type, String why) throws Exception {
    for (String element : List.of("serviceTask", "sendTask", "businessRuleTask")) {
      Answer answer = engine.deploy("kernel", "s.bpmn", Bpmn.process(key + "shell", "<bpmn:" + element + " id=\"it\" camunda:type=\""
          + type + "\"><bpmn:extensionElements><camunda:field name=\"command\" stringValue=\"id\"/>"
          + "<camunda:field name=\"to\" stringValue=\"x\"/><camunda:field name=\"text\" stringValue=\"x\"/>"
          + "</bpmn:extensionElements></bpmn:" + element + ">"), Map.of());
      assertTrue(!answer.ok() && answer.body().contains(why), element + " " + answer.body());
    }
  }

  @Test
  void cmmnIsNotRead() throws Exception {
    Answer answer = engine.deploy("kernel", "c.cmmn", """
        <definitions xmlns="http://www.omg.org/spec/CMMN/20151109/MODEL" targetNamespace="t">
          <case id="c" name="c"><casePlanModel id="p"/></case></definitions>""", Map.of());
    assertEquals(200, answer.status(), answer.body());
    assertTrue(answer.json().get("deployedCaseDefinitions").isNull(), answer.body());
  }

  @Test
  void historyTimeToLiveIsAsked() throws Exception {
    Answer answer = engine.deploy("kernel", "h.bpmn", Bpmn.process(key + "ttl", "<bpmn:task id=\"it\"/>", ""), Map.of());
    assertFalse(answer.ok(), answer.body());
  }

  @Test
  void outputParametersAreLeftAloneWhereAnErrorIsCaught() throws Exception {
    String process = deployed(Bpmn.process(key + "skip", """
        <bpmn:serviceTask id="it" camunda:type="external" camunda:topic="%s"><bpmn:extensionElements><camunda:inputOutput>
          <camunda:outputParameter name="o">${answer}</camunda:outputParameter>
        </camunda:inputOutput></bpmn:extensionElements></bpmn:serviceTask>
        <bpmn:boundaryEvent id="caught" attachedToRef="it"><bpmn:errorEventDefinition/></bpmn:boundaryEvent>
        <bpmn:sequenceFlow id="c" sourceRef="caught" targetRef="end"/>""".formatted(key + "skip")));
    String instance = start(process);
    String id = "/external-task/" + fetch(process, "w", 60_000).get(0).get("id").asText();
    Answer answer = worker("POST", id + "/bpmnError", Map.of("workerId", "w", "errorCode", "CAUGHT"));
    assertEquals(204, answer.status(), answer.body());
    assertEquals(404, engine.call("kernel", "GET", "/process-instance/" + instance, null).status());
  }

  /** Three timers of a second one after another: the engine's own pace, when idle, is 5 s and more for each. */
  @Test
  void timersFireSoonOnAnIdleEngine() throws Exception {
    StringBuilder timers = new StringBuilder();
    Map<String, String> flow = Map.of("it", "it2", "it2", "it3", "it3", "task");
    flow.forEach((from, to) -> timers.append("""
        <bpmn:intermediateCatchEvent id="%1$s"><bpmn:timerEventDefinition>
          <bpmn:timeDuration xsi:type="bpmn:tFormalExpression">PT1S</bpmn:timeDuration>
        </bpmn:timerEventDefinition></bpmn:intermediateCatchEvent>
        <bpmn:sequenceFlow id="f%1$s" sourceRef="%1$s" targetRef="%2$s"/>""".formatted(from, to)));
    String process = deployed(Bpmn.process(key + "timer", timers
        + "<bpmn:serviceTask id=\"task\" camunda:type=\"external\" camunda:topic=\"" + key + "timer\"/>")
        .replace("id=\"out\" sourceRef=\"it\"", "id=\"out\" sourceRef=\"task\""));
    start(process);
    Answer answer = worker("POST", "/external-task/fetchAndLock", Map.of("workerId", key + "timer", "maxTasks", 1,
        "asyncResponseTimeout", 13_000, "topics", List.of(Map.of("topicName", key + "timer", "lockDuration", 1000))));
    assertEquals(1, answer.json().size(), answer.body());
  }

  @Test
  void wrongPasswordsDoNotLockAnybodyOut() throws Exception {
    for (int i = 0; i < 12; i++) {
      assertEquals(401, engine.callAs("kernel", "wrong", "GET", "/version", null).get().status());
    }
    assertEquals(200, engine.call("kernel", "GET", "/version", null).status());
  }

  @ParameterizedTest
  @CsvSource({"/camunda/app/cockpit/default/, 200", "/camunda/app/tasklist/default/, 200", "/camunda/api/engine/engine/default/deployment, 401",
      "/camunda/lib/, 404", "/camunda/nothing, 404"})
  void webappsAreServedAndClosed(String path, int status) throws Exception {
    assertEquals(status, engine.call(null, "GET", path, null).status());
  }

  @Test
  void loginFormNeedsItsCsrfToken() throws Exception {
    assertEquals(403, engine.call(null, "POST", "/camunda/api/admin/auth/user/default/login/cockpit", null).status());
  }

  String deployed(String bpmn) throws Exception {
    Answer answer = engine.deploy("kernel", "m.bpmn", bpmn, Map.of());
    assertEquals(200, answer.status(), answer.body());
    return answer.json().get("deployedProcessDefinitions").elements().next().get("key").asText();
  }

  String start(String process) throws Exception {
    Answer answer = engine.call("kernel", "POST", "/process-definition/key/" + process + "/start", Map.of());
    assertEquals(200, answer.status(), answer.body());
    return answer.json().get("id").asText();
  }

  JsonNode resultOf(String process, String name, Map<String, Object> variables) throws Exception {
    Answer answer = engine.call("kernel", "POST", "/process-definition/key/" + process + "/start",
        Map.of("variables", variables, "businessKey", "bk"));
    assertEquals(200, answer.status(), answer.body());
    JsonNode found = engine.call("kernel", "GET",
        "/variable-instance?variableName=" + name + "&processInstanceIdIn=" + answer.json().get("id").asText(), null).json();
    assertEquals(1, found.size(), found.toString());
    return found.get(0).get("value");
  }

  JsonNode fetch(String topic, String worker, long lockDuration) throws Exception {
    Answer answer = worker("POST", "/external-task/fetchAndLock", Map.of("workerId", worker, "maxTasks", 1,
        "topics", List.of(Map.of("topicName", topic, "lockDuration", lockDuration))));
    assertEquals(1, answer.json().size(), answer.body());
    return answer.json();
  }

  Answer worker(String method, String path, Object body) throws Exception {
    return engine.call("worker", method, path, body);
  }
}
