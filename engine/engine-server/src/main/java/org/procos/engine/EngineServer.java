package org.procos.engine;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.camunda.bpm.engine.IdentityService;
import org.camunda.bpm.engine.rest.impl.FetchAndLockContextListener;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.beans.BeansException;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.SpringBootConfiguration;
import org.springframework.boot.autoconfigure.EnableAutoConfiguration;
import org.springframework.boot.context.event.ApplicationReadyEvent;
import org.springframework.boot.web.server.WebServerException;
import org.springframework.boot.web.servlet.FilterRegistrationBean;
import org.springframework.boot.web.servlet.context.ServletWebServerApplicationContext;
import org.springframework.context.ApplicationContextException;
import org.springframework.context.annotation.Bean;
import org.springframework.context.event.ContextClosedEvent;
import org.springframework.context.event.EventListener;
import org.springframework.core.env.MapPropertySource;
import org.springframework.core.env.MutablePropertySources;
import org.springframework.web.context.support.StandardServletEnvironment;

/**
 * The Camunda 7 engine that ProcOS boots.
 *
 * <p>{@code --settings=-} takes the settings from the first line of standard input and stops when standard input closes;
 * {@code --settings=FILE} takes them from a file and has no such lifeline. Wrong settings end with exit code 2, a failed
 * boot with 1.
 */
@SpringBootConfiguration(proxyBeanMethods = false)
@EnableAutoConfiguration
public class EngineServer {
  private static final Logger LOG = LoggerFactory.getLogger("org.procos.engine");
  private static final String USAGE = "usage: java -jar procos-engine.jar --settings=-|FILE";

  public static void main(String[] args) {
    Lifeline lifeline = Lifeline.attach();
    Settings settings;
    try {
      settings = read(args, lifeline);
    } catch (Settings.Invalid e) {
      System.err.println(e.getMessage());
      lifeline.bootFailed();
      System.exit(2);
      return;
    }
    SpringApplication application = new SpringApplication(EngineServer.class);
    application.setEnvironment(environment(settings));
    application.addInitializers(context -> {
      context.getBeanFactory().registerSingleton("settings", settings);
      context.getBeanFactory().registerSingleton("lifeline", lifeline);
    });
    try {
      application.run();
    } catch (Throwable e) {
      report(e);
      lifeline.bootFailed();
      System.exit(1);
    }
  }

  @Bean
  static ClosedEngine closedEngine(Settings settings, Lifeline lifeline) {
    return new ClosedEngine(settings, lifeline);
  }

  @Bean
  static FilterRegistrationBean<RestLogin> restLogin(Settings settings, IdentityService identity) {
    FilterRegistrationBean<RestLogin> registration = new FilterRegistrationBean<>(new RestLogin(settings.users(), identity));
    registration.addUrlPatterns("/engine-rest", "/engine-rest/*");
    registration.setAsyncSupported(true);
    registration.setOrder(Integer.MIN_VALUE);
    return registration;
  }

  /** The one line by which the kernel knows that the engine is there. */
  @EventListener
  void ready(ApplicationReadyEvent event) {
    var context = (ServletWebServerApplicationContext) event.getApplicationContext();
    LOG.info("engine ready in {} ms on http://{}:{}",
        System.currentTimeMillis() - ManagementFactory.getRuntimeMXBean().getStartTime(),
        context.getEnvironment().getProperty("server.address"), context.getWebServer().getPort());
  }

  /** Long polls would hold up the web server's stop; their handler answers them all when it ends. */
  @EventListener
  void closing(ContextClosedEvent event) {
    if (FetchAndLockContextListener.getFetchAndLockHandler() != null) {
      FetchAndLockContextListener.getFetchAndLockHandler().shutdown();
    }
  }

  private static Settings read(String[] args, Lifeline lifeline) throws Settings.Invalid {
    if (args.length != 1 || !args[0].startsWith("--settings=") || args[0].equals("--settings=")) {
      throw new Settings.Invalid(USAGE);
    }
    String source = args[0].substring("--settings=".length());
    try {
      if (!source.equals("-")) {
        return Settings.parse(Files.readString(Path.of(source)));
      }
      BufferedReader input = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
      String line = input.readLine();
      if (line == null) {
        throw new Settings.Invalid("standard input ended before the line with the settings");
      }
      lifeline.watch(input);
      return Settings.parse(line);
    } catch (IOException e) {
      throw new Settings.Invalid("cannot read " + source + ": " + e + "; " + USAGE);
    }
  }

  /** Only the settings and the jar's own application.yaml count: no environment variable, system property or stray file. */
  private static StandardServletEnvironment environment(Settings settings) {
    StandardServletEnvironment environment = new StandardServletEnvironment() {
      @Override
      protected void customizePropertySources(MutablePropertySources sources) {
        // None of the usual ones.
      }
    };
    var properties = settings.asSpringProperties();
    properties.put("spring.config.location", "classpath:/application.yaml");
    environment.getPropertySources().addFirst(new MapPropertySource("settings", properties));
    return environment;
  }

  /** The chain of causes without the container's wrappers, the root cause last: what the kernel shows and classifies. */
  private static void report(Throwable failure) {
    for (Throwable cause = failure; cause != null; cause = cause.getCause()) {
      boolean wrapper = cause instanceof BeansException || cause instanceof ApplicationContextException
          || cause.getClass() == WebServerException.class;
      if (!wrapper || cause.getCause() == null) {
        String message = String.valueOf(cause.getMessage()).lines().findFirst().orElse("");
        LOG.error("engine failed to start: {}: {}", cause.getClass().getName(), message);
      }
    }
    LOG.debug("engine failed to start", failure);
  }
}
