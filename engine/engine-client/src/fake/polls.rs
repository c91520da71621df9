//! Long polls as the engine serves them (`FetchAndLockHandlerImpl`, Camunda 7.24): all pending ones are looked at again
//! when a task is inserted or unlocked, when another poll begins to wait, when one of them is due, and every 30 s. That
//! a lock or a retry timeout has run out wakes nobody.

use serde_json::Value as Json;
use tokio::sync::oneshot;
use tokio::time::{Duration, Instant};

use super::answer::Refused;
use super::fetch::Fetch;
use super::state::State;

/// How often pending polls are looked at where nothing happens.
const RECHECK: Duration = Duration::from_secs(30);

/// How many polls may wait at once.
const LONGEST_QUEUE: usize = 200;

type Tasks = Result<Vec<Json>, Refused>;

/// The polls that wait.
#[derive(Debug)]
pub(super) struct Polls {
    pending: Vec<Poll>,
    checked: Instant,
}

#[derive(Debug)]
struct Poll {
    fetch: Fetch,
    until: Instant,
    answer: oneshot::Sender<Tasks>,
}

/// What a fetch gets: an answer at once, or one to wait for.
pub(super) enum Begun {
    Answered(Vec<Json>),
    Waiting(oneshot::Receiver<Tasks>),
}

impl Polls {
    pub(super) fn new() -> Self {
        Self {
            pending: Vec::new(),
            checked: Instant::now(),
        }
    }

    /// Answers a fetch, or lets it wait.
    pub(super) fn begin(&mut self, state: &mut State, fetch: Fetch) -> Result<Begun, Refused> {
        let tasks = state.fetch(&fetch)?;
        let Some(hold) = fetch.hold.filter(|_| tasks.is_empty()) else {
            return Ok(Begun::Answered(tasks));
        };
        if self.pending.len() >= LONGEST_QUEUE {
            return Err(Refused::internal(
                "At the moment the server has to handle too many requests at the same time. Please try again later.",
            ));
        }
        // At most one poll of a worker: the new one ends the old one.
        let (old, others) = std::mem::take(&mut self.pending)
            .into_iter()
            .partition(|poll: &Poll| poll.fetch.worker == fetch.worker);
        self.pending = others;
        for poll in old {
            let _ = poll.answer.send(Err(Refused::cancelled()));
        }
        let (answer, receiver) = oneshot::channel();
        let until = Instant::now() + hold;
        self.pending.push(Poll { fetch, until, answer });
        self.check(state);
        Ok(Begun::Waiting(receiver))
    }

    /// Looks at all pending polls, the oldest first. One whose caller has gone locks tasks for it all the same.
    pub(super) fn check(&mut self, state: &mut State) {
        let now = Instant::now();
        self.checked = now;
        for poll in std::mem::take(&mut self.pending) {
            let is_due = poll.until <= now;
            if is_due && poll.answer.is_closed() {
                continue;
            }
            match state.fetch(&poll.fetch) {
                Ok(tasks) if tasks.is_empty() && !is_due => self.pending.push(poll),
                answer => {
                    // Nobody may be there any more: the tasks stay locked.
                    let _ = poll.answer.send(answer);
                }
            }
        }
    }

    /// When they are to be looked at again without anything having happened.
    pub(super) fn next_check(&self) -> Instant {
        let due = self.pending.iter().map(|poll| poll.until);
        due.chain([self.checked + RECHECK]).min().unwrap_or(self.checked)
    }
}
