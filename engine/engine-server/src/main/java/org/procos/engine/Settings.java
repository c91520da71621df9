package org.procos.engine;

import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonMappingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.exc.MismatchedInputException;
import com.fasterxml.jackson.databind.exc.UnrecognizedPropertyException;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** What the kernel tells the engine at its start: one JSON object, of which only {@code users} is required. */
public record Settings(
    @JsonProperty("address") String address,
    @JsonProperty("port") Integer port,
    @JsonProperty("database") Database database,
    @JsonProperty("history_level") String historyLevel,
    @JsonProperty("job_executor_threads") Integer jobExecutorThreads,
    @JsonProperty("users") Users users) {

  /** Where instances are kept; the URL's prefix picks the driver. */
  public record Database(
      @JsonProperty("url") String url,
      @JsonProperty("username") String username,
      @JsonProperty("password") String password) {}

  /** The three users that exist after every boot; others are the administrator's business. */
  public record Users(
      @JsonProperty("admin") User admin,
      @JsonProperty("kernel") User kernel,
      @JsonProperty("worker") User worker) {

    List<User> all() {
      return List.of(admin, kernel, worker);
    }
  }

  /** A login. */
  public record User(@JsonProperty("id") String id, @JsonProperty("password") String password) {
    @Override
    public String toString() {
      return id;
    }
  }

  /** Settings that cannot be used; the message names the key and the remedy and never a value that may be secret. */
  public static final class Invalid extends Exception {
    Invalid(String message) {
      super("settings: " + message);
    }
  }

  private static final ObjectMapper JSON = JsonMapper.builder()
      .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
      .build();
  private static final List<String> HISTORY_LEVELS = List.of("none", "activity", "audit", "full");

  /** Reads, completes with defaults and checks. */
  static Settings parse(String json) throws Invalid {
    Settings given;
    try {
      given = JSON.readValue(json, Settings.class);
    } catch (UnrecognizedPropertyException e) {
      throw new Invalid("unknown key '" + path(e) + "'; known here: "
          + e.getKnownPropertyIds().stream().map(Object::toString).collect(Collectors.toCollection(TreeSet::new)));
    } catch (MismatchedInputException e) {
      throw new Invalid("'" + path(e) + "' has a value of the wrong type; see the table in engine/engine-server/README.md");
    } catch (JsonProcessingException e) {
      throw new Invalid("not one line of JSON (column " + (e.getLocation() == null ? "?" : e.getLocation().getColumnNr())
          + "); send one JSON object");
    }
    if (given == null) {
      throw new Invalid("null; send one JSON object with 'users'");
    }
    return given.withDefaults().checked();
  }

  /** The same as Spring's properties, which is how the engine's starter takes them. */
  Map<String, Object> asSpringProperties() {
    Map<String, Object> properties = new LinkedHashMap<>();
    properties.put("server.address", address);
    properties.put("server.port", port);
    properties.put("spring.datasource.url", durable(database.url));
    properties.put("spring.datasource.username", database.username);
    properties.put("spring.datasource.password", database.password);
    // Every job thread and as many requests again may hold a connection at once.
    properties.put("spring.datasource.hikari.maximum-pool-size", jobExecutorThreads + 16);
    properties.put("camunda.bpm.history-level", historyLevel);
    properties.put("camunda.bpm.job-execution.core-pool-size", jobExecutorThreads);
    properties.put("camunda.bpm.job-execution.max-pool-size", jobExecutorThreads);
    return properties;
  }

  private Settings withDefaults() {
    Database db = database == null ? new Database(null, null, null) : database;
    return new Settings(
        or(address, "127.0.0.1"),
        or(port, 8080),
        new Database(or(db.url, "jdbc:h2:file:./data/engine"), or(db.username, "sa"), or(db.password, "")),
        or(historyLevel, "full"),
        or(jobExecutorThreads, 10),
        users);
  }

  private Settings checked() throws Invalid {
    require(!address.isBlank(), "'address' is empty; leave it out for 127.0.0.1");
    require(port >= 0 && port <= 65535, "'port' must be 0 (any free one) to 65535");
    require(database.url.startsWith("jdbc:h2:") || database.url.startsWith("jdbc:postgresql:"),
        "'database.url' must start with jdbc:h2: or jdbc:postgresql:");
    require(HISTORY_LEVELS.contains(historyLevel), "'history_level' must be one of " + HISTORY_LEVELS);
    require(jobExecutorThreads >= 1 && jobExecutorThreads <= 1000, "'job_executor_threads' must be 1 to 1000");
    require(users != null, "'users' is missing; name admin, kernel and worker");
    check("admin", users.admin);
    check("kernel", users.kernel);
    check("worker", users.worker);
    require(users.all().stream().map(User::id).distinct().count() == 3, "'users' must have three different ids");
    return this;
  }

  private static void check(String role, User user) throws Invalid {
    require(user != null, "'users." + role + "' is missing; give it id and password");
    // The engine's own rule for ids (generalResourceWhitelistPattern).
    require(user.id != null && user.id.matches("[a-zA-Z0-9]+"), "'users." + role + ".id' must be letters and digits only");
    require(user.password != null && !user.password.isEmpty(), "'users." + role + ".password' is missing or empty");
  }

  private static void require(boolean holds, String message) throws Invalid {
    if (!holds) {
      throw new Invalid(message);
    }
  }

  /**
   * What H2 must be told unless the URL tells it otherwise: to write at each commit and not half a second later, not to
   * close under the engine's feet at a SIGTERM, and to leave reporting to us instead of a file beside the database.
   */
  private static String durable(String url) {
    if (!url.startsWith("jdbc:h2:")) {
      return url;
    }
    String upper = url.toUpperCase(Locale.ROOT);
    return url + Stream.of("WRITE_DELAY=0", "DB_CLOSE_ON_EXIT=FALSE", "TRACE_LEVEL_FILE=0")
        .filter(option -> !upper.contains(";" + option.substring(0, option.indexOf('=') + 1)))
        .map(option -> ";" + option)
        .collect(Collectors.joining());
  }

  private static String path(JsonMappingException e) {
    String path = e.getPath().stream().map(JsonMappingException.Reference::getFieldName).collect(Collectors.joining("."));
    return path.isEmpty() ? "the whole" : path;
  }

  private static <T> T or(T given, T fallback) {
    return given == null ? fallback : given;
  }
}
