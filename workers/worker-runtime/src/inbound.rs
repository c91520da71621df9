//! Keeps inbounds running: what brings mail, messages and calls from outside into processes.

use std::any::Any;
use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::FutureExt;
use futures::future::join_all;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;
use worker_api::{Failure, Inbound, InboundContext, ProcessPort, Retry};

use crate::backoff;

/// An inbound that has been ready for this long starts its delays anew when it fails.
const STEADY: Duration = Duration::from_secs(60);

/// Inbounds that run, each by itself: one that fails or panics is run again after a delay that grows up to ten
/// seconds, with jitter, and costs the others nothing.
///
/// Dropped without [`Self::stop`], all of them are given up at once.
#[derive(Debug)]
#[must_use = "keep it, and `stop` it"]
pub struct Inbounds {
    running: Vec<Running>,
    stop: CancellationToken,
}

struct Running {
    health: Arc<Mutex<InboundHealth>>,
    work: JoinHandle<()>,
}

/// How an inbound is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InboundHealth {
    /// Its name.
    pub name: String,
    /// What it does.
    pub state: InboundState,
    /// How often it has failed since it was started.
    pub failures: u64,
    /// Why it failed the last time.
    pub last_failure: Option<String>,
}

/// What an inbound does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum InboundState {
    /// It connects.
    Starting,
    /// It takes what arrives.
    Ready,
    /// It has failed, and is run again after a delay.
    Waiting,
    /// It has failed in a way that trying again cannot mend, and stands still.
    Failed,
    /// It has ended after a stop.
    Stopped,
}

impl Inbounds {
    /// Starts them in the runtime that this is called in.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn start(inbounds: Vec<Arc<dyn Inbound>>, processes: &Arc<dyn ProcessPort>) -> Self {
        let stop = CancellationToken::new();
        let running = inbounds
            .into_iter()
            .map(|inbound| {
                let health = Arc::new(Mutex::new(InboundHealth {
                    name: inbound.name().to_owned(),
                    state: InboundState::Starting,
                    failures: 0,
                    last_failure: None,
                }));
                let span = tracing::info_span!("inbound", inbound = inbound.name());
                let supervised = Supervised {
                    inbound,
                    processes: Arc::clone(processes),
                    stop: stop.clone(),
                    health: Arc::clone(&health),
                };
                let work = tokio::spawn(supervised.run().instrument(span));
                Running { health, work }
            })
            .collect();
        Self { running, stop }
    }

    /// How they are, in the order in which they were given.
    #[must_use]
    pub fn health(&self) -> Vec<InboundHealth> {
        let health = self.running.iter().map(|one| lock(&one.health).clone());
        health.collect()
    }

    /// Whether all of them take what arrives; none may be there.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        let mut states = self.running.iter().map(|one| lock(&one.health).state);
        !self.stop.is_cancelled() && states.all(|state| state == InboundState::Ready)
    }

    /// Lets them end what is in their hands within the time given, then gives them up. Says the names of those that
    /// were given up; what these had taken and not acknowledged comes again.
    ///
    /// Cancellation: dropped, it gives all of them up.
    pub async fn stop(mut self, within: Duration) -> Vec<String> {
        self.stop.cancel();
        let deadline = Instant::now() + within.min(Duration::from_secs(86_400));
        let ended = join_all(self.running.iter_mut().map(async |one| {
            let in_time = tokio::time::timeout_at(deadline, &mut one.work).await.is_ok();
            (!in_time).then(|| lock(&one.health).name.clone())
        }));
        let given_up: Vec<String> = ended.await.into_iter().flatten().collect();
        if !given_up.is_empty() {
            tracing::warn!(inbounds = given_up.join(", "), "did not end in time; given up");
        }
        given_up
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.work.abort();
    }
}

impl fmt::Debug for Running {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        lock(&self.health).fmt(formatter)
    }
}

struct Supervised {
    inbound: Arc<dyn Inbound>,
    processes: Arc<dyn ProcessPort>,
    stop: CancellationToken,
    health: Arc<Mutex<InboundHealth>>,
}

impl Supervised {
    async fn run(self) {
        let mut delays = backoff::delays();
        loop {
            let (failure, ready_for) = match self.attempt().await {
                (Ok(()), _) if self.stop.is_cancelled() => break,
                (Ok(()), ready_for) => {
                    let failure = Failure::retryable("it has ended, and nobody had told it to");
                    (failure, ready_for)
                }
                (Err(failure), ready_for) => (failure, ready_for),
            };
            let never = failure.retry == Retry::Never;
            self.failed(&failure, never);
            if self.stop.is_cancelled() {
                break;
            }
            if never {
                return;
            }
            if ready_for >= STEADY {
                delays = backoff::delays();
            }
            let mut delay = delays.next().unwrap_or(backoff::LONGEST);
            if let Retry::NotBefore(wait) = failure.retry {
                delay = delay.max(wait);
            }
            if self
                .stop
                .run_until_cancelled(tokio::time::sleep(delay))
                .await
                .is_none()
            {
                break;
            }
        }
        lock(&self.health).state = InboundState::Stopped;
    }

    /// Runs it once, and says for how long it was ready.
    async fn attempt(&self) -> (Result<(), Failure>, Duration) {
        let since = Arc::new(Mutex::new(None));
        let ready = {
            let (since, health) = (Arc::clone(&since), Arc::clone(&self.health));
            move || {
                since
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .get_or_insert_with(Instant::now);
                let mut health = lock(&health);
                if health.state == InboundState::Starting {
                    tracing::info!("takes what arrives");
                    health.state = InboundState::Ready;
                }
            }
        };
        lock(&self.health).state = InboundState::Starting;
        let context = InboundContext::new(Arc::clone(&self.processes), self.stop.clone(), ready);
        // `run` itself may panic before it gives its future.
        let work = async { self.inbound.run(context).await };
        let ended = AssertUnwindSafe(work).catch_unwind().await;
        let since = *since.lock().unwrap_or_else(PoisonError::into_inner);
        let ready_for = since.map_or(Duration::ZERO, |since: Instant| since.elapsed());
        (
            ended.unwrap_or_else(|panic| Err(broke(panic.as_ref()))),
            ready_for,
        )
    }

    fn failed(&self, failure: &Failure, never: bool) {
        let details = failure.details.as_deref().unwrap_or_default();
        if never {
            tracing::error!(%failure, details, "failed, and stands still: trying again cannot mend it");
        } else {
            tracing::warn!(%failure, details, "failed; it is run again");
        }
        let mut health = lock(&self.health);
        health.state = if never {
            InboundState::Failed
        } else {
            InboundState::Waiting
        };
        health.failures += 1;
        health.last_failure = Some(failure.message.clone());
    }
}

fn broke(panic: &(dyn Any + Send)) -> Failure {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    Failure::retryable(format!(
        "it broke: {}; this is a fault in its code",
        text.unwrap_or("it does not say why")
    ))
}

fn lock(health: &Mutex<InboundHealth>) -> MutexGuard<'_, InboundHealth> {
    // Nothing that holds the lock can panic half way through a change.
    health.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
