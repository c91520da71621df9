package x;

import org.camunda.bpm.engine.delegate.DelegateExecution;
import org.camunda.bpm.engine.delegate.DelegateTask;
import org.camunda.bpm.engine.delegate.DelegateVariableMapping;
import org.camunda.bpm.engine.delegate.ExecutionListener;
import org.camunda.bpm.engine.delegate.Expression;
import org.camunda.bpm.engine.delegate.JavaDelegate;
import org.camunda.bpm.engine.delegate.TaskListener;
import org.camunda.bpm.engine.delegate.VariableScope;
import org.camunda.bpm.engine.impl.form.validator.FormFieldValidator;
import org.camunda.bpm.engine.impl.form.validator.FormFieldValidatorContext;
import org.camunda.bpm.engine.variable.VariableMap;
import org.procos.tests.Witness;

/** The class {@code x.Y}, and the bean {@code bean}: all that a model can name code as. */
public final class Y implements JavaDelegate, ExecutionListener, TaskListener,
    DelegateVariableMapping, FormFieldValidator {
  /** What field injection fills. */
  private Expression f;

  public Y() {
    Witness.saw("x.Y was made");
  }

  public void setF(Expression f) {
    Witness.saw("x.Y was given a field");
    this.f = f;
  }

  @Override
  public void execute(DelegateExecution execution) {
    Witness.saw("x.Y was run");
    if (f != null) {
      f.getValue(execution);
    }
  }

  @Override
  public void notify(DelegateExecution execution) {
    Witness.saw("x.Y was told of an execution");
  }

  @Override
  public void notify(DelegateTask task) {
    Witness.saw("x.Y was told of a task");
  }

  @Override
  public void mapInputVariables(DelegateExecution execution, VariableMap variables) {
    Witness.saw("x.Y has mapped variables");
  }

  @Override
  public void mapOutputVariables(DelegateExecution execution, VariableScope variables) {
    Witness.saw("x.Y has mapped variables");
  }

  @Override
  public boolean validate(Object value, FormFieldValidatorContext context) {
    Witness.saw("x.Y has validated");
    return true;
  }
}
