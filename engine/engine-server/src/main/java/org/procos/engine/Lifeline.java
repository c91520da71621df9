package org.procos.engine;

import java.io.BufferedReader;
import java.io.IOException;
import org.springframework.boot.context.event.ApplicationReadyEvent;
import org.springframework.context.ApplicationListener;

/**
 * Ends the process when it is no longer wanted: at the end of standard input (the parent has gone, however it went) and
 * at SIGTERM. A booted engine gets {@link #DEADLINE_MS} for an orderly stop; one that is still booting has taken no work
 * and just goes, because Spring cannot be stopped half-way.
 */
final class Lifeline implements ApplicationListener<ApplicationReadyEvent> {
  private static final long DEADLINE_MS = 10_000;

  private volatile boolean booted;

  private Lifeline() {}

  /** Watches for SIGTERM. */
  static Lifeline attach() {
    Lifeline lifeline = new Lifeline();
    Runtime.getRuntime().addShutdownHook(new Thread(lifeline::limitShutdown, "lifeline-shutdown"));
    return lifeline;
  }

  /** Watches the standard input besides. What comes on it is ignored; only its end counts. */
  void watch(BufferedReader input) {
    daemon("lifeline", () -> {
      try {
        while (input.read() >= 0) {
          Thread.onSpinWait();
        }
      } catch (IOException e) {
        // A broken pipe says the same as its end.
      }
      System.exit(0);
    });
  }

  @Override
  public void onApplicationEvent(ApplicationReadyEvent event) {
    booted = true;
  }

  /** Ends a booted engine that can do nothing any more, so that its parent starts it anew. */
  void giveUp() {
    if (booted) {
      daemon("lifeline-give-up", () -> System.exit(1));
    }
  }

  /** Told that the boot has failed, so that the reason's exit code survives. */
  void bootFailed() {
    booted = true;
  }

  private void limitShutdown() {
    if (!booted) {
      Runtime.getRuntime().halt(0);
    }
    daemon("lifeline-deadline", () -> {
      try {
        Thread.sleep(DEADLINE_MS);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
      Runtime.getRuntime().halt(1);
    });
  }

  private static void daemon(String name, Runnable body) {
    Thread thread = new Thread(body, name);
    thread.setDaemon(true);
    thread.start();
  }
}
