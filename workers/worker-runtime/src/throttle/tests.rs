//! The throttle against the best fixed limit of the same simulated engine.

use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::simulation::{Engine, Policy, SHARED, World};
use super::{Answered, LADDER, Throttle};

const SEEDS: [u64; 6] = [1, 7, 19, 42, 77, 1234];

/// 16 cores at the end of a network: 48 in flight are best.
const REMOTE: Engine = Engine {
    cores: 16.0,
    work: 0.003,
    contention: 0.005,
    network: 0.005,
    ..SHARED
};

/// What the best fixed limit reaches, in the mean over the seeds.
fn best(engine: Engine) -> f64 {
    let of = |limit| mean(|seed| World::new(engine, Policy::Fixed(limit), seed).run(10.0));
    LADDER.into_iter().map(of).fold(0.0, f64::max)
}

fn mean(of: impl Fn(u64) -> f64) -> f64 {
    SEEDS.into_iter().map(of).sum::<f64>() / SEEDS.len() as f64
}

/// The share of the best after a second (over two more), and later on.
fn shares(engine: Engine) -> (f64, f64) {
    let best = best(engine);
    let from = |start: f64, seconds: f64| {
        mean(|seed| {
            let mut world = World::new(engine, Policy::Found(Throttle::at_most(64)), seed);
            world.run(start);
            world.run(seconds)
        }) / best
    };
    (from(1.0, 2.0), from(3.0, 12.0))
}

#[track_caller]
fn near(engine: Engine, soon: f64, later: f64) {
    let found = shares(engine);
    assert!(
        found.0 >= soon && found.1 >= later,
        "{found:?} of the best with {engine:?}"
    );
}

#[test]
fn on_two_shared_cores_that_get_in_each_others_way() {
    near(SHARED, 0.93, 0.95);
}

#[test]
fn without_noise() {
    let quiet = Engine {
        pause: (0.0, 1.0),
        fetch: 0.0,
        ..SHARED
    };
    near(quiet, 0.96, 0.97);
}

#[test]
fn where_more_never_hurts() {
    near(
        Engine {
            contention: 0.0,
            network: 0.001,
            ..SHARED
        },
        0.95,
        0.96,
    );
}

#[test]
fn on_a_large_engine_far_away() {
    near(REMOTE, 0.93, 0.95);
}

#[test]
fn on_one_core() {
    near(
        Engine {
            cores: 1.0,
            contention: 0.1,
            network: 0.0001,
            ..SHARED
        },
        0.91,
        0.95,
    );
}

#[test]
fn on_four_cores_with_locks() {
    near(
        Engine {
            cores: 4.0,
            contention: 0.05,
            network: 0.001,
            ..SHARED
        },
        0.95,
        0.96,
    );
}

#[test]
fn with_big_variables_now_and_then() {
    near(Engine { big: 20, ..SHARED }, 0.85, 0.88);
}

#[test]
fn beside_other_clients() {
    near(
        Engine {
            others: 8.0,
            ..SHARED
        },
        0.84,
        0.90,
    );
}

#[test]
fn follows_an_engine_that_changes() {
    let others = Engine {
        others: 8.0,
        ..SHARED
    };
    // Beside others the gain of more in flight is theirs to lose, and small: it need not be found soon.
    for (before, after, share) in [
        (SHARED, REMOTE, 0.88),
        (REMOTE, SHARED, 0.88),
        (SHARED, others, 0.8),
    ] {
        let best = best(after);
        let found = mean(|seed| {
            let mut world = World::new(before, Policy::Found(Throttle::at_most(64)), seed);
            world.run(5.0);
            world.engine = after;
            world.run(5.0);
            world.run(4.0)
        });
        assert!(
            found / best > share,
            "{:.3} of the best after {after:?}",
            found / best
        );
    }
}

#[test]
fn what_does_not_reach_the_limit_changes_nothing() {
    let (mut throttle, mut now) = (Throttle::at_most(64), Instant::now());
    for step in 0..20_000_u32 {
        let tickets: Vec<_> = (0..=step % 2).map(|_| throttle.sent(now)).collect();
        for ticket in tickets {
            now += Duration::from_millis(3);
            throttle.answered(ticket, now, Answered::Taken);
        }
        // Tasks arrive one by one, or two together.
        now += Duration::from_millis(u64::from(step % 7));
        assert_eq!(throttle.limit(), 4, "in step {step}");
    }
}

#[test]
fn a_pause_without_work_is_no_evidence() {
    let best = best(SHARED);
    let found = mean(|seed| {
        let mut world = World::new(SHARED, Policy::Found(Throttle::at_most(64)), seed);
        world.run(4.0);
        for _ in 0..20 {
            world.queue = 3;
            world.run(0.2);
        }
        world.queue = usize::MAX;
        world.run(2.0)
    });
    assert!(found / best > 0.93, "{:.3} of the best", found / best);
}

/// Overload brings half at once, once a round, and it comes back.
#[test]
fn falls_at_once_on_overload() {
    let (mut throttle, mut now) = (Throttle::at_most(64), Instant::now());
    let mut tickets: Vec<_> = (0..4).map(|_| throttle.sent(now)).collect();
    throttle.answered(tickets.remove(0), now, Answered::Overloaded);
    assert_eq!(throttle.limit(), 2);
    assert!(!throttle.admits(), "three are still in flight");
    for ticket in tickets {
        throttle.answered(ticket, now, Answered::Overloaded);
    }
    assert_eq!(
        (throttle.limit(), throttle.in_flight()),
        (2, 0),
        "one round is one sign"
    );
    let next = throttle.sent(now);
    throttle.answered(next, now, Answered::Overloaded);
    assert_eq!(throttle.limit(), 1);
    for _ in 0..10 {
        let ticket = throttle.sent(now);
        throttle.answered(ticket, now, Answered::Overloaded);
        assert_eq!(throttle.limit(), 1, "one is always let through");
    }
    for _ in 0..2000 {
        let tickets: Vec<_> = std::iter::from_fn(|| throttle.admits().then(|| throttle.sent(now))).collect();
        now += Duration::from_millis(5);
        for ticket in tickets {
            throttle.answered(ticket, now, Answered::Taken);
        }
    }
    assert_eq!(throttle.limit(), 64, "the more the better, now");
}

/// What it costs not to try its patience.
#[test]
fn stays_below_what_the_engine_refuses() {
    let strict = Engine {
        refuses: 12,
        ..REMOTE
    };
    let best = mean(|seed| World::new(strict, Policy::Fixed(12), seed).run(10.0));
    for seed in SEEDS {
        let mut world = World::new(strict, Policy::Found(Throttle::at_most(64)), seed);
        let found = world.run(10.0);
        let refused = world.overloaded as f64 / world.taken as f64;
        assert!(
            found / best > 0.7 && refused < 0.005,
            "{:.3} of the best, {refused:.4} refused",
            found / best
        );
    }
}

/// The odd lost connection, one report in 2000, costs little.
#[test]
fn gets_over_single_failures() {
    let unlucky = Engine { lost: 2000, ..SHARED };
    let (best, found) = (
        best(unlucky),
        mean(|seed| World::new(unlucky, Policy::Found(Throttle::at_most(64)), seed).run(10.0)),
    );
    assert!(found / best > 0.85, "{:.3} of the best", found / best);
}

/// Ten slots are no rung of the ladder, and less than the best limit.
#[test]
fn with_fewer_slots_than_the_best_limit() {
    let mut world = World::new(REMOTE, Policy::Found(Throttle::at_most(10)), 5);
    world.slots = 10;
    world.run(3.0);
    let fixed = World::new(REMOTE, Policy::Fixed(10), 5).run(6.0);
    let found = world.run(6.0);
    assert!(
        found / fixed > 0.9,
        "{:.3} of what ten slots reach",
        found / fixed
    );
    world.engine = SHARED;
    world.run(3.0);
    let found = world.run(6.0) / best(SHARED);
    assert!(
        found > 0.9,
        "{found:.3} of the best after the engine became small"
    );
}

proptest! {
    #[test]
    fn never_lets_more_out_than_the_limit(steps in prop::collection::vec((0_u8..8, 0_u64..20_000, any::<prop::sample::Index>()), 1..3000)) {
        let (mut throttle, mut now, mut tickets) = (Throttle::at_most(64), Instant::now(), Vec::new());
        for (step, micros, which) in steps {
            now += Duration::from_micros(micros);
            if step > 3 && throttle.admits() {
                tickets.push(throttle.sent(now));
                prop_assert!(throttle.in_flight() <= throttle.limit());
            } else if !tickets.is_empty() {
                let how = [Answered::Overloaded, Answered::Other, Answered::Taken, Answered::Taken][usize::from(step % 4)];
                throttle.answered(tickets.swap_remove(which.index(tickets.len())), now, how);
            }
            prop_assert!((1..=64).contains(&throttle.limit()));
            prop_assert_eq!(throttle.in_flight(), tickets.len());
            prop_assert!(throttle.admits() || !tickets.is_empty());
        }
    }
}
