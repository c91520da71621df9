//! What follows from all that was told: locks to keep, handlers to run, reports to send, polls to ask.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use super::polls::Room;
use super::task::State;
use super::{Action, How, LINGER, LONGEST_WAIT, Machine, Phase, SHORT, TaskId, earlier};

impl<T> Machine<T> {
    pub(super) fn prefetch(&self) -> usize {
        match self.usual_time {
            Some(usual) if usual > SHORT => 0,
            Some(_) | None => self.rules.prefetch,
        }
    }

    pub(super) fn keep_locks(&mut self, now: Instant) {
        if self.look_at_locks.is_none_or(|at| at > now) {
            return;
        }
        (self.look_at_locks, self.first_lock_ends) = (None, None);
        let mut lost = Vec::new();
        for (id, task) in &mut self.tasks {
            if task.locked_until <= now {
                lost.push(Arc::clone(id));
                continue;
            }
            if !task.state.wants_its_lock() {
                continue;
            }
            if task.extend_at <= now && self.reporting.admits(now) {
                self.reporting.sent();
                // Due again, whether or not this extension succeeds.
                task.extend_at = now + self.rules.lock_duration / 3;
                task.extending = true;
                self.actions.push_back(Action::Extend(Arc::clone(id)));
            }
            self.look_at_locks = earlier(self.look_at_locks, task.extend_at.min(task.locked_until));
            self.first_lock_ends = earlier(self.first_lock_ends, task.locked_until);
        }
        for id in lost {
            self.lost(&id);
        }
    }

    pub(super) fn run_waiting(&mut self, now: Instant) {
        while let Some(id) = self.waiting.front().cloned() {
            let Some(since) = self.tasks.get(&id).and_then(|task| task.state.waiting_since()) else {
                self.waiting.pop_front();
                continue;
            };
            if self.running < self.rules.capacity {
                self.running += 1;
                self.set_state(
                    &id,
                    State::Running {
                        since: now,
                        cancelled: false,
                    },
                );
                self.actions.push_back(Action::Run(Arc::clone(&id)));
            } else if since + LONGEST_WAIT <= now {
                // Another worker may have a slot for it. And handlers take at least that long, as it seems.
                self.usual_time = self.usual_time.max(Some(LONGEST_WAIT));
                self.give_back(&id, How::Returned);
            } else {
                return;
            }
            self.waiting.pop_front();
        }
    }

    pub(super) fn send_reports(&mut self, now: Instant) {
        let mut extending = VecDeque::new();
        while self.reporting.admits(now)
            && self.throttle.admits()
            && let Some(id) = self.unreported.pop_front()
        {
            let Some(task) = self.tasks.get_mut(&id) else {
                continue;
            };
            if !matches!(task.state, State::Unreported) {
                continue;
            }
            if task.extending {
                extending.push_back(id);
                continue;
            }
            task.state = State::Sending(self.throttle.sent(now));
            task.asked_as = task.lane;
            // The report is made for whatever has locked it until now.
            task.fetched_again = false;
            self.reporting.sent();
            self.actions.push_back(Action::Report(id));
        }
        extending.append(&mut self.unreported);
        self.unreported = extending;
    }

    pub(super) fn poll(&mut self, now: Instant) {
        let most = self.rules.capacity.saturating_add(self.prefetch());
        let hungry =
            self.running < self.rules.capacity && self.waiting.is_empty() && self.unreported.is_empty();
        self.hungry_since = if hungry {
            self.hungry_since.or(Some(now))
        } else {
            None
        };
        let starving = self.hungry_since.is_some_and(|since| since + LINGER <= now);
        let hard = self.rules.capacity.saturating_add(self.rules.prefetch);
        let free = |machine: &Self| {
            let taken = machine.tasks.len() + machine.polls.expected();
            // A poll that waits may bring more than may now be locked ahead, and must not keep a slot that is free from
            // what it does not ask for.
            let for_a_slot = usize::from(machine.tasks.len() < machine.rules.capacity);
            most.saturating_sub(taken)
                .max(hard.saturating_sub(taken).min(for_a_slot))
        };
        if !self.polling.is_closed() {
            if self.polling.admits(now)
                && let Some(fetch) = self.polls.probe(free(self), now)
            {
                self.polling.sent();
                self.actions.push_back(Action::Fetch(fetch));
            }
            return;
        }
        loop {
            let free = free(self);
            let worthwhile = free >= (most * 3 / 8).max(1) || starving;
            let Some(fetch) = self.polls.next(Room { free, worthwhile }, now) else {
                return;
            };
            self.actions.push_back(Action::Fetch(fetch));
        }
    }

    /// Everything that is not under way to the engine is given up.
    pub(super) fn give_up(&mut self) {
        self.phase = Phase::Leaving;
        self.unreported.clear();
        self.later.clear();
        let ids: Vec<TaskId> = self.tasks.keys().cloned().collect();
        for id in ids {
            let Some(task) = self.tasks.get_mut(&id) else {
                continue;
            };
            match &mut task.state {
                State::Running { cancelled, .. } if !*cancelled => {
                    *cancelled = true;
                    self.actions.push_back(Action::Cancel(id));
                }
                State::Waiting { .. } | State::Unreported | State::Later => self.give_back(&id, How::Dropped),
                State::Running { .. } | State::Sending(_) | State::Probing | State::Freeing => {}
            }
        }
    }
}
