//! Tasks that need no service: `input_validation` checks a value against a JSON Schema, `response_formatting`
//! turns a value into text with a template.

use std::sync::Arc;

use tokio::sync::Semaphore;
use worker_api::{Adapter, AdapterDescription, Failure, Outcome, TaskContext, TopicDescription, async_trait};

mod expansion;
mod formatting;
mod rendering;
mod validation;

#[cfg(test)]
mod testing;

/// The adapter's name in routes.
pub const NAME: &str = "core";

/// The adapter of the tasks that need no service. It has no settings.
#[derive(Debug)]
pub struct CoreAdapter {
    /// Validation and formatting compute, so they run beside the async runtime and on no more threads than there
    /// are cores: a schema or template that is slow on purpose delays its like and nothing else.
    threads: Arc<Semaphore>,
}

impl CoreAdapter {
    /// The adapter.
    #[must_use]
    pub fn new() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            threads: Arc::new(Semaphore::new(cores)),
        }
    }

    /// Runs computing work beside the async runtime. Dropping the future does not stop work that has begun; it
    /// keeps its place among the threads until it is done.
    async fn compute(&self, work: impl FnOnce() -> Outcome + Send + 'static) -> Outcome {
        let threads = Arc::clone(&self.threads);
        let place = threads
            .acquire_owned()
            .await
            .map_err(|_| Failure::retryable("the worker is stopping; the task is tried again elsewhere"))?;
        let running = tokio::task::spawn_blocking(move || {
            let outcome = work();
            drop(place);
            outcome
        });
        running.await.map_err(|error| {
            Failure::permanent("the task's work broke off: this is a fault of ProcOS, please report it")
                .caused_by(&error)
        })?
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
        AdapterDescription::new(NAME, "Checks and formats values; needs no service")
            .topic(
                TopicDescription::new::<validation::Inputs, validation::Validity>(
                    validation::TOPIC,
                    "Checks a value against a JSON Schema",
                )
                .error(
                    validation::ERROR,
                    "The value does not fit the schema and on_invalid is error",
                ),
            )
            .topic(
                TopicDescription::new::<formatting::Inputs, formatting::Formatted>(
                    formatting::TOPIC,
                    "Turns a value into text with a template",
                ),
            )
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
            other => Err(Failure::permanent(format!(
                "the adapter {NAME} has no topic `{other}`: use {} or {}",
                validation::TOPIC,
                formatting::TOPIC
            ))
            .into()),
        }
    }
}
