package org.procos.tests;

import java.io.IOException;
import java.util.Map;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.SpringBootConfiguration;
import org.springframework.boot.autoconfigure.EnableAutoConfiguration;
import org.springframework.boot.context.event.ApplicationReadyEvent;
import org.springframework.boot.web.servlet.context.ServletWebServerApplicationContext;
import org.springframework.context.event.EventListener;

/**
 * Operaton on a free port of loopback with a database in memory, and nothing changed that its users would find: no
 * login, and no exception after an uncaught BPMN error. Says where it listens, and ends with its standard input.
 */
@SpringBootConfiguration(proxyBeanMethods = false)
@EnableAutoConfiguration
public class OperatonServer {
  public static void main(String[] args) {
    Thread lifeline = new Thread(OperatonServer::endWithInput, "lifeline");
    lifeline.setDaemon(true);
    lifeline.start();
    SpringApplication application = new SpringApplication(OperatonServer.class);
    application.setDefaultProperties(Map.of(
        "server.address", "127.0.0.1",
        "server.port", "0",
        "spring.main.banner-mode", "off",
        "spring.jmx.enabled", "false",
        "spring.datasource.url", "jdbc:h2:mem:operaton;DB_CLOSE_DELAY=-1",
        "operaton.bpm.auto-deployment-enabled", "false",
        "operaton.bpm.rest-api.fetch-and-lock.unique-worker-request", "true",
        "logging.level.root", "warn"));
    application.run(args);
  }

  /** The one line by which the tests know that the engine is there. */
  @EventListener
  void ready(ApplicationReadyEvent event) {
    var context = (ServletWebServerApplicationContext) event.getApplicationContext();
    System.out.println("engine ready on http://127.0.0.1:" + context.getWebServer().getPort());
  }

  private static void endWithInput() {
    try {
      while (System.in.read() >= 0) {
        Thread.onSpinWait();
      }
    } catch (IOException e) {
      // A broken pipe says the same as its end.
    }
    Runtime.getRuntime().halt(0);
  }
}
