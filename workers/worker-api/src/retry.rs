//! How often and when a failed task is tried again.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// When a failed task is tried again: `R3/PT1M` (three attempts in all, a minute between them) or a list of
/// delays `PT5S,PT1M,PT10M` (one attempt more than there are delays).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    delays: Vec<Duration>,
}

/// More attempts than this are a slip of the keyboard.
const MOST_ATTEMPTS: usize = 1000;

impl RetryPolicy {
    /// So many attempts in all (at least one), the same delay between them.
    #[must_use]
    pub fn cycle(attempts: usize, delay: Duration) -> Self {
        Self {
            delays: vec![delay; attempts.clamp(1, MOST_ATTEMPTS) - 1],
        }
    }

    /// How many attempts there are in all, the first included.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        u32::try_from(self.delays.len() + 1).unwrap_or(u32::MAX)
    }

    /// How long to wait after the attempt of this number (from 1) has failed; `None` where it was the last.
    #[must_use]
    pub fn delay_after(&self, attempt: u32) -> Option<Duration> {
        let index = usize::try_from(attempt.max(1) - 1).ok()?;
        self.delays.get(index).copied()
    }
}

/// Text that is no retry policy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no retry policy: write R3/PT1M (three attempts in all, a minute apart) or a list of delays such as PT5S,PT1M,PT10M"
)]
pub struct InvalidRetryPolicy(String);

impl FromStr for RetryPolicy {
    type Err = InvalidRetryPolicy;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidRetryPolicy(text.to_owned());
        let delays = match text.trim().strip_prefix('R') {
            Some(cycle) => {
                let (attempts, delay) = cycle.split_once('/').ok_or_else(invalid)?;
                let attempts: usize = attempts.trim().parse().map_err(|_| invalid())?;
                let delay = parse_duration(delay).ok_or_else(invalid)?;
                if !(1..=MOST_ATTEMPTS).contains(&attempts) {
                    return Err(invalid());
                }
                vec![delay; attempts - 1]
            }
            None => text
                .split(',')
                .map(parse_duration)
                .collect::<Option<Vec<_>>>()
                .ok_or_else(invalid)?,
        };
        if delays.len() >= MOST_ATTEMPTS {
            return Err(invalid());
        }
        Ok(Self { delays })
    }
}

/// A hundred years: more is a slip of the keyboard, and added to the present moment it could overflow the clock.
const LONGEST_DURATION: Duration = Duration::from_secs(100 * 365 * 86_400);

/// A duration in ISO 8601 (`PT1M`) or short form (`1m`, `1m 30s`), where it is one, not negative, and no longer
/// than a hundred years.
#[must_use]
pub fn parse_duration(text: &str) -> Option<Duration> {
    let text = text.trim();
    let duration: jiff::SignedDuration = text.parse().ok()?;
    let duration: Duration = duration.try_into().ok()?;
    (duration <= LONGEST_DURATION).then_some(duration)
}

impl fmt::Display for RetryPolicy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let iso = |delay: &Duration| match jiff::SignedDuration::try_from(*delay) {
            Ok(delay) => delay.to_string(),
            Err(_) => format!("PT{}S", delay.as_secs()),
        };
        match self.delays.first() {
            None => formatter.write_str("R1/PT0S"),
            Some(first) if self.delays.iter().all(|delay| delay == first) => {
                write!(formatter, "R{}/{}", self.attempts(), iso(first))
            }
            Some(_) => formatter.write_str(&self.delays.iter().map(iso).collect::<Vec<_>>().join(",")),
        }
    }
}

impl<'de> Deserialize<'de> for RetryPolicy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

impl Serialize for RetryPolicy {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(text: &str) -> RetryPolicy {
        text.parse().unwrap()
    }

    #[test]
    fn a_cycle_counts_attempts_in_all() {
        let policy = policy("R3/PT10S");
        assert_eq!(policy.attempts(), 3);
        assert_eq!(policy.delay_after(1), Some(Duration::from_secs(10)));
        assert_eq!(policy.delay_after(2), Some(Duration::from_secs(10)));
        assert_eq!(policy.delay_after(3), None);
    }

    #[test]
    fn a_list_gives_each_delay() {
        let policy = policy("PT5S, 1m,PT10M");
        assert_eq!(policy.attempts(), 4);
        assert_eq!(policy.delay_after(3), Some(Duration::from_secs(600)));
        assert_eq!(policy.delay_after(4), None);
    }

    #[test]
    fn what_is_shown_reads_back() {
        for text in ["R3/PT10S", "R1/PT0S", "PT5S,PT1M,PT10M"] {
            assert_eq!(policy(text).to_string(), text);
        }
    }

    #[test]
    fn nonsense_is_refused_with_a_remedy() {
        for text in [
            "",
            "R0/PT1S",
            "R3",
            "R3/-PT1S",
            "PT",
            "three times",
            "R99999999999/PT1S",
            "R3/P1Y",
            "R3/PT9223372036854775807S",
            ",",
        ] {
            let error = text.parse::<RetryPolicy>().unwrap_err();
            assert!(error.to_string().contains("R3/PT1M"), "{text}");
        }
    }
}
