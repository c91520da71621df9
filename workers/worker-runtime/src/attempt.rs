//! One attempt at a task: from its inputs to the adapter's outcome.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use engine_client::LockedTask;
use futures::FutureExt;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;
use worker_api::{Failure, Outcome, Route, Task, TaskContext, parse_duration};

use crate::event::Event;
use crate::pool::Shared;
use crate::report::Reported;
use crate::verdict::{self, Attempts};
use crate::{convert, journal, report};

/// Runs a task and reports its outcome. `cancelled` says that the lock is lost or the pool gives up: nothing is
/// reported then.
///
/// Gives whether the engine may have offered the task again before this was over.
pub(crate) async fn run(shared: &Shared, mut locked: LockedTask, cancelled: CancellationToken) -> bool {
    let (plan, mistake) = match Plan::of(shared, &locked) {
        Ok(plan) => (plan, None),
        Err(failure) => (Plan::by_default(shared, &locked), Some(failure)),
    };
    let task = task(&mut locked, plan.attempts.number());
    let span = tracing::info_span!(
        "external_task",
        topic = task.topic,
        task = task.id,
        instance = task.process_instance_id,
        activity = task.activity_id,
    );
    async {
        shared.observe(Event::Started { task: &task });
        let started = Instant::now();
        let outcome = match mistake {
            Some(failure) => Some(Err(failure.into())),
            None => outcome(shared, &mut locked, &task, &plan, &cancelled).await,
        };
        let elapsed = started.elapsed();
        let reported = match outcome {
            None => {
                // The lock may be ours still, where the pool stops, or again, where it was taken anew meanwhile.
                free(shared, &task.id).await;
                Reported::DROPPED
            }
            Some(outcome) => {
                let verdict = verdict::judge(outcome, &plan.attempts);
                report::report(shared, &locked, verdict, &plan.attempts).await
            }
        };
        let ended = reported.ended;
        tracing::debug!(?ended, ?elapsed, attempt = task.attempt, "task");
        shared.observe(Event::Finished {
            task: &task,
            ended,
            elapsed,
        });
        reported.offered_at_once
    }
    .instrument(span)
    .await
}

/// Frees a task that is not to be run here, where it is locked by this worker.
pub(crate) async fn free(shared: &Shared, task_id: &str) {
    match journal::free(&shared.engine, &shared.worker_id, task_id).await {
        Ok(true) => shared.nudger.after(Duration::ZERO),
        Ok(false) => {}
        Err(error) => tracing::debug!(task = task_id, %error, "could not free a task; its lock will run out"),
    }
}

/// How the attempt is to be made, from the model, the route and the pool, in this order.
struct Plan<'a> {
    route: Option<&'a Route>,
    timeout: Duration,
    attempts: Attempts,
}

impl<'a> Plan<'a> {
    fn by_default(shared: &'a Shared, task: &LockedTask) -> Self {
        Self {
            route: None,
            timeout: shared.settings.default_timeout,
            attempts: Attempts::new(shared.settings.retry.clone(), task.retries),
        }
    }

    fn of(shared: &'a Shared, task: &LockedTask) -> Result<Self, Failure> {
        let mut plan = Self::by_default(shared, task);
        if let Some(why) = &task.unreadable {
            return Err(Failure::permanent(format!(
                "the engine's answer on this task cannot be read: {why}"
            )));
        }
        let route = shared.router.route(&task.topic_name).ok_or_else(|| {
            Failure::permanent(format!(
                "the topic `{}` has no route; add it under `routes`",
                task.topic_name
            ))
        })?;
        let retry = match task.extension_properties.get("retry") {
            Some(text) => Some(
                text.parse()
                    .map_err(|error| wrong_property(task, "retry", &error))?,
            ),
            None => route.retry.clone(),
        };
        if let Some(retry) = retry {
            plan.attempts = Attempts::new(retry, task.retries);
        }
        let timeout = match task.extension_properties.get("timeout") {
            Some(text) => Some(parse_duration(text).ok_or_else(|| {
                let error = format!("`{text}` is no duration: write 30s, 2m or PT30S");
                wrong_property(task, "timeout", &error)
            })?),
            None => route.timeout,
        };
        plan.timeout = timeout.unwrap_or(plan.timeout);
        plan.route = Some(route);
        Ok(plan)
    }
}

fn wrong_property(task: &LockedTask, name: &str, error: &dyn std::fmt::Display) -> Failure {
    Failure::permanent(format!(
        "extension property `{name}` of {}: {error}",
        task.activity_id
    ))
}

/// The adapter's outcome; none where the attempt was cancelled.
async fn outcome(
    shared: &Shared,
    locked: &mut LockedTask,
    task: &Task,
    plan: &Plan<'_>,
    cancelled: &CancellationToken,
) -> Option<Outcome> {
    let route = plan.route?;
    let deadline = Instant::now() + plan.timeout;
    let work = async {
        let variables = convert::inputs(&shared.engine, locked)
            .await
            .map_err(|error| Failure::retryable(format!("the task's files cannot be read: {error}")))?;
        let mut context = TaskContext::new(task.clone(), plan.timeout).with_variables(variables);
        context.adapter.clone_from(&route.adapter_name);
        context.operation.clone_from(&route.operation);
        context.settings.clone_from(&route.with);
        context.properties.clone_from(&locked.extension_properties);
        context.deadline = deadline;
        context.cancelled = cancelled.child_token();
        // Cancels what the adapter has spawned when this future ends in whatever way.
        let _cancel_at_the_end = context.cancelled.clone().drop_guard();
        route.adapter.execute(context).await
    };
    let guarded = AssertUnwindSafe(work).catch_unwind();
    let outcome = cancelled
        .run_until_cancelled(tokio::time::timeout_at(deadline.into(), guarded))
        .await?;
    Some(match outcome {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(panic)) => Err(panicked(&route.adapter_name, panic.as_ref()).into()),
        Err(_) => Err(timed_out(plan.timeout, &task.topic).into()),
    })
}

fn panicked(adapter: &str, panic: &(dyn Any + Send)) -> Failure {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    let text = text
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_default();
    Failure::retryable(format!(
        "the adapter `{adapter}` broke: {text}; this is a fault in the adapter"
    ))
}

fn timed_out(timeout: Duration, topic: &str) -> Failure {
    Failure::retryable(format!(
        "no outcome within {timeout:?}; where that is too short, set the extension property `timeout` on the task \
         or `routes.{topic}.timeout`"
    ))
}

/// What the adapter is told of the task. Takes what only it needs.
fn task(locked: &mut LockedTask, attempt: u32) -> Task {
    Task {
        id: locked.id.clone(),
        topic: locked.topic_name.clone(),
        activity_id: locked.activity_id.clone(),
        process_definition_key: locked.process_definition_key.clone(),
        process_definition_id: locked.process_definition_id.clone(),
        process_instance_id: locked.process_instance_id.clone(),
        execution_id: locked.execution_id.clone(),
        business_key: locked.business_key.take(),
        tenant_id: locked.tenant_id.take(),
        attempt,
    }
}
