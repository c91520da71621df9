package org.procos.engine;

import java.beans.FeatureDescriptor;
import java.lang.reflect.Method;
import java.time.temporal.Temporal;
import java.time.temporal.TemporalAmount;
import java.util.Arrays;
import java.util.Calendar;
import java.util.Collection;
import java.util.Date;
import java.util.Iterator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.camunda.bpm.engine.ProcessEngineException;
import org.camunda.bpm.engine.delegate.DelegateExecution;
import org.camunda.bpm.engine.delegate.DelegateTask;
import org.camunda.bpm.engine.externaltask.ExternalTask;
import org.camunda.bpm.engine.impl.el.JuelExpressionManager;
import org.camunda.bpm.engine.impl.el.VariableContextElResolver;
import org.camunda.bpm.engine.impl.el.VariableScopeElResolver;
import org.camunda.bpm.engine.variable.value.TypedValue;
import org.camunda.bpm.impl.juel.jakarta.el.ArrayELResolver;
import org.camunda.bpm.impl.juel.jakarta.el.BeanELResolver;
import org.camunda.bpm.impl.juel.jakarta.el.CompositeELResolver;
import org.camunda.bpm.impl.juel.jakarta.el.ELContext;
import org.camunda.bpm.impl.juel.jakarta.el.ELResolver;
import org.camunda.bpm.impl.juel.jakarta.el.ListELResolver;
import org.camunda.bpm.impl.juel.jakarta.el.MapELResolver;
import org.camunda.spin.Spin;
import org.camunda.spin.json.SpinJsonPathQuery;
import org.joda.time.ReadableInstant;

/**
 * Expressions over data, without beans. What is not data (classes, the engine and its services, anything reached by
 * reflection) cannot be asked for a property or a method, whatever path led to it. A second line behind the deploy gate.
 */
final class GuardedExpressions extends JuelExpressionManager {
  /** Values that may be looked into with all that they offer. */
  private static final List<Class<?>> DATA = List.of(
      CharSequence.class, Number.class, Boolean.class, Character.class, Map.class, Map.Entry.class, Collection.class,
      Date.class, Calendar.class, Temporal.class, TemporalAmount.class, ReadableInstant.class,
      Spin.class, SpinJsonPathQuery.class, TypedValue.class);
  /** Engine objects of which only the public interface may be used, not what the implementing class adds. */
  private static final Map<Class<?>, Set<String>> SCOPES = List
      .<Class<?>>of(DelegateExecution.class, DelegateTask.class, ExternalTask.class).stream()
      .collect(Collectors.toMap(type -> type, GuardedExpressions::members));
  /** Ways out of data: the class, Spin's mapping to a class by name, system properties, the object's monitor. */
  private static final Set<String> FORBIDDEN = Set.of(
      "class", "getclass", "mapto", "getinteger", "getlong", "getboolean", "wait", "notify", "notifyall");

  @Override
  protected ELResolver createElResolver() {
    CompositeELResolver resolver = new CompositeELResolver();
    resolver.add(new Guard());
    resolver.add(new VariableScopeElResolver());
    resolver.add(new VariableContextElResolver());
    resolver.add(new ArrayELResolver());
    resolver.add(new ListELResolver());
    resolver.add(new MapELResolver());
    resolver.add(new BeanELResolver());
    return resolver;
  }

  private static void check(Object base, Object member) {
    if (base == null || isKey(base) && !(member instanceof Call)) {
      return;
    }
    String name = String.valueOf(member instanceof Call call ? call.method : member).toLowerCase(Locale.ROOT);
    boolean allowed = DATA.stream().anyMatch(type -> type.isInstance(base))
        || SCOPES.entrySet().stream().anyMatch(scope -> scope.getKey().isInstance(base) && scope.getValue().contains(name));
    if (!allowed || FORBIDDEN.contains(name)) {
      throw new ProcessEngineException(
          "'" + name + "' of " + base.getClass().getName() + " is closed to expressions; they may read data only");
    }
  }

  /** Of these a property is an entry, and its name means nothing. */
  private static boolean isKey(Object base) {
    return base instanceof Map || base instanceof List || base.getClass().isArray();
  }

  /** Names of an interface's methods, and of the properties that they make. */
  private static Set<String> members(Class<?> type) {
    return Arrays.stream(type.getMethods())
        .map(Method::getName)
        .filter(name -> !name.startsWith("getProcessEngine") && !name.startsWith("getBpmnModel"))
        .map(name -> name.toLowerCase(Locale.ROOT))
        .flatMap(name -> List.of(name, name.replaceFirst("^(get|is)", "")).stream())
        .collect(Collectors.toSet());
  }

  private record Call(Object method) {}

  /** Stands first and resolves nothing: it lets pass or throws. */
  private static final class Guard extends ELResolver {
    @Override
    public Object getValue(ELContext context, Object base, Object property) {
      check(base, property);
      return null;
    }

    @Override
    public Object invoke(ELContext context, Object base, Object method, Class<?>[] types, Object[] arguments) {
      check(base, new Call(method));
      return null;
    }

    @Override
    public void setValue(ELContext context, Object base, Object property, Object value) {
      check(base, property);
    }

    @Override
    public Class<?> getType(ELContext context, Object base, Object property) {
      return null;
    }

    @Override
    public boolean isReadOnly(ELContext context, Object base, Object property) {
      return false;
    }

    @Override
    public Class<?> getCommonPropertyType(ELContext context, Object base) {
      return Object.class;
    }

    @Override
    public Iterator<FeatureDescriptor> getFeatureDescriptors(ELContext context, Object base) {
      return null;
    }
  }
}
