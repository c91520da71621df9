//! What an adapter says when it is done with a task.

use std::time::Duration;

use crate::{Value, Variables};

/// The end of one attempt at a task.
pub type Outcome = Result<Answer, TaskError>;

/// The answer of a task that is done: its fields become local variables of the task, for output parameters to
/// use. Where the model sets the extension property `resultVariable`, the process variable of that name gets
/// the whole answer as one object.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer {
    fields: Variables,
}

impl Answer {
    /// An answer without fields.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a field, in place of one of the same name.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.fields.insert(name.into(), value.into());
        self
    }

    /// The fields by name.
    #[must_use]
    pub fn fields(&self) -> &Variables {
        &self.fields
    }

    /// The fields by name, taken out.
    #[must_use]
    pub fn into_fields(self) -> Variables {
        self.fields
    }
}

/// Why an attempt did not end with an answer.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum TaskError {
    /// A business error that the process may catch.
    #[error(transparent)]
    Bpmn(#[from] BpmnError),
    /// A technical failure: tried again, or an incident for an operator.
    #[error(transparent)]
    Failure(#[from] Failure),
    /// Not now: the task goes back to the engine.
    #[error(transparent)]
    Postponed(#[from] Postponed),
}

/// Not now: the task is given back to the engine, which offers it again after a while. This counts as no attempt and
/// leaves no trace in the task's history, so it can go on without end: for work that waits for its turn, not for
/// work that has failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}; offered again after {after:?}")]
pub struct Postponed {
    /// What it waits for.
    pub reason: String,
    /// How long until the engine offers it again.
    pub after: Duration,
}

impl Postponed {
    /// Given back for this long, for this reason.
    #[must_use]
    pub fn new(reason: impl Into<String>, after: Duration) -> Self {
        Self {
            reason: reason.into(),
            after,
        }
    }
}

/// A business error with a documented code in `UPPER_SNAKE`. It is thrown in the process only where the
/// definition, or a calling one, catches the code; elsewhere it becomes an incident that names the code.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct BpmnError {
    /// The code that a boundary event or event subprocess refers to.
    pub code: String,
    /// A code that stands for a family of errors, such as `HTTP_4XX`: thrown in place of [`Self::code`] where the
    /// process catches the general code and not the particular one.
    pub general_code: Option<String>,
    /// What went wrong, for the catching event's message variable.
    pub message: String,
    /// All that is known beyond that, such as a traceback: for the operator, where it becomes an incident.
    pub details: Option<String>,
    /// Values for whoever catches it, written beside the error.
    pub variables: Variables,
}

impl BpmnError {
    /// A business error without variables.
    #[must_use]
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            code: code.into(),
            general_code: None,
            message: message.into(),
            details: None,
            variables: Variables::new(),
        }
    }

    /// Sets the general code that is thrown where the process does not catch the particular one.
    #[must_use]
    pub fn or(mut self, code: impl Into<String>) -> Self {
        self.general_code = Some(code.into());
        self
    }

    /// Adds what is known beyond the message, for the operator where nothing catches the error.
    #[must_use]
    pub fn with_details(mut self, details: impl Into<String>) -> Self {
        self.details = Some(details.into());
        self
    }

    /// Adds a variable for whoever catches the error.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.variables.insert(name.into(), value.into());
        self
    }
}

/// A technical failure.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// One sentence: what failed, where, and what to do about it.
    pub message: String,
    /// All that is known beyond that: a cause chain, a traceback, an answer's text.
    pub details: Option<String>,
    /// Whether and when to try again.
    pub retry: Retry,
    /// Names by which a model's [`ErrorMap`](crate::ErrorMap) can mean this failure, in `UPPER_SNAKE`, such as
    /// `HTTP_503` and `HTTP_5XX`. None are needed: every failure can be meant as `failure`.
    pub codes: Vec<String>,
    /// Whether it is certain that nothing has happened outside, so that trying again repeats nothing. It counts only
    /// where the effect is to happen [once](crate::Effect::Once).
    pub nothing_done: bool,
}

/// Whether a failed task is tried again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Retry {
    /// As the task's retry policy says.
    #[default]
    ByPolicy,
    /// As the policy says in number, but not before this long from now: the peer asked for it.
    NotBefore(Duration),
    /// Never: trying again would fail in the same way. An incident at once.
    Never,
}

impl Failure {
    /// A failure that is tried again as the task's retry policy says.
    #[must_use]
    pub fn retryable(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            details: None,
            retry: Retry::ByPolicy,
            codes: Vec::new(),
            nothing_done: false,
        }
    }

    /// A failure that trying again cannot mend: an incident at once.
    #[must_use]
    pub fn permanent(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            details: None,
            retry: Retry::Never,
            codes: Vec::new(),
            nothing_done: false,
        }
    }

    /// Adds what is known beyond the message.
    #[must_use]
    pub fn with_details(mut self, details: impl Into<String>) -> Self {
        self.details = Some(details.into());
        self
    }

    /// Sets whether and when to try again.
    #[must_use]
    pub fn with_retry(mut self, retry: Retry) -> Self {
        self.retry = retry;
        self
    }

    /// Adds a name by which a model's [`ErrorMap`](crate::ErrorMap) can mean this failure.
    #[must_use]
    pub fn with_code(mut self, code: impl Into<String>) -> Self {
        self.codes.push(code.into());
        self
    }

    /// Says that it is certain that nothing has happened outside: the failure came before anything was sent, or the
    /// service says that it has done nothing.
    #[must_use]
    pub fn nothing_done(mut self) -> Self {
        self.nothing_done = true;
        self
    }

    /// Adds the chain of an error's causes, one a line, as details.
    #[must_use]
    pub fn caused_by(self, error: &dyn std::error::Error) -> Self {
        let chain = std::iter::successors(Some(error), |error| error.source());
        let lines: Vec<String> = chain.map(ToString::to_string).collect();
        self.with_details(lines.join("\ncaused by: "))
    }
}
