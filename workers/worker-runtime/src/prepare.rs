//! From a verdict to the report that the engine gets, for which the model may have to be asked.

use std::collections::BTreeMap;
use std::time::Duration;

use engine_client::{BpmnErrorReport, Completion, EngineError, LockedTask, limits};
use worker_api::{Answer, BpmnError, Failure, Value};

use crate::pool::Shared;
use crate::report::Report;
use crate::verdict::{Attempts, Verdict, uncaught};
use crate::{backoff, convert};

/// The extension property that names the process variable which gets the whole answer.
const RESULT_VARIABLE: &str = "resultVariable";

/// A report, and whether it tells the outcome itself, and not what else went wrong on the way.
pub(crate) struct Prepared {
    pub(crate) report: Report,
    pub(crate) tells: bool,
}

/// Makes the report, for which the model may have to be asked: what it catches, and whether it has use for an
/// answer's fields.
pub(crate) async fn prepare(
    shared: &Shared,
    task: &LockedTask,
    verdict: Verdict,
    attempts: &Attempts,
) -> Prepared {
    let mut tells = true;
    let report = match verdict {
        Verdict::Fail(report) => Report::Fail(report),
        Verdict::Postpone(after) => Report::Postpone(after),
        Verdict::Complete(answer) => match completion(shared, task, answer).await {
            Ok(completion) => Report::Complete(completion),
            Err(failure) => Report::Fail(attempts.fail(&failure)),
        },
        Verdict::Throw(error) => match caught_code(shared, task, &error).await {
            Ok(Some(code)) => match thrown(task, error, code) {
                Ok(report) => Report::Throw(report),
                Err(failure) => {
                    tells = false;
                    Report::Fail(attempts.fail(&failure))
                }
            },
            Ok(None) => Report::Fail(attempts.fail(&uncaught(&error, &task.activity_id))),
            Err(failure) => {
                tells = false;
                let message = format!("{error}; and {}", failure.message);
                Report::Fail(attempts.fail(&Failure { message, ..failure }))
            }
        },
    };
    Prepared { report, tells }
}

async fn completion(shared: &Shared, task: &LockedTask, answer: Answer) -> Result<Completion, Failure> {
    let mut completion = Completion::default();
    let fields = answer.into_fields();
    if let Some(name) = task.extension_properties.get(RESULT_VARIABLE) {
        let result = convert::object(&fields).map_err(has_run)?;
        completion.variables.insert(name.clone(), result);
    }
    if !fields.is_empty() && ask_model(|| shared.definitions.takes_outputs(task)).await? {
        if fields.len() > MOST_FIELDS {
            return Err(has_run(Failure::permanent(format!(
                "the task's answer has {} fields, and {MOST_FIELDS} variables are the most that a task may write; \
                 answer one structured field",
                fields.len()
            ))));
        }
        let content = tokio::time::timeout(LONGEST_CONTENT, convert::variables(fields)).await;
        let content = content.unwrap_or_else(|_| {
            let message =
                format!("the content of the task's files did not arrive within {LONGEST_CONTENT:?}");
            Err(Failure::retryable(message))
        });
        completion.local_variables = content.map_err(has_run)?;
    }
    check(&completion.variables)?;
    check(&completion.local_variables)?;
    Ok(completion)
}

/// How long the files of an answer may take to be read, all together.
const LONGEST_CONTENT: Duration = Duration::from_secs(300);

/// Each is a row in the engine's database, and one more in its history.
const MOST_FIELDS: usize = 1000;

/// What the engine cannot keep would be refused for ever.
fn check(variables: &engine_client::Variables) -> Result<(), Failure> {
    limits::check(variables).map_err(|error| {
        has_run(Failure::permanent(format!(
            "the engine cannot keep the task's answer: {error}"
        )))
    })
}

/// What another attempt does to a task that has run.
pub(crate) const AGAIN: &str = "Trying again runs the task again, unless it is one that is done once, such as a POST: that \
                                completes with the answer that it had.";

/// What an operator needs to know before trying again.
fn has_run(failure: Failure) -> Failure {
    let details = format!("{failure}\n\nThe task itself has run. {AGAIN}");
    failure.with_details(details)
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

/// An engine that breaks so often at the same question has more than a moment's trouble. It takes about two minutes.
const MOST_BROKEN: u32 = 16;

/// Asks until the engine answers; a no is final.
async fn ask_model<F>(question: impl Fn() -> F) -> Result<bool, Failure>
where
    F: Future<Output = Result<bool, EngineError>>,
{
    let (mut delays, mut broken) = (backoff::delays(), 0);
    loop {
        match question().await {
            Ok(answer) => return Ok(answer),
            Err(error) if error.is_transient() || error.is_internal() && broken < MOST_BROKEN => {
                broken += u32::from(!error.is_transient());
                tokio::time::sleep(delays.next().unwrap_or(backoff::LONGEST)).await;
            }
            Err(error) if error.is_internal() => {
                let failure = Failure::retryable(format!("the engine cannot show the task's model: {error}"));
                return Err(has_run(failure));
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
fn thrown(task: &LockedTask, error: BpmnError, code: String) -> Result<BpmnErrorReport, Failure> {
    let BpmnError {
        message,
        mut variables,
        ..
    } = error;
    let mut report = BpmnErrorReport {
        code,
        // A model may have it put into a variable, which takes no more.
        message: limits::shortened(&message, limits::LONGEST_STRING).into_owned(),
        variables: BTreeMap::new(),
    };
    if let Some(name) = task.extension_properties.get(RESULT_VARIABLE) {
        variables.insert("code".to_owned(), Value::String(error.code));
        variables.insert("message".to_owned(), Value::String(message));
        let variables = convert::object(&variables).map_err(has_run)?;
        report.variables.insert(name.clone(), variables);
    }
    check(&report.variables)?;
    Ok(report)
}
