package org.procos.engine;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Start and end of the process: settings, lifeline, durability, failed boots. */
class LifecycleIT {
  private static final Duration PROMPT = Duration.ofSeconds(5);
  private static final Duration ORDERLY = Duration.ofSeconds(12);

  @TempDir
  Path directory;

  @ParameterizedTest(name = "{0}")
  @CsvSource(quoteCharacter = '`', delimiter = '|', value = {
      "{                                    | not one line of JSON",
      "[]                                   | 'the whole' has a value of the wrong type",
      "{}                                   | 'users' is missing",
      "{\"prot\":1}                         | unknown key 'prot'; known here: [address, database, history_level, job_executor_threads, port, users]",
      "{\"database\":{\"uri\":\"x\"}}       | unknown key 'database.uri'; known here: [password, url, username]",
      "{\"port\":\"secret\"}                | 'port' has a value of the wrong type",
      "{\"port\":70000,USERS}               | 'port' must be",
      "{\"history_level\":\"all\",USERS}    | 'history_level' must be one of",
      "{\"job_executor_threads\":0,USERS}   | 'job_executor_threads' must be",
      "{\"database\":{\"url\":\"jdbc:mysql:x\"},USERS} | 'database.url' must start with",
      "{\"users\":{\"admin\":{\"id\":\"a-b\",\"password\":\"x\"}}} | 'users.admin.id' must be letters and digits only",
      "{\"users\":{\"admin\":{\"id\":\"a\"}}} | 'users.admin.password' is missing"})
  void wrongSettingsEndWithTwoAndOneClearLine(String settings, String message) throws Exception {
    String users = "\"users\":" + EngineProcess.JSON.writeValueAsString(EngineProcess.USERS);
    try (EngineProcess engine = EngineProcess.start("--settings=-", settings.replace("USERS", users))) {
      assertEquals(2, engine.awaitExit(PROMPT));
      assertEquals(1, engine.log.size(), engine.printed());
      assertTrue(engine.printed().startsWith("settings: ") && engine.printed().contains(message), engine.printed());
      assertTrue(!engine.printed().contains("secret"), engine.printed());
    }
  }

  @Test
  void wrongArgumentsEndWithTwo() throws Exception {
    for (String argument : new String[] {"--help", "--settings=", "--settings=" + directory.resolve("absent.json")}) {
      try (EngineProcess engine = EngineProcess.start(argument, null)) {
        assertEquals(2, engine.awaitExit(PROMPT));
        assertTrue(engine.printed().contains("usage: java -jar procos-engine.jar"), engine.printed());
      }
    }
  }

  @Test
  void endOfStandardInputEndsABootPromptly() throws Exception {
    try (EngineProcess engine = EngineProcess.start("--settings=-", EngineProcess.settings(h2(), 0))) {
      // Its database's file is there long before it is ready.
      while (!Files.exists(directory.resolve("engine.mv.db"))) {
        assertTrue(engine.process.isAlive(), engine.printed());
        Thread.onSpinWait();
      }
      engine.process.getOutputStream().close();
      assertEquals(0, engine.awaitExit(PROMPT));
      assertTrue(!engine.printed().contains("engine ready"), engine.printed());
    }
  }

  @Test
  void acknowledgedWorkSurvivesKillNineAndStandardInputsEndStops() throws Exception {
    String instance;
    try (EngineProcess engine = EngineProcess.boot(h2())) {
      assertEquals(200, engine.deploy("kernel", "m.bpmn", Bpmn.external("durable", "durable"), Map.of()).status());
      EngineProcess.Answer started = engine.call("kernel", "POST", "/process-definition/key/durable/start", Map.of());
      instance = started.json().get("id").asText();
      engine.process.destroyForcibly();
      engine.awaitExit(PROMPT);
    }
    Map<String, Object> changed = new java.util.HashMap<>(EngineProcess.USERS);
    changed.put("admin", Map.of("id", "admin", "password", "another"));
    Path file = directory.resolve("settings.json");
    Files.writeString(file, EngineProcess.JSON.writeValueAsString(Map.of("port", 0, "database", h2(), "users", changed)));
    try (EngineProcess engine = EngineProcess.start("--settings=" + file, null)) {
      engine.process.getOutputStream().close();
      assertEquals(200, engine.call("kernel", "GET", "/process-instance/" + instance, null).status());
      // The database's own copy, which Cockpit's login form asks.
      assertTrue(engine.callAs("admin", "another", "POST", "/identity/verify", Map.of("username", "admin", "password", "another"))
          .get().json().get("authenticated").asBoolean(), "a changed password is taken over");
      // In containers nobody holds standard input; SIGTERM is the way to stop there.
      engine.process.destroy();
      assertEquals(143, engine.awaitExit(ORDERLY));
    }
    try (EngineProcess engine = EngineProcess.boot(h2())) {
      Object poll = Map.of("workerId", "w", "maxTasks", 1, "asyncResponseTimeout", 600_000,
          "topics", List.of(Map.of("topicName", "none", "lockDuration", 1)));
      List<CompletableFuture<EngineProcess.Answer>> polls = new ArrayList<>();
      do {
        // A later poll of a worker ends those that are pending: once one has its answer, another pends for certain.
        polls.add(engine.callAsync("worker", "POST", "/external-task/fetchAndLock", poll));
        engine.call("kernel", "GET", "/version", null);
      } while (polls.stream().noneMatch(CompletableFuture::isDone));
      engine.process.getOutputStream().close();
      assertEquals(0, engine.awaitExit(ORDERLY));
      assertTrue(polls.stream().anyMatch(answered -> statusOf(answered) == 500), "a pending poll is answered");
    }
  }

  @Test
  void failedBootsNameTheirCause() throws Exception {
    try (ServerSocket taken = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      fails(EngineProcess.settings(h2(), taken.getLocalPort()), "Address already in use");
      Map<String, Object> unreachable = Map.of("url", "jdbc:postgresql://127.0.0.1:1/none", "username", "u", "password", "hidden");
      String log = fails(EngineProcess.settings(unreachable, 0), "Connection to 127.0.0.1:1 refused");
      assertTrue(!log.contains("hidden"), log);
    }
  }

  /** 0 where the connection was closed without an answer. */
  private static int statusOf(CompletableFuture<EngineProcess.Answer> answer) {
    return answer.handle((given, failure) -> failure == null ? given.status() : 0).join();
  }

  /** A limit on the file's size stands for the full disk. */
  @Test
  void stopsWhenItsDatabaseCannotBeWritten() throws Exception {
    List<String> limit = List.of("bash", "-c", "ulimit -f 8192; exec \"$@\"", "limited");
    try (EngineProcess engine = EngineProcess.start(limit, "--settings=-", EngineProcess.settings(h2(), 0))) {
      engine.awaitReady();
      assertEquals(200, engine.deploy("kernel", "m.bpmn", Bpmn.external("full", "full"), Map.of()).status());
      Object big = Map.of("variables", Map.of("v", Map.of("type", "Json", "value", "\"" + randomText(500_000) + "\"")));
      EngineProcess.Answer answer;
      do {
        answer = engine.call("kernel", "POST", "/process-definition/key/full/start", big);
      } while (answer.ok());
      assertEquals(500, answer.status(), answer.body());
      assertTrue(!answer.body().contains("File too large"), answer.body());
      assertEquals(1, engine.awaitExit(ORDERLY));
      assertTrue(engine.printed().contains("java.io.IOException: File too large"), engine.printed());
    }
  }

  /** Text that does not compress. */
  private static String randomText(int length) {
    return new java.util.Random(1).ints(length, 'a', 'z').collect(
        StringBuilder::new, StringBuilder::appendCodePoint, StringBuilder::append).toString();
  }

  private static String fails(String settings, String cause) throws Exception {
    try (EngineProcess engine = EngineProcess.start("--settings=-", settings)) {
      assertEquals(1, engine.awaitExit(Duration.ofSeconds(60)));
      assertTrue(engine.printed().contains("engine failed to start: ") && engine.printed().contains(cause), engine.printed());
      return engine.printed();
    }
  }

  private Map<String, Object> h2() {
    return Map.of("url", "jdbc:h2:file:" + directory.resolve("engine"));
  }
}
