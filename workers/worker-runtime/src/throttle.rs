//! How many reports may be in flight at once, found by watching what the engine makes of it.
//!
//! An engine takes the most reports a second at a number of them in flight that nobody can know beforehand: with
//! too few its cores and the network stand idle, with too many its threads get in each other's way. [`Throttle`]
//! climbs that hill. It compares the limit that it holds with another one, in turns short enough that what else
//! happens on the engine meets both alike, and moves where the gain is more than the noise. When no neighbour is
//! better it rests, and looks again from time to time, at growing intervals, or at once when the rate has changed.
//!
//! - The method, climbing on throughput with a test against the noise, is that of .NET's thread pool (Hellerstein,
//!   Morrison, Eilebrecht: Optimizing Concurrency Levels in the .NET ThreadPool, FeBID 2008). Limiters that judge
//!   by latency (Vegas, Gradient) or by loss (AIMD) end elsewhere: the one takes latency that other clients cause
//!   for its own, the other meets no loss before the optimum is long past.
//! - What counts is reports taken in the time in which the limit was reached, after a round under it: idle times,
//!   half-empty queues and short bursts prove nothing and change nothing.
//! - A sign of overload brings the limit down at once.

use std::time::{Duration, Instant};

/// The limits to choose from, close enough that the best lies within a few per cent of one of them.
const LADDER: [usize; 12] = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64];
/// Where it starts: 4.
const START: usize = 3;
/// Rungs that the first comparisons span: twice the limit, or half of it. The last ones span one.
const STRIDE: usize = 2;
/// From this rung on the first look down goes to a quarter: far too many in flight are slow to measure.
const HIGH: usize = 6;
/// Reports that a measurement takes at least, and a round of them where that is more.
const SAMPLES: usize = 32;
/// A measurement that is not whole after so many times the reports that it takes never will be.
const PATIENCE: usize = 10;
/// A place in flight that is empty for longer than this was not wanted.
const MOMENT: Duration = Duration::from_millis(2);
/// A comparison that so many pairs of measurements have not settled ends as they stand.
const PAIRS: u32 = 12;
/// How many standard errors settle a comparison.
const SURE: f64 = 1.5;
/// What a move up must gain (gains are logarithms, so nearly shares).
const GAIN_UP: f64 = 0.03;
/// What a move down may cost: fewer in flight leave the engine to others.
const GAIN_DOWN: f64 = -0.01;
/// A first pair that differs by more than this is enough.
const CLEAR: f64 = 0.4;
/// What one pair can prove at most: a pause of the engine's JVM in one of its halves is no verdict.
const PAIR_MOST: f64 = 0.3;
/// Measurements between two looks at the neighbours: at first, and at most.
const REST: (u32, u32) = (16, 96);
/// A rate that is off by so much, in so many measurements in a row, is a changed engine.
const CHANGED: (f64, u32) = (0.25, 3);
/// For how long limits are left alone that brought overload.
const CEILING: Duration = Duration::from_secs(3);
/// Overload so soon after the last was no accident.
const AGAIN: Duration = Duration::from_secs(1);

/// Decides how many reports are in flight at once, from 1 to 64. It has no clock and does no I/O: the owner asks
/// [`admits`](Self::admits), says what it [`sent`](Self::sent) and how that was [`answered`](Self::answered).
#[derive(Debug)]
pub(crate) struct Throttle {
    most: usize,
    /// The first rung that reaches it.
    top: usize,
    in_flight: usize,
    /// The rung that it holds.
    base: usize,
    /// Grows with each change of the limit: what was sent under another limit is no evidence for this one.
    epoch: u64,
    /// The epoch that the last fall began: overload of what was sent before has been heard already.
    fallen: u64,
    /// When overload last halved the base.
    fell: Option<Instant>,
    /// Rungs from here on brought overload, until then.
    ceiling: Option<(usize, Instant)>,
    window: Window,
    noise: Noise,
    rest: u32,
    phase: Phase,
}

/// What [`Throttle::sent`] hands out and [`Throttle::answered`] takes back.
#[derive(Debug)]
#[must_use = "a report that is never answered takes a place for ever"]
pub(crate) struct Ticket {
    epoch: u64,
    rung: usize,
}

/// What became of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answered {
    /// The engine has done it.
    Taken,
    /// The engine could not keep up: a timeout, a lost connection, a status like 503.
    Overloaded,
    /// Anything that says nothing about speed: a refusal, a report given up.
    Other,
}

#[derive(Clone, Copy, Debug)]
enum Phase {
    /// Holds the base. The logarithm of the rate that it expects, measurements left, and those off in a row.
    Resting {
        rate: Option<f64>,
        left: u32,
        off: u32,
    },
    Comparing(Comparison),
    /// Overload halved the limit: after one measurement without more of it, back to this rung.
    Recovering(usize),
}

/// The base against a candidate, in pairs of measurements: base, candidate, candidate, base and so on, which
/// changes the limit once a pair and cancels what drifts.
#[derive(Clone, Copy, Debug)]
struct Comparison {
    up: bool,
    stride: usize,
    candidate: usize,
    /// The other direction is still to be looked at.
    other: bool,
    /// Which of the two the current measurement is for.
    on_candidate: bool,
    /// What the pair's first measurement found.
    first: Option<f64>,
    pairs: u32,
    sum: f64,
}

/// One measurement: how many were taken in how much time with the limit reached.
#[derive(Clone, Copy, Debug, Default)]
struct Window {
    /// Answers to come before it counts: what was sent under another limit, and a round under this one.
    settling: usize,
    /// All answers since it began, and the most that were in flight.
    answers: usize,
    peak: usize,
    /// Since when the clock runs.
    since: Option<Instant>,
    taken: usize,
    /// Of earlier stretches.
    time: Duration,
    hole: Option<Hole>,
}

/// The limit is not reached at this moment: one was answered, and the next is not sent yet.
#[derive(Clone, Copy, Debug)]
struct Hole {
    since: Instant,
    taken: usize,
}

/// The variance of what pairs find, over all comparisons: a single one has too few for its own.
#[derive(Clone, Copy, Debug)]
struct Noise(f64);

impl Throttle {
    /// Starts with a limit of 4 and goes its way from there. `most` is how many the worker could have in flight
    /// with the slots that it has: limits above are never reached, and what is never reached cannot be measured.
    pub(crate) fn at_most(most: usize) -> Self {
        let most = most.max(1);
        let top = LADDER
            .iter()
            .position(|limit| *limit >= most)
            .unwrap_or(LADDER.len() - 1);
        let mut throttle = Self {
            most,
            top,
            in_flight: 0,
            base: START.min(top),
            epoch: 0,
            fallen: 0,
            fell: None,
            ceiling: None,
            window: Window {
                settling: LADDER[START],
                ..Window::default()
            },
            noise: Noise(0.02),
            rest: REST.0,
            phase: Phase::Resting {
                rate: None,
                left: 0,
                off: 0,
            },
        };
        throttle.look(true, STRIDE, true);
        throttle
    }

    /// Whether one more may be sent now.
    pub(crate) fn admits(&self) -> bool {
        self.in_flight < self.limit()
    }

    /// How many may be in flight now. It changes with answers only.
    pub(crate) fn limit(&self) -> usize {
        LADDER[self.rung()].min(self.most)
    }

    /// How many are in flight. For a moment more than the limit, after it fell.
    #[cfg(test)]
    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// One goes out, at `now`. It counts as in flight until its ticket is [`answered`](Self::answered).
    pub(crate) fn sent(&mut self, now: Instant) -> Ticket {
        self.in_flight += 1;
        self.window.peak = self.window.peak.max(self.in_flight);
        if self.in_flight == self.limit() {
            self.window.filled(now, self.in_flight);
        }
        Ticket {
            epoch: self.epoch,
            rung: self.rung(),
        }
    }

    /// The report of this ticket came to its end, at `now`.
    pub(crate) fn answered(&mut self, ticket: Ticket, now: Instant, how: Answered) {
        let full = self.in_flight >= self.limit();
        if self.in_flight == self.limit() {
            self.window.hole = Some(Hole { since: now, taken: 0 });
        }
        self.in_flight = self.in_flight.saturating_sub(1);
        match how {
            Answered::Other => {}
            Answered::Overloaded => self.fall(&ticket, now),
            Answered::Taken => {
                let enough = SAMPLES.max(self.limit());
                match self.window.taken(now, full, enough) {
                    Some(rate) => self.measured(rate.ln(), now),
                    None if self.window.answers > PATIENCE * enough + self.limit() => self.starved(now),
                    None => {}
                }
            }
        }
    }

    fn rung(&self) -> usize {
        match self.phase {
            Phase::Comparing(comparison) if comparison.on_candidate => comparison.candidate,
            _ => self.base,
        }
    }

    /// A measurement is whole.
    fn measured(&mut self, found: f64, now: Instant) {
        if self.ceiling.is_some_and(|(_, until)| until <= now) {
            self.ceiling = None;
        }
        let before = self.rung();
        match self.phase {
            Phase::Resting { rate, left, off } => self.rested(found, rate, left, off),
            Phase::Comparing(comparison) => self.compared(found, comparison),
            Phase::Recovering(rung) => {
                self.base = rung;
                self.look(true, STRIDE, true);
            }
        }
        if self.rung() != before {
            self.changed(now);
        }
    }

    fn rested(&mut self, found: f64, rate: Option<f64>, left: u32, off: u32) {
        let known = rate.unwrap_or(found);
        if (found - known).abs() > CHANGED.0 {
            if off + 1 >= CHANGED.1 {
                self.rest = REST.0;
                // The way on which there is more to find out, which soon shows.
                self.look(self.base < HIGH, STRIDE, true);
            } else {
                self.phase = Phase::Resting {
                    rate,
                    left,
                    off: off + 1,
                };
            }
        } else if left == 0 {
            self.look(true, 1, true);
        } else {
            self.phase = Phase::Resting {
                rate: Some(known + 0.1 * (found - known)),
                left: left - 1,
                off: 0,
            };
        }
    }

    fn compared(&mut self, found: f64, mut comparison: Comparison) {
        let Some(first) = comparison.first.take() else {
            comparison.first = Some(found);
            comparison.on_candidate = !comparison.on_candidate;
            self.phase = Phase::Comparing(comparison);
            return;
        };
        let gain = if comparison.on_candidate {
            found - first
        } else {
            first - found
        };
        let clear = comparison.pairs == 0 && gain.abs() > CLEAR;
        let gain = gain.clamp(-PAIR_MOST, PAIR_MOST);
        comparison.pairs += 1;
        comparison.sum += gain;
        let pairs = f64::from(comparison.pairs);
        let mean = comparison.sum / pairs;
        if comparison.pairs > 1 {
            self.noise.learn(gain - mean, pairs);
        }
        let Comparison {
            up,
            stride,
            candidate,
            other,
            ..
        } = comparison;
        let over = mean - if up { GAIN_UP } else { GAIN_DOWN };
        let doubt = SURE * (self.noise.0 / pairs).sqrt();
        let settled = clear || comparison.pairs >= PAIRS || comparison.pairs > 1 && over.abs() > doubt;
        // What is still in doubt at the end is done with fewer in flight.
        if settled && (clear || over > doubt || !up) && over > 0.0 {
            self.base = candidate;
            self.rest = REST.0;
            // Where it came from is known to be worse.
            self.look(up, (2 * stride).min(STRIDE), false);
        } else if settled {
            self.next(up, stride, other);
        } else {
            self.phase = Phase::Comparing(comparison);
        }
    }

    /// Looks at a neighbour of the base, or, where there is none, at what comes after it.
    fn look(&mut self, up: bool, stride: usize, other: bool) {
        let top = self.ceiling.map_or(self.top, |(rung, _)| rung.saturating_sub(1));
        let candidate = if up {
            (self.base + stride).min(top)
        } else {
            let far = stride > 1 && self.base >= HIGH;
            self.base.saturating_sub(if far { 2 * stride } else { stride })
        };
        if candidate == self.base || up && candidate < self.base {
            return self.next(up, stride, other);
        }
        self.phase = Phase::Comparing(Comparison {
            up,
            stride,
            candidate,
            other,
            on_candidate: false,
            first: None,
            pairs: 0,
            sum: 0.0,
        });
    }

    /// Nothing better that way: the other way, then nearer, then rest.
    fn next(&mut self, up: bool, stride: usize, other: bool) {
        if other {
            self.look(!up, stride, false);
        } else if stride > 1 {
            self.look(!up, stride / 2, true);
        } else {
            self.phase = Phase::Resting {
                rate: None,
                left: self.rest,
                off: 0,
            };
            self.rest = (self.rest * 2).min(REST.1);
        }
    }

    /// Another limit is in force: what is in flight was sent under the old one.
    fn changed(&mut self, now: Instant) {
        self.epoch += 1;
        self.window = Window {
            settling: self.in_flight + self.limit(),
            hole: (self.in_flight < self.limit()).then_some(Hole { since: now, taken: 0 }),
            ..Window::default()
        };
    }

    /// The limit is not reached often enough to measure. A candidate is given up; a base that the worker comes
    /// near to is lowered until it is reached; one that is far above what is needed stays for the next rush.
    fn starved(&mut self, now: Instant) {
        let near = 2 * self.window.peak > self.limit();
        match self.phase {
            Phase::Comparing(Comparison {
                up,
                stride,
                other,
                on_candidate: true,
                ..
            }) => self.next(up, stride, other),
            _ if near => {
                self.base = self.base.saturating_sub(1);
                self.look(false, 1, false);
            }
            _ => {}
        }
        self.changed(now);
    }

    /// Overload, heard once a round: back to the base where a candidate brought it, else half of the base, and
    /// back to it soon, unless it happens again.
    fn fall(&mut self, ticket: &Ticket, now: Instant) {
        if ticket.epoch < self.fallen {
            return;
        }
        let again = self
            .fell
            .is_some_and(|fell| now.saturating_duration_since(fell) < AGAIN);
        let (guilty, halved) = (ticket.rung, self.base.saturating_sub(STRIDE));
        self.rest = REST.0;
        if guilty > self.base || again {
            // The lowest rungs stay open: an engine that comes back from an outage is soon used again.
            self.ceiling = Some((guilty.max(START + 1), now + CEILING));
        }
        if guilty > self.base {
            self.look(true, 1, true);
        } else {
            self.phase = Phase::Recovering(self.base);
            self.base = halved;
            if again {
                self.look(true, 1, false);
            }
            self.fell = Some(now);
        }
        self.changed(now);
        self.fallen = self.epoch;
    }
}

impl Window {
    /// The limit is reached, by `in_flight`. After more than a moment the stretch before is over.
    fn filled(&mut self, now: Instant, in_flight: usize) {
        let Some(hole) = self.hole.take() else { return };
        if now.saturating_duration_since(hole.since) > MOMENT {
            if let Some(since) = self.since.take() {
                self.time += hole.since.saturating_duration_since(since);
                self.taken = self.taken.saturating_sub(hole.taken);
            }
            self.settling = in_flight;
        }
    }

    /// One more was taken; with `enough` the rate, and a new measurement begins.
    fn taken(&mut self, now: Instant, full: bool, enough: usize) -> Option<f64> {
        self.answers += 1;
        let recent = |hole: &Hole| now.saturating_duration_since(hole.since) <= MOMENT;
        if !full && !self.hole.as_ref().is_some_and(recent) {
            return None;
        }
        if self.settling > 0 {
            self.settling -= 1;
            return None;
        }
        let Some(since) = self.since else {
            self.since = Some(now);
            return None;
        };
        self.taken += 1;
        if let Some(hole) = &mut self.hole {
            hole.taken += 1;
        }
        if self.taken < enough {
            return None;
        }
        let time = self.time + now.saturating_duration_since(since);
        let rate = self.taken as f64 / time.as_secs_f64().max(1e-9);
        *self = Self {
            since: Some(now),
            hole: self.hole.map(|hole| Hole { taken: 0, ..hole }),
            ..Self::default()
        };
        Some(rate)
    }
}

impl Noise {
    fn learn(&mut self, off: f64, pairs: f64) {
        let variance = off * off * pairs / (pairs - 1.0);
        self.0 = (0.9 * self.0 + 0.1 * variance).clamp(0.0004, 0.25);
    }
}

#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;
