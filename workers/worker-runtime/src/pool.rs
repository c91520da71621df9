//! A pool: its start, what can be asked of it, and its end.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use engine_client::{EngineClient, EngineError};
use tokio::runtime::Handle;
use tokio::sync::mpsc::{self, UnboundedSender};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use worker_api::Router;

use crate::definitions::Definitions;
use crate::drive::{Driver, Told};
use crate::event::{Event, Observer};
use crate::journal::{self, Entry};
use crate::nudge::Nudger;
use crate::protocol::LANES;
use crate::{PoolSettings, Subscription, clock};

/// How long the farewell to the engine may take when a pool stops.
const FAREWELL: Duration = Duration::from_secs(5);

/// More is a slip of the keyboard.
const LONGEST_DRAIN: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// What a poll may take: less would be a poll after the other at an idle engine, and more the engine refuses.
const POLLS: std::ops::RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(30 * 60);

/// Workers that share slots and a long poll. Works until [`WorkerPool::stop`]; dropped without it, its tasks go on
/// in the runtime.
#[derive(Debug)]
pub struct WorkerPool {
    shared: Arc<Shared>,
    driver: JoinHandle<DrainReport>,
    stopping: CancellationToken,
}

/// What the parts of a pool have in common.
pub(crate) struct Shared {
    pub(crate) engine: EngineClient,
    pub(crate) settings: PoolSettings,
    /// One for each lane of polls; the first is the pool's own.
    pub(crate) worker_ids: Vec<String>,
    pub(crate) router: Arc<dyn Router>,
    pub(crate) observer: Arc<dyn Observer>,
    pub(crate) definitions: Definitions,
    pub(crate) nudger: Nudger,
    pub(crate) handlers: Handle,
    /// Cancelled when handlers are to be given up; each handler's token is a child of it.
    pub(crate) giving_up: CancellationToken,
    pub(crate) told: UnboundedSender<Told>,
    pub(crate) ready: AtomicBool,
    pub(crate) in_flight: AtomicUsize,
    /// Says that the pool lives: kept as long as its driver, also where the pool itself was dropped.
    entry: Mutex<Option<Entry>>,
    /// Whether a long poll was cut off that the engine may still serve.
    pub(crate) poll_was_cut: AtomicBool,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Shared")
            .field("worker_id", &self.worker_ids[0])
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
    /// The same topic twice, with the same filters.
    #[error(
        "pool {pool}: the topic `{topic}` is listed twice; name it once, or give the two different filters"
    )]
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
    /// Tasks that had not been begun and were unlocked at once, for another worker to run.
    pub returned: usize,
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
                    let (engine, long_poll) = (engine.clone(), settings.long_poll);
                    let clean_up = async move { dead.clean_up(&engine, long_poll).await };
                    tokio::spawn(stopping.clone().run_until_cancelled_owned(clean_up));
                }
                Some(Entry::create(&directory, &worker_id, &engine).map_err(failed)?)
            }
        };
        tracing::info!(pool = settings.name, worker_id, chain = ?settings.chain, "takes tasks");
        let (told, telling) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared {
            nudger: Nudger::start(engine.clone(), &worker_id, stopping.clone()),
            definitions: settings
                .definitions
                .clone()
                .unwrap_or_else(|| Definitions::new(engine.clone())),
            handlers: settings.handlers.clone().unwrap_or_else(Handle::current),
            giving_up: CancellationToken::new(),
            told,
            ready: AtomicBool::new(false),
            in_flight: AtomicUsize::new(0),
            entry: Mutex::new(entry),
            poll_was_cut: AtomicBool::new(false),
            worker_ids: (0..LANES)
                .map(|lane| journal::worker_id(&worker_id, lane))
                .collect(),
            engine,
            settings,
            router,
            observer,
        });
        let driver = tokio::spawn(Driver::new(Arc::clone(&shared)).run(telling));
        Ok(Self {
            shared,
            driver,
            stopping,
        })
    }

    /// The id under which the pool locks tasks: unique for each start.
    #[must_use]
    pub fn worker_id(&self) -> &str {
        &self.shared.worker_ids[0]
    }

    /// Whether the pool takes tasks: the engine has answered the last fetch, and no stop is under way.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.shared.ready.load(Ordering::Relaxed) && !self.driver.is_finished()
    }

    /// How many tasks are in flight: locked, and their reports not yet taken.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.shared.in_flight.load(Ordering::Relaxed)
    }

    /// Stops taking tasks, lets those in flight finish within the time given, gives up the others, and frees
    /// everything that is locked in this pool's name. Returns at the latest a few seconds after the deadline.
    ///
    /// Cancellation: dropped, it leaves the handlers running.
    pub async fn stop(self, within: Duration) -> DrainReport {
        let Self {
            shared,
            driver,
            stopping,
        } = self;
        shared.ready.store(false, Ordering::Relaxed);
        // Added to the clock, more would overflow it.
        let within = within.min(LONGEST_DRAIN);
        // Fails only where the driver has ended already.
        let _ = shared.told.send(Told::Stop(clock::now() + within));
        let drained = tokio::time::timeout(within + FAREWELL, driver).await;
        stopping.cancel();
        shared.giving_up.cancel();
        let farewell = async {
            let mut freed = 0;
            for worker_id in &shared.worker_ids {
                freed += journal::free_all(&shared.engine, worker_id, |_| true).await?;
            }
            Ok::<_, EngineError>(freed)
        };
        match tokio::time::timeout(FAREWELL, farewell).await {
            Ok(Ok(freed)) => {
                tracing::debug!(freed, "pool stopped");
                let entry = shared.entry.lock().unwrap_or_else(PoisonError::into_inner).take();
                // A poll that was cut off may lock a task for nobody until its time is up; the next start with this
                // journal frees it.
                if let Some(entry) = entry
                    && !shared.poll_was_cut.load(Ordering::Relaxed)
                {
                    entry.remove();
                }
            }
            // The journal's entry stays: the next start finds it.
            Ok(Err(error)) => tracing::debug!(%error, "could not free the pool's locks"),
            Err(_) => tracing::debug!("the engine did not free the pool's locks in time"),
        }
        match drained {
            Ok(Ok(report)) => report,
            Ok(Err(error)) => {
                tracing::error!(%error, "the pool's driver broke; this is a fault in the worker");
                DrainReport::default()
            }
            // The engine does not answer, so that nothing could be reported or unlocked.
            Err(_) => DrainReport {
                given_up: shared.in_flight.load(Ordering::Relaxed),
                ..DrainReport::default()
            },
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
    if !POLLS.contains(&settings.long_poll) {
        return empty("its long poll is shorter than a second or longer than half an hour");
    }
    if settings.lock_duration < Duration::from_millis(100) {
        return empty("its lock duration is shorter than 100 ms; no worker could keep such locks");
    }
    for (index, subscription) in settings.topics.iter().enumerate() {
        let topic = || subscription.topic.clone();
        if router.route(&subscription.topic).is_none() {
            return Err(StartError::NoRoute {
                pool: pool(),
                topic: topic(),
            });
        }
        if settings.offers.is_some() && subscription.is_filtered() {
            return empty(
                "a topic has filters, which offers know nothing of; let the pool ask the engine itself",
            );
        }
        if subscription.limit == Some(0) {
            return empty("a topic has the limit 0; take the topic out, or give it at least one slot");
        }
        let same =
            |other: &Subscription| other.topic == subscription.topic && other.request == subscription.request;
        if settings.topics[..index].iter().any(same) {
            return Err(StartError::TopicTwice {
                pool: pool(),
                topic: topic(),
            });
        }
    }
    Ok(())
}

impl Shared {
    pub(crate) fn observe(&self, event: Event<'_>) {
        let observing = AssertUnwindSafe(|| self.observer.observe(&self.settings.name, event));
        if catch_unwind(observing).is_err() {
            tracing::error!(
                pool = self.settings.name,
                "the pool's observer broke; this is a fault in its code"
            );
        }
    }
}
