//! An engine, handlers and a network, all made up, around one machine.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::super::{Action, Fetch, HandlerEnd, How, LANES, Machine, Reply, Rules, TaskId};

/// How long a request takes there, and back.
const WAY: Duration = Duration::from_millis(1);

/// How long the engine works at a report: at so many at once.
const WORK: Duration = Duration::from_millis(2);

/// What the tasks of a topic are like.
#[derive(Clone, Copy)]
pub(super) struct Topic {
    takes: Duration,
}

impl Topic {
    pub(super) fn taking(takes: Duration) -> Self {
        Self { takes }
    }
}

struct EngineTask {
    topic: String,
    takes: Duration,
    created: Instant,
    started: Option<Instant>,
    lock: Option<(usize, Instant)>,
    done: bool,
    running: bool,
}

#[derive(Debug)]
enum Event {
    /// A fetch arrives at the engine.
    Fetch(Fetch, Instant),
    /// The engine gives up waiting.
    PollEnds(u64),
    Fetched(usize, Instant, Option<Vec<usize>>),
    HandlerEnds(usize, u64),
    Report(TaskId),
    Reported(TaskId, Reply),
    Extend(TaskId, Instant, bool),
    Extended(TaskId, Instant, Reply, bool),
    Free(TaskId, usize),
    Freed(TaskId),
}

/// Everything.
pub(super) struct World {
    machine: Machine<()>,
    rules: Rules,
    now: Instant,
    events: BinaryHeap<Reverse<(Instant, u64)>>,
    what: HashMap<u64, Event>,
    count: u64,
    tasks: Vec<EngineTask>,
    waiting: BTreeMap<u64, (Fetch, Instant)>,
    /// The run of a task that counts: older ones were cancelled.
    runs: HashMap<usize, u64>,
    is_down: bool,
    trouble: f64,
    random: u64,
    pub(super) requests: usize,
    pub(super) fetches: usize,
    pub(super) extensions: usize,
    pub(super) reports: usize,
    pub(super) returned: usize,
    pub(super) started: usize,
    pub(super) cancelled: usize,
    pub(super) most_running: HashMap<String, usize>,
    pub(super) asked: Vec<usize>,
}

impl World {
    pub(super) fn new(rules: Rules) -> Self {
        let now = Instant::now();
        Self {
            machine: Machine::new(rules.clone(), now),
            now,
            events: BinaryHeap::new(),
            what: HashMap::new(),
            count: 0,
            tasks: Vec::new(),
            waiting: BTreeMap::new(),
            runs: HashMap::new(),
            is_down: false,
            trouble: 0.0,
            random: 1,
            requests: 0,
            fetches: 0,
            extensions: 0,
            reports: 0,
            returned: 0,
            started: 0,
            cancelled: 0,
            most_running: HashMap::new(),
            asked: vec![0; rules.subscriptions.len()],
            rules,
        }
    }

    pub(super) fn add(&mut self, topic: &str, count: usize, like: Topic) {
        for _ in 0..count {
            self.tasks.push(EngineTask {
                topic: topic.to_owned(),
                takes: like.takes,
                created: self.now,
                started: None,
                lock: None,
                done: false,
                running: false,
            });
        }
        self.answer_waiting();
    }

    pub(super) fn trouble(&mut self, share: f64, seed: u64) {
        (self.trouble, self.random) = (share, seed | 1);
    }

    pub(super) fn down(&mut self, is_down: bool) {
        self.is_down = is_down;
        if is_down {
            for (_, (fetch, sent)) in std::mem::take(&mut self.waiting) {
                self.after(WAY, Event::Fetched(fetch.lane, sent, None));
            }
        }
    }

    /// Another worker holds all locks from now on.
    pub(super) fn steal_all(&mut self) {
        let until = self.now + Duration::from_secs(3600);
        for task in &mut self.tasks {
            task.lock = Some((usize::MAX, until));
        }
    }

    pub(super) fn stop(&mut self, within: Duration) {
        self.machine.stop(self.now + within);
    }

    pub(super) fn run_for(&mut self, time: Duration) {
        let end = self.now + time;
        self.run(end, |_| false);
        self.now = end;
    }

    pub(super) fn run_until_done(&mut self, within: Duration) -> Duration {
        self.run_until(within, "all tasks are done", |world| {
            world.tasks.iter().all(|task| task.done)
        })
    }

    pub(super) fn run_until_over(&mut self, within: Duration) -> Duration {
        self.run_until(within, "the pool is over", |world| world.machine.is_over())
    }

    /// How long the last task of the topic waited for its start.
    pub(super) fn run_until_started(&mut self, topic: &str, within: Duration) -> Duration {
        let index = self.tasks.iter().rposition(|task| task.topic == topic).unwrap();
        self.run_until(within, "it has started", |world| {
            world.tasks[index].started.is_some()
        });
        self.tasks[index].started.unwrap() - self.tasks[index].created
    }

    pub(super) fn done(&self) -> usize {
        self.tasks.iter().filter(|task| task.done).count()
    }

    pub(super) fn running(&self) -> usize {
        self.tasks.iter().filter(|task| task.running).count()
    }

    pub(super) fn locked(&self) -> usize {
        self.machine.locked().len()
    }

    pub(super) fn locked_at_the_engine(&self) -> usize {
        let locked = |task: &&EngineTask| !task.done && task.lock.is_some_and(|(_, until)| until > self.now);
        self.tasks.iter().filter(locked).count()
    }

    fn run_until(&mut self, within: Duration, what: &str, condition: impl Fn(&Self) -> bool) -> Duration {
        let start = self.now;
        let met = self.run(start + within, &condition);
        let done = self.done();
        assert!(
            met,
            "not within {within:?}: {what}; {done} of {} are done",
            self.tasks.len()
        );
        self.now - start
    }

    fn run(&mut self, end: Instant, condition: impl Fn(&Self) -> bool) -> bool {
        let mut at_this_moment = 0;
        loop {
            self.machine.settle(self.now);
            while let Some(action) = self.machine.next_action() {
                self.act(action);
            }
            self.check();
            if condition(self) {
                return true;
            }
            let event = self.events.peek().map(|Reverse((at, _))| *at);
            let wake = self.machine.wake_at(self.now);
            let Some(next) = event.into_iter().chain(wake).min().filter(|next| *next <= end) else {
                return false;
            };
            at_this_moment = if next > self.now { 0 } else { at_this_moment + 1 };
            assert!(at_this_moment < 10_000, "it spins");
            self.now = self.now.max(next);
            while let Some(Reverse((at, number))) = self.events.peek().copied()
                && at <= self.now
            {
                self.events.pop();
                if let Some(event) = self.what.remove(&number) {
                    self.happen(event);
                }
            }
        }
    }

    /// What may never be.
    fn check(&mut self) {
        let running = self.running();
        assert!(
            running <= self.rules.capacity,
            "{running} run in {} slots",
            self.rules.capacity
        );
        let locked = self.machine.locked().len();
        assert!(
            locked <= self.rules.capacity + self.rules.prefetch,
            "{locked} locked"
        );
        let mut by_topic: HashMap<&str, usize> = HashMap::new();
        for task in self.tasks.iter().filter(|task| task.running) {
            *by_topic.entry(&task.topic).or_default() += 1;
        }
        for (topic, running) in by_topic {
            let most = self.most_running.entry(topic.to_owned()).or_default();
            *most = running.max(*most);
            let limits = self.rules.subscriptions.iter().filter(|(name, _)| name == topic);
            let limit: Option<usize> = limits.map(|(_, limit)| *limit).sum();
            assert!(
                limit.is_none_or(|limit| running <= limit),
                "{running} of {topic} run"
            );
        }
    }

    fn act(&mut self, action: Action<()>) {
        let now = self.now;
        let request = matches!(
            action,
            Action::Fetch(_) | Action::Extend(_) | Action::Report(_) | Action::Probe(_) | Action::Free(_)
        );
        self.requests += usize::from(request);
        match action {
            Action::Fetch(fetch) => {
                self.fetches += 1;
                let topic = |index: &usize| self.rules.subscriptions[*index].0.as_str();
                let mut topics: Vec<&str> = fetch.subscriptions.iter().map(topic).collect();
                topics.sort_unstable();
                assert!(!topics.is_empty() && fetch.max_tasks > 0, "{fetch:?}");
                assert!(
                    topics.windows(2).all(|pair| pair[0] != pair[1]),
                    "a topic twice: {topics:?}"
                );
                assert!(fetch.lane < LANES);
                for index in &fetch.subscriptions {
                    self.asked[*index] += 1;
                }
                if fetch.recover {
                    // As the pool does it: frees what the lane holds and nobody runs.
                    for (index, task) in self.tasks.iter_mut().enumerate() {
                        let known = self.machine.locked().any(|id| **id == *index.to_string());
                        if task.lock.is_some_and(|(lane, _)| lane == fetch.lane) && !known {
                            task.lock = None;
                        }
                    }
                }
                self.after(WAY, Event::Fetch(fetch, now));
            }
            Action::Run(id) => {
                let index = index(&id);
                assert!(!self.tasks[index].running, "{id} runs twice");
                self.started += 1;
                self.tasks[index].running = true;
                self.tasks[index].started.get_or_insert(now);
                self.count += 1;
                self.runs.insert(index, self.count);
                self.after(self.tasks[index].takes, Event::HandlerEnds(index, self.count));
            }
            Action::Cancel(id) => {
                self.cancelled += 1;
                self.runs.remove(&index(&id));
                self.tasks[index(&id)].running = false;
                self.machine.handler_ended(&id, now, HandlerEnd::Cancelled);
                self.machine.settle(now);
            }
            Action::Extend(id) => {
                self.extensions += 1;
                self.after(WAY, Event::Extend(id, now, false));
            }
            Action::Probe(id) => self.after(WAY, Event::Extend(id, now, true)),
            Action::Report(id) => {
                self.reports += 1;
                self.after(WAY + WORK, Event::Report(id));
            }
            Action::Replace(id) => self.machine.replaced(&id, now, true),
            Action::Free(id) => {
                let lane = self.machine.lane_of(&id).unwrap();
                self.after(WAY, Event::Free(id, lane));
            }
            Action::Over(_, (), how) => self.returned += usize::from(how == How::Returned),
        }
    }

    fn happen(&mut self, event: Event) {
        let now = self.now;
        match event {
            Event::Fetch(fetch, sent) => {
                if self.is_down || self.chance() {
                    self.after(WAY, Event::Fetched(fetch.lane, sent, None));
                } else {
                    self.count += 1;
                    let number = self.count;
                    self.after(fetch.long_poll, Event::PollEnds(number));
                    self.waiting.insert(number, (fetch, sent));
                    self.answer_waiting();
                }
            }
            Event::PollEnds(number) => {
                if let Some((fetch, sent)) = self.waiting.remove(&number) {
                    let tasks = self.lock(&fetch);
                    self.after(WAY, Event::Fetched(fetch.lane, sent, Some(tasks)));
                }
            }
            Event::Fetched(lane, _, None) => self.machine.fetch_failed(lane, now),
            // Carried out, and the answer lost.
            Event::Fetched(lane, _, Some(_)) if self.chance() => self.machine.fetch_failed(lane, now),
            Event::Fetched(lane, sent, Some(tasks)) => {
                let tasks = tasks
                    .into_iter()
                    .map(|index| (Arc::from(index.to_string()), self.tasks[index].topic.clone(), ()));
                let tasks: Vec<_> = tasks.collect();
                self.machine.fetched(lane, sent, now, tasks);
            }
            Event::HandlerEnds(index, run) => {
                if self.runs.get(&index) == Some(&run) {
                    self.runs.remove(&index);
                    self.tasks[index].running = false;
                    self.machine
                        .handler_ended(&Arc::from(index.to_string()), now, HandlerEnd::Report);
                }
            }
            Event::Report(id) => {
                let reply = self.reply(&id, |task| task.done = true);
                self.after(WAY, Event::Reported(id, reply));
            }
            Event::Reported(id, reply) => self.machine.reported(&id, now, reply),
            Event::Extend(id, sent, probe) => {
                let until = now + self.rules.lock_duration;
                let reply = self.reply(&id, |task| task.lock = task.lock.map(|(lane, _)| (lane, until)));
                self.after(WAY, Event::Extended(id, sent, reply, probe));
            }
            Event::Extended(id, sent, reply, true) => self.machine.probed(&id, sent, now, reply),
            Event::Extended(id, sent, reply, false) => self.machine.extended(&id, sent, now, reply),
            Event::Free(id, lane) => {
                let task = &mut self.tasks[index(&id)];
                if !self.is_down && task.lock.is_some_and(|(owner, _)| owner == lane) {
                    task.lock = None;
                }
                self.answer_waiting();
                self.after(WAY, Event::Freed(id));
            }
            Event::Freed(id) => self.machine.freed(&id),
        }
    }

    fn reply(&mut self, id: &TaskId, carry_out: impl FnOnce(&mut EngineTask)) -> Reply {
        if self.is_down || self.chance() {
            return Reply::Down;
        }
        let lost = self.chance();
        let lane = self.machine.lane_of(id);
        let task = &mut self.tasks[index(id)];
        let reply = match task.lock {
            _ if task.done => Reply::Gone,
            Some((owner, _)) if Some(owner) == lane => {
                carry_out(task);
                Reply::Done
            }
            _ => Reply::NotOurs,
        };
        if lost { Reply::Down } else { reply }
    }

    fn answer_waiting(&mut self) {
        let numbers: Vec<u64> = self.waiting.keys().copied().collect();
        for number in numbers {
            let fetch = self.waiting[&number].0.clone();
            let tasks = self.lock(&fetch);
            if !tasks.is_empty()
                && let Some((fetch, sent)) = self.waiting.remove(&number)
            {
                self.after(WAY, Event::Fetched(fetch.lane, sent, Some(tasks)));
            }
        }
    }

    fn lock(&mut self, fetch: &Fetch) -> Vec<usize> {
        let now = self.now;
        let until = now + self.rules.lock_duration;
        let topics: Vec<&str> = fetch
            .subscriptions
            .iter()
            .map(|index| self.rules.subscriptions[*index].0.as_str())
            .collect();
        let mut locked = Vec::new();
        for (index, task) in self.tasks.iter_mut().enumerate() {
            let free = !task.done && task.lock.is_none_or(|(_, until)| until <= now);
            if locked.len() < fetch.max_tasks && free && topics.contains(&task.topic.as_str()) {
                task.lock = Some((fetch.lane, until));
                locked.push(index);
            }
        }
        locked
    }

    fn after(&mut self, delay: Duration, event: Event) {
        self.count += 1;
        self.events.push(Reverse((self.now + delay, self.count)));
        self.what.insert(self.count, event);
    }

    /// Whether something goes wrong now.
    fn chance(&mut self) -> bool {
        // xorshift64
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        ((self.random >> 11) as f64 / (1u64 << 53) as f64) < self.trouble
    }
}

fn index(id: &TaskId) -> usize {
    id.parse().unwrap()
}
