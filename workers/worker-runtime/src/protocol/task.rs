//! A task that is locked here.

use std::time::{Duration, Instant};

use crate::backoff;
use crate::throttle::Ticket;

/// What the machine knows of a locked task.
pub(super) struct Task<T> {
    /// What the pool keeps with it, until it is over.
    pub(super) kept: Option<T>,
    /// Under which worker id it is locked.
    pub(super) lane: usize,
    /// Under which worker id its report was sent, or the question whether the lock is ours: the lock may move to another
    /// meanwhile, and the answer says nothing of that one.
    pub(super) asked_as: usize,
    /// Whether an extension of its lock is under way: overtaken by a report of a failure, it would take the place of the
    /// delay until the next attempt.
    pub(super) extending: bool,
    /// Which subscription it counts for.
    pub(super) subscription: Option<usize>,
    /// When the lock ends, counted from before the request that set it: never later than the engine's view.
    pub(super) locked_until: Instant,
    /// When to extend it next.
    pub(super) extend_at: Instant,
    /// Whether a fetch has brought it again since.
    pub(super) fetched_again: bool,
    pub(super) state: State,
    /// How long to wait before the report is sent again, once it had to be.
    pub(super) delays: Option<Box<dyn Iterator<Item = Duration> + Send>>,
}

/// How far it has come.
pub(super) enum State {
    /// For a slot.
    Waiting { since: Instant },
    /// Its handler runs.
    Running { since: Instant, cancelled: bool },
    /// Its report waits for its turn.
    Unreported,
    /// Its report is under way.
    Sending(Ticket),
    /// The engine refused its report, and is asked whether the lock is ours.
    Probing,
    /// Its report is sent again after a while.
    Later,
    /// Its lock is being let go.
    Freeing,
}

impl State {
    pub(super) fn waiting_since(&self) -> Option<Instant> {
        match self {
            Self::Waiting { since } => Some(*since),
            _ => None,
        }
    }

    /// A report under way ends it, or sets another end.
    pub(super) fn wants_its_lock(&self) -> bool {
        !matches!(self, Self::Freeing | Self::Sending(_))
    }
}

impl<T> Task<T> {
    pub(super) fn next_delay(&mut self) -> Duration {
        let delays = self.delays.get_or_insert_with(|| Box::new(backoff::delays()));
        delays.next().unwrap_or(backoff::LONGEST)
    }
}
