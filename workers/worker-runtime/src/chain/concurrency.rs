//! How many tasks with the same key run at once.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::Instant;
use worker_api::{Failure, Middleware, Next, Outcome, Postponed, TaskContext, async_trait};

/// The extension property that gives a task its key.
const KEY: &str = "concurrencyKey";

/// The extension property that says how many tasks of the key may run at once.
const LIMIT: &str = "concurrencyLimit";

/// Tasks that were sent back return at least this much apart, and at most.
const APART: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(5));

/// The shortest and the longest time for which a task is sent back.
const AWAY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(300));

/// Keys that nobody uses are dropped where there are more than this.
const MOST_IDLE: usize = 1024;

/// Limits how many tasks with the same key run at once in this process: those whose element has the extension
/// property `concurrencyKey`. How many is said by the operator ([`Self::limit`]), else by the extension property
/// `concurrencyLimit`, else it is one. Where tasks of one key say different things, what the first of them says
/// counts as long as any of them is here.
///
/// A task that has to wait does not hold others back: as many tasks of a key as may run also wait in their slots, so
/// that there is no gap between two, and no longer than [`Self::patience`]. All others are
/// [postponed](Postponed): given back to the engine, to return one after the other about as fast as the key's tasks
/// are done. So a key takes at most twice its limit of a pool's slots. While a task waits in its slot its lock is
/// extended, and its timeout has not begun.
///
/// The limit holds for the pools that share the chain. Other worker processes count for themselves.
#[derive(Clone, Debug)]
pub struct Concurrency {
    limits: BTreeMap<String, usize>,
    patience: Duration,
}

impl Default for Concurrency {
    fn default() -> Self {
        Self {
            limits: BTreeMap::new(),
            patience: Duration::from_secs(10),
        }
    }
}

impl Concurrency {
    /// Sets how many tasks with this key run at once, at least one, whatever their models say.
    #[must_use]
    pub fn limit(mut self, key: impl Into<String>, tasks: usize) -> Self {
        self.limits.insert(key.into(), tasks.max(1));
        self
    }

    /// Sets how long a task waits in its slot before it is given back: 10 s by default.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    fn limit_of(&self, key: &str, context: &TaskContext) -> Result<usize, Failure> {
        if let Some(limit) = self.limits.get(key) {
            return Ok(*limit);
        }
        let Some(text) = context.properties.get(LIMIT) else {
            return Ok(1);
        };
        match text.trim().parse() {
            Ok(limit @ 1..=MOST) => Ok(limit),
            _ => Err(Failure::permanent(format!(
                "extension property `{LIMIT}` of {}: `{text}` is no number of tasks from 1 to {MOST}",
                context.task.activity_id
            ))),
        }
    }
}

/// More at once than this is a slip of the keyboard.
const MOST: usize = 1_000_000;

/// The layer that gives tasks their turns.
pub(super) struct Turns {
    concurrency: Concurrency,
    keys: Arc<Mutex<HashMap<String, Key>>>,
}

/// What goes on under one key.
struct Key {
    limit: usize,
    running: Arc<Semaphore>,
    /// How many run or wait in their slots.
    present: usize,
    /// How long a task runs, on the average of late.
    usual: Duration,
    /// When the last of those that were sent back returns.
    last_return: Instant,
}

/// A task's presence under its key; it leaves when this is dropped.
struct Presence {
    keys: Arc<Mutex<HashMap<String, Key>>>,
    key: String,
    running: Arc<Semaphore>,
    since: Option<Instant>,
}

impl Turns {
    pub(super) fn new(concurrency: Concurrency) -> Self {
        Self {
            concurrency,
            keys: Arc::default(),
        }
    }

    /// Lets a task in, to run or to wait in its slot; or sends it back.
    fn enter(&self, name: &str, limit: usize) -> Result<Presence, Postponed> {
        let now = Instant::now();
        let mut keys = lock(&self.keys);
        if keys.len() >= MOST_IDLE && !keys.contains_key(name) {
            keys.retain(|_, key| key.present > 0 || key.last_return > now);
        }
        let key = keys
            .entry(name.to_owned())
            .or_insert_with(|| Key::new(limit, now));
        if key.present >= key.limit.saturating_mul(2) {
            return Err(key.send_back(name, now));
        }
        key.present += 1;
        Ok(Presence {
            keys: Arc::clone(&self.keys),
            key: name.to_owned(),
            running: Arc::clone(&key.running),
            since: None,
        })
    }

    fn send_back(&self, name: &str) -> Postponed {
        let now = Instant::now();
        let mut keys = lock(&self.keys);
        let key = keys.entry(name.to_owned()).or_insert_with(|| Key::new(1, now));
        key.send_back(name, now)
    }
}

#[async_trait]
impl Middleware for Turns {
    fn name(&self) -> &'static str {
        "concurrency"
    }

    async fn handle(&self, context: TaskContext, next: Next<'_>) -> Outcome {
        let Some(name) = context.properties.get(KEY) else {
            return next.run(context).await;
        };
        let mut presence = self.enter(name, self.concurrency.limit_of(name, &context)?)?;
        let running = Arc::clone(&presence.running);
        let turn = tokio::time::timeout(self.concurrency.patience, running.acquire()).await;
        let Ok(_turn) = turn else {
            return Err(self.send_back(name).into());
        };
        presence.since = Some(Instant::now());
        next.run(context).await
    }
}

impl Key {
    fn new(limit: usize, now: Instant) -> Self {
        Self {
            limit,
            running: Arc::new(Semaphore::new(limit)),
            present: 0,
            usual: Duration::ZERO,
            last_return: now,
        }
    }

    /// Queues a task up behind those that were sent back before.
    fn send_back(&mut self, name: &str, now: Instant) -> Postponed {
        let limit = u32::try_from(self.limit).unwrap_or(u32::MAX);
        let apart = (self.usual / limit).clamp(APART.0, APART.1);
        let back = (self.last_return + apart).clamp(now + AWAY.0, now + AWAY.1);
        self.last_return = back;
        let reason = format!(
            "{} tasks with the concurrency key `{name}` may run at once",
            self.limit
        );
        Postponed::new(reason, back - now)
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        let mut keys = lock(&self.keys);
        let Some(key) = keys.get_mut(&self.key) else {
            return;
        };
        key.present = key.present.saturating_sub(1);
        if let Some(since) = self.since {
            let took = since.elapsed();
            // The newest counts a quarter.
            key.usual = if key.usual.is_zero() {
                took
            } else {
                key.usual * 3 / 4 + took / 4
            };
        }
        if key.present == 0 && key.last_return <= Instant::now() {
            keys.remove(&self.key);
        }
    }
}

fn lock(keys: &Mutex<HashMap<String, Key>>) -> MutexGuard<'_, HashMap<String, Key>> {
    // Nothing that holds the lock can panic half way through a change.
    keys.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn keys_that_nobody_uses_take_no_memory() {
        let turns = Turns::new(Concurrency::default());
        let known = || lock(&turns.keys).len();
        drop(turns.enter("a", 1));
        assert_eq!(known(), 0);
        // Those with tasks away are kept, so that these return in order; but not for ever.
        for name in 0..MOST_IDLE {
            let here = [
                turns.enter(&name.to_string(), 1),
                turns.enter(&name.to_string(), 1),
            ];
            assert!(turns.enter(&name.to_string(), 1).is_err());
            drop(here);
        }
        assert_eq!(known(), MOST_IDLE);
        tokio::time::sleep(AWAY.1).await;
        let _here = turns.enter("b", 1);
        assert_eq!(known(), 1);
    }
}
