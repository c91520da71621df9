//! What a pool of workers is to do.

use std::time::Duration;

use worker_api::RetryPolicy;

/// A pool: topics that share slots.
#[derive(Clone, Debug)]
pub struct PoolSettings {
    /// Its name, part of its worker id.
    pub name: String,
    /// How many tasks run at once. No more are ever locked.
    pub capacity: usize,
    /// The topics it serves. Each needs a route.
    pub topics: Vec<String>,
    /// How long a task is locked; the lock is extended each third of it while the task runs.
    pub lock_duration: Duration,
    /// How long an attempt may take where neither the model nor the route says so.
    pub default_timeout: Duration,
    /// How failures are retried where neither the model nor the route says so.
    pub retry: RetryPolicy,
    /// How long the engine may hold a request for tasks while there are none.
    pub long_poll: Duration,
}

impl PoolSettings {
    /// A pool for the topics, everything else as it is by default: 64 slots, locks of 60 s, attempts of 30 s, and
    /// three attempts 10 s apart.
    #[must_use]
    pub fn new(name: impl Into<String>, topics: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self {
            name: name.into(),
            capacity: 64,
            topics: topics.into_iter().map(Into::into).collect(),
            lock_duration: Duration::from_secs(60),
            default_timeout: Duration::from_secs(30),
            retry: RetryPolicy::cycle(3, Duration::from_secs(10)),
            long_poll: Duration::from_secs(15),
        }
    }
}
