//! Tells the engine how an attempt ended, until it has taken or refused the report.

use std::collections::BTreeMap;
use std::time::Duration;

use engine_client::{BpmnErrorReport, Completion, EngineError, FailureReport, LockedTask};
use worker_api::{Answer, BpmnError, Failure, Value};

use crate::event::Ended;
use crate::pool::Shared;
use crate::verdict::{Attempts, Verdict, uncaught};
use crate::{backoff, convert};

/// The extension property that names the process variable which gets the whole answer.
const RESULT_VARIABLE: &str = "resultVariable";

/// How an attempt ended in the end.
pub(crate) struct Reported {
    pub(crate) ended: Ended,
    /// Whether the engine offers the task again as soon as it has heard: a poll may bring it before we know that.
    pub(crate) offered_at_once: bool,
}

/// A retry that is due within this time may be brought by a poll that was under way at the report.
const AT_ONCE: Duration = Duration::from_secs(1);

/// Reports a verdict and says how the attempt ended in the end. Given up, without an error, when the pool gives up.
pub(crate) async fn report(
    shared: &Shared,
    task: &LockedTask,
    verdict: Verdict,
    attempts: &Attempts,
) -> Reported {
    let reporting = async {
        let mut report = prepare(shared, task, verdict, attempts).await;
        let mut delays = backoff::delays();
        loop {
            let error = match send(shared, task, &report).await {
                Ok(()) => return report.taken(shared),
                Err(error) => error,
            };
            match after_refusal(shared, task, &report, error).await {
                Next::Over(ended) => return ended,
                Next::Instead(failure) => report = report.instead(attempts.fail(&failure)),
                Next::Repeat => tokio::time::sleep(delays.next().unwrap_or(Duration::from_secs(10))).await,
            }
        }
    };
    shared
        .giving_up
        .run_until_cancelled(reporting)
        .await
        .unwrap_or(Reported::DROPPED)
}

impl Reported {
    /// Nothing was reported.
    pub(crate) const DROPPED: Self = Self {
        ended: Ended::Dropped,
        offered_at_once: true,
    };
}

/// A report as it goes to the engine.
enum Report {
    Complete(Completion),
    Throw(BpmnErrorReport),
    Fail(FailureReport),
    /// That the engine has refused the report of a failure; there is nothing after it.
    LastWord(FailureReport),
}

/// What follows a report that the engine has not taken.
enum Next {
    /// Nothing: the task is gone, done or somebody else's.
    Over(Reported),
    /// The engine will never take it: a failure is reported in its place, so that somebody sees it.
    Instead(Failure),
    /// The same report again, later.
    Repeat,
}

impl Report {
    /// The failure that is reported where the engine refuses this report.
    fn instead(&self, failure: FailureReport) -> Self {
        match self {
            Self::Complete(_) | Self::Throw(_) => Self::Fail(failure),
            Self::Fail(_) | Self::LastWord(_) => Self::LastWord(failure),
        }
    }

    fn taken(&self, shared: &Shared) -> Reported {
        let (ended, retry) = match self {
            Self::Complete(_) => (Ended::Completed, None),
            Self::Throw(_) => (Ended::BpmnError, None),
            Self::Fail(report) | Self::LastWord(report) if report.retries == 0 => (Ended::Incident, None),
            Self::Fail(report) | Self::LastWord(report) => (Ended::Failed, Some(report.retry_timeout)),
        };
        if let Some(delay) = retry {
            shared.nudger.after(delay);
        }
        Reported {
            ended,
            offered_at_once: retry.is_some_and(|delay| delay < AT_ONCE),
        }
    }
}

/// Makes the report, for which the model may have to be asked: what it catches, and whether it has use for an
/// answer's fields.
async fn prepare(shared: &Shared, task: &LockedTask, verdict: Verdict, attempts: &Attempts) -> Report {
    match verdict {
        Verdict::Fail(report) => Report::Fail(report),
        Verdict::Complete(answer) => match completion(shared, task, answer).await {
            Ok(completion) => Report::Complete(completion),
            Err(failure) => Report::Fail(attempts.fail(&failure)),
        },
        Verdict::Throw(error) => match caught_code(shared, task, &error).await {
            Ok(Some(code)) => Report::Throw(thrown(task, error, code)),
            Ok(None) => Report::Fail(attempts.fail(&uncaught(&error, &task.activity_id))),
            Err(failure) => Report::Fail(attempts.fail(&failure)),
        },
    }
}

async fn completion(shared: &Shared, task: &LockedTask, answer: Answer) -> Result<Completion, Failure> {
    let mut completion = Completion::default();
    if let Some(name) = task.extension_properties.get(RESULT_VARIABLE) {
        completion
            .variables
            .insert(name.clone(), convert::object(answer.fields()));
    }
    if !answer.fields().is_empty() && ask_model(|| shared.definitions.takes_outputs(task)).await? {
        completion.local_variables = convert::variables(answer.into_fields());
    }
    Ok(completion)
}

/// The code under which the error is caught: its own before its general one.
async fn caught_code(
    shared: &Shared,
    task: &LockedTask,
    error: &BpmnError,
) -> Result<Option<String>, Failure> {
    for code in std::iter::once(&error.code).chain(&error.general_code) {
        if ask_model(|| shared.definitions.catches(task, code)).await? {
            return Ok(Some(code.clone()));
        }
    }
    Ok(None)
}

/// Asks until the engine answers; a no is final.
async fn ask_model<F>(question: impl Fn() -> F) -> Result<bool, Failure>
where
    F: Future<Output = Result<bool, EngineError>>,
{
    let mut delays = backoff::delays();
    loop {
        match question().await {
            Ok(answer) => return Ok(answer),
            Err(error) if error.is_transient() || error.is_internal() => {
                tokio::time::sleep(delays.next().unwrap_or(Duration::from_secs(10))).await;
            }
            Err(error) => {
                let failure = Failure::permanent(format!("the worker cannot read the task's model: {error}"));
                return Err(failure.with_details(
                    "The worker's login needs to read process definitions, process instances and their history.",
                ));
            }
        }
    }
}

/// What else the error says goes into the variable that the model names for the result, and nowhere else: the
/// engine would spread it over the process.
fn thrown(task: &LockedTask, error: BpmnError, code: String) -> BpmnErrorReport {
    let BpmnError {
        message,
        mut variables,
        ..
    } = error;
    let mut report = BpmnErrorReport {
        code: code.clone(),
        message: message.clone(),
        variables: BTreeMap::new(),
    };
    if let Some(name) = task.extension_properties.get(RESULT_VARIABLE) {
        variables.insert("code".to_owned(), Value::String(error.code));
        variables.insert("message".to_owned(), Value::String(message));
        report.variables.insert(name.clone(), convert::object(&variables));
    }
    report
}

async fn send(shared: &Shared, task: &LockedTask, report: &Report) -> Result<(), EngineError> {
    let _turn = shared.reports.acquire().await;
    let (engine, worker_id) = (&shared.engine, shared.worker_id.as_str());
    match report {
        Report::Complete(completion) => engine.complete(&task.id, worker_id, completion).await,
        Report::Throw(error) => engine.throw_bpmn_error(&task.id, worker_id, error).await,
        Report::Fail(failure) | Report::LastWord(failure) => engine.fail(&task.id, worker_id, failure).await,
    }
}

async fn after_refusal(shared: &Shared, task: &LockedTask, report: &Report, error: EngineError) -> Next {
    if error.is_not_found() {
        // Done by a report whose answer got lost, or cancelled with its instance.
        tracing::debug!("the task is gone");
        return Next::Over(report.taken(shared));
    }
    if error.is_transient() || error.is_unauthorized() || error.is_forbidden() {
        tracing::debug!(%error, "the report was not taken; it is sent again");
        return Next::Repeat;
    }
    // The lock is somebody else's, the report itself is wrong, or the engine is in trouble: whether the engine
    // lets us extend the lock tells these apart.
    let ours = shared
        .engine
        .extend_lock(&task.id, &shared.worker_id, shared.settings.lock_duration)
        .await;
    match ours {
        Ok(()) => match report {
            Report::LastWord(_) => {
                tracing::warn!(%error, "the engine refuses every report on this task; it is tried again and again");
                Next::Repeat
            }
            Report::Fail(failure) => {
                let (message, details) = (&failure.message, &failure.details);
                tracing::warn!(%error, message, details, "the engine refused the report of a failure");
                Next::Instead(refused(report, &error))
            }
            Report::Complete(_) | Report::Throw(_) => Next::Instead(refused(report, &error)),
        },
        Err(probe) if probe.is_not_found() => Next::Over(report.taken(shared)),
        Err(probe) if probe.is_not_owner() => {
            tracing::warn!(%error, "the task is not this worker's any more; its outcome is dropped");
            Next::Over(Reported::DROPPED)
        }
        Err(_) => Next::Repeat,
    }
}

fn refused(report: &Report, error: &EngineError) -> Failure {
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
        Report::Complete(_) => format!("the process could not go on with this task's result: {said}"),
        Report::Fail(_) | Report::LastWord(_) => {
            return Failure::permanent(
                "the task failed, and the engine refused the report of why; the worker's log has it",
            );
        }
    };
    Failure::permanent(message).with_details(format!(
        "{error}\n\nThe task itself has run. Look at its output parameters and at what follows it in the model: \
         an expression there may fail. Trying again runs the task again."
    ))
}
