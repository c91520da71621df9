package org.procos.engine;

import org.camunda.bpm.engine.BadUserRequestException;
import org.camunda.bpm.engine.impl.bpmn.behavior.MailActivityBehavior;
import org.camunda.bpm.engine.impl.bpmn.behavior.ShellActivityBehavior;
import org.camunda.bpm.engine.impl.bpmn.parser.AbstractBpmnParseListener;
import org.camunda.bpm.engine.impl.pvm.process.ActivityImpl;
import org.camunda.bpm.engine.impl.pvm.process.ScopeImpl;
import org.camunda.bpm.engine.impl.util.xml.Element;

/** Refuses at deployment the built-in tasks that run a command on the engine's host or send mail from it. */
final class NoShell extends AbstractBpmnParseListener {
  @Override
  public void parseServiceTask(Element element, ScopeImpl scope, ActivityImpl activity) {
    check(activity);
  }

  @Override
  public void parseSendTask(Element element, ScopeImpl scope, ActivityImpl activity) {
    check(activity);
  }

  @Override
  public void parseBusinessRuleTask(Element element, ScopeImpl scope, ActivityImpl activity) {
    check(activity);
  }

  @Override
  public void parseEndEvent(Element element, ScopeImpl scope, ActivityImpl activity) {
    check(activity);
  }

  @Override
  public void parseIntermediateThrowEvent(Element element, ScopeImpl scope, ActivityImpl activity) {
    check(activity);
  }

  private static void check(ActivityImpl activity) {
    Object behavior = activity.getActivityBehavior();
    if (behavior instanceof ShellActivityBehavior || behavior instanceof MailActivityBehavior) {
      throw new BadUserRequestException(
          "element '" + activity.getId() + "': this engine runs no shell and no mail task; use an external task");
    }
  }
}
