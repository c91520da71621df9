//! The sandbox, opened once for all tasks.

use std::sync::Arc;
use std::time::Duration;

use sandbox::{Sandbox, SandboxError, Settings};
use tokio::sync::watch;
use tokio::time::Instant;

/// How long it is remembered that no sandbox can be used.
const REMEMBERED: Duration = Duration::from_secs(60);

/// The sandbox, or why there is none. Clones share it.
#[derive(Clone)]
pub(crate) struct Opening {
    settings: Arc<Settings>,
    state: Arc<watch::Sender<State>>,
}

#[derive(Clone)]
enum State {
    /// Nobody has asked.
    Idle,
    /// It is being opened.
    Opening,
    /// It is there.
    Open(Sandbox),
    /// It was refused, for this reason, at this moment.
    Refused(SandboxError, Instant),
    /// The worker stops.
    Closed,
}

impl State {
    /// Whether it has to be opened now.
    fn is_due(&self) -> bool {
        match self {
            Self::Idle => true,
            Self::Refused(_, since) => since.elapsed() >= REMEMBERED,
            Self::Opening | Self::Open(_) | Self::Closed => false,
        }
    }
}

impl Opening {
    /// Nothing is opened yet.
    pub(crate) fn new(settings: Settings) -> Self {
        Self {
            settings: Arc::new(settings),
            state: Arc::new(watch::Sender::new(State::Idle)),
        }
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The sandbox. The first who asks has it opened, and all who ask meanwhile wait for that. A refusal is remembered for a
    /// minute, then it is tried again.
    ///
    /// Cancellation: what is being opened goes on, for whoever asks next.
    pub(crate) async fn sandbox(&self) -> Result<Sandbox, SandboxError> {
        let mut state = self.state.subscribe();
        let begin = |state: &mut State| {
            let is_due = state.is_due();
            if is_due {
                *state = State::Opening;
            }
            is_due
        };
        if self.state.send_if_modified(begin) {
            let opening = self.clone();
            tokio::spawn(async move {
                let opened = Sandbox::open(&opening.settings).await;
                opening.settle(opened).await;
            });
        }
        let settled = state
            .wait_for(|state| !matches!(state, State::Opening | State::Idle))
            .await;
        match settled.as_deref() {
            Ok(State::Open(sandbox)) => Ok(sandbox.clone()),
            Ok(State::Refused(error, _)) => Err(error.clone()),
            // Another worker may run it.
            _ => Err(SandboxError::Lost {
                backend: "closed",
                said: "the worker stops".to_owned(),
            }),
        }
    }

    async fn settle(&self, opened: Result<Sandbox, SandboxError>) {
        let is_wanted = self.state.send_if_modified(|state| {
            let is_wanted = matches!(state, State::Opening);
            if is_wanted {
                *state = match &opened {
                    Ok(sandbox) => State::Open(sandbox.clone()),
                    Err(error) => State::Refused(error.clone(), Instant::now()),
                };
            }
            is_wanted
        });
        if let Ok(sandbox) = opened
            && !is_wanted
        {
            sandbox.close().await;
        }
    }

    /// Closes it, for good.
    pub(crate) async fn close(&self) {
        if let State::Open(sandbox) = self.state.send_replace(State::Closed) {
            sandbox.close().await;
        }
    }
}
