//! Which topics are asked for, by which poll, and for how many tasks.
//!
//! One request asks for many topics and has one bound for all of them, so a topic with a long queue could take
//! every slot, and one with a limit of its own could bring more than it may. Hence:
//!
//! - A topic that has filled a whole answer is *crowded*. Crowded topics are asked for alone, one at a time, the one
//!   that holds the fewest tasks first, until an answer shows that its queue is short again. The quiet topics stay
//!   together in a long poll that keeps an eighth of the pool's capacity for them.
//! - A topic whose limit is reached is not asked for.
//! - A poll that waits cannot be changed. What becomes open meanwhile is asked for on another *lane*, which has a
//!   worker id of its own, so that there is one poll for each worker id. Such a poll ends together with the one that
//!   waits, and one poll for everything follows.
//! - Two subscriptions of the same topic never share a request: the engine would ignore the first in silence.

use std::collections::HashMap;
use std::time::{Duration, Instant};

/// How many polls may wait at once.
pub(crate) const LANES: usize = 8;

/// How long the last free lane may be taken, so that there soon is one again.
const LAST_LANE: Duration = Duration::from_millis(500);

/// Polls that end within this time of one another are followed by one.
const TOGETHER: Duration = Duration::from_millis(100);

/// The shortest time for which a poll beside another waits.
const SHORTEST_WAIT: Duration = Duration::from_secs(1);

/// What is asked of the engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fetch {
    /// Under which of the pool's worker ids.
    pub(crate) lane: usize,
    /// The subscriptions, by their place in the settings.
    pub(crate) subscriptions: Vec<usize>,
    /// How many tasks at most.
    pub(crate) max_tasks: usize,
    /// How long the engine may wait for the first.
    pub(crate) long_poll: Duration,
    /// Whether an earlier answer on this lane got lost: what it may have locked is to be freed first.
    pub(crate) recover: bool,
}

/// What the planner knows of a subscription.
#[derive(Debug)]
pub(super) struct Subscription {
    pub(super) topic: String,
    /// How many of its tasks may be locked at once.
    pub(super) limit: Option<usize>,
    /// How many are.
    held: usize,
    crowded: bool,
    /// When it was last asked for, as a count.
    asked: u64,
}

#[derive(Debug, Default)]
struct Lane {
    pending: Option<Pending>,
    recover: bool,
}

#[derive(Debug)]
struct Pending {
    subscriptions: Vec<usize>,
    max_tasks: usize,
    ends_at: Instant,
    alone: bool,
}

/// What there is to share out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Room {
    /// How many more tasks may be locked.
    pub(super) free: usize,
    /// Whether it is worth a request of its own to lock more of a topic that has many waiting: else it is put off,
    /// so that one request brings many.
    pub(super) worthwhile: bool,
}

/// The polls of a pool.
pub(super) struct Polls {
    subscriptions: Vec<Subscription>,
    lanes: Vec<Lane>,
    /// What is kept for quiet topics while others are crowded.
    reserve: usize,
    long_poll: Duration,
    /// Without a reserve, quiet and crowded topics take turns; whether the quiet ones have had theirs.
    quiet_asked: bool,
    count: u64,
}

impl Polls {
    pub(super) fn new(
        subscriptions: impl IntoIterator<Item = (String, Option<usize>)>,
        capacity: usize,
        long_poll: Duration,
    ) -> Self {
        let subscriptions = subscriptions.into_iter().map(|(topic, limit)| Subscription {
            topic,
            limit,
            held: 0,
            crowded: false,
            asked: 0,
        });
        Self {
            subscriptions: subscriptions.collect(),
            lanes: std::iter::repeat_with(Lane::default).take(LANES).collect(),
            reserve: capacity / 8,
            long_poll,
            quiet_asked: false,
            count: 0,
        }
    }

    /// How many tasks the polls under way may bring.
    pub(super) fn expected(&self) -> usize {
        self.pending().map(|pending| pending.max_tasks).sum()
    }

    /// The next poll that is to be sent, if any; it counts as sent.
    pub(super) fn next(&mut self, room: Room, now: Instant) -> Option<Fetch> {
        if room.free == 0 {
            return None;
        }
        let lane = self.free_lane()?;
        let open = self.open();
        let (crowded, quiet): (Vec<usize>, Vec<usize>) = open
            .into_iter()
            .partition(|index| self.subscriptions[*index].crowded);
        self.quiet(lane, &quiet, room.free, now)
            .or_else(|| self.alone(lane, &crowded, room, now))
    }

    /// A poll of all that no other asks for, answered at once: it asks whether the engine is there.
    pub(super) fn probe(&mut self, free: usize, now: Instant) -> Option<Fetch> {
        let (open, _) = self.first_of_each_topic(&self.open());
        if free == 0 || open.is_empty() {
            return None;
        }
        let lane = self.free_lane()?;
        Some(self.send(lane, open, self.with_room_left(free, free), Duration::ZERO, now))
    }

    /// When to think again though nothing happens.
    pub(super) fn think_again_at(&self, now: Instant) -> Option<Instant> {
        let ends = self.pending().map(|pending| pending.ends_at + TOGETHER);
        ends.filter(|end| *end > now).min()
    }

    /// Which of a poll's subscriptions a task belongs to.
    pub(super) fn subscription_of(&self, lane: usize, topic: &str) -> Option<usize> {
        let pending = self.lanes.get(lane)?.pending.as_ref()?;
        let mut subscriptions = pending.subscriptions.iter().copied();
        subscriptions.find(|index| self.subscriptions[*index].topic == topic)
    }

    /// A task of the subscription is locked. Says whether there was room for it.
    pub(super) fn take(&mut self, index: usize) -> bool {
        let subscription = &mut self.subscriptions[index];
        subscription.held += 1;
        let fits = subscription.limit.is_none_or(|limit| subscription.held <= limit);
        subscription.crowded |= !fits;
        fits
    }

    /// A task of the subscription is not locked any more.
    pub(super) fn give_back(&mut self, index: usize) {
        let subscription = &mut self.subscriptions[index];
        subscription.held = subscription.held.saturating_sub(1);
    }

    /// A poll was answered, with tasks of these subscriptions. Called after each of them was taken.
    pub(super) fn answered(&mut self, lane: usize, brought: &[usize]) {
        let Some(pending) = self.lanes.get_mut(lane).and_then(|lane| lane.pending.take()) else {
            return;
        };
        self.lanes[lane].recover = false;
        if brought.len() >= pending.max_tasks {
            for index in brought {
                self.subscriptions[*index].crowded = true;
            }
        } else if pending.alone {
            for index in pending.subscriptions {
                self.subscriptions[index].crowded = false;
            }
        }
    }

    /// A poll got no answer.
    pub(super) fn failed(&mut self, lane: usize) {
        if let Some(lane) = self.lanes.get_mut(lane) {
            lane.pending = None;
            lane.recover = true;
        }
    }

    fn pending(&self) -> impl Iterator<Item = &Pending> {
        self.lanes.iter().filter_map(|lane| lane.pending.as_ref())
    }

    /// A poll of several topics leaves some of what is free: whichever has a long queue would take all of it.
    fn with_room_left(&self, share: usize, free: usize) -> usize {
        if self.subscriptions.len() > 1 {
            share.min(free.saturating_sub(self.reserve)).max(1)
        } else {
            share
        }
    }

    /// A lane without a poll; first one whose last answer got lost, so that what it locked is soon found.
    fn free_lane(&self) -> Option<usize> {
        let free = |lane: &Lane| lane.pending.is_none();
        let lost = self.lanes.iter().position(|lane| free(lane) && lane.recover);
        lost.or_else(|| self.lanes.iter().position(free))
    }

    fn room(&self, index: usize) -> usize {
        let subscription = &self.subscriptions[index];
        subscription
            .limit
            .map_or(usize::MAX, |limit| limit.saturating_sub(subscription.held))
    }

    /// What no poll asks for and has room, in the order in which it was last asked for.
    fn open(&self) -> Vec<usize> {
        let covered = |index: &usize| {
            self.pending()
                .any(|pending| pending.subscriptions.contains(index))
        };
        let mut open: Vec<usize> = (0..self.subscriptions.len())
            .filter(|index| !covered(index) && self.room(*index) > 0)
            .collect();
        open.sort_by_key(|index| self.subscriptions[*index].asked);
        open
    }

    /// The first of each topic, and how many requests the rest of them needs beside this one.
    fn first_of_each_topic(&self, open: &[usize]) -> (Vec<usize>, usize) {
        let mut first: Vec<usize> = Vec::new();
        let mut times: HashMap<&str, usize> = HashMap::new();
        for index in open {
            let times = times.entry(&self.subscriptions[*index].topic).or_default();
            if *times == 0 {
                first.push(*index);
            }
            *times += 1;
        }
        (first, times.values().max().map_or(0, |most| most - 1))
    }

    fn quiet(&mut self, lane: usize, quiet: &[usize], free: usize, now: Instant) -> Option<Fetch> {
        let (quiet, more) = self.first_of_each_topic(quiet);
        let widest = quiet.iter().map(|index| self.room(*index)).max()?;
        let beside_crowded = (0..self.subscriptions.len())
            .any(|index| self.subscriptions[index].crowded && self.room(index) > 0);
        if beside_crowded && self.reserve == 0 {
            if self.quiet_asked {
                return None;
            }
            self.quiet_asked = true;
            return Some(self.send(lane, quiet, free.min(widest), Duration::ZERO, now));
        }
        let oldest_end = self.pending().map(|pending| pending.ends_at).min();
        let long_poll = match oldest_end {
            None => self.long_poll,
            // It is about to end, and one poll for everything follows.
            Some(end) if end + TOGETHER > now && end < now + TOGETHER => return None,
            Some(end) => end
                .saturating_duration_since(now)
                .clamp(SHORTEST_WAIT.min(self.long_poll), self.long_poll),
        };
        let lanes_left = self.lanes.iter().filter(|lane| lane.pending.is_none()).count();
        let long_poll = match lanes_left {
            1 => long_poll.min(LAST_LANE),
            // The others of the same topics must wait for it.
            _ if more >= free => long_poll.min(SHORTEST_WAIT),
            _ => long_poll,
        };
        let share = free.div_ceil(more + 1);
        let max_tasks = if beside_crowded {
            share.min(self.reserve)
        } else {
            self.with_room_left(share, free)
        };
        Some(self.send(lane, quiet, max_tasks.min(widest), long_poll, now))
    }

    fn alone(&mut self, lane: usize, crowded: &[usize], room: Room, now: Instant) -> Option<Fetch> {
        if !room.worthwhile || self.pending().any(|pending| pending.alone) {
            return None;
        }
        let next = crowded.iter().copied().min_by_key(|index| {
            let subscription = &self.subscriptions[*index];
            (subscription.held, subscription.asked)
        })?;
        self.quiet_asked = false;
        let max_tasks = room.free.min(self.room(next));
        let fetch = self.send(lane, vec![next], max_tasks, Duration::ZERO, now);
        if let Some(pending) = &mut self.lanes[lane].pending {
            pending.alone = true;
        }
        Some(fetch)
    }

    fn send(
        &mut self,
        lane: usize,
        subscriptions: Vec<usize>,
        max_tasks: usize,
        long_poll: Duration,
        now: Instant,
    ) -> Fetch {
        self.count += 1;
        for index in &subscriptions {
            self.subscriptions[*index].asked = self.count;
        }
        self.lanes[lane].pending = Some(Pending {
            subscriptions: subscriptions.clone(),
            max_tasks,
            ends_at: now + long_poll,
            alone: false,
        });
        Fetch {
            lane,
            subscriptions,
            max_tasks,
            long_poll,
            recover: self.lanes[lane].recover,
        }
    }
}
