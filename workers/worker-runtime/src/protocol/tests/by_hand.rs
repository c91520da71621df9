//! Single tasks, step by step: what no random engine is sure to bring about.

use std::time::Instant;

use super::super::{Action, HandlerEnd, Machine, Reply, TaskId};
use super::{LOCK, millis, rules, seconds};

/// A machine with a clock.
struct Hand {
    machine: Machine<()>,
    now: Instant,
}

impl Hand {
    /// One whose first poll has locked these tasks, which run.
    fn with(tasks: &[&str]) -> Self {
        let now = Instant::now();
        let mut hand = Self {
            machine: Machine::new(rules(4, 0, &[("a", None)]), now),
            now,
        };
        assert!(matches!(hand.next()[..], [Action::Fetch(_)]));
        hand.bring(0, tasks);
        let next = hand.next();
        for task in tasks {
            assert!(next.contains(&Action::Run(id(task))), "{next:?}");
        }
        hand
    }

    fn bring(&mut self, lane: usize, tasks: &[&str]) {
        let tasks = tasks.iter().map(|task| (id(task), "a".to_owned(), ()));
        self.machine.fetched(lane, self.now, self.now, tasks);
    }

    /// What is to be done now.
    fn next(&mut self) -> Vec<Action<()>> {
        self.machine.settle(self.now);
        std::iter::from_fn(|| self.machine.next_action()).collect()
    }

    fn next_has(&mut self, action: &Action<()>) -> bool {
        self.next().contains(action)
    }

    fn ended(&mut self, task: &str) {
        self.machine
            .handler_ended(&id(task), self.now, HandlerEnd::Report);
    }

    fn reported(&mut self, task: &str, reply: Reply) {
        self.machine.reported(&id(task), self.now, reply);
    }
}

fn id(task: &str) -> TaskId {
    TaskId::from(task)
}

/// An outage has outlasted the lock: another of the pool's polls locks the task while its report is under way, and the
/// engine refuses that in the former worker id's name.
#[test]
fn a_report_that_was_refused_in_a_former_name_is_sent_in_the_present_one() {
    let mut hand = Hand::with(&["x"]);
    hand.ended("x");
    assert!(hand.next_has(&Action::Report(id("x"))));
    hand.bring(1, &["x"]);
    hand.reported("x", Reply::NotOurs);
    let next = hand.next();
    assert!(next.contains(&Action::Report(id("x"))), "{next:?}");
    assert_eq!(hand.machine.lane_of(&id("x")), Some(1));
    // Refused in the present name, too, it is not sent on and on.
    hand.reported("x", Reply::NotOurs);
    let next = hand.next();
    assert!(next.contains(&Action::Probe(id("x"))), "{next:?}");
}

#[test]
fn a_lock_that_moves_while_it_is_asked_about_is_no_reason_to_drop_or_replace_a_report() {
    for answer in [Reply::NotOurs, Reply::Done, Reply::Refused] {
        let mut hand = Hand::with(&["x"]);
        hand.ended("x");
        hand.next();
        hand.reported("x", Reply::NotOurs);
        assert!(hand.next_has(&Action::Probe(id("x"))));
        hand.bring(1, &["x"]);
        hand.machine.probed(&id("x"), hand.now, hand.now, answer);
        let next = hand.next();
        assert!(next.contains(&Action::Report(id("x"))), "{answer:?}: {next:?}");
    }
}

/// Sent together, the extension might come second, and take the place of the delay until the next attempt.
#[test]
fn a_report_waits_for_the_extension_that_is_under_way() {
    let mut hand = Hand::with(&["x"]);
    hand.now += LOCK / 3;
    assert!(hand.next_has(&Action::Extend(id("x"))));
    hand.ended("x");
    let next = hand.next();
    assert!(!next.contains(&Action::Report(id("x"))), "{next:?}");
    hand.machine.extended(&id("x"), hand.now, hand.now, Reply::Done);
    assert!(hand.next_has(&Action::Report(id("x"))));
}

#[test]
fn a_lock_is_not_extended_while_its_report_is_under_way() {
    let mut hand = Hand::with(&["x"]);
    hand.ended("x");
    assert!(hand.next_has(&Action::Report(id("x"))));
    hand.now += LOCK / 2;
    let next = hand.next();
    assert!(!next.contains(&Action::Extend(id("x"))), "{next:?}");
}

/// Let go, its lock would end at once, and with it the delay that the report has set.
#[test]
fn a_task_that_was_brought_again_before_its_report_is_let_go_by_the_report_alone() {
    let mut hand = Hand::with(&["x"]);
    hand.ended("x");
    hand.next();
    hand.reported("x", Reply::Busy);
    hand.bring(1, &["x"]);
    hand.now += seconds(1);
    assert!(hand.next_has(&Action::Report(id("x"))));
    hand.reported("x", Reply::Done);
    let next = hand.next();
    assert!(!next.contains(&Action::Free(id("x"))), "{next:?}");
    assert_eq!(hand.machine.locked().len(), 0);
}

#[test]
fn a_task_that_is_brought_again_behind_its_report_is_freed() {
    let mut hand = Hand::with(&["x"]);
    hand.ended("x");
    assert!(hand.next_has(&Action::Report(id("x"))));
    hand.bring(1, &["x"]);
    hand.reported("x", Reply::Done);
    assert!(hand.next_has(&Action::Free(id("x"))));
}

/// While one extension asks whether the engine is there again, and gets no answer, the others wait: the end of their
/// locks must not pass unnoticed.
#[test]
fn the_end_of_a_lock_is_noticed_though_nothing_may_be_sent() {
    let mut hand = Hand::with(&["x", "y"]);
    hand.now += LOCK / 3;
    hand.next();
    for task in ["x", "y"] {
        hand.machine.extended(&id(task), hand.now, hand.now, Reply::Down);
    }
    hand.now += LOCK / 12 + millis(1);
    let asking = hand.next();
    let extends = asking.iter().filter(|action| matches!(action, Action::Extend(_)));
    assert_eq!(extends.count(), 1, "one asks for all: {asking:?}");
    // The poll is out, too, and no answer ever comes.
    let mut cancelled = Vec::new();
    for _ in 0..20 {
        let Some(at) = hand.machine.wake_at(hand.now) else {
            break;
        };
        hand.now = at;
        for action in hand.next() {
            if let Action::Cancel(task) = action {
                cancelled.push((task, at));
            }
        }
        if cancelled.len() == 2 {
            break;
        }
    }
    assert_eq!(cancelled.len(), 2, "{cancelled:?}");
}
