//! Makes the engine look again when a retry is due, by [`EngineClient::wake_polls`].
//!
//! The pool's own poll, which may hold tasks in its hands, is not cut off for it.

use std::time::{Duration, Instant};

use engine_client::EngineClient;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

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
                if let Err(error) = engine.wake_polls(&id).await {
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
