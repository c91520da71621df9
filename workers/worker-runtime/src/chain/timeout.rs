//! The adapter's own time, and its panics.

use std::panic::AssertUnwindSafe;

use futures::FutureExt;
use tokio::time::{Instant, timeout_at};
use worker_api::{Failure, Middleware, Next, Outcome, TaskContext, async_trait};

use super::broken;

/// Innermost: gives the adapter the time that model, route or pool allow from now, and makes a failure of what does
/// not end or panics.
pub(super) struct Timeout;

#[async_trait]
impl Middleware for Timeout {
    fn name(&self) -> &'static str {
        "timeout"
    }

    async fn handle(&self, mut context: TaskContext, next: Next<'_>) -> Outcome {
        let now = Instant::now().into_std();
        context.start_clock(now);
        let (adapter, topic) = (context.adapter.clone(), context.task.topic.clone());
        let deadline = context.deadline;
        let work = AssertUnwindSafe(next.run(context)).catch_unwind();
        match timeout_at(deadline.into(), work).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(panic)) => Err(broken(&format!("the adapter `{adapter}`"), panic.as_ref()).into()),
            Err(_) => Err(Failure::retryable(format!(
                "no outcome within {:?}; where that is too short, set the extension property `timeout` on the task \
                 or `routes.{topic}.timeout`",
                deadline - now
            ))
            .with_code("TIMEOUT")
            .into()),
        }
    }
}
