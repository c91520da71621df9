package org.procos.engine;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import javax.script.ScriptEngineManager;
import org.camunda.bpm.engine.ArtifactFactory;
import org.camunda.bpm.engine.ProcessEngine;
import org.camunda.bpm.engine.ProcessEngineException;
import org.camunda.bpm.engine.delegate.VariableScope;
import org.camunda.bpm.engine.impl.cfg.AbstractProcessEnginePlugin;
import org.camunda.bpm.engine.impl.cfg.ProcessEngineConfigurationImpl;
import org.camunda.bpm.engine.impl.interceptor.Session;
import org.camunda.bpm.engine.impl.interceptor.SessionFactory;
import org.camunda.bpm.engine.impl.persistence.entity.TenantManager;
import org.camunda.bpm.engine.impl.scripting.engine.DefaultScriptEngineResolver;
import org.camunda.bpm.engine.impl.scripting.engine.Resolver;
import org.camunda.bpm.engine.impl.scripting.engine.VariableScopeResolver;
import org.camunda.feel.impl.script.FeelScriptEngineFactory;
import org.springframework.core.Ordered;
import org.springframework.core.annotation.Order;

/** Closes the engine to code from models, and creates its users. The plain switches are in application.yaml. */
@Order(Ordered.LOWEST_PRECEDENCE)
final class ClosedEngine extends AbstractProcessEnginePlugin {
  private final Settings.Users users;
  private final Lifeline lifeline;

  ClosedEngine(Settings settings, Lifeline lifeline) {
    this.users = settings.users();
    this.lifeline = lifeline;
  }

  @Override
  public void preInit(ProcessEngineConfigurationImpl engine) {
    // An own map, though empty: without one, Spring's configuration hands all its beans to expressions and scripts.
    engine.setBeans(Map.of());
    engine.setExpressionManager(new GuardedExpressions());
    // Not the class path's engines (JUEL is among them): FEEL alone, and it sees variables, not the execution.
    ScriptEngineManager scripts = new ScriptEngineManager(ClassLoader.getPlatformClassLoader());
    scripts.registerEngineName("feel", new FeelScriptEngineFactory());
    engine.setScriptEngineResolver(new DefaultScriptEngineResolver(scripts));
    engine.setResolverFactories(new ArrayList<>(List.of(ClosedEngine::variablesOf)));
    engine.setArtifactFactory(new NoClasses());
    engine.getCustomSessionFactories().add(new AllTenants(Set.of(users.kernel().id(), users.worker().id())));
    engine.getCustomPreCommandInterceptorsTxRequired().add(new DiscreetDatabase(lifeline));
    engine.getCustomPreCommandInterceptorsTxRequiresNew().add(new DiscreetDatabase(lifeline));
  }

  @Override
  public void postProcessEngineBuild(ProcessEngine engine) {
    new SystemUsers(engine, users).ensure();
  }

  private static Resolver variablesOf(VariableScope scope) {
    return scope == null ? null : new VariableScopeResolver(scope) {
      @Override
      public boolean containsKey(Object key) {
        return scope.hasVariable((String) key);
      }

      @Override
      public Object get(Object key) {
        return scope.getVariable((String) key);
      }

      @Override
      public Set<String> keySet() {
        return scope.getVariableNames();
      }
    };
  }

  /** Makes no instance of what a model names: delegates, listeners, the built-in shell and mail tasks (at deployment). */
  private static final class NoClasses implements ArtifactFactory {
    @Override
    public <T> T getArtifact(Class<T> type) {
      throw new ProcessEngineException(type.getName() + ": this engine runs no classes for models; use an external task");
    }
  }

  /** Kernel and worker serve every tenant; anybody else sees their own. */
  private record AllTenants(Set<String> users) implements SessionFactory {
    @Override
    public Class<?> getSessionType() {
      return TenantManager.class;
    }

    @Override
    public Session openSession() {
      return new TenantManager() {
        @Override
        public boolean isTenantCheckEnabled() {
          return super.isTenantCheckEnabled() && !users.contains(getCurrentAuthentication().getUserId());
        }
      };
    }
  }
}
