//! A service that does not answer is left alone for a while: its tasks go back to the engine and lose no attempt.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use worker_api::{
    Breaker, Middleware, Next, OUTCOME_UNKNOWN, Outcome, Postponed, Retry, Router, TaskContext, TaskError,
    async_trait,
};

use super::PerTopic;

/// How long tasks wait for the one that is tried.
const TRIAL: Duration = Duration::from_secs(1);

pub(super) struct Breakers {
    router: Arc<dyn Router>,
    topics: PerTopic<Mutex<State>>,
}

/// What is known of a topic's service.
#[derive(Debug, Default)]
struct State {
    failures: u32,
    /// It is left alone until then.
    open_until: Option<Instant>,
    /// Whether one is tried now.
    is_tried: bool,
}

impl Breakers {
    pub(super) fn new(router: Arc<dyn Router>) -> Self {
        Self {
            router,
            topics: PerTopic::new(),
        }
    }
}

#[async_trait]
impl Middleware for Breakers {
    fn name(&self) -> &'static str {
        "breaker"
    }

    async fn handle(&self, context: TaskContext, next: Next<'_>) -> Outcome {
        let topic = context.task.topic.clone();
        let Some(breaker) = self.router.route(&topic).and_then(|route| route.guards.breaker) else {
            return next.run(context).await;
        };
        let state = self.topics.get(&topic, Mutex::default);
        let trial = enter(&state, &topic)?;
        let outcome = next.run(context).await;
        drop(trial);
        match has_answered(&outcome) {
            Some(true) => *lock(&state) = State::default(),
            Some(false) => fail(&mut lock(&state), breaker, &topic),
            None => {}
        }
        outcome
    }
}

/// Lets a task through, and says whether it is the one that is tried.
fn enter<'a>(state: &'a Mutex<State>, topic: &str) -> Result<Option<Trial<'a>>, Postponed> {
    let mut known = lock(state);
    let Some(until) = known.open_until else {
        return Ok(None);
    };
    let now = Instant::now();
    let wait = if until > now { until - now } else { TRIAL };
    if until > now || known.is_tried {
        let reason = format!("the topic `{topic}` is left alone, as its last tasks have failed");
        return Err(Postponed::new(reason, wait));
    }
    known.is_tried = true;
    Ok(Some(Trial(state)))
}

fn fail(state: &mut State, breaker: Breaker, topic: &str) {
    state.failures = state.failures.saturating_add(1);
    if state.failures >= breaker.failures.get() {
        tracing::warn!(topic, failures = state.failures, pause = ?breaker.pause, "a topic's tasks fail; it is left alone");
        state.open_until = Some(Instant::now() + breaker.pause);
    }
}

/// Whether the service has answered, be it with no; none where it was not asked.
fn has_answered(outcome: &Outcome) -> Option<bool> {
    match outcome {
        Ok(_) => Some(true),
        Err(TaskError::Bpmn(error)) => Some(error.code != OUTCOME_UNKNOWN),
        Err(TaskError::Failure(failure)) if failure.retry == Retry::Never => None,
        Err(TaskError::Failure(_)) => Some(false),
        Err(_) => None,
    }
}

/// The task that is tried; the next one is, where it is given up.
struct Trial<'a>(&'a Mutex<State>);

impl Drop for Trial<'_> {
    fn drop(&mut self) {
        lock(self.0).is_tried = false;
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
