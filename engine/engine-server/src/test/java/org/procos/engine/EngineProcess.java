package org.procos.engine;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The packaged engine in a child process, as the kernel starts it, and a client for its REST API. */
final class EngineProcess implements AutoCloseable {
  static final ObjectMapper JSON = new ObjectMapper();
  static final Map<String, Object> USERS = Map.of(
      "admin", Map.of("id", "admin", "password", "a-ädmin"),
      "kernel", Map.of("id", "kernel", "password", "k-kernel"),
      "worker", Map.of("id", "worker", "password", "w-worker"));
  private static final Pattern READY = Pattern.compile("engine ready in \\d+ ms on (http://\\S+)");
  private static final Path JAR = Path.of("target/procos-engine.jar");

  final Process process;
  final List<String> log = Collections.synchronizedList(new ArrayList<>());
  private final CompletableFuture<String> url = new CompletableFuture<>();
  private final Thread reader;
  private final HttpClient http = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();

  private EngineProcess(Process process) {
    this.process = process;
    reader = new Thread(this::read);
    reader.start();
  }

  /** Starts it with these arguments and this first line of standard input (none if null), which stays open. */
  static EngineProcess start(String argument, String line) throws IOException {
    return start(List.of(), argument, line);
  }

  /** The same under another command, such as one that sets limits. */
  static EngineProcess start(List<String> prefix, String argument, String line) throws IOException {
    List<String> command = new ArrayList<>(prefix);
    command.addAll(List.of(Path.of(System.getProperty("java.home"), "bin", "java").toString(),
        "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xmx512m", "-jar", JAR.toString(), argument));
    Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
    EngineProcess engine = new EngineProcess(process);
    if (line != null) {
      process.getOutputStream().write((line + "\n").getBytes(StandardCharsets.UTF_8));
      process.getOutputStream().flush();
    }
    return engine;
  }

  /** Boots it on a free port and waits until it is ready. */
  static EngineProcess boot(Map<String, Object> database) throws Exception {
    EngineProcess engine = start("--settings=-", settings(database, 0));
    engine.awaitReady();
    return engine;
  }

  static String settings(Map<String, Object> database, int port) throws IOException {
    return JSON.writeValueAsString(Map.of("port", port, "database", database, "users", USERS, "job_executor_threads", 3));
  }

  String awaitReady() throws Exception {
    return url.get(60, TimeUnit.SECONDS);
  }

  /** Waits for the end; what it printed is complete afterwards. */
  int awaitExit(Duration limit) throws InterruptedException {
    if (!process.waitFor(limit.toMillis(), TimeUnit.MILLISECONDS)) {
      throw new AssertionError("still running after " + limit + ": " + log);
    }
    reader.join();
    return process.exitValue();
  }

  String printed() {
    return String.join("\n", log);
  }

  /** Calls the REST API as one of the three users, or as nobody for null. */
  Answer call(String user, String method, String path, Object body) throws Exception {
    return callAsync(user, method, path, body).get(60, TimeUnit.SECONDS);
  }

  CompletableFuture<Answer> callAsync(String user, String method, String path, Object body) throws Exception {
    return callAs(user, user == null ? null : (String) ((Map<?, ?>) USERS.get(user)).get("password"), method, path, body);
  }

  /** Calls with any login. */
  CompletableFuture<Answer> callAs(String user, String password, String method, String path, Object body) throws Exception {
    HttpRequest.Builder request = request(path.startsWith("/camunda") ? path : "/engine-rest" + path, user, password);
    request.header("Content-Type", "application/json");
    request.method(method, body == null
        ? HttpRequest.BodyPublishers.noBody() : HttpRequest.BodyPublishers.ofString(JSON.writeValueAsString(body)));
    return send(request);
  }

  /** Deploys one file as a user; fields such as tenant-id may be added. */
  Answer deploy(String user, String file, String content, Map<String, String> fields) throws Exception {
    String boundary = "procos-test-boundary";
    StringBuilder body = new StringBuilder();
    fields.forEach((name, value) -> body.append("--" + boundary + "\r\nContent-Disposition: form-data; name=\"" + name
        + "\"\r\n\r\n" + value + "\r\n"));
    body.append("--" + boundary + "\r\nContent-Disposition: form-data; name=\"data\"; filename=\"" + file + "\"\r\n\r\n"
        + content + "\r\n--" + boundary + "--\r\n");
    HttpRequest.Builder request = request("/engine-rest/deployment/create", user,
        (String) ((Map<?, ?>) USERS.get(user)).get("password"));
    request.header("Content-Type", "multipart/form-data; boundary=" + boundary);
    request.POST(HttpRequest.BodyPublishers.ofString(body.toString()));
    return send(request).get(60, TimeUnit.SECONDS);
  }

  @Override
  public void close() {
    process.destroyForcibly();
    try {
      process.waitFor();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private HttpRequest.Builder request(String path, String user, String password) throws Exception {
    HttpRequest.Builder request = HttpRequest.newBuilder(URI.create(awaitReady() + path));
    if (user != null) {
      request.header("Authorization", "Basic "
          + Base64.getEncoder().encodeToString((user + ":" + password).getBytes(StandardCharsets.UTF_8)));
    }
    return request;
  }

  private CompletableFuture<Answer> send(HttpRequest.Builder request) {
    return http.sendAsync(request.build(), HttpResponse.BodyHandlers.ofString())
        .thenApply(response -> new Answer(response.statusCode(), response.body()));
  }

  private void read() {
    try (BufferedReader lines = new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8))) {
      for (String line = lines.readLine(); line != null; line = lines.readLine()) {
        log.add(line);
        Matcher ready = READY.matcher(line);
        if (ready.find()) {
          url.complete(ready.group(1));
        }
      }
    } catch (IOException e) {
      // The process has been killed.
    }
    url.completeExceptionally(new AssertionError("did not boot: " + log));
  }

  /** Status and body. */
  record Answer(int status, String body) {
    JsonNode json() {
      try {
        return JSON.readTree(body);
      } catch (IOException e) {
        throw new UncheckedIOException(body, e);
      }
    }

    boolean ok() {
      return status >= 200 && status < 300;
    }
  }
}
