//! When to start a dead engine again, and when to give up.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Growing delays, and a cap on the attempts within a window of time.
#[derive(Clone, Copy, Debug)]
pub struct RestartPolicy {
    /// The delay before the first attempt; each further one in the window doubles it.
    pub first_delay: Duration,
    /// The longest delay.
    pub longest_delay: Duration,
    /// How many attempts a window allows.
    pub attempts: u32,
    /// After this long without a death the count starts anew.
    pub window: Duration,
}

impl Default for RestartPolicy {
    fn default() -> Self {
        Self {
            first_delay: Duration::from_secs(1),
            longest_delay: Duration::from_secs(30),
            attempts: 5,
            window: Duration::from_secs(600),
        }
    }
}

/// What to do about a death.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// Start it again.
    Restart {
        /// Which attempt of the window it is, from 1.
        attempt: u32,
        /// After this long.
        delay: Duration,
    },
    /// It has died too often.
    GiveUp,
}

/// The deaths of the present window.
#[derive(Debug, Default)]
pub(crate) struct Deaths(VecDeque<Instant>);

impl Deaths {
    /// Counts a death and decides.
    pub(crate) fn count(&mut self, policy: &RestartPolicy, now: Instant) -> Decision {
        self.0
            .retain(|&death| now.saturating_duration_since(death) < policy.window);
        let before = u32::try_from(self.0.len()).unwrap_or(u32::MAX);
        if before >= policy.attempts {
            return Decision::GiveUp;
        }
        self.0.push_back(now);
        let delay = policy.first_delay.saturating_mul(2_u32.saturating_pow(before));
        Decision::Restart {
            attempt: before + 1,
            delay: delay.min(policy.longest_delay),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: RestartPolicy = RestartPolicy {
        first_delay: Duration::from_secs(1),
        longest_delay: Duration::from_secs(5),
        attempts: 4,
        window: Duration::from_secs(100),
    };

    fn restart(attempt: u32, seconds: u64) -> Decision {
        Decision::Restart {
            attempt,
            delay: Duration::from_secs(seconds),
        }
    }

    #[test]
    fn delays_grow_up_to_the_longest_and_end_in_giving_up() {
        let (mut deaths, now) = (Deaths::default(), Instant::now());
        let decisions: Vec<_> = (0..5)
            .map(|i| deaths.count(&POLICY, now + Duration::from_secs(i)))
            .collect();
        assert_eq!(
            decisions,
            [
                restart(1, 1),
                restart(2, 2),
                restart(3, 4),
                restart(4, 5),
                Decision::GiveUp
            ]
        );
    }

    #[test]
    fn deaths_long_ago_do_not_count() {
        let (mut deaths, now) = (Deaths::default(), Instant::now());
        for i in 0..4 {
            deaths.count(&POLICY, now + Duration::from_secs(i));
        }
        // Three of the four still lie within the window.
        assert_eq!(
            deaths.count(&POLICY, now + Duration::from_secs(100)),
            restart(4, 5)
        );
        assert_eq!(
            deaths.count(&POLICY, now + Duration::from_secs(300)),
            restart(1, 1)
        );
    }

    #[test]
    fn no_attempts_means_giving_up_at_once() {
        let policy = RestartPolicy {
            attempts: 0,
            ..POLICY
        };
        assert_eq!(Deaths::default().count(&policy, Instant::now()), Decision::GiveUp);
    }
}
