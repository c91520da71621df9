//! What the engine is told of an attempt's end.

use std::time::Duration;

use engine_client::{BpmnErrorReport, Completion, EngineClient, EngineError, FailureReport};
use worker_api::Failure;

use crate::event::Ended;
use crate::prepare::AGAIN;

/// A report as it goes to the engine.
#[derive(Debug)]
pub(crate) enum Report {
    Complete(Completion),
    Throw(BpmnErrorReport),
    Fail(FailureReport),
    /// Nothing is told but that the lock ends after this long, which counts as no attempt and leaves no trace.
    Postpone(Duration),
    /// That the engine has refused the report of a failure; there is nothing after it.
    LastWord(FailureReport),
}

impl Report {
    /// Sends it, in the name of the worker that has locked the task.
    pub(crate) async fn send(
        &self,
        engine: &EngineClient,
        task_id: &str,
        worker_id: &str,
    ) -> Result<(), EngineError> {
        match self {
            Self::Complete(completion) => engine.complete(task_id, worker_id, completion).await,
            Self::Throw(error) => engine.throw_bpmn_error(task_id, worker_id, error).await,
            // The engine refuses a lock without duration.
            Self::Postpone(after) => {
                let lock = (*after).max(Duration::from_millis(1));
                engine.extend_lock(task_id, worker_id, lock).await
            }
            Self::Fail(failure) | Self::LastWord(failure) => engine.fail(task_id, worker_id, failure).await,
        }
    }

    /// How the attempt has ended, once the engine has taken this.
    pub(crate) fn ended(&self) -> Ended {
        match self {
            Self::Complete(_) => Ended::Completed,
            Self::Throw(_) => Ended::BpmnError,
            Self::Postpone(_) => Ended::Dropped,
            Self::Fail(report) | Self::LastWord(report) if report.retries == 0 => Ended::Incident,
            Self::Fail(_) | Self::LastWord(_) => Ended::Failed,
        }
    }

    /// When the engine offers the task again, once it has taken this.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Fail(report) | Self::LastWord(report) if report.retries > 0 => Some(report.retry_timeout),
            Self::Postpone(after) => Some(*after),
            _ => None,
        }
    }

    /// The report that takes the place of this one, which the engine has refused, if any may.
    pub(crate) fn instead(&self, failure: FailureReport) -> Option<Self> {
        match self {
            Self::Complete(_) | Self::Throw(_) | Self::Postpone(_) => Some(Self::Fail(failure)),
            Self::Fail(_) => Some(Self::LastWord(failure)),
            Self::LastWord(_) => None,
        }
    }
}

/// What an operator is told of a report that the engine will not take.
pub(crate) fn refused(report: &Report, error: &EngineError) -> Failure {
    let said = error
        .engine_message()
        .map_or_else(|| error.to_string(), str::to_owned);
    let message = match report {
        Report::Throw(thrown) => {
            format!(
                "BPMN error {} could not be thrown: {said}; the error said: {}",
                thrown.code, thrown.message
            )
        }
        Report::Postpone(_) => {
            return Failure::retryable(format!(
                "the task was to be run later, and its lock could not be changed: {said}"
            ));
        }
        Report::Complete(_) => format!("the process could not go on with this task's result: {said}"),
        Report::Fail(_) | Report::LastWord(_) => {
            return Failure::permanent(
                "the task failed, and the engine refused the report of why; the worker's log has it",
            );
        }
    };
    Failure::permanent(message).with_details(format!(
        "{error}\n\nThe task itself has run. Look at its output parameters and at what follows it in the model: \
         an expression there may fail. {AGAIN}"
    ))
}
