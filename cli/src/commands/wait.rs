//! Waiting for an instance to end or to need somebody.

use std::time::Duration;

use engine_client::{EngineClient, EngineError};
use tokio::time::Instant;

use super::story::{State, look};
use crate::output::Progress;

/// The time between two looks: short at first, as most processes take milliseconds.
const SHORTEST: Duration = Duration::from_millis(20);
const LONGEST: Duration = Duration::from_millis(500);

/// How long an engine that restarts is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// Why the waiting is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Over {
    /// The instance has ended, or stands still until somebody does something.
    Settled(State),
    /// The time is up.
    Elapsed,
    /// Somebody has pressed Ctrl-C.
    Interrupted,
}

/// Waits until an instance has ended or has an incident, no longer than `at_most`. The instance goes on
/// whatever happens here. An engine that is away for a while, as in a restart, is waited for.
///
/// # Errors
/// As every call of the engine; `is_not_found` where the history has forgotten the instance.
pub(crate) async fn until_settled(
    engine: &EngineClient,
    instance_id: &str,
    at_most: Option<Duration>,
    progress: &Progress,
) -> Result<Over, EngineError> {
    tokio::select! {
        // Where no handler can be set, Ctrl-C ends the process as it does anyway.
        Ok(()) = tokio::signal::ctrl_c() => Ok(Over::Interrupted),
        () = elapsed(at_most) => Ok(Over::Elapsed),
        state = settled(engine, instance_id, progress) => state.map(Over::Settled),
    }
}

async fn elapsed(at_most: Option<Duration>) {
    match at_most {
        Some(at_most) => tokio::time::sleep(at_most).await,
        None => std::future::pending().await,
    }
}

async fn settled(
    engine: &EngineClient,
    instance_id: &str,
    progress: &Progress,
) -> Result<State, EngineError> {
    let mut interval = SHORTEST;
    let mut last_answer = Instant::now();
    loop {
        match look(engine, instance_id).await {
            Ok(known) if known.state() != State::Running => return Ok(known.state()),
            Ok(_) => last_answer = Instant::now(),
            Err(error) if error.is_transient() && last_answer.elapsed() < PATIENCE => {
                progress.say("waiting for the engine");
            }
            Err(error) => return Err(error),
        }
        // Not worth a call for what is over in a moment.
        if interval == LONGEST && progress.is_visible() {
            show_step(engine, instance_id, progress).await;
        }
        tokio::time::sleep(interval).await;
        interval = (interval * 3 / 2).min(LONGEST);
    }
}

/// Says at which step the instance stands. That is a courtesy: no error of it ends the waiting.
async fn show_step(engine: &EngineClient, instance_id: &str, progress: &Progress) {
    if let Ok(steps) = engine.current_activities(instance_id).await {
        let names: Vec<_> = steps
            .into_iter()
            .map(|step| step.activity_name.unwrap_or(step.activity_id))
            .collect();
        progress.say(names.join(", "));
    }
}
