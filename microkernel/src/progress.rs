//! Where the kernel is, and who is told.

use std::time::Instant;

use crate::{Event, Observer, Phase, Step};

/// The present phase, since when, and the observer.
pub(crate) struct Progress {
    phase: Phase,
    since: Instant,
    observer: Observer,
}

impl Progress {
    pub(crate) fn new(observer: Observer) -> Self {
        Self {
            phase: Phase::Logging,
            since: Instant::now(),
            observer,
        }
    }

    pub(crate) fn phase(&self) -> Phase {
        self.phase
    }

    pub(crate) fn observer(&self) -> &Observer {
        &self.observer
    }

    pub(crate) fn tell(&self, event: &Event) {
        (self.observer)(event);
    }

    /// Goes to the next phase and tells it.
    pub(crate) fn step(&mut self, step: Step) {
        let Some(next) = self.phase.after(step) else {
            // Such as the stop of a kernel that has failed.
            tracing::debug!(phase = %self.phase, ?step, "no phase comes after this");
            return;
        };
        if next == self.phase {
            return;
        }
        let previous = std::mem::replace(&mut self.phase, next);
        let took = std::mem::replace(&mut self.since, Instant::now()).elapsed();
        tracing::debug!(phase = %next, %previous, took_ms = took.as_secs_f64() * 1e3, "phase");
        self.tell(&Event::Phase {
            phase: next,
            previous,
            took,
        });
    }
}
