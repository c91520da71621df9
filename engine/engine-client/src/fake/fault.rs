//! Faults that a test injects into calls.

use tokio::time::Duration;

/// What goes wrong with the next calls of a path: an answer of the test's choice, a lost answer, a delay.
///
/// ```
/// use std::time::Duration;
/// use engine_client::fake::Fault;
///
/// // Two completions meet another transaction; nothing of them is carried out.
/// let busy = Fault::on("/complete").times(2).answer(500, Some(1));
/// // One is carried out, and nobody hears of it.
/// let lost = Fault::on("/complete").lose_answer();
/// // Every fetch takes three seconds longer, by tokio's clock.
/// let slow = Fault::on("/fetchAndLock").times(usize::MAX).delay(Duration::from_secs(3));
/// ```
#[derive(Clone, Debug)]
pub struct Fault {
    path: String,
    times: usize,
    pub(super) delay: Duration,
    pub(super) instead: Option<(u16, Option<i64>)>,
    /// The status of a gateway's own answer.
    pub(super) gateway: Option<u16>,
    pub(super) lost: bool,
    pub(super) silent: bool,
}

impl Fault {
    /// For the next call whose path contains this text. On its own it does nothing: say what is to go wrong.
    #[must_use]
    pub fn on(path: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            times: 1,
            delay: Duration::ZERO,
            instead: None,
            gateway: None,
            lost: false,
            silent: false,
        }
    }

    /// For as many calls; without this for one.
    #[must_use]
    pub fn times(mut self, times: usize) -> Self {
        self.times = times;
        self
    }

    /// Answers with this status and code of the engine, and carries nothing out.
    #[must_use]
    pub fn answer(mut self, status: u16, code: Option<i64>) -> Self {
        self.instead = Some((status, code));
        self
    }

    /// Answers as a gateway in front of the engine does that has its own reasons, such as a 404 while it knows no route;
    /// and carries nothing out.
    #[must_use]
    pub fn gateway_answer(mut self, status: u16) -> Self {
        self.gateway = Some(status);
        self
    }

    /// Carries the call out and loses its answer: the caller gets the 502 of a proxy that has none to give.
    #[must_use]
    pub fn lose_answer(mut self) -> Self {
        self.lost = true;
        self
    }

    /// Carries the call out and never answers: it ends by the caller's own timeout.
    #[must_use]
    pub fn never_answer(mut self) -> Self {
        self.silent = true;
        self
    }

    /// Waits so long before anything else, by tokio's clock.
    #[must_use]
    pub fn delay(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }
}

/// Takes the first fault that is meant for a path.
pub(super) fn take(faults: &mut Vec<Fault>, path: &str) -> Option<Fault> {
    let index = faults
        .iter()
        .position(|it| it.times > 0 && path.contains(&it.path))?;
    let fault = faults.get_mut(index)?;
    fault.times -= 1;
    let taken = fault.clone();
    faults.retain(|it| it.times > 0);
    Some(taken)
}
