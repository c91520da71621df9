//! Whether the engine answers.

use std::time::{Duration, Instant};

use engine_client::{EngineClient, EngineError};
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::{BootError, LogTail, listen};

/// How often a booting engine is asked.
const BOOTING: Duration = Duration::from_millis(50);

/// How long one answer may take.
const ANSWER: Duration = Duration::from_secs(5);

/// An engine that does not answer, or not as it should.
pub(crate) enum Silence {
    /// No first answer for this long; the last attempt gave this.
    Timeout { after: Duration, last: Option<String> },
    /// No further answer for this long; the last attempt gave this.
    Lost { after: Duration, last: Option<String> },
    /// An answer that makes further attempts pointless.
    Wrong { user: String, error: EngineError },
}

impl Silence {
    pub(crate) fn explain(self, engine: &EngineClient, log: LogTail) -> BootError {
        let url = engine.url().to_string();
        match self {
            Self::Timeout { after, last } => BootError::Timeout {
                url,
                after,
                last,
                log,
            },
            Self::Lost { after, last } => BootError::Lost {
                url,
                after,
                last,
                log,
            },
            Self::Wrong { user, error } => listen::no_answer(engine, &user, error),
        }
    }
}

/// Waits for the first answer and gives the engine's version. An engine of our own may answer strangely while it
/// boots; at another's address a strange answer is the answer.
pub(crate) async fn first_answer(
    engine: &EngineClient,
    user: &str,
    within: Duration,
    attached: bool,
) -> Result<String, Silence> {
    let mut last = None;
    let poll = async {
        let mut ticks = interval(BOOTING);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            match engine.version().await {
                Ok(version) => return Ok(version),
                Err(error) if error.is_unauthorized() || (attached && !error.is_unreachable()) => {
                    let user = user.to_owned();
                    return Err(Silence::Wrong { user, error });
                }
                Err(error) => last = Some(cause(&error)),
            }
        }
    };
    match timeout(within, poll).await {
        Ok(answer) => answer,
        Err(_) => Err(Silence::Timeout { after: within, last }),
    }
}

/// Asks again and again; returns when there has been no answer for as long as `patience`.
pub(crate) async fn until_silent(engine: &EngineClient, every: Duration, patience: Duration) -> Silence {
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut heard = Instant::now();
    loop {
        ticks.tick().await;
        let last = match timeout(ANSWER, engine.version()).await {
            Ok(Ok(_)) => {
                heard = Instant::now();
                continue;
            }
            Ok(Err(error)) => cause(&error),
            Err(_) => format!("no answer within {ANSWER:?}"),
        };
        let after = heard.elapsed();
        if after >= patience {
            return Silence::Lost {
                after,
                last: Some(last),
            };
        }
    }
}

/// Waits for an answer, for ever.
pub(crate) async fn until_answer(engine: &EngineClient, every: Duration) {
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if matches!(timeout(ANSWER, engine.version()).await, Ok(Ok(_))) {
            return;
        }
    }
}

/// `Connection refused` rather than the whole call, whose address the message names anyway.
fn cause(error: &EngineError) -> String {
    let chain = std::iter::successors(Some(error as &dyn std::error::Error), |error| error.source());
    chain.last().map(ToString::to_string).unwrap_or_default()
}
