//! What this worker has locked: which tasks run, until when their locks hold, which are due for extension. A
//! state machine without I/O and without a clock of its own, so that tests can drive it.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::time::{Duration, Instant};

/// The tasks in flight. `H` is whatever stops a task's handler.
#[derive(Debug)]
pub(crate) struct Ledger<H> {
    lock_duration: Duration,
    tasks: HashMap<String, InFlight<H>>,
}

#[derive(Debug)]
struct InFlight<H> {
    /// When the lock ends, counted from before the request that set it: never later than the engine's view.
    locked_until: Instant,
    /// When to extend it next.
    extend_at: Instant,
    /// Whether a fetch has brought it again since.
    fetched_again: bool,
    handle: H,
}

/// What to do with a task that a fetch has brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    /// Run it.
    Run,
    /// It is in flight here already: its lock had run out and was taken anew. The run that is under way goes on
    /// under the new lock.
    AlreadyInFlight,
}

impl<H> Ledger<H> {
    pub(crate) fn new(lock_duration: Duration) -> Self {
        Self {
            lock_duration,
            tasks: HashMap::new(),
        }
    }

    /// A fetch that was sent at `requested_at` has locked the task. The engine may have answered a long poll
    /// much later than it was asked, so the caller gives the latest moment before which the lock cannot have
    /// been set; `handle` is kept only where the task is to be run.
    pub(crate) fn admit(&mut self, id: &str, locked_at: Instant, handle: H) -> Admission {
        let (locked_until, extend_at) = self.lock_from(locked_at);
        match self.tasks.entry(id.to_owned()) {
            Entry::Occupied(mut entry) => {
                let task = entry.get_mut();
                (task.locked_until, task.extend_at) = (locked_until, extend_at);
                task.fetched_again = true;
                Admission::AlreadyInFlight
            }
            Entry::Vacant(entry) => {
                entry.insert(InFlight {
                    locked_until,
                    extend_at,
                    fetched_again: false,
                    handle,
                });
                Admission::Run
            }
        }
    }

    /// The tasks whose locks are to be extended now. Each is due again a third of a lock later, whether or not
    /// this extension succeeds.
    pub(crate) fn due(&mut self, now: Instant) -> Vec<String> {
        let again = now + self.lock_duration / 3;
        let mut due = Vec::new();
        for (id, task) in &mut self.tasks {
            if task.extend_at <= now {
                task.extend_at = again;
                due.push(id.clone());
            }
        }
        due
    }

    /// The engine has extended a lock at a request that was sent at `requested_at`.
    pub(crate) fn extended(&mut self, id: &str, requested_at: Instant) {
        let (locked_until, extend_at) = self.lock_from(requested_at);
        if let Some(task) = self.tasks.get_mut(id) {
            (task.locked_until, task.extend_at) = (locked_until, extend_at);
        }
    }

    /// The handles of tasks whose locks have run out: nobody may go on with them as if they were still ours.
    pub(crate) fn expired(&self, now: Instant) -> impl Iterator<Item = &H> {
        self.tasks
            .values()
            .filter(move |task| task.locked_until <= now)
            .map(|task| &task.handle)
    }

    /// The handle of a task in flight.
    pub(crate) fn handle(&self, id: &str) -> Option<&H> {
        self.tasks.get(id).map(|task| &task.handle)
    }

    /// The task is over: reported, dropped or freed. Says whether a fetch has brought it again meanwhile, so that the
    /// engine holds it locked for a run that nobody has begun.
    pub(crate) fn finish(&mut self, id: &str) -> bool {
        self.tasks.remove(id).is_some_and(|task| task.fetched_again)
    }

    pub(crate) fn contains(&self, id: &str) -> bool {
        self.tasks.contains_key(id)
    }

    pub(crate) fn len(&self) -> usize {
        self.tasks.len()
    }

    fn lock_from(&self, moment: Instant) -> (Instant, Instant) {
        (moment + self.lock_duration, moment + self.lock_duration / 3)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LOCK: Duration = Duration::from_secs(60);

    fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    #[test]
    fn a_lock_is_due_at_a_third_and_again_a_third_later() {
        let start = Instant::now();
        let mut ledger = Ledger::new(LOCK);
        assert_eq!(ledger.admit("a", start, ()), Admission::Run);
        assert!(ledger.due(start + seconds(19)).is_empty());
        assert_eq!(ledger.due(start + seconds(20)), ["a"]);
        assert!(
            ledger.due(start + seconds(39)).is_empty(),
            "an extension under way is not sent twice"
        );
        assert_eq!(
            ledger.due(start + seconds(40)),
            ["a"],
            "one that failed is tried again"
        );
    }

    #[test]
    fn an_extension_moves_the_end_of_the_lock() {
        let start = Instant::now();
        let mut ledger = Ledger::new(LOCK);
        ledger.admit("a", start, ());
        ledger.extended("a", start + seconds(20));
        assert_eq!(ledger.expired(start + seconds(79)).count(), 0);
        assert_eq!(ledger.expired(start + seconds(80)).count(), 1);
    }

    #[test]
    fn a_task_fetched_again_runs_once_and_keeps_its_handle() {
        let start = Instant::now();
        let mut ledger = Ledger::new(LOCK);
        ledger.admit("a", start, 1);
        assert_eq!(
            ledger.admit("a", start + seconds(61), 2),
            Admission::AlreadyInFlight
        );
        assert_eq!(
            ledger.expired(start + seconds(100)).count(),
            0,
            "the new lock holds for it"
        );
        assert_eq!(ledger.handle("a"), Some(&1));
        assert!(ledger.finish("a"), "it is told that the task was brought again");
        assert_eq!(ledger.admit("a", start + seconds(200), 3), Admission::Run);
    }

    #[derive(Clone, Debug)]
    enum Step {
        Admit(u8),
        Extend(u8),
        Finish(u8),
        Wait(u8),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            (0..4u8).prop_map(Step::Admit),
            (0..4u8).prop_map(Step::Extend),
            (0..4u8).prop_map(Step::Finish),
            (0..30u8).prop_map(Step::Wait),
        ];
        proptest::collection::vec(step, 0..200)
    }

    proptest! {
        /// Held against the plainest model: a task runs at most once at a time, and counts as locked exactly as
        /// long as the last fetch or extension says.
        #[test]
        fn follows_the_plain_model(steps in steps()) {
            let mut now = Instant::now();
            let mut ledger = Ledger::new(LOCK);
            let mut model: HashMap<String, Instant> = HashMap::new();
            for step in steps {
                match step {
                    Step::Admit(id) => {
                        let id = id.to_string();
                        let expected =
                            if model.contains_key(&id) { Admission::AlreadyInFlight } else { Admission::Run };
                        prop_assert_eq!(ledger.admit(&id, now, ()), expected);
                        model.insert(id, now + LOCK);
                    }
                    Step::Extend(id) => {
                        ledger.extended(&id.to_string(), now);
                        model.entry(id.to_string()).and_modify(|until| *until = now + LOCK);
                    }
                    Step::Finish(id) => {
                        ledger.finish(&id.to_string());
                        model.remove(&id.to_string());
                    }
                    Step::Wait(count) => now += seconds(count.into()),
                }
                prop_assert_eq!(ledger.len(), model.len());
                prop_assert_eq!(
                    ledger.expired(now).count(),
                    model.values().filter(|until| **until <= now).count()
                );
            }
        }
    }
}
