//! A pool: the poll, the slots, the heartbeat of its locks, and its end.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use engine_client::{EngineClient, EngineError, FetchRequest, FetchTopic, LockedTask};
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use worker_api::Router;

use crate::definitions::Definitions;
use crate::event::{Event, Observer};
use crate::journal::{self, Entry};
use crate::ledger::{Admission, Ledger};
use crate::nudge::Nudger;
use crate::{PoolSettings, attempt, backoff};

/// How many reports are under way to the engine at once: more of them only wait for one another there.
const REPORTS_AT_ONCE: usize = 8;

/// How long the farewell to the engine may take when a pool stops.
const FAREWELL: Duration = Duration::from_secs(5);

/// Workers that share slots and a long poll. Works until [`WorkerPool::stop`]; dropped without it, its tasks go on
/// in the runtime.
#[derive(Debug)]
pub struct WorkerPool {
    shared: Arc<Shared>,
    entry: Option<Entry>,
}

/// What the parts of a pool have in common.
pub(crate) struct Shared {
    pub(crate) engine: EngineClient,
    pub(crate) settings: PoolSettings,
    pub(crate) worker_id: String,
    pub(crate) router: Arc<dyn Router>,
    pub(crate) observer: Arc<dyn Observer>,
    pub(crate) definitions: Definitions,
    pub(crate) reports: Semaphore,
    pub(crate) nudger: Nudger,
    /// Cancelled when handlers are to be given up; each handler's token is a child of it.
    pub(crate) giving_up: CancellationToken,
    ledger: Mutex<Ledger<CancellationToken>>,
    slots: Arc<Semaphore>,
    /// Cancelled when no more tasks are to be taken.
    stopping: CancellationToken,
    attempts: TaskTracker,
    engine_answers: AtomicBool,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Shared")
            .field("worker_id", &self.worker_id)
            .finish_non_exhaustive()
    }
}

/// Why a pool cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A topic that no adapter serves.
    #[error(
        "pool {pool}: the topic `{topic}` has no route; add it under `routes`, or take it out of the pool's topics"
    )]
    NoRoute {
        /// The pool.
        pool: String,
        /// The topic.
        topic: String,
    },
    /// The same topic twice: the engine would ignore the first in silence.
    #[error("pool {pool}: the topic `{topic}` is listed twice; name it once")]
    TopicTwice {
        /// The pool.
        pool: String,
        /// The topic.
        topic: String,
    },
    /// No slots, no topics, or a lock without duration: the pool would do nothing.
    #[error("pool {pool}: {what}")]
    Empty {
        /// The pool.
        pool: String,
        /// What is missing.
        what: &'static str,
    },
    /// The journal of worker ids cannot be kept.
    #[error("pool {pool}: the worker's journal in {directory} cannot be written: {source}", directory = .directory.display())]
    Journal {
        /// The pool.
        pool: String,
        /// The journal's directory.
        directory: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// How a pool's end went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DrainReport {
    /// Tasks that were finished and reported after the stop was asked for.
    pub finished: usize,
    /// Tasks that were given up at the deadline and unlocked, for another worker to run.
    pub given_up: usize,
}

impl WorkerPool {
    /// Starts a pool. It needs no engine to be there yet: it waits for one. Where a `journal` directory is given,
    /// tasks that were locked by a killed worker of that directory are freed.
    ///
    /// # Errors
    /// Where the settings make no sense or the journal cannot be written.
    pub fn start(
        engine: EngineClient,
        settings: PoolSettings,
        router: Arc<dyn Router>,
        observer: Arc<dyn Observer>,
        journal: Option<PathBuf>,
    ) -> Result<Self, StartError> {
        check(&settings, router.as_ref())?;
        let id = uuid::Uuid::new_v4().simple().to_string();
        let worker_id = format!("{}-{}", settings.name, &id[..12]);
        let stopping = CancellationToken::new();
        let entry = match journal {
            None => None,
            Some(directory) => {
                let failed = |source| StartError::Journal {
                    pool: settings.name.clone(),
                    directory: directory.clone(),
                    source,
                };
                for dead in journal::dead(&directory, &engine).map_err(failed)? {
                    let (engine, long_poll) = (engine.clone(), long_poll(&settings));
                    let clean_up = async move { dead.clean_up(&engine, long_poll).await };
                    tokio::spawn(stopping.clone().run_until_cancelled_owned(clean_up));
                }
                Some(Entry::create(&directory, &worker_id, &engine).map_err(failed)?)
            }
        };
        let shared = Arc::new(Shared {
            nudger: Nudger::start(engine.clone(), &worker_id, stopping.clone()),
            definitions: Definitions::new(engine.clone()),
            reports: Semaphore::new(REPORTS_AT_ONCE),
            giving_up: CancellationToken::new(),
            ledger: Mutex::new(Ledger::new(settings.lock_duration)),
            slots: Arc::new(Semaphore::new(settings.capacity)),
            stopping,
            attempts: TaskTracker::new(),
            engine_answers: AtomicBool::new(false),
            engine,
            settings,
            worker_id,
            router,
            observer,
        });
        tokio::spawn(poll(Arc::clone(&shared)));
        tokio::spawn(keep_locks(Arc::clone(&shared)));
        Ok(Self { shared, entry })
    }

    /// The id under which the pool locks tasks: unique for each start.
    #[must_use]
    pub fn worker_id(&self) -> &str {
        &self.shared.worker_id
    }

    /// Whether the pool takes tasks: the engine has answered the last fetch, and no stop is under way.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.shared.engine_answers.load(Ordering::Relaxed) && !self.shared.stopping.is_cancelled()
    }

    /// How many tasks are in flight.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.shared.ledger().len()
    }

    /// Stops taking tasks, lets those in flight finish within the time given, gives up the others, and frees
    /// everything that is locked in this pool's name. Returns at the latest a few seconds after the deadline.
    ///
    /// Cancellation: dropped, it leaves the handlers running.
    pub async fn stop(self, within: Duration) -> DrainReport {
        let Self { shared, entry } = self;
        let in_flight = shared.ledger().len();
        shared.stopping.cancel();
        shared.attempts.close();
        let in_time = tokio::time::timeout(within, shared.attempts.wait()).await.is_ok();
        let given_up = if in_time { 0 } else { shared.ledger().len() };
        shared.giving_up.cancel();
        let farewell = async {
            shared.attempts.wait().await;
            journal::free_all(&shared.engine, &shared.worker_id, |_| true).await
        };
        match tokio::time::timeout(FAREWELL, farewell).await {
            Ok(Ok(freed)) => {
                tracing::debug!(freed, "pool stopped");
                if let Some(entry) = entry {
                    entry.remove();
                }
            }
            // The journal's entry stays: the next start finds it.
            Ok(Err(error)) => tracing::debug!(%error, "could not free the pool's locks"),
            Err(_) => tracing::debug!("the engine did not free the pool's locks in time"),
        }
        DrainReport {
            finished: in_flight.saturating_sub(given_up),
            given_up,
        }
    }
}

fn check(settings: &PoolSettings, router: &dyn Router) -> Result<(), StartError> {
    let pool = || settings.name.clone();
    let empty = |what| Err(StartError::Empty { pool: pool(), what });
    if settings.capacity == 0 {
        return empty("its capacity is 0; give it at least one slot");
    }
    if settings.topics.is_empty() {
        return empty("it has no topics; name some, or `*` for every routed one");
    }
    if settings.lock_duration < Duration::from_millis(100) {
        return empty("its lock duration is shorter than 100 ms; no worker could keep such locks");
    }
    for (index, topic) in settings.topics.iter().enumerate() {
        if router.route(topic).is_none() {
            return Err(StartError::NoRoute {
                pool: pool(),
                topic: topic.clone(),
            });
        }
        if settings.topics[..index].contains(topic) {
            return Err(StartError::TopicTwice {
                pool: pool(),
                topic: topic.clone(),
            });
        }
    }
    Ok(())
}

/// How long a poll may be held. A lock counts from when the poll was sent, the earliest moment at which it can
/// have been set, so the poll must be the shorter.
fn long_poll(settings: &PoolSettings) -> Duration {
    settings.long_poll.min(settings.lock_duration / 3)
}

async fn poll(shared: Arc<Shared>) {
    shared.stopping.run_until_cancelled(poll_forever(&shared)).await;
}

async fn poll_forever(shared: &Arc<Shared>) {
    let lock = shared.settings.lock_duration;
    let mut request = FetchRequest {
        worker_id: shared.worker_id.clone(),
        max_tasks: 0,
        use_priority: false,
        long_poll: long_poll(&shared.settings),
        topics: shared
            .settings
            .topics
            .iter()
            .map(|topic| FetchTopic::new(topic, lock))
            .collect(),
    };
    let mut delays = backoff::delays();
    // A row of fetches without an answer: what they may have locked is freed before the next one.
    let mut row_of_failures = 0_u32;
    loop {
        let mut slots = free_slots(shared).await;
        request.max_tasks = slots.num_permits();
        // The first answer, also after a failure, is asked for at once: it says that the engine is there.
        let answers = shared.engine_answers.load(Ordering::Relaxed);
        request.long_poll = if answers {
            long_poll(&shared.settings)
        } else {
            Duration::ZERO
        };
        let requested_at = Instant::now();
        match fetch(shared, &request, row_of_failures > 0).await {
            Ok(tasks) => {
                if !shared.engine_answers.swap(true, Ordering::Relaxed) {
                    shared.observer.observe(&shared.settings.name, Event::EngineBack);
                }
                if row_of_failures > 0 {
                    tracing::info!(pool = shared.settings.name, "the engine answers again");
                    (row_of_failures, delays) = (0, backoff::delays());
                }
                if !tasks.is_empty() {
                    shared
                        .observer
                        .observe(&shared.settings.name, Event::Fetched { tasks: tasks.len() });
                }
                for task in tasks {
                    start(shared, task, requested_at, slots.split(1));
                }
            }
            Err(error) => {
                drop(slots);
                shared.engine_answers.store(false, Ordering::Relaxed);
                if row_of_failures == 0 {
                    tracing::warn!(pool = shared.settings.name, %error, "cannot fetch tasks; trying again until it works");
                    shared.observer.observe(&shared.settings.name, Event::EngineLost);
                }
                row_of_failures = row_of_failures.saturating_add(1);
                tokio::time::sleep(delays.next().unwrap_or(Duration::from_secs(10))).await;
            }
        }
    }
}

/// Waits for a free slot and takes all that are free.
async fn free_slots(shared: &Shared) -> OwnedSemaphorePermit {
    loop {
        // The semaphore is never closed; and the poll alone takes slots, so that what is free stays free.
        let Ok(mut slots) = Arc::clone(&shared.slots).acquire_owned().await else {
            continue;
        };
        let more = u32::try_from(shared.slots.available_permits()).unwrap_or(u32::MAX);
        if let Ok(more) = Arc::clone(&shared.slots).try_acquire_many_owned(more) {
            slots.merge(more);
        }
        return slots;
    }
}

async fn fetch(
    shared: &Shared,
    request: &FetchRequest,
    after_failure: bool,
) -> Result<Vec<LockedTask>, EngineError> {
    if after_failure {
        let is_orphan = |id: &str| !shared.ledger().contains(id);
        let freed = journal::free_all(&shared.engine, &shared.worker_id, is_orphan).await?;
        if freed > 0 {
            tracing::info!(
                pool = shared.settings.name,
                freed,
                "freed tasks that a lost answer had brought"
            );
        }
    }
    shared.engine.fetch_and_lock(request).await
}

/// Runs a task in a slot, unless it runs already.
fn start(shared: &Arc<Shared>, task: LockedTask, locked_at: Instant, slot: Option<OwnedSemaphorePermit>) {
    let cancelled = shared.giving_up.child_token();
    if shared.ledger().admit(&task.id, locked_at, cancelled.clone()) == Admission::AlreadyInFlight {
        return;
    }
    let flight = Flight {
        shared: Arc::clone(shared),
        task_id: task.id.clone(),
    };
    shared.attempts.spawn(async move {
        let shared = &flight.shared;
        let offered_at_once = match slot {
            Some(_slot) => attempt::run(shared, task, cancelled).await,
            // More than was asked for: not ours to run.
            None => {
                attempt::free(shared, &task.id).await;
                false
            }
        };
        // Fetched again before we knew that it was over: locked for a run that nobody has begun.
        if shared.ledger().finish(&flight.task_id) && offered_at_once {
            attempt::free(shared, &flight.task_id).await;
        }
    });
}

/// A task in flight. It leaves the ledger also where its attempt panics, so that its lock runs out.
struct Flight {
    shared: Arc<Shared>,
    task_id: String,
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.shared.ledger().finish(&self.task_id);
    }
}

impl Shared {
    pub(crate) fn ledger(&self) -> MutexGuard<'_, Ledger<CancellationToken>> {
        // Nothing that holds the lock can panic half way through a change.
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn observe(&self, event: Event<'_>) {
        self.observer.observe(&self.settings.name, event);
    }
}

/// Extends the locks of what runs, and cancels what has lost its lock. Ends when the last task in flight has
/// ended after a stop.
async fn keep_locks(shared: Arc<Shared>) {
    let lock = shared.settings.lock_duration;
    let mut tick = tokio::time::interval((lock / 12).max(Duration::from_millis(10)));
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut extensions = FuturesUnordered::new();
    loop {
        tokio::select! {
            _ = tick.tick() => {
                let now = Instant::now();
                let due = {
                    let mut ledger = shared.ledger();
                    ledger.expired(now).for_each(CancellationToken::cancel);
                    ledger.due(now)
                };
                extensions.extend(due.into_iter().map(|id| extend(&shared, id)));
            }
            Some(()) = extensions.next() => {}
            () = shared.attempts.wait() => return,
        }
    }
}

async fn extend(shared: &Shared, id: String) {
    let requested_at = Instant::now();
    match shared
        .engine
        .extend_lock(&id, &shared.worker_id, shared.settings.lock_duration)
        .await
    {
        Ok(()) => shared.ledger().extended(&id, requested_at),
        Err(error) if error.is_not_found() || error.is_not_owner() => {
            if let Some(cancelled) = shared.ledger().handle(&id) {
                tracing::warn!(task = id, %error, "lost the lock of a task; its handler is cancelled");
                cancelled.cancel();
            }
        }
        // Tried again a third of a lock later; a lock that runs out meanwhile cancels its handler.
        Err(error) => tracing::debug!(task = id, %error, "could not extend a lock"),
    }
}
