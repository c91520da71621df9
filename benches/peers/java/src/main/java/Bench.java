import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Semaphore;
import org.camunda.bpm.client.ExternalTaskClient;
import org.camunda.bpm.client.ExternalTaskClientBuilder;
import org.camunda.bpm.client.interceptor.auth.BasicAuthProvider;
import org.camunda.bpm.client.task.ExternalTask;
import org.camunda.bpm.client.task.ExternalTaskHandler;
import org.camunda.bpm.client.task.ExternalTaskService;

/** Sleeps and completes. Its job is in the environment: see ../README.md. */
public final class Bench {
  public static void main(String[] arguments) {
    boolean tuned = System.getenv("BENCH_TUNED") != null;
    int slots = Integer.parseInt(System.getenv("BENCH_SLOTS"));
    ExternalTaskClientBuilder builder = ExternalTaskClient.create()
        .baseUrl(System.getenv("BENCH_URL"))
        .addInterceptor(new BasicAuthProvider(System.getenv("BENCH_USER"), System.getenv("BENCH_PASSWORD")))
        .lockDuration(Long.parseLong(System.getenv("BENCH_LOCK_MS")));
    if (tuned) {
      builder
          .maxTasks(slots)
          .asyncResponseTimeout(15_000)
          .disableBackoffStrategy()
          // As many connections as tasks; the default is 5 to a host.
          .customizeHttpClient(http -> http.setConnectionManager(connections(slots)));
    }
    ExternalTaskClient client = builder.build();
    Pool pool = tuned ? new Pool(slots) : null;
    for (String entry : System.getenv("BENCH_TOPICS").split(",")) {
      String[] topic = entry.split("=");
      ExternalTaskHandler handler = sleeper(Long.parseLong(topic[1]));
      client.subscribe(topic[0])
          .handler(pool == null ? handler : (task, service) -> pool.run(handler, task, service))
          .open();
    }
  }

  private static ExternalTaskHandler sleeper(long millis) {
    return (task, service) -> {
      try {
        if (millis > 0) {
          Thread.sleep(millis);
        }
        service.complete(task);
      } catch (InterruptedException interrupted) {
        Thread.currentThread().interrupt();
      }
    };
  }

  private static org.apache.hc.client5.http.io.HttpClientConnectionManager connections(int slots) {
    return org.apache.hc.client5.http.impl.io.PoolingHttpClientConnectionManagerBuilder.create()
        .setMaxConnPerRoute(slots + 1)
        .setMaxConnTotal(slots + 1)
        .build();
  }

  /** The client runs handlers on its one polling thread: this hands them on, and holds it up when all threads work. */
  private static final class Pool {
    private final ExecutorService threads;
    private final Semaphore free;

    Pool(int size) {
      threads = Executors.newFixedThreadPool(size);
      free = new Semaphore(size);
    }

    void run(ExternalTaskHandler handler, ExternalTask task, ExternalTaskService service) {
      free.acquireUninterruptibly();
      threads.execute(() -> {
        try {
          handler.execute(task, service);
        } finally {
          free.release();
        }
      });
    }
  }
}
