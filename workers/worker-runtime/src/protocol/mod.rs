//! The protocol's decisions: what to fetch, run, extend, report, drop and free, and when. A state machine without
//! I/O and without a clock of its own: the pool tells it what has happened, lets it settle, and does what it says.
//! Tests drive it with an engine that they make up.

mod circuit;
mod polls;
mod settle;
mod task;
mod terms;

#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use circuit::Circuit;
use polls::Polls;
pub(crate) use polls::{Fetch, LANES};
use task::{State, Task};
pub(crate) use terms::{Action, HandlerEnd, How, Reply, Rules};

use crate::throttle::{Answered, Throttle};

/// An external task's id.
pub(crate) type TaskId = Arc<str>;

/// How long slots may stand idle for want of tasks before a topic with a long queue is asked for a few: within this
/// time more of them may become free, for the same request.
const LINGER: Duration = Duration::from_millis(5);

/// How long a task that is locked beyond the slots waits for one; then it is given back.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// Where handlers take longer than this, no more tasks are locked than there are slots.
const SHORT: Duration = Duration::from_millis(500);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Working,
    /// No more tasks are taken, until this time those here may end.
    Draining {
        until: Instant,
    },
    /// All is given up.
    Leaving,
}

/// The state of a pool.
pub(crate) struct Machine<T> {
    rules: Rules,
    polls: Polls,
    tasks: HashMap<TaskId, Task<T>>,
    /// Locked and not begun, in the order of the engine's answers.
    waiting: VecDeque<TaskId>,
    /// To be reported, in the order in which the handlers ended.
    unreported: VecDeque<TaskId>,
    /// Reports that are sent again later.
    later: BinaryHeap<Reverse<(Instant, TaskId)>>,
    running: usize,
    throttle: Throttle,
    polling: Circuit,
    reporting: Circuit,
    phase: Phase,
    /// No lock is due before.
    look_at_locks: Option<Instant>,
    /// When the first lock ends, as of the last look: while none may be extended, that is when to look again.
    first_lock_ends: Option<Instant>,
    /// Since when slots stand idle and nothing is left to do here.
    hungry_since: Option<Instant>,
    /// How long handlers take, recent ones weighing more.
    usual_time: Option<Duration>,
    actions: VecDeque<Action<T>>,
}

impl<T> Machine<T> {
    pub(crate) fn new(mut rules: Rules, now: Instant) -> Self {
        // A lock counts from when the poll was sent, the earliest moment at which it can have been set, so the poll
        // must be the shorter.
        rules.long_poll = rules.long_poll.min(rules.lock_duration / 3);
        Self {
            polls: Polls::new(
                rules.subscriptions.iter().cloned(),
                rules.capacity,
                rules.long_poll,
            ),
            tasks: HashMap::new(),
            waiting: VecDeque::new(),
            unreported: VecDeque::new(),
            later: BinaryHeap::new(),
            running: 0,
            throttle: Throttle::at_most(rules.capacity.saturating_add(rules.prefetch)),
            polling: Circuit::to_be_probed(now),
            // Often enough that locks can be extended when the engine is back.
            reporting: Circuit::new().at_least_every(rules.lock_duration / 12),
            phase: Phase::Working,
            look_at_locks: None,
            first_lock_ends: None,
            hungry_since: None,
            usual_time: None,
            actions: VecDeque::new(),
            rules,
        }
    }

    /// A fetch that was sent at `requested_at` has locked these tasks: id, topic, and what the pool keeps with it.
    pub(crate) fn fetched(
        &mut self,
        lane: usize,
        requested_at: Instant,
        now: Instant,
        tasks: impl IntoIterator<Item = (TaskId, String, T)>,
    ) {
        if !self.polling.is_closed() {
            self.polling.answered();
            self.reporting.hope(now);
        }
        let mut brought = Vec::new();
        for (id, topic, kept) in tasks {
            let locked_until = requested_at + self.rules.lock_duration;
            let extend_at =
                (now + self.rules.lock_duration / 3).min(locked_until - self.rules.lock_duration / 4);
            self.look_at_locks = earlier(self.look_at_locks, extend_at);
            if let Some(task) = self.tasks.get_mut(&id) {
                (task.locked_until, task.extend_at) = (locked_until, extend_at);
                (task.lane, task.fetched_again) = (lane, true);
                brought.extend(task.subscription);
                continue;
            }
            let subscription = self.polls.subscription_of(lane, &topic);
            let fits = subscription.is_some_and(|index| self.polls.take(index));
            brought.extend(subscription);
            let task = Task {
                kept: Some(kept),
                lane,
                asked_as: lane,
                extending: false,
                subscription,
                locked_until,
                extend_at,
                fetched_again: false,
                state: State::Waiting { since: now },
                delays: None,
            };
            self.tasks.insert(Arc::clone(&id), task);
            if fits && self.phase == Phase::Working {
                self.waiting.push_back(id);
            } else {
                self.give_back(&id, How::Returned);
            }
        }
        self.polls.answered(lane, &brought);
    }

    /// A fetch was not answered, or by an error.
    pub(crate) fn fetch_failed(&mut self, lane: usize, now: Instant) {
        self.polls.failed(lane);
        self.polling.failed(now);
    }

    /// A task's handler has ended.
    pub(crate) fn handler_ended(&mut self, id: &TaskId, now: Instant, how: HandlerEnd) {
        let Some(task) = self.tasks.get_mut(id) else {
            return;
        };
        let State::Running { since, cancelled } = task.state else {
            return;
        };
        self.running -= 1;
        let took = now.saturating_duration_since(since);
        self.usual_time = Some(self.usual_time.map_or(took, |usual| (usual * 7 + took) / 8));
        match how {
            HandlerEnd::Report if !cancelled && self.phase != Phase::Leaving => {
                task.state = State::Unreported;
                self.unreported.push_back(Arc::clone(id));
            }
            HandlerEnd::Report | HandlerEnd::Cancelled => self.give_back(id, How::Dropped),
            HandlerEnd::Broke => {
                self.over(id, How::Dropped);
                self.remove(id);
            }
        }
    }

    /// The engine's answer to a report.
    pub(crate) fn reported(&mut self, id: &TaskId, now: Instant, reply: Reply) {
        let Some(task) = self.tasks.get_mut(id) else {
            return;
        };
        let State::Sending(ticket) = std::mem::replace(&mut task.state, State::Unreported) else {
            return;
        };
        let answered = match reply {
            Reply::Done | Reply::Gone => Answered::Taken,
            Reply::Busy | Reply::Down => Answered::Overloaded,
            Reply::NotOurs | Reply::Refused => Answered::Other,
        };
        self.throttle.answered(ticket, now, answered);
        self.count_reply(reply, now);
        match reply {
            Reply::Done | Reply::Gone => self.finish(id),
            _ if self.phase == Phase::Leaving => self.give_back(id, How::Dropped),
            Reply::Busy | Reply::Down => self.repeat_later(id, now),
            // The lock is somebody else's, the report itself is wrong, or the engine is in trouble: whether it lets
            // us extend the lock tells these apart.
            Reply::NotOurs | Reply::Refused if self.was_asked_as_another(id) => self.report_again(id),
            Reply::NotOurs | Reply::Refused => {
                self.set_state(id, State::Probing);
                self.actions.push_back(Action::Probe(Arc::clone(id)));
            }
        }
    }

    /// The engine's answer to the question whether a lock is still ours.
    pub(crate) fn probed(&mut self, id: &TaskId, requested_at: Instant, now: Instant, reply: Reply) {
        let Some(task) = self.tasks.get(id) else { return };
        if !matches!(task.state, State::Probing) {
            return;
        }
        self.count_reply(reply, now);
        match reply {
            Reply::Gone => self.finish(id),
            _ if self.phase == Phase::Leaving => self.give_back(id, How::Dropped),
            _ if self.was_asked_as_another(id) => self.report_again(id),
            Reply::NotOurs => {
                self.over(id, How::Dropped);
                self.remove(id);
            }
            Reply::Done => {
                self.hold_from(id, requested_at);
                self.actions.push_back(Action::Replace(Arc::clone(id)));
            }
            Reply::Refused | Reply::Busy | Reply::Down => self.repeat_later(id, now),
        }
    }

    /// Whether another report has taken the place of the refused one; if not, that one is repeated.
    pub(crate) fn replaced(&mut self, id: &TaskId, now: Instant, by_another: bool) {
        if by_another {
            self.report_again(id);
        } else {
            self.repeat_later(id, now);
        }
    }

    /// The engine's answer to an extension that was sent at `requested_at`.
    pub(crate) fn extended(&mut self, id: &TaskId, requested_at: Instant, now: Instant, reply: Reply) {
        self.count_reply(reply, now);
        if let Some(task) = self.tasks.get_mut(id) {
            task.extending = false;
        }
        match reply {
            Reply::Done => self.hold_from(id, requested_at),
            Reply::Gone | Reply::NotOurs => self.lost(id),
            // Tried again soon; a lock that runs out meanwhile is lost.
            Reply::Refused | Reply::Busy | Reply::Down => {
                if let Some(task) = self.tasks.get_mut(id) {
                    task.extend_at = now + self.rules.lock_duration / 12;
                    self.look_at_locks = earlier(self.look_at_locks, task.extend_at);
                }
            }
        }
    }

    /// The task's lock has been let go, or could not be.
    pub(crate) fn freed(&mut self, id: &TaskId) {
        let Some(task) = self.tasks.get_mut(id) else {
            return;
        };
        if task.fetched_again {
            task.fetched_again = false;
            self.actions.push_back(Action::Free(Arc::clone(id)));
        } else {
            self.remove(id);
        }
    }

    /// No more tasks are taken; those that wait for a slot are given back, those that run have until then.
    pub(crate) fn stop(&mut self, until: Instant) {
        if self.phase != Phase::Working {
            return;
        }
        self.phase = Phase::Draining { until };
        for id in std::mem::take(&mut self.waiting) {
            self.give_back(&id, How::Returned);
        }
    }

    /// Decides what follows from all that was told.
    pub(crate) fn settle(&mut self, now: Instant) {
        if matches!(self.phase, Phase::Draining { until } if until <= now) {
            self.give_up();
        }
        self.keep_locks(now);
        while let Some(Reverse((at, _))) = self.later.peek()
            && *at <= now
            && let Some(Reverse((_, id))) = self.later.pop()
        {
            if self
                .tasks
                .get(&id)
                .is_some_and(|task| matches!(task.state, State::Later))
            {
                self.set_state(&id, State::Unreported);
                self.unreported.push_back(id);
            }
        }
        self.run_waiting(now);
        self.send_reports(now);
        if self.phase == Phase::Working {
            self.poll(now);
        }
    }

    /// The next thing to do.
    pub(crate) fn next_action(&mut self) -> Option<Action<T>> {
        self.actions.pop_front()
    }

    /// When to settle again though nothing was told.
    pub(crate) fn wake_at(&self, now: Instant) -> Option<Instant> {
        let working = self.phase == Phase::Working;
        let first_waiting = self.waiting.front().and_then(|id| self.tasks.get(id));
        [
            self.look_at_locks,
            self.first_lock_ends,
            self.later.peek().map(|Reverse((at, _))| *at),
            first_waiting
                .and_then(|task| task.state.waiting_since())
                .map(|since| since + LONGEST_WAIT),
            self.polling.probe_at().filter(|_| working),
            self.reporting.probe_at(),
            self.hungry_since.map(|since| since + LINGER).filter(|_| working),
            self.polls.think_again_at(now).filter(|_| working),
            match self.phase {
                Phase::Draining { until } => Some(until),
                Phase::Working | Phase::Leaving => None,
            },
        ]
        .into_iter()
        .flatten()
        // What was due was dealt with, or waits for something to happen.
        .filter(|at| *at > now)
        .min()
    }

    /// What the pool keeps with a task.
    pub(crate) fn kept(&mut self, id: &TaskId) -> Option<&mut T> {
        self.tasks.get_mut(id)?.kept.as_mut()
    }

    /// Under which of the pool's worker ids a task is locked.
    pub(crate) fn lane_of(&self, id: &TaskId) -> Option<usize> {
        self.tasks.get(id).map(|task| task.lane)
    }

    /// The tasks that are locked here.
    pub(crate) fn locked(&self) -> impl ExactSizeIterator<Item = &TaskId> {
        self.tasks.keys()
    }

    /// Whether the engine has answered the last fetch.
    pub(crate) fn engine_answers(&self) -> bool {
        self.polling.is_closed()
    }

    /// Whether a fetch is not answered yet.
    pub(crate) fn is_polling(&self) -> bool {
        self.polls.expected() > 0
    }

    /// Whether a pool that was stopped has nothing left to do.
    pub(crate) fn is_over(&self) -> bool {
        self.phase != Phase::Working && self.tasks.is_empty()
    }

    /// The lock is another's, or nobody's.
    fn lost(&mut self, id: &TaskId) {
        let Some(task) = self.tasks.get_mut(id) else {
            return;
        };
        // So that it is not found lost again and again.
        task.locked_until += self.rules.lock_duration;
        self.look_at_locks = earlier(self.look_at_locks, task.locked_until);
        match &mut task.state {
            State::Running { cancelled, .. } if !*cancelled => {
                *cancelled = true;
                self.actions.push_back(Action::Cancel(Arc::clone(id)));
            }
            State::Waiting { .. } => self.give_back(id, How::Dropped),
            // An engine takes a report of the last owner as long as nobody else has locked the task.
            State::Running { .. }
            | State::Unreported
            | State::Sending(_)
            | State::Probing
            | State::Later
            | State::Freeing => {}
        }
    }

    /// The engine has taken the report, or nothing more is to be reported.
    fn finish(&mut self, id: &TaskId) {
        self.over(id, How::Reported);
        let Some(task) = self.tasks.get(id) else { return };
        if task.fetched_again {
            // Brought again before its end was known here: locked for a run that nobody has begun.
            self.free(id);
        } else {
            self.remove(id);
        }
    }

    fn give_back(&mut self, id: &TaskId, how: How) {
        self.over(id, how);
        self.free(id);
    }

    fn free(&mut self, id: &TaskId) {
        if let Some(task) = self.tasks.get_mut(id) {
            task.state = State::Freeing;
            task.fetched_again = false;
            self.actions.push_back(Action::Free(Arc::clone(id)));
        }
    }

    fn over(&mut self, id: &TaskId, how: How) {
        if let Some(kept) = self.tasks.get_mut(id).and_then(|task| task.kept.take()) {
            self.actions.push_back(Action::Over(Arc::clone(id), kept, how));
        }
    }

    fn remove(&mut self, id: &TaskId) {
        if let Some(task) = self.tasks.remove(id)
            && let Some(index) = task.subscription
        {
            self.polls.give_back(index);
        }
    }

    /// Whether the answer is to what was asked under a worker id that the lock has left since.
    fn was_asked_as_another(&self, id: &TaskId) -> bool {
        self.tasks.get(id).is_some_and(|task| task.asked_as != task.lane)
    }

    fn report_again(&mut self, id: &TaskId) {
        self.set_state(id, State::Unreported);
        self.unreported.push_front(Arc::clone(id));
    }

    fn repeat_later(&mut self, id: &TaskId, now: Instant) {
        let Some(task) = self.tasks.get_mut(id) else {
            return;
        };
        task.state = State::Later;
        let delay = task.next_delay();
        self.later.push(Reverse((now + delay, Arc::clone(id))));
    }

    fn count_reply(&mut self, reply: Reply, now: Instant) {
        match reply {
            Reply::Down => self.reporting.failed(now),
            Reply::Done | Reply::Gone | Reply::NotOurs | Reply::Refused | Reply::Busy => {
                self.reporting.answered()
            }
        }
    }

    fn hold_from(&mut self, id: &TaskId, requested_at: Instant) {
        if let Some(task) = self.tasks.get_mut(id) {
            task.locked_until = requested_at + self.rules.lock_duration;
            task.extend_at = requested_at + self.rules.lock_duration / 3;
            self.look_at_locks = earlier(self.look_at_locks, task.extend_at);
        }
    }

    fn set_state(&mut self, id: &TaskId, state: State) {
        if let Some(task) = self.tasks.get_mut(id) {
            task.state = state;
        }
    }
}

fn earlier(one: Option<Instant>, other: Instant) -> Option<Instant> {
    Some(one.map_or(other, |one| one.min(other)))
}
