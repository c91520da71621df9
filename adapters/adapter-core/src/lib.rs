//! Tasks that need no service: `input_validation` checks a value against a JSON Schema, `response_formatting`
//! turns a value into text with a template, `json_transform` into another value with a filter, `csv_parse` reads a table,
//! `date_calculate` calculates with dates.

use std::ffi::OsString;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::OnceLock;

use rayon::{ThreadPool, ThreadPoolBuilder};
use tokio::sync::oneshot;
use worker_api::{
    Adapter, AdapterDescription, Effect, Failure, Outcome, TaskContext, TopicDescription, async_trait,
};

mod dates;
mod expansion;
mod formatting;
mod rendering;
mod table;
mod transform;
mod validation;

#[cfg(test)]
mod testing;

use transform::Transformer;
pub use transform::serve as serve_transformation;

/// The adapter's name in routes.
pub const NAME: &str = "core";

/// The argument with which a program that has this adapter runs a filter, and nothing else.
pub const TRANSFORM: &str = "transform";

/// The adapter of the tasks that need no service. It has no settings.
#[derive(Debug)]
pub struct CoreAdapter {
    /// Validation and formatting compute, so they run beside the async runtime and on as many threads as there are
    /// cores: a schema or template that is slow on purpose delays its like and nothing else. They are started with
    /// the first task. (The runtime's own threads for blocking work come and go by the dozen, with memory for each.)
    threads: OnceLock<Result<ThreadPool, String>>,
    transformer: Transformer,
}

impl CoreAdapter {
    /// The adapter. For filters it starts this program with the argument `transform`, which has to call
    /// [`serve_transformation`] then and nothing else.
    #[must_use]
    pub fn new() -> Self {
        Self::transforming_by(transform::this_program(), [TRANSFORM])
    }

    /// The adapter, with another program for filters.
    #[must_use]
    pub fn transforming_by(
        program: impl Into<PathBuf>,
        arguments: impl IntoIterator<Item = impl Into<OsString>>,
    ) -> Self {
        let arguments = arguments.into_iter().map(Into::into).collect();
        Self {
            threads: OnceLock::new(),
            transformer: Transformer::new(program.into(), arguments),
        }
    }

    /// Runs computing work beside the async runtime. Dropping the future does not stop work that has begun, and work
    /// that has not is never done.
    async fn compute(&self, work: impl FnOnce() -> Outcome + Send + 'static) -> Outcome {
        let start = || {
            ThreadPoolBuilder::new()
                .thread_name(|index| format!("core-{index}"))
                .build()
                .map_err(|error| error.to_string())
        };
        let threads = self.threads.get_or_init(start).as_ref().map_err(|error| {
            Failure::retryable(format!("the system gives no threads to compute with: {error}"))
        })?;
        let (answer, outcome) = oneshot::channel();
        threads.spawn(move || {
            if !answer.is_closed() {
                // Nobody may wait for it any more.
                let _ = answer.send(catch_unwind(AssertUnwindSafe(work)));
            }
        });
        match outcome.await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) | Err(_) => Err(Failure::permanent(
                "the task's work broke off: this is a fault of ProcOS, please report it",
            )
            .into()),
        }
    }
}

impl Default for CoreAdapter {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl Adapter for CoreAdapter {
    fn description(&self) -> AdapterDescription {
        AdapterDescription::new(NAME, "Checks, formats and reads values; needs no service")
            .topic(
                TopicDescription::new::<validation::Inputs, validation::Validity>(
                    validation::TOPIC,
                    "Checks a value against a JSON Schema",
                )
                .asks(["value", "schema", "on_invalid"])
                .keeps(["valid", "errors"])
                .error(
                    validation::ERROR,
                    "The value does not fit the schema and on_invalid is error",
                ),
            )
            .topic(
                TopicDescription::new::<formatting::Inputs, formatting::Formatted>(
                    formatting::TOPIC,
                    "Turns a value into text with a template",
                )
                .asks(["value", "template"])
                .keeps(["text"])
                .version(2),
            )
            .topic(
                TopicDescription::new::<transform::Inputs, transform::Transformed>(
                    transform::TOPIC,
                    "Turns a value into another with a filter of jq",
                )
                .asks(["value", "filter", "arguments", "many"])
                .keeps(["result"])
                .error(
                    transform::ERROR,
                    "The filter fails on this value, or throws an error; `value` has what it throws",
                ),
            )
            .topic(
                TopicDescription::new::<dates::Inputs, dates::Calculated>(
                    dates::TOPIC,
                    "Calculates with dates and business days",
                )
                .asks([
                    "date",
                    "add",
                    "business_days",
                    "holidays",
                    "timezone",
                    "until",
                    "format",
                ])
                .keeps(["date", "text"])
                .error(
                    dates::ERROR,
                    "What is given as a date is none; `input` says which input",
                ),
            )
            .topic(
                TopicDescription::new::<table::Inputs, table::Table>(table::TOPIC, "Reads a table in CSV")
                    .asks(["csv", "delimiter", "header", "numbers"])
                    .keeps(["rows"])
                    .error(table::ERROR, "The text is no table; `line` says where"),
            )
    }

    fn effect(&self, _: &TaskContext) -> Effect {
        Effect::Repeatable
    }

    async fn execute(&self, context: TaskContext) -> Outcome {
        match context.operation.as_str() {
            validation::TOPIC => {
                let inputs = context.inputs()?;
                self.compute(move || validation::validate(inputs)).await
            }
            formatting::TOPIC => {
                let inputs = context.inputs()?;
                self.compute(move || formatting::format(inputs)).await
            }
            transform::TOPIC => transform::transform(&context.inputs()?, &self.transformer).await,
            dates::TOPIC => dates::calculate(&context.inputs()?),
            table::TOPIC => {
                let inputs = context.inputs()?;
                let content = table::content(&context).await?;
                self.compute(move || table::parse(&content, &inputs)).await
            }
            other => Err(Failure::permanent(format!(
                "the adapter {NAME} has no topic `{other}`: use {}, {}, {}, {} or {}",
                validation::TOPIC,
                formatting::TOPIC,
                transform::TOPIC,
                dates::TOPIC,
                table::TOPIC
            ))
            .into()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "test code")]

    use std::collections::HashSet;
    use std::sync::{Arc, Mutex};
    use std::thread;

    use worker_api::{Answer, TaskError};

    use super::*;

    #[tokio::test]
    async fn work_is_done_on_no_more_threads_than_there_are_cores() {
        let adapter = Arc::new(CoreAdapter::new());
        let seen = Arc::new(Mutex::new(HashSet::new()));
        let mut running = tokio::task::JoinSet::new();
        for _ in 0..200 {
            let (adapter, seen) = (Arc::clone(&adapter), Arc::clone(&seen));
            running.spawn(async move {
                let work = move || {
                    seen.lock().unwrap().insert(thread::current().id());
                    Ok(Answer::new())
                };
                adapter.compute(work).await.unwrap();
            });
        }
        running.join_all().await;
        let cores = thread::available_parallelism().unwrap().get();
        let seen = seen.lock().unwrap();
        assert!(
            (1..=cores).contains(&seen.len()),
            "{} on {cores} cores",
            seen.len()
        );
        assert!(!seen.contains(&thread::current().id()), "beside the runtime");
    }

    #[tokio::test]
    async fn work_that_panics_costs_its_own_task_alone() {
        let adapter = CoreAdapter::new();
        for _ in 0..8 {
            let broken = adapter.compute(|| panic!("on purpose")).await;
            assert!(matches!(broken, Err(TaskError::Failure(_))), "{broken:?}");
        }
        assert!(adapter.compute(|| Ok(Answer::new())).await.is_ok());
    }
}
