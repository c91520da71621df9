package org.procos.tests;

import java.io.IOException;
import java.util.Map;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.SpringBootConfiguration;
import org.springframework.boot.autoconfigure.EnableAutoConfiguration;
import org.springframework.boot.context.event.ApplicationReadyEvent;
import org.springframework.boot.web.servlet.ServletRegistrationBean;
import org.springframework.boot.web.servlet.context.ServletWebServerApplicationContext;
import org.springframework.context.annotation.Bean;
import org.springframework.context.event.EventListener;
import x.X;
import x.Y;

/**
 * Camunda 7 on a free port of loopback with a database in memory, as its starter sets it up: Spring's beans are open to
 * expressions and scripts. Without a login and without a job executor: its tests run the jobs that they mean. What
 * models run of {@link X} and {@link Y} is told at {@code /witness}. Ends with its standard input.
 */
@SpringBootConfiguration(proxyBeanMethods = false)
@EnableAutoConfiguration
public class OpenEngine {
  public static void main(String[] args) {
    Thread lifeline = new Thread(OpenEngine::endWithInput, "lifeline");
    lifeline.setDaemon(true);
    lifeline.start();
    SpringApplication application = new SpringApplication(OpenEngine.class);
    application.setDefaultProperties(Map.of(
        "server.address", "127.0.0.1",
        "server.port", "0",
        "spring.main.banner-mode", "off",
        "spring.jmx.enabled", "false",
        "spring.datasource.url", "jdbc:h2:mem:open;DB_CLOSE_DELAY=-1",
        "camunda.bpm.auto-deployment-enabled", "false",
        "camunda.bpm.job-execution.enabled", "false",
        "logging.level.root", "off"));
    application.run(args);
  }

  @Bean
  X x() {
    return new X();
  }

  @Bean
  Y bean() {
    return new Y();
  }

  @Bean
  ServletRegistrationBean<Witness> witness() {
    return new ServletRegistrationBean<>(new Witness(), "/witness");
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
