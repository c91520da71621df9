//! No more tasks in a time than the operator says.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use tokio::time::{Instant, sleep};
use worker_api::{Middleware, Next, Outcome, Postponed, Rate, Router, TaskContext, async_trait};

use super::PerTopic;

/// A task that has to wait no longer waits in its slot; others go back to the engine.
const PATIENCE: Duration = Duration::from_secs(1);

/// Over how long a time those that are sent back return.
const SPREAD: Duration = Duration::from_secs(300);

pub(super) struct Rates {
    router: Arc<dyn Router>,
    topics: PerTopic<Limited>,
}

/// What goes on at one topic.
struct Limited {
    rate: Rate,
    limiter: DefaultDirectRateLimiter,
    /// When the last of those that were sent back returns: they return one after the other.
    last_return: Mutex<Instant>,
}

impl Rates {
    pub(super) fn new(router: Arc<dyn Router>) -> Self {
        Self {
            router,
            topics: PerTopic::new(),
        }
    }
}

#[async_trait]
impl Middleware for Rates {
    fn name(&self) -> &'static str {
        "rate"
    }

    async fn handle(&self, context: TaskContext, next: Next<'_>) -> Outcome {
        let topic = &context.task.topic;
        let Some(rate) = self.router.route(topic).and_then(|route| route.guards.rate) else {
            return next.run(context).await;
        };
        let limited = self.topics.get(topic, || Limited::new(rate));
        limited.turn(topic).await?;
        next.run(context).await
    }
}

impl Limited {
    fn new(rate: Rate) -> Self {
        let quota = Quota::with_period(rate.between()).unwrap_or(Quota::per_second(rate.tasks()));
        Self {
            rate,
            limiter: RateLimiter::direct(quota.allow_burst(rate.tasks())),
            last_return: Mutex::new(Instant::now()),
        }
    }

    async fn turn(&self, topic: &str) -> Result<(), Postponed> {
        loop {
            let wait = match self.limiter.check() {
                Ok(()) => return Ok(()),
                Err(not_before) => not_before.wait_time_from(DefaultClock::default().now()),
            };
            if wait > PATIENCE {
                return Err(self.send_back(topic, wait));
            }
            sleep(wait).await;
        }
    }

    fn send_back(&self, topic: &str, wait: Duration) -> Postponed {
        let now = Instant::now();
        let mut last = self.last_return.lock().unwrap_or_else(PoisonError::into_inner);
        let back = (*last + self.rate.between()).clamp(now + wait, now + wait + SPREAD);
        *last = back;
        Postponed::new(
            format!("{} tasks of the topic `{topic}` may run", self.rate),
            back - now,
        )
    }
}
