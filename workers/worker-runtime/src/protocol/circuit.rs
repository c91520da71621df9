//! Whether the engine answers requests of a kind. While it does not, one at a time asks, further and further apart.

use std::time::{Duration, Instant};

use crate::backoff;

/// Closed: requests go out. Open: nothing but a probe does.
pub(super) struct Circuit {
    state: State,
    delays: Box<dyn Iterator<Item = Duration> + Send>,
    longest: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Closed,
    /// A probe may go out at this time.
    Open {
        probe_at: Instant,
    },
    /// A probe is under way.
    Probing,
}

impl Circuit {
    /// Closed.
    pub(super) fn new() -> Self {
        Self {
            state: State::Closed,
            delays: Box::new(backoff::delays()),
            longest: Duration::MAX,
        }
    }

    /// Probes come no further apart than this (and a tenth of a second).
    pub(super) fn at_least_every(mut self, longest: Duration) -> Self {
        self.longest = longest.max(Duration::from_millis(100));
        self
    }

    /// Open until a probe, which may go out at once, has been answered.
    pub(super) fn to_be_probed(now: Instant) -> Self {
        let mut circuit = Self::new();
        circuit.state = State::Open { probe_at: now };
        circuit
    }

    /// There is a new reason to hope: an open circuit may be probed at once.
    pub(super) fn hope(&mut self, now: Instant) {
        if let State::Open { probe_at } = &mut self.state {
            *probe_at = now;
        }
    }

    /// Whether a request may go out: it is a probe then, if the circuit is open.
    pub(super) fn admits(&self, now: Instant) -> bool {
        match self.state {
            State::Closed => true,
            State::Open { probe_at } => probe_at <= now,
            State::Probing => false,
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.state == State::Closed
    }

    /// When the next probe may go out; `None` where none is to.
    pub(super) fn probe_at(&self) -> Option<Instant> {
        match self.state {
            State::Open { probe_at } => Some(probe_at),
            State::Closed | State::Probing => None,
        }
    }

    /// A request goes out.
    pub(super) fn sent(&mut self) {
        if self.state != State::Closed {
            self.state = State::Probing;
        }
    }

    /// The engine has answered something.
    pub(super) fn answered(&mut self) {
        if self.state != State::Closed {
            self.state = State::Closed;
            self.delays = Box::new(backoff::delays());
        }
    }

    /// The engine did not answer. What was sent before that became known says nothing new.
    pub(super) fn failed(&mut self, now: Instant) {
        if !matches!(self.state, State::Open { .. }) {
            let delay = self.delays.next().unwrap_or(backoff::LONGEST).min(self.longest);
            self.state = State::Open {
                probe_at: now + delay,
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probes_come_further_and_further_apart_and_start_over_after_an_answer() {
        let start = Instant::now();
        let mut circuit = Circuit::to_be_probed(start);
        assert_eq!(circuit.probe_at(), Some(start), "the first is asked at once");
        let mut now = start;
        let mut gaps = Vec::new();
        for _ in 0..12 {
            circuit.sent();
            assert_eq!(circuit.probe_at(), None, "one probe at a time");
            circuit.failed(now);
            circuit.failed(now + backoff::LONGEST);
            let next = circuit.probe_at().unwrap();
            gaps.push(next - now);
            now = next;
        }
        assert!(gaps[0] < Duration::from_millis(300), "{gaps:?}");
        assert!(gaps[11] >= backoff::LONGEST, "{gaps:?}");
        assert!(gaps[11] <= backoff::LONGEST * 2, "{gaps:?}");
        circuit.answered();
        assert!(circuit.is_closed());
        circuit.failed(now);
        assert!(circuit.probe_at().unwrap() - now < Duration::from_millis(300));
        circuit.hope(now);
        assert!(circuit.admits(now));
    }
}
