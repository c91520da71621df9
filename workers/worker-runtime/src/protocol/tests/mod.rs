//! The machine against an engine that is made up, on a clock that is made up.

mod by_hand;
mod world;

use std::time::{Duration, Instant};

use proptest::prelude::*;
use world::{Topic, World};

use super::Rules;
use super::polls::{Polls, Room};

const LOCK: Duration = Duration::from_secs(60);

fn millis(count: u64) -> Duration {
    Duration::from_millis(count)
}

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

fn rules(capacity: usize, prefetch: usize, topics: &[(&str, Option<usize>)]) -> Rules {
    Rules {
        capacity,
        prefetch,
        lock_duration: LOCK,
        long_poll: seconds(15),
        subscriptions: topics
            .iter()
            .map(|(topic, limit)| ((*topic).to_owned(), *limit))
            .collect(),
    }
}

#[test]
fn an_idle_pool_asks_four_times_a_minute_whatever_its_topics() {
    let names: Vec<String> = (0..50).map(|index| format!("t{index}")).collect();
    let topics: Vec<(&str, Option<usize>)> = names.iter().map(|name| (name.as_str(), Some(3))).collect();
    let mut world = World::new(rules(64, 64, &topics));
    world.run_for(seconds(10));
    let before = world.requests;
    world.run_for(seconds(60));
    assert_eq!(world.requests - before, 4);
}

#[test]
fn a_queue_is_drained_in_large_batches() {
    let mut world = World::new(rules(64, 64, &[("a", None)]));
    world.add("a", 2000, Topic::taking(millis(0)));
    world.run_until_done(seconds(60));
    assert!(world.fetches <= 50, "{} fetches for 2,000 tasks", world.fetches);
    assert_eq!(world.extensions, 0);
}

#[test]
fn slots_never_stand_idle_while_short_tasks_wait() {
    let mut world = World::new(rules(64, 64, &[("a", None)]));
    world.add("a", 640, Topic::taking(millis(100)));
    let took = world.run_until_done(seconds(60));
    assert!(took < millis(1250), "{took:?} for ten rounds of 100 ms");
}

#[test]
fn a_hot_topic_starves_nobody() {
    for (capacity, prefetch, takes) in [(64, 64, 1), (64, 0, 2000), (8, 0, 100), (2, 2, 10), (1, 0, 10)] {
        let mut world = World::new(rules(
            capacity,
            prefetch,
            &[("hot", None), ("warm", None), ("cold", None)],
        ));
        world.add("hot", 5000, Topic::taking(millis(takes)));
        world.add("warm", 5000, Topic::taking(millis(takes)));
        world.run_for(seconds(5));
        world.add("cold", 1, Topic::taking(millis(1)));
        let waited = world.run_until_started("cold", seconds(30));
        let bound = millis(takes * 4 + 400);
        assert!(waited < bound, "{capacity}+{prefetch}: waited {waited:?}");
    }
}

#[test]
fn a_hot_topic_still_uses_all_slots_but_a_few() {
    let mut world = World::new(rules(64, 0, &[("hot", None), ("cold", None)]));
    world.add("hot", 5000, Topic::taking(seconds(1)));
    world.run_for(seconds(20));
    assert!(world.running() >= 56, "{} run", world.running());
}

#[test]
fn a_limit_holds_and_hardly_anything_is_given_back() {
    let mut world = World::new(rules(64, 64, &[("one", Some(1)), ("many", None)]));
    world.add("one", 200, Topic::taking(millis(20)));
    world.add("many", 500, Topic::taking(millis(5)));
    world.run_until_done(seconds(60));
    assert_eq!(world.most_running["one"], 1);
    assert!(world.returned <= 128, "{} were given back", world.returned);
}

#[test]
fn a_topic_that_has_room_again_is_asked_for_though_a_poll_waits() {
    let mut world = World::new(rules(8, 0, &[("one", Some(1)), ("other", None)]));
    world.add("one", 1, Topic::taking(millis(500)));
    world.run_for(seconds(2));
    for _ in 0..20 {
        world.add("one", 1, Topic::taking(millis(300)));
        let waited = world.run_until_started("one", seconds(20));
        assert!(waited < millis(450), "waited {waited:?}");
        world.run_until_done(seconds(5));
        world.run_for(millis(200));
    }
    world.run_for(seconds(40));
    let before = world.requests;
    world.run_for(seconds(60));
    assert_eq!(world.requests - before, 4, "the polls have come together again");
}

#[test]
fn subscriptions_of_one_topic_all_get_their_tasks() {
    let mut world = World::new(rules(
        4,
        0,
        &[("a", None), ("a", None), ("a", Some(1)), ("b", None)],
    ));
    for _ in 0..10 {
        world.add("a", 30, Topic::taking(millis(10)));
        world.add("b", 30, Topic::taking(millis(10)));
        world.run_until_done(seconds(60));
    }
    assert!(world.asked.iter().all(|count| *count > 3), "{:?}", world.asked);
}

#[test]
fn long_tasks_are_not_hoarded() {
    let mut world = World::new(rules(4, 8, &[("a", None)]));
    world.add("a", 40, Topic::taking(seconds(10)));
    world.run_for(seconds(3));
    assert_eq!(
        world.locked(),
        4,
        "what found no slot within a second is given back"
    );
    world.run_for(seconds(20));
    assert!(world.locked() <= 4, "{}", world.locked());
}

#[test]
fn an_engine_that_is_down_is_asked_seldom_and_found_again_soon() {
    let mut world = World::new(rules(64, 0, &[("a", None), ("b", None)]));
    world.add("a", 10_000, Topic::taking(millis(10)));
    world.run_for(seconds(2));
    world.down(true);
    world.run_for(seconds(5));
    let before = world.requests;
    world.run_for(seconds(600));
    let requests = world.requests - before;
    assert!(requests < 300, "{requests} requests in ten minutes");
    world.down(false);
    let done = world.done();
    world.run_for(seconds(25));
    assert!(world.done() > done + 500, "{} more", world.done() - done);
}

#[test]
fn a_quiet_topic_finds_room_beside_the_long_tasks_of_another() {
    let mut world = World::new(rules(64, 0, &[("hot", None), ("cold", None)]));
    world.add("hot", 1000, Topic::taking(seconds(600)));
    world.run_for(seconds(1));
    world.add("cold", 1, Topic::taking(millis(1)));
    let waited = world.run_until_started("cold", seconds(600));
    assert!(waited < millis(100), "waited {waited:?}");
}

#[test]
fn a_slot_that_is_free_is_not_kept_by_a_poll_that_may_bring_more_than_wanted_now() {
    let mut world = World::new(rules(64, 64, &[("one", Some(1)), ("other", None)]));
    for _ in 0..5 {
        world.add("one", 1, Topic::taking(seconds(2)));
        let waited = world.run_until_started("one", seconds(20));
        assert!(waited < millis(700), "waited {waited:?}");
        world.run_until_done(seconds(5));
    }
}

#[test]
fn a_poll_that_fails_does_not_wait_for_the_end_of_another() {
    let topics = [("a".to_owned(), Some(1)), ("b".to_owned(), None)];
    let (mut polls, now) = (Polls::new(topics, 8, seconds(15)), Instant::now());
    let room = Room {
        free: 8,
        worthwhile: true,
    };
    let first = polls.next(room, now).unwrap();
    assert_eq!(first.subscriptions, [0, 1]);
    assert!(polls.take(0));
    polls.answered(first.lane, &[0]);
    // While `a` has no room `b` is asked for alone, then `a` beside it.
    let second = polls.next(room, now).unwrap();
    assert_eq!(second.subscriptions, [1]);
    polls.give_back(0);
    let third = polls.next(room, now).unwrap();
    assert_eq!(third.subscriptions, [0]);
    polls.failed(third.lane);
    let probe = polls.probe(1, now).expect("the poll for `b` goes on");
    assert_eq!((probe.subscriptions, probe.lane), (vec![0], third.lane));
    assert!(probe.recover, "what the lost answer had locked is freed first");
    polls.failed(probe.lane);
    polls.answered(second.lane, &[]);
    let next = polls.next(room, now).unwrap();
    assert_eq!(
        (next.lane, next.recover),
        (third.lane, true),
        "though another lane is free"
    );
}

#[test]
fn locks_outlast_an_engine_that_is_away_for_half_their_time() {
    for seed in 0..20 {
        let mut world = World::new(rules(16, 0, &[("a", None)]));
        world.trouble(0.0, seed);
        world.add("a", 16, Topic::taking(seconds(600)));
        world.run_for(seconds(15));
        world.down(true);
        world.run_for(seconds(31));
        world.down(false);
        world.run_for(seconds(120));
        assert_eq!(world.cancelled, 0);
    }
}

#[test]
fn a_lock_that_is_lost_cancels_the_handler_and_nothing_is_reported() {
    let mut world = World::new(rules(4, 0, &[("a", None)]));
    world.add("a", 1, Topic::taking(seconds(50)));
    world.run_for(seconds(5));
    world.steal_all();
    world.run_for(seconds(40));
    assert_eq!((world.cancelled, world.reports), (1, 0));
}

#[test]
fn locks_are_kept_as_long_as_handlers_run() {
    let mut world = World::new(rules(4, 0, &[("a", None)]));
    world.add("a", 1, Topic::taking(seconds(600)));
    world.run_until_done(seconds(700));
    assert_eq!((world.started, world.cancelled), (1, 0));
    assert!((30..=35).contains(&world.extensions), "{}", world.extensions);
}

#[test]
fn a_stop_lets_running_tasks_end_and_gives_back_the_rest() {
    let mut world = World::new(rules(4, 4, &[("a", None)]));
    world.add("a", 20, Topic::taking(millis(400)));
    world.run_for(millis(200));
    world.stop(seconds(5));
    world.run_until_over(seconds(10));
    assert_eq!(
        (world.done(), world.cancelled, world.locked_at_the_engine()),
        (4, 0, 0)
    );
}

#[test]
fn a_stop_gives_up_at_its_deadline() {
    let mut world = World::new(rules(4, 4, &[("a", None)]));
    world.add("a", 20, Topic::taking(seconds(100)));
    world.run_for(millis(200));
    world.stop(seconds(5));
    let took = world.run_until_over(seconds(10));
    assert!(took < millis(5200), "{took:?}");
    assert_eq!(
        (world.done(), world.cancelled, world.locked_at_the_engine()),
        (0, 4, 0)
    );
}

#[derive(Clone, Debug)]
struct Scenario {
    capacity: usize,
    prefetch: usize,
    limits: Vec<Option<usize>>,
    arrivals: Vec<(usize, usize, u64, u64)>,
    trouble: f64,
    seed: u64,
}

fn scenarios() -> impl Strategy<Value = Scenario> {
    let limits = proptest::collection::vec(proptest::option::of(1..6usize), 1..5);
    (1..20usize, 0..20usize, limits, 0.0..0.3f64, any::<u64>()).prop_flat_map(
        |(capacity, prefetch, limits, trouble, seed)| {
            let arrival = (0..limits.len(), 1..40usize, 0..3000u64, 0..10_000u64);
            proptest::collection::vec(arrival, 1..12).prop_map(move |arrivals| Scenario {
                capacity,
                prefetch,
                limits: limits.clone(),
                arrivals,
                trouble,
                seed,
            })
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    /// Whatever arrives when, and however often requests or their answers get lost: every task is done, none runs
    /// twice at once, no bound is passed, and nothing spins. `World` checks the bounds at each step.
    #[test]
    fn everything_is_done_and_no_bound_is_passed(scenario in scenarios()) {
        // The first two share a topic where there are so many.
        let name = |index: usize| format!("t{}", if index == 1 { 0 } else { index });
        let names: Vec<String> = (0..scenario.limits.len()).map(name).collect();
        let topics: Vec<(&str, Option<usize>)> =
            names.iter().map(String::as_str).zip(scenario.limits.iter().copied()).collect();
        let mut world = World::new(rules(scenario.capacity, scenario.prefetch, &topics));
        world.trouble(scenario.trouble, scenario.seed);
        let mut arrivals = scenario.arrivals.clone();
        arrivals.sort_by_key(|arrival| arrival.3);
        let mut elapsed = 0;
        for (topic, count, takes, at) in arrivals {
            world.run_for(millis(at - elapsed));
            elapsed = at;
            world.add(&names[topic], count, Topic::taking(millis(takes)));
        }
        world.run_until_done(seconds(4000));
        world.stop(seconds(30));
        world.run_until_over(seconds(200));
    }
}
