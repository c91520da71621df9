//! Makes the engine look again.
//!
//! An engine wakes a pending long poll when a task arrives or is unlocked on the same node; the end of a lock or
//! of a retry delay it notices only at its own slow re-check, or when any other poll arrives (`FetchAndLockHandlerImpl`,
//! Camunda 7.24). So a poll for a topic that nobody uses, sent at the moment a retry is due, brings the retry
//! on time, without the risk of cutting off the pool's own poll, which may hold tasks in its hands.

use std::time::{Duration, Instant};

use engine_client::{EngineClient, EngineError, FetchRequest, FetchTopic};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Nobody models this topic.
const NO_TOPIC: &str = "procos.nudge";

/// Retries due within this time of one another share a nudge; it comes this much late, too, so that the engine's
/// clock has passed the moment.
const TOGETHER: Duration = Duration::from_millis(20);

/// Sends a poll of its own at given moments.
#[derive(Clone, Debug)]
pub(crate) struct Nudger(mpsc::UnboundedSender<Instant>);

impl Nudger {
    /// A nudger for the pool of this worker id, until `stop`.
    pub(crate) fn start(engine: EngineClient, worker_id: &str, stop: CancellationToken) -> Self {
        let (sender, receiver) = mpsc::unbounded_channel();
        let id = format!("{worker_id}-nudge");
        tokio::spawn(stop.run_until_cancelled_owned(run(engine, id, receiver)));
        Self(sender)
    }

    /// Nudges the engine this long from now.
    pub(crate) fn after(&self, delay: Duration) {
        // The other end is gone only when the pool stops, and then there is nothing to look for.
        let _ = self.0.send(Instant::now() + delay);
    }
}

async fn run(engine: EngineClient, id: String, mut moments: mpsc::UnboundedReceiver<Instant>) {
    let mut waiting = std::collections::BinaryHeap::new();
    loop {
        let next = waiting
            .peek()
            .map(|std::cmp::Reverse(moment): &std::cmp::Reverse<Instant>| *moment);
        tokio::select! {
            moment = moments.recv() => match moment {
                Some(moment) => waiting.push(std::cmp::Reverse(moment)),
                None => return,
            },
            () = sleep_until(next), if next.is_some() => {
                let now = Instant::now();
                while waiting.peek().is_some_and(|std::cmp::Reverse(moment)| *moment <= now) {
                    waiting.pop();
                }
                // An engine that is away looks at everything anew when it is back.
                if let Err(error) = send(&engine, &id).await {
                    tracing::debug!(%error, "could not nudge the engine");
                }
            }
        }
    }
}

async fn sleep_until(moment: Option<Instant>) {
    if let Some(moment) = moment {
        tokio::time::sleep_until((moment + TOGETHER).into()).await;
    }
}

/// One poll for nothing. Sent with a pool's own worker id it also ends that pool's pending poll, on an engine
/// with `fetch-and-lock-unique-worker-request`.
pub(crate) async fn send(engine: &EngineClient, worker_id: &str) -> Result<(), EngineError> {
    let request = FetchRequest {
        worker_id: worker_id.to_owned(),
        max_tasks: 1,
        use_priority: false,
        long_poll: Duration::from_millis(1),
        topics: vec![FetchTopic::new(NO_TOPIC, Duration::from_secs(1))],
    };
    engine.fetch_and_lock(&request).await.map(drop)
}
