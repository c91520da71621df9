//! An HTTP service that knows what reached it, when, and what overlapped.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{Path, State};
use axum::routing::any;

use crate::served::Served;

/// An HTTP server on loopback that answers `/run/ID` and `/run/ID/MILLISECONDS` (after holding the request that
/// long) with any method and notes each request's start and end. A connection that drops ends its run as well:
/// whoever ran it is gone.
///
/// It has a thread and a runtime of its own and ends with the value.
#[derive(Debug)]
pub struct Receiver {
    served: Served,
    log: Log,
}

/// One request.
#[derive(Clone, Debug)]
pub struct Run {
    /// What the request's path called it.
    pub id: String,
    /// When it came.
    pub started: Instant,
    /// When it was answered or its connection dropped; None while it is held.
    pub ended: Option<Instant>,
    /// True where it was held to the end of its time, and its answer given to the connection.
    pub answered: bool,
}

type Log = Arc<Mutex<Vec<Run>>>;

impl Receiver {
    /// Starts one on a free port.
    #[must_use]
    pub fn start() -> Self {
        let log = Log::default();
        let app = Router::new()
            .route("/run/{id}", any(run_at_once))
            .route("/run/{id}/{milliseconds}", any(run))
            .with_state(log.clone());
        Self {
            served: Served::start(app),
            log,
        }
    }

    /// Where it listens, as `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn address(&self) -> &str {
        self.served.address()
    }

    /// All requests until now, in the order in which they came.
    #[must_use]
    pub fn runs(&self) -> Vec<Run> {
        lock(&self.log).clone()
    }

    /// The ids that have been answered at least once.
    #[must_use]
    pub fn answered(&self) -> BTreeSet<String> {
        lock(&self.log)
            .iter()
            .filter(|run| run.answered)
            .map(|run| run.id.clone())
            .collect()
    }

    /// The ids of which one run started before an earlier one had ended.
    #[must_use]
    pub fn overlapping(&self) -> BTreeSet<String> {
        let mut last_end: BTreeMap<&str, Option<Instant>> = BTreeMap::new();
        let mut overlapping = BTreeSet::new();
        let log = lock(&self.log);
        for run in log.iter() {
            let earlier = last_end.entry(&run.id).or_insert(Some(run.started));
            if earlier.is_none_or(|end| end > run.started) {
                overlapping.insert(run.id.clone());
            }
            *earlier = earlier.and_then(|end| Some(end.max(run.ended?)));
        }
        overlapping
    }
}

async fn run_at_once(State(log): State<Log>, Path(id): Path<String>) -> &'static str {
    held(log, id, Duration::ZERO).await
}

async fn run(State(log): State<Log>, Path((id, milliseconds)): Path<(String, u64)>) -> &'static str {
    held(log, id, Duration::from_millis(milliseconds)).await
}

async fn held(log: Log, id: String, time: Duration) -> &'static str {
    let mut noted = Noted::begin(log, id);
    tokio::time::sleep(time).await;
    noted.answered = true;
    "done\n"
}

/// Notes the end when it goes: the server drops a request's future when its connection closes.
struct Noted {
    log: Log,
    index: usize,
    answered: bool,
}

impl Noted {
    fn begin(log: Log, id: String) -> Self {
        let mut runs = lock(&log);
        let index = runs.len();
        runs.push(Run {
            id,
            started: Instant::now(),
            ended: None,
            answered: false,
        });
        drop(runs);
        Self {
            log,
            index,
            answered: false,
        }
    }
}

impl Drop for Noted {
    fn drop(&mut self) {
        let run = &mut lock(&self.log)[self.index];
        run.ended = Some(Instant::now());
        run.answered = self.answered;
    }
}

fn lock(log: &Log) -> MutexGuard<'_, Vec<Run>> {
    log.lock().unwrap_or_else(PoisonError::into_inner)
}
