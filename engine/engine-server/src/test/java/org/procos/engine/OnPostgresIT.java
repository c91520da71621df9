package org.procos.engine;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.net.URI;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.procos.engine.EngineProcess.Answer;

/**
 * The contract on PostgreSQL: {@code PROCOS_TEST_POSTGRES_URL} is the JDBC URL of an empty database, with user and password
 * as its parameters. Without it these tests are skipped on a laptop and fail in CI.
 */
class OnPostgresIT extends EngineContract {
  private static final String VARIABLE = "PROCOS_TEST_POSTGRES_URL";
  private Gate gate;

  @Override
  Map<String, Object> database() throws Exception {
    String url = System.getenv(VARIABLE);
    if (url == null) {
      assertFalse("true".equals(System.getenv("CI")), VARIABLE + " is not set, and CI must test PostgreSQL");
    }
    Assumptions.assumeTrue(url != null, VARIABLE + " is not set: the contract on PostgreSQL is not tested");
    URI server = URI.create(url.substring("jdbc:".length()));
    gate = new Gate(server.getHost(), server.getPort() < 0 ? 5432 : server.getPort());
    return Map.of("url", "jdbc:postgresql://127.0.0.1:" + gate.port() + server.getPath() + "?" + server.getQuery());
  }

  @AfterAll
  void closeGate() throws Exception {
    if (gate != null) {
      gate.close();
    }
  }

  @Test
  void saysNothingOfADatabaseThatIsAway() throws Exception {
    Map<String, Object> poll = Map.of("workerId", "away", "maxTasks", 1, "asyncResponseTimeout", 60_000,
        "topics", List.of(Map.of("topicName", key + "away", "lockDuration", 1000)));
    var pending = engine.callAsync("worker", "POST", "/external-task/fetchAndLock", poll);
    gate.shut();
    try {
      // Each waits for a connection for as long as the pool lets it, so all at once.
      for (var answer : List.of(
          pending,
          engine.callAsync("kernel", "GET", "/process-instance", null),
          engine.callAsync("kernel", "POST", "/process-definition/key/" + key + "/start", Map.of()),
          engine.callAsync("admin", "GET", "/telemetry/data", null),
          engine.callAsync("worker", "POST", "/external-task/fetchAndLock", poll),
          engine.callAs("somebody", "else", "GET", "/process-instance", null),
          engine.callAsync("worker", "POST", "/external-task/none/complete", Map.of("workerId", "w")))) {
        assertDiscreet(answer.get(60, TimeUnit.SECONDS));
      }
    } finally {
      gate.open();
    }
    // A connection that was pooled before the outage may fail once more; the pool then makes new ones.
    for (int i = 0; i < 60 && !engine.call("kernel", "GET", "/process-instance", null).ok(); i++) {
      assertTrue(engine.process.isAlive());
    }
    assertEquals(200, engine.call("kernel", "GET", "/process-instance", null).status());
  }

  private void assertDiscreet(Answer answer) {
    assertEquals(500, answer.status(), answer.body());
    assertTrue(answer.json().hasNonNull("type") && answer.json().hasNonNull("code"), answer.body());
    String body = answer.body().toLowerCase(Locale.ROOT);
    for (String secret : List.of("127.0.0.1", "localhost", String.valueOf(gate.port()), "jdbc", "postgres", "sql", "select", "hikari", "insert", "connection")) {
      assertFalse(body.contains(secret), secret + " in " + answer.body());
    }
  }
}
