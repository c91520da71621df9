//! One process instance: where it stands, its task, its variables, and what happened to it.
//!
//! Every change is made on a copy that takes the instance's place only where all of it went well, as the engine's
//! transactions do.

use std::sync::Arc;

use tokio::time::{Duration, Instant};

use super::answer::Refused;
use super::process::{LinearProcess, TaskStep};
use super::value::{Scope, Value};
use crate::InstanceState;

/// The longest message of a failure, in characters.
const LONGEST_MESSAGE: usize = 666;

/// A version of a process.
#[derive(Debug)]
pub(super) struct Definition {
    pub(super) id: String,
    pub(super) version: u32,
    pub(super) process: LinearProcess,
}

/// A process instance, running or ended.
#[derive(Clone, Debug)]
pub(super) struct Instance {
    pub(super) id: String,
    pub(super) definition: Arc<Definition>,
    pub(super) business_key: Option<String>,
    pub(super) state: InstanceState,
    pub(super) started: Instant,
    pub(super) ended: Option<Instant>,
    pub(super) variables: Scope,
    /// The external task at which it stands.
    pub(super) task: Option<Task>,
    pub(super) incident: Option<Incident>,
    pub(super) steps: Vec<Step>,
    pub(super) log: Vec<Log>,
    /// What was in the scopes of steps that are over, by their activity instances.
    pub(super) past: Vec<(String, Scope)>,
    /// Ids that have been given out.
    given: u64,
}

/// An external task.
#[derive(Clone, Debug)]
pub(super) struct Task {
    pub(super) id: String,
    step: usize,
    pub(super) execution: String,
    pub(super) activity_instance: String,
    pub(super) created: Instant,
    pub(super) priority: i64,
    pub(super) worker: Option<String>,
    pub(super) locked_until: Option<Instant>,
    pub(super) retries: Option<i32>,
    pub(super) message: Option<String>,
    pub(super) details: Option<String>,
    pub(super) local: Scope,
}

/// An open incident.
#[derive(Clone, Debug)]
pub(super) struct Incident {
    pub(super) id: String,
    pub(super) at: Instant,
    pub(super) message: Option<String>,
}

/// One visit to an element.
#[derive(Clone, Debug)]
pub(super) struct Step {
    pub(super) id: String,
    pub(super) element: String,
    pub(super) kind: &'static str,
    pub(super) began: Instant,
    pub(super) ended: Option<Instant>,
    pub(super) cancelled: bool,
}

/// One event in a task's life.
#[derive(Clone, Debug)]
pub(super) struct Log {
    pub(super) id: String,
    pub(super) at: Instant,
    pub(super) event: Event,
    pub(super) element: String,
    pub(super) task: Task,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    Created,
    Failed,
    Done,
    Deleted,
}

/// What a failed attempt leaves.
pub(super) struct Failure {
    pub(super) message: Option<String>,
    pub(super) details: Option<String>,
    pub(super) retries: i32,
    pub(super) retry_timeout: Duration,
}

impl Instance {
    pub(super) fn start(
        id: String,
        definition: Arc<Definition>,
        business_key: Option<String>,
        variables: Scope,
        now: Instant,
    ) -> Result<Self, Refused> {
        let mut instance = Self {
            id,
            definition,
            business_key,
            state: InstanceState::Active,
            started: now,
            ended: None,
            variables,
            task: None,
            incident: None,
            steps: Vec::new(),
            log: Vec::new(),
            past: Vec::new(),
            given: 0,
        };
        instance.visit("start", "startEvent", now, Some(now));
        instance.enter(0, now)?;
        instance.drop_transient();
        Ok(instance)
    }

    pub(super) fn is_over(&self) -> bool {
        self.state.is_over()
    }

    /// The model's part of the task at which it stands.
    pub(super) fn step_of(&self, task: &Task) -> Option<&TaskStep> {
        self.definition.process.steps.get(task.step)
    }

    pub(super) fn complete(&mut self, variables: Scope, local: Scope, now: Instant) -> Result<(), Refused> {
        self.set_variables(variables);
        if let Some(task) = &mut self.task {
            task.local.extend(local);
        }
        let Some((task, step)) = self.standing() else {
            return Ok(());
        };
        for (name, expression) in &step.outputs {
            let value = evaluate(expression, &task.local, &self.variables)?;
            self.variables.insert(name.clone(), value);
        }
        self.leave(Event::Done, false, now);
        self.enter(task.step + 1, now)?;
        self.drop_transient();
        Ok(())
    }

    pub(super) fn fail(&mut self, failure: Failure, variables: Scope, local: Scope, now: Instant) {
        self.set_variables(variables);
        let Some(task) = &mut self.task else { return };
        task.local.extend(local);
        task.message = failure.message.map(|message| {
            // UTF-16 units, which the engine counts.
            let mut left = LONGEST_MESSAGE;
            let fits = |letter: &char| {
                let rest = left.checked_sub(letter.len_utf16());
                left = rest.unwrap_or(0);
                rest.is_some()
            };
            message.chars().take_while(fits).collect()
        });
        if failure.details.is_some() {
            task.details = failure.details;
        }
        task.locked_until = Some(now + failure.retry_timeout);
        self.record(Event::Failed, now);
        self.set_retries(failure.retries, now);
        self.drop_transient();
    }

    /// None left is an incident, some again end it.
    pub(super) fn set_retries(&mut self, retries: i32, now: Instant) {
        let Some(task) = &mut self.task else { return };
        let had_some = task.retries.is_none_or(|retries| retries > 0);
        task.retries = Some(retries);
        let message = task.message.clone();
        if had_some && retries <= 0 {
            let id = self.fresh("incident");
            self.incident = Some(Incident { id, at: now, message });
        } else if retries > 0 {
            self.incident = None;
        }
    }

    /// A BPMN error at the task: to the boundary event that catches its code. Where none does, the instance ends, or
    /// nothing happens and the call is an error, whichever the engine is set to.
    pub(super) fn throw(
        &mut self,
        code: &str,
        variables: Scope,
        uncaught_is_error: bool,
        now: Instant,
    ) -> Result<(), Refused> {
        self.set_variables(variables);
        let catch = self.standing().and_then(|(_, step)| step.catcher(code).cloned());
        let end = match catch {
            Some(catch) => {
                self.leave(Event::Deleted, true, now);
                self.visit(&catch.boundary(), "boundaryError", now, Some(now));
                Some(catch.end)
            }
            None if uncaught_is_error => {
                return Err(Refused::internal(format!(
                    "ENGINE-13033 Propagation of bpmn error {code} failed. "
                )));
            }
            None => {
                self.leave(Event::Deleted, false, now);
                None
            }
        };
        self.end(end.as_deref(), now);
        self.drop_transient();
        Ok(())
    }

    /// Every scope that there is or was, by its activity instance: the process first.
    pub(super) fn scopes(&self) -> impl Iterator<Item = (&str, &Scope)> {
        let own = [(self.id.as_str(), &self.variables)];
        let past = self
            .past
            .iter()
            .map(|(scope, variables)| (scope.as_str(), variables));
        let task = self
            .task
            .iter()
            .map(|task| (task.activity_instance.as_str(), &task.local));
        own.into_iter().chain(past).chain(task)
    }

    /// Ends it from outside.
    pub(super) fn cancel(&mut self, now: Instant) {
        self.leave(Event::Deleted, true, now);
        self.state = InstanceState::ExternallyTerminated;
        self.ended = Some(now);
    }

    /// Overwrites variables where they stand, innermost first; new ones go to the process.
    pub(super) fn set_variables(&mut self, variables: Scope) {
        for (name, value) in variables {
            match &mut self.task {
                Some(task) if task.local.contains_key(&name) => task.local.insert(name, value),
                _ => self.variables.insert(name, value),
            };
        }
    }

    pub(super) fn drop_transient(&mut self) {
        self.variables.retain(|_, value| !value.transient);
        if let Some(task) = &mut self.task {
            task.local.retain(|_, value| !value.transient);
        }
        for (_, scope) in &mut self.past {
            scope.retain(|_, value| !value.transient);
        }
    }

    fn standing(&self) -> Option<(Task, TaskStep)> {
        let task = self.task.as_ref()?;
        Some((task.clone(), self.step_of(task)?.clone()))
    }

    fn enter(&mut self, step: usize, now: Instant) -> Result<(), Refused> {
        let definition = Arc::clone(&self.definition);
        let Some(model) = definition.process.steps.get(step) else {
            self.end(Some("end"), now);
            return Ok(());
        };
        let mut local = Scope::new();
        for (name, expression) in &model.inputs {
            let value = evaluate(expression, &local, &self.variables)?;
            local.insert(name.clone(), value);
        }
        let activity_instance = self.visit(&model.id, "serviceTask", now, None);
        self.task = Some(Task {
            id: self.fresh("task"),
            step,
            execution: self.fresh("execution"),
            activity_instance,
            created: now,
            priority: model.priority.unwrap_or(0),
            worker: None,
            locked_until: None,
            retries: None,
            message: None,
            details: None,
            local,
        });
        self.record(Event::Created, now);
        Ok(())
    }

    fn leave(&mut self, event: Event, cancelled: bool, now: Instant) {
        self.record(event, now);
        self.incident = None;
        let Some(task) = self.task.take() else { return };
        if let Some(step) = self.steps.iter_mut().find(|it| it.id == task.activity_instance) {
            step.ended = Some(now);
            step.cancelled = cancelled;
        }
        self.past.push((task.activity_instance, task.local));
    }

    fn end(&mut self, event: Option<&str>, now: Instant) {
        if let Some(event) = event {
            self.visit(event, "noneEndEvent", now, Some(now));
        }
        self.state = InstanceState::Completed;
        self.ended = Some(now);
    }

    fn visit(&mut self, element: &str, kind: &'static str, began: Instant, ended: Option<Instant>) -> String {
        let id = self.fresh(element);
        self.steps.push(Step {
            id: id.clone(),
            element: element.to_owned(),
            kind,
            began,
            ended,
            cancelled: false,
        });
        id
    }

    fn record(&mut self, event: Event, now: Instant) {
        let Some((task, step)) = self.standing() else {
            return;
        };
        let id = self.fresh("log");
        self.log.push(Log {
            id,
            at: now,
            event,
            element: step.id,
            task,
        });
    }

    /// An id that no other thing in the engine has, and that says what it is of.
    fn fresh(&mut self, what: &str) -> String {
        self.given += 1;
        format!("{what}:{}:{}", self.id, self.given)
    }
}

impl Task {
    /// Whether a worker may fetch it.
    pub(super) fn is_free(&self, now: Instant) -> bool {
        self.retries.is_none_or(|retries| retries > 0) && !self.is_locked(now)
    }

    pub(super) fn is_locked(&self, now: Instant) -> bool {
        self.locked_until.is_some_and(|until| until > now)
    }
}

/// Text, or one variable as `${name}`.
fn evaluate(expression: &str, local: &Scope, process: &Scope) -> Result<Value, Refused> {
    if !expression.contains("${") && !expression.contains("#{") {
        return Ok(Value::text(expression));
    }
    let name = expression
        .strip_prefix("${")
        .and_then(|rest| rest.strip_suffix('}'))
        .filter(|name| name.chars().all(|it| it.is_alphanumeric() || it == '_'));
    let Some(name) = name else {
        return Err(Refused::not_offered(&format!(
            "the expression {expression}; of expressions it evaluates one variable, ${{name}}"
        )));
    };
    let value = local.get(name).or_else(|| process.get(name));
    value.map(Value::evaluated).ok_or_else(|| {
        Refused::internal(format!(
            "Unknown property used in expression: {expression}. Cause: Cannot resolve identifier '{name}'"
        ))
    })
}
