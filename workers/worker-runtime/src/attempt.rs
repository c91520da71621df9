//! One attempt at a task: from its inputs to the adapter's outcome.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use engine_client::{EngineError, LockedTask};
use futures::FutureExt;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, Span};
use worker_api::{Failure, OUTCOME_UNKNOWN, Outcome, Route, Task, TaskContext, TaskError, parse_duration};

use crate::event::{Ended, Event};
use crate::ledger::TaskLedger;
use crate::pool::Shared;
use crate::prepare::{Prepared, prepare};
use crate::report::{self, Report};
use crate::verdict::{self, Attempts};
use crate::{chain, clock, convert};

/// How an attempt has ended.
pub(crate) struct End {
    pub(crate) task: Task,
    /// What the engine is to be told; nothing where the attempt was cancelled.
    pub(crate) report: Option<Report>,
    /// From its start to the adapter's outcome.
    pub(crate) elapsed: Duration,
    pub(crate) span: Span,
    attempts: Attempts,
    /// Why the engine did not take the report, as far as it is known.
    refusal: Option<Failure>,
    /// How often it did not.
    refusals: u32,
}

/// Runs a task's handler and prepares the report of its outcome. `cancelled` says that the lock is lost or the pool
/// gives up.
pub(crate) async fn run(shared: &Shared, mut locked: LockedTask, cancelled: CancellationToken) -> End {
    // A field left empty in Modeler is an extension property without a value.
    let properties = &mut locked.extension_properties;
    properties.retain(|_, value| !value.trim().is_empty());
    let (plan, mistake) = match Plan::of(shared, &locked) {
        Ok(plan) => (plan, None),
        Err(failure) => (Plan::by_default(shared, &locked), Some(failure)),
    };
    let names_variables = shared.settings.topics.iter().any(|subscription| {
        subscription.topic == locked.topic_name && subscription.request.variables.is_some()
    });
    let lock_duration = shared.settings.lock_duration;
    let ledger = TaskLedger::take(&shared.engine, &mut locked, !names_variables, lock_duration);
    let ledger = Arc::new(ledger);
    let task = task(&mut locked, plan.attempts.number());
    let span = chain::span(&task);
    let started = clock::now();
    let watch = Watch {
        shared,
        task: &task,
        told: false,
    };
    shared.observe(Event::Started { task: &task });
    let attempt = async {
        let outcome = match mistake {
            Some(failure) => Some(Err(failure.into())),
            None => outcome(shared, &mut locked, &task, &plan, &ledger, &cancelled).await,
        };
        let elapsed = clock::now() - started;
        let report = match outcome {
            None => None,
            Some(outcome) => {
                let is_unknown =
                    matches!(&outcome, Err(TaskError::Bpmn(error)) if error.code == OUTCOME_UNKNOWN);
                let verdict = verdict::judge(outcome, &plan.attempts);
                let prepared = AssertUnwindSafe(prepare(shared, &locked, verdict, &plan.attempts));
                let prepared = cancelled.run_until_cancelled(prepared.catch_unwind()).await;
                // What an adapter answers may bring code of its own: the content of its files.
                prepared.map(|prepared| {
                    let Prepared { mut report, tells } = prepared.unwrap_or_else(|panic| {
                        let failure = chain::broken("the answer of the adapter", panic.as_ref());
                        Prepared {
                            report: Report::Fail(plan.attempts.fail(&failure)),
                            tells: false,
                        }
                    });
                    if let Report::Fail(failure) = &mut report {
                        let notes = ledger.with_failure(is_unknown && tells);
                        failure.local_variables.extend(notes);
                    }
                    report
                })
            }
        };
        (elapsed, report)
    };
    let (elapsed, report) = attempt.instrument(span.clone()).await;
    watch.ended();
    let attempts = plan.attempts;
    End {
        task,
        report,
        elapsed,
        span,
        attempts,
        refusal: None,
        refusals: 0,
    }
}

impl End {
    /// The engine did not take the report.
    pub(crate) fn refused(&mut self, error: &EngineError) {
        let Some(report) = &self.report else { return };
        self.refusals += 1;
        if self.refusals >= 8 && self.refusals.is_power_of_two() {
            let times = self.refusals;
            tracing::warn!(parent: &self.span, %error, times, "the engine does not take the report; it is sent on");
        } else {
            tracing::debug!(parent: &self.span, %error, "the engine did not take the report");
        }
        self.refusal = Some(report::refused(report, error));
    }

    /// Puts the report of a failure in the place of the refused report. Says whether there was one.
    pub(crate) fn replace(&mut self) -> bool {
        let (Some(report), Some(why)) = (&self.report, self.refusal.take()) else {
            return false;
        };
        let details = why.details.as_deref().unwrap_or_default();
        tracing::warn!(parent: &self.span, %why, details, "the engine refuses the report on a task");
        if let Report::Fail(lost) = report {
            let (message, details) = (&lost.message, &lost.details);
            tracing::warn!(parent: &self.span, message, details, "the failure that could not be reported");
        }
        let instead = report.instead(self.attempts.fail(&why));
        let is_new = instead.is_some();
        self.report = instead.or(self.report.take());
        is_new
    }
}

/// Tells the observer of the end of an attempt that breaks off by a panic.
struct Watch<'a> {
    shared: &'a Shared,
    task: &'a Task,
    told: bool,
}

impl Watch<'_> {
    fn ended(mut self) {
        self.told = true;
    }
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        if !self.told {
            let (task, ended) = (self.task, Ended::Dropped);
            self.shared.observe(Event::Finished {
                task,
                ended,
                elapsed: Duration::ZERO,
            });
        }
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
            attempts: Attempts::new(shared.settings.retry.clone(), task),
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
            plan.attempts = Attempts::new(retry, task);
        }
        plan.attempts = plan.attempts.by(&route.adapter_name);
        if let Some(text) = task.extension_properties.get("errorMap") {
            let errors = text.parse();
            let errors = errors.map_err(|error| wrong_property(task, "errorMap", &error))?;
            plan.attempts = plan.attempts.mapping(errors);
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
    ledger: &Arc<TaskLedger>,
    cancelled: &CancellationToken,
) -> Option<Outcome> {
    let route = plan.route?;
    let work = async {
        let variables = convert::inputs(&shared.engine, locked);
        let mut context = TaskContext::new(task.clone(), plan.timeout)
            .with_variables(variables)
            .with_processes(Arc::clone(&shared.settings.processes))
            .with_ledger(Arc::clone(ledger) as _);
        context.adapter.clone_from(&route.adapter_name);
        context.operation.clone_from(&route.operation);
        context.sandboxed = route.sandboxed;
        context.settings.clone_from(&route.with);
        context.properties.clone_from(&locked.extension_properties);
        context.start_clock(clock::now());
        context.cancelled = cancelled.child_token();
        // Cancels what the adapter has spawned when this future ends in whatever way.
        let _cancel_at_the_end = context.cancelled.clone().drop_guard();
        shared.settings.chain.run(context, route.adapter.as_ref()).await
    };
    cancelled.run_until_cancelled(work).await
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
