//! Gives what has arrived to the engine, however long it takes.

use std::time::{Duration, Instant};

use backon::{BackoffBuilder, ExponentialBuilder};
use tokio::time::sleep;
use worker_api::{Failure, InboundContext, PortError};

use crate::Arrival;

/// What became of what has arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The engine has it.
    Taken,
    /// Nobody waits for it, or what it starts is not deployed, and nobody came.
    Nobody(String),
    /// The engine holds it to be wrong.
    Refused(String),
    /// Nobody has it, as the inbound is to stop.
    Stopped,
}

impl Arrival {
    /// Starts the process, or correlates the message: as soon as the engine can be had, and, within `patience`, as soon as
    /// somebody waits for it. `source` says in logs where it comes from.
    ///
    /// # Errors
    /// Where procos's login may not do it: what has arrived is not to blame.
    ///
    /// Cancellation: as of the port; [`InboundContext::stop`] ends it where nothing is under way.
    pub async fn settle(
        &self,
        source: &str,
        patience: Duration,
        context: &InboundContext,
    ) -> Result<Fate, Failure> {
        let begun = Instant::now();
        let mut pauses = ExponentialBuilder::default()
            .with_min_delay(Duration::from_millis(100))
            .with_max_delay(Duration::from_secs(10))
            .with_jitter()
            .without_max_times()
            .build();
        let mut is_warned = false;
        loop {
            let error = match self.clone().deliver(context.processes.as_ref()).await {
                Ok(()) => return Ok(Fate::Taken),
                Err(error) => error,
            };
            let is_nobody = matches!(
                error,
                PortError::NoMatch { .. } | PortError::UnknownProcess { .. }
            );
            let may_pass = error.is_transient() || error.is_outcome_unknown();
            if error.is_not_permitted() {
                return Err(Failure::retryable(format!("{error}; {}", error.remedy())));
            }
            if is_nobody && begun.elapsed() >= patience {
                return Ok(Fate::Nobody(error.to_string()));
            }
            if !is_nobody && !may_pass {
                return Ok(Fate::Refused(error.to_string()));
            }
            if may_pass && !is_warned {
                is_warned = true;
                tracing::warn!(source, what = self.shown(), %error, "what has arrived is kept until the engine takes it");
            }
            tokio::select! {
                () = context.stop.cancelled() => return Ok(Fate::Stopped),
                () = sleep(pauses.next().unwrap_or_default()) => {}
            }
        }
    }
}
