//! The span around a task, and around a topic that it calls.

use tracing::field::Empty;
use tracing::{Instrument, Span};
use worker_api::{Middleware, Next, Outcome, Task, TaskContext, TaskError, async_trait};

/// The span `external_task` of an attempt. It is opened before the task's inputs are read and closed when its report
/// is taken, so that whatever is logged in between names the task.
pub(crate) fn span(task: &Task) -> Span {
    tracing::info_span!(
        "external_task",
        topic = task.topic,
        task = task.id,
        instance = task.process_instance_id,
        activity = task.activity_id,
        process = task.process_definition_key,
        attempt = task.attempt,
        adapter = Empty,
        outcome = Empty,
    )
}

/// Notes adapter and outcome on the attempt's span; gives a called topic one of its own inside.
pub(super) struct Spans;

#[async_trait]
impl Middleware for Spans {
    fn name(&self) -> &'static str {
        "tracing"
    }

    async fn handle(&self, context: TaskContext, next: Next<'_>) -> Outcome {
        let span = if context.depth() == 0 {
            Span::current()
        } else {
            span(&context.task)
        };
        span.record("adapter", context.adapter.as_str());
        let outcome = if context.depth() == 0 {
            next.run(context).await
        } else {
            next.run(context).instrument(span.clone()).await
        };
        span.record("outcome", name(&outcome));
        outcome
    }
}

fn name(outcome: &Outcome) -> &str {
    match outcome {
        Ok(_) => "answer",
        Err(TaskError::Bpmn(error)) => &error.code,
        Err(TaskError::Failure(_)) => "failure",
        Err(TaskError::Postponed(_)) => "postponed",
    }
}
