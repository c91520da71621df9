//! An engine in virtual time: cores that share their work among all requests, a network, pauses, other clients.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::time::{Duration, Instant};

use super::{Answered, Throttle, Ticket};

/// The shape of an engine. Times in seconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Engine {
    pub(super) cores: f64,
    /// CPU that a report takes, in the mean.
    pub(super) work: f64,
    /// How much slower the whole becomes for each request beyond the cores.
    pub(super) contention: f64,
    /// Time on the network, there and back.
    pub(super) network: f64,
    /// Requests of other clients that are always there.
    pub(super) others: f64,
    /// A pause of everything, and how often.
    pub(super) pause: (f64, f64),
    /// What fetching takes of the CPU after every 50 reports.
    pub(super) fetch: f64,
    /// More in the engine than this are refused as overload.
    pub(super) refuses: usize,
    /// One report in so many carries variables that take ten times the work.
    pub(super) big: u64,
    /// One report in so many fails for a reason of its own.
    pub(super) lost: u64,
}

pub(super) const SHARED: Engine = Engine {
    cores: 2.0,
    work: 0.0024,
    contention: 0.02,
    network: 0.0004,
    others: 0.0,
    pause: (0.04, 1.0),
    fetch: 0.02,
    refuses: usize::MAX,
    big: u64::MAX,
    lost: u64::MAX,
};

/// Who decides how many are in flight.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "there is one at a time")]
pub(super) enum Policy {
    Fixed(usize),
    Found(Throttle),
}

/// A run of a worker against an engine; both may be changed between two calls of `run`.
#[derive(Debug)]
pub(super) struct World {
    pub(super) engine: Engine,
    pub(super) policy: Policy,
    /// Reports that wait to be sent; without an end unless set.
    pub(super) queue: usize,
    /// How many reports the worker can have at once.
    pub(super) slots: usize,
    start: Instant,
    now: f64,
    random: Random,
    paused_until: f64,
    next_pause: f64,
    sent: usize,
    in_flight: usize,
    next: u64,
    /// In the engine: what work is left, and whose.
    busy: Vec<(f64, u64)>,
    /// On the network: when, whose, and whether it is the answer.
    wire: BinaryHeap<Reverse<(u64, u64, bool)>>,
    tickets: HashMap<u64, (Option<Ticket>, Answered)>,
    pub(super) taken: usize,
    pub(super) overloaded: usize,
}

const FETCH: u64 = u64::MAX;

impl World {
    pub(super) fn new(engine: Engine, policy: Policy, seed: u64) -> Self {
        Self {
            engine,
            policy,
            queue: usize::MAX,
            slots: usize::MAX,
            start: Instant::now(),
            now: 0.0,
            random: Random(seed),
            paused_until: 0.0,
            next_pause: 0.3 * engine.pause.1,
            sent: 0,
            in_flight: 0,
            next: 0,
            busy: Vec::new(),
            wire: BinaryHeap::new(),
            tickets: HashMap::new(),
            taken: 0,
            overloaded: 0,
        }
    }

    /// Reports a second over the next `seconds`.
    pub(super) fn run(&mut self, seconds: f64) -> f64 {
        let (end, taken) = (self.now + seconds, self.taken);
        while self.now < end {
            self.send();
            self.step(end);
        }
        (self.taken - taken) as f64 / seconds
    }

    fn at(&self) -> Instant {
        self.start + Duration::from_secs_f64(self.now)
    }

    fn admits(&self) -> bool {
        match &self.policy {
            Policy::Fixed(limit) => self.in_flight < *limit,
            Policy::Found(throttle) => throttle.admits(),
        }
    }

    fn send(&mut self) {
        while self.queue > 0 && self.in_flight < self.slots && self.admits() {
            self.queue -= 1;
            let now = self.at();
            let ticket = match &mut self.policy {
                Policy::Fixed(_) => None,
                Policy::Found(throttle) => Some(throttle.sent(now)),
            };
            self.in_flight += 1;
            self.next += 1;
            let lost = self.random.one_in(self.engine.lost);
            let how = if lost {
                Answered::Overloaded
            } else {
                Answered::Taken
            };
            self.tickets.insert(self.next, (ticket, how));
            self.put(self.next, false);
            self.sent += 1;
            if self.sent.is_multiple_of(50) && self.engine.fetch > 0.0 {
                self.busy.push((self.engine.fetch, FETCH));
            }
        }
    }

    fn put(&mut self, whose: u64, answer: bool) {
        let jitter = 0.8 + 0.4 * self.random.share();
        let due = self.now + 0.5 * self.engine.network * jitter;
        self.wire.push(Reverse(((due * 1e9) as u64, whose, answer)));
    }

    /// Lets time go on to the next event, `end` at the latest.
    fn step(&mut self, end: f64) {
        let Engine {
            cores,
            contention,
            others,
            pause,
            ..
        } = self.engine;
        let there = self.busy.len() as f64 + others;
        let speed = if self.now < self.paused_until || there == 0.0 {
            0.0
        } else {
            (cores / there).min(1.0) / (1.0 + contention * (there - cores).max(0.0))
        };
        let least = self
            .busy
            .iter()
            .map(|(work, _)| *work)
            .fold(f64::INFINITY, f64::min);
        let mut next = end;
        if speed > 0.0 {
            next = next.min(self.now + least / speed);
        }
        if self.paused_until > self.now {
            next = next.min(self.paused_until);
        }
        if pause.0 > 0.0 {
            next = next.min(self.next_pause);
        }
        if let Some(Reverse((due, ..))) = self.wire.peek() {
            next = next.min(*due as f64 / 1e9);
        }
        let next = next.max(self.now);
        let done = (next - self.now) * speed;
        self.now = next;
        for (work, _) in &mut self.busy {
            *work -= done;
        }
        if pause.0 > 0.0 && self.now >= self.next_pause {
            self.paused_until = self.now + pause.0 * self.random.exponential();
            self.next_pause = self.paused_until + pause.1 * (0.5 + self.random.share());
        }
        let mut index = 0;
        while index < self.busy.len() {
            if self.busy[index].0 <= 1e-9 {
                let (_, whose) = self.busy.swap_remove(index);
                if whose != FETCH {
                    self.put(whose, true);
                }
            } else {
                index += 1;
            }
        }
        while let Some(Reverse((due, whose, answer))) = self.wire.peek().copied() {
            if due as f64 / 1e9 > self.now + 1e-9 {
                break;
            }
            self.wire.pop();
            if answer {
                self.answered(whose)
            } else {
                self.arrived(whose)
            }
        }
    }

    fn arrived(&mut self, whose: u64) {
        if self.busy.len() >= self.engine.refuses {
            self.tickets.get_mut(&whose).expect("sent").1 = Answered::Overloaded;
            return self.put(whose, true);
        }
        // Half of it is always the same, the rest varies as requests do.
        let mut work = self.engine.work * (0.5 + 0.5 * self.random.exponential());
        if self.random.one_in(self.engine.big) {
            work *= 10.0;
        }
        self.busy.push((work, whose));
    }

    fn answered(&mut self, whose: u64) {
        let (ticket, how) = self.tickets.remove(&whose).expect("sent");
        self.in_flight -= 1;
        match how {
            Answered::Taken => self.taken += 1,
            _ => self.overloaded += 1,
        }
        let now = self.at();
        if let (Policy::Found(throttle), Some(ticket)) = (&mut self.policy, ticket) {
            throttle.answered(ticket, now, how);
        }
    }
}

/// SplitMix64: a library's generator may change with its version, and the figures with it.
#[derive(Debug)]
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn one_in(&mut self, many: u64) -> bool {
        self.next().is_multiple_of(many)
    }

    fn share(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    fn exponential(&mut self) -> f64 {
        -(1.0 - self.share()).ln()
    }
}
