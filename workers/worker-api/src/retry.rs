//! How often and when a failed task is tried again.

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::str::FromStr;
use std::time::Duration;

use jiff::{SignedDuration, Span, SpanRelativeTo};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// When a failed task is tried again: `R3/PT1M` (three attempts in all, a minute between them) or a list of
/// delays `PT5S,PT1M,PT10M` (one attempt more than there are delays), as `camunda:failedJobRetryTimeCycle` has them.
///
/// Each delay is up to a tenth longer than written, so that tasks which failed together do not come back together.
/// A share at the end says otherwise: `R3/PT1M~50%` waits a minute to a minute and a half, `R3/PT1M~0%` a minute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    delays: Vec<Duration>,
    /// How much longer a delay may get, in percent of itself.
    jitter: u32,
}

/// More attempts than this are a slip of the keyboard.
const MOST_ATTEMPTS: usize = 1000;

/// Percent that a delay may get longer where the policy says nothing.
const DEFAULT_JITTER: u32 = 10;

impl RetryPolicy {
    /// So many attempts in all (at least one), the same delay between them.
    #[must_use]
    pub fn cycle(attempts: usize, delay: Duration) -> Self {
        Self {
            delays: vec![delay; attempts.clamp(1, MOST_ATTEMPTS) - 1],
            jitter: DEFAULT_JITTER,
        }
    }

    /// How many attempts there are in all, the first included.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        u32::try_from(self.delays.len() + 1).unwrap_or(u32::MAX)
    }

    /// How long to wait after the attempt of this number (from 1) at a task has failed; `None` where it was the last.
    /// Never less than the policy says, and longer by a share that the task's id decides: the same each time it is
    /// asked, and another for each task and attempt.
    #[must_use]
    pub fn delay_after(&self, attempt: u32, task_id: &str) -> Option<Duration> {
        let index = usize::try_from(attempt.max(1) - 1).ok()?;
        let delay = *self.delays.get(index)?;
        let mut hasher = DefaultHasher::new();
        (task_id, attempt).hash(&mut hasher);
        // In thousandths, from none to the whole.
        let share = u32::try_from(hasher.finish() % 1001).unwrap_or_default();
        Some((delay + delay * (self.jitter * share) / 100_000).min(LONGEST_DURATION))
    }
}

/// Text that is no retry policy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no retry policy: write R3/PT1M (three attempts in all, a minute apart) or a list of delays such as PT5S,PT1M,PT10M; how much longer a delay may get stands at the end, such as R3/PT1M~20%"
)]
pub struct InvalidRetryPolicy(String);

impl FromStr for RetryPolicy {
    type Err = InvalidRetryPolicy;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidRetryPolicy(text.to_owned());
        let (schedule, jitter) = match text.split_once('~') {
            None => (text, DEFAULT_JITTER),
            Some((schedule, share)) => (schedule, percent(share).ok_or_else(invalid)?),
        };
        let delays = match schedule.trim().strip_prefix('R') {
            Some(cycle) => {
                let (attempts, delay) = cycle.split_once('/').ok_or_else(invalid)?;
                let attempts: usize = attempts.trim().parse().map_err(|_| invalid())?;
                let delay = parse_duration(delay).ok_or_else(invalid)?;
                if !(1..=MOST_ATTEMPTS).contains(&attempts) {
                    return Err(invalid());
                }
                vec![delay; attempts - 1]
            }
            None => schedule
                .split(',')
                .map(parse_duration)
                .collect::<Option<Vec<_>>>()
                .ok_or_else(invalid)?,
        };
        if delays.len() >= MOST_ATTEMPTS {
            return Err(invalid());
        }
        Ok(Self { delays, jitter })
    }
}

/// `20%`, a hundred at the most.
fn percent(text: &str) -> Option<u32> {
    let percent: u8 = text.trim().strip_suffix('%')?.trim_end().parse().ok()?;
    (percent <= 100).then_some(percent.into())
}

/// A hundred years: more is a slip of the keyboard, and added to the present moment it could overflow the clock.
pub(crate) const LONGEST_DURATION: Duration = Duration::from_secs(100 * 365 * 86_400);

/// A duration in ISO 8601 (`PT1M`, `P1D`) or short form (`1m`, `1m 30s`), where it is one, not negative, and no longer
/// than a hundred years. A day has 24 hours; months and years, which have no length of their own, are not taken.
#[must_use]
pub fn parse_duration(text: &str) -> Option<Duration> {
    let span: Span = text.trim().parse().ok()?;
    if span.get_years() != 0 || span.get_months() != 0 {
        return None;
    }
    let duration: SignedDuration = span.to_duration(SpanRelativeTo::days_are_24_hours()).ok()?;
    let duration: Duration = duration.try_into().ok()?;
    (duration <= LONGEST_DURATION).then_some(duration)
}

impl fmt::Display for RetryPolicy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let iso = |delay: &Duration| match SignedDuration::try_from(*delay) {
            Ok(delay) => delay.to_string(),
            Err(_) => format!("PT{}S", delay.as_secs()),
        };
        match self.delays.first() {
            None => formatter.write_str("R1/PT0S")?,
            Some(first) if self.delays.iter().all(|delay| delay == first) => {
                write!(formatter, "R{}/{}", self.attempts(), iso(first))?;
            }
            Some(_) => formatter.write_str(&self.delays.iter().map(iso).collect::<Vec<_>>().join(","))?,
        }
        match self.jitter {
            DEFAULT_JITTER => Ok(()),
            jitter => write!(formatter, "~{jitter}%"),
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

    fn seconds(text: &str, attempt: u32) -> Option<u64> {
        Some(
            policy(&format!("{text}~0%"))
                .delay_after(attempt, "task")?
                .as_secs(),
        )
    }

    #[test]
    fn a_cycle_counts_attempts_in_all() {
        assert_eq!(policy("R3/PT10S").attempts(), 3);
        assert_eq!(seconds("R3/PT10S", 1), Some(10));
        assert_eq!(seconds("R3/PT10S", 2), Some(10));
        assert_eq!(seconds("R3/PT10S", 3), None);
    }

    #[test]
    fn a_list_gives_each_delay() {
        assert_eq!(policy("PT5S, 1m,PT10M").attempts(), 4);
        assert_eq!(seconds("PT5S, 1m,PT10M", 3), Some(600));
        assert_eq!(seconds("PT5S, 1m,PT10M", 4), None);
    }

    /// As `ParseUtil.parseRetryIntervals` and `DurationHelper` of Camunda 7.24 read `failedJobRetryTimeCycle`.
    #[test]
    fn what_camunda_users_write_means_the_same() {
        for (text, attempts, first) in [
            ("R3/PT10M", 3, 600),
            ("R5/P1D", 5, 86_400),
            ("R2/P1DT1H", 2, 90_000),
            ("PT5M", 2, 300),
            ("PT10M,PT17M,PT20M", 4, 600),
            (" PT1M , P1W ", 3, 60),
        ] {
            assert_eq!(
                (policy(text).attempts(), seconds(text, 1)),
                (attempts, Some(first)),
                "{text}"
            );
        }
    }

    #[test]
    fn a_delay_gets_longer_by_its_share_at_the_most_and_never_shorter() {
        for (text, most) in [("R3/PT100S", 110), ("R3/PT100S~50%", 150), ("R3/PT100S~0%", 100)] {
            let policy = policy(text);
            let delays: Vec<Duration> = (0..1000)
                .filter_map(|task| policy.delay_after(1, &task.to_string()))
                .collect();
            let (least, longest) = (delays.iter().min().unwrap(), delays.iter().max().unwrap());
            assert!(*least >= Duration::from_secs(100), "{text}: {least:?}");
            assert!(*longest <= Duration::from_secs(most), "{text}: {longest:?}");
            // They spread over the whole of it.
            let spread = Duration::from_secs(most - 100);
            assert!(
                *longest - *least >= spread * 9 / 10,
                "{text}: {least:?} to {longest:?}"
            );
        }
        let policy = policy("R3/PT100S");
        assert_eq!(
            policy.delay_after(1, "a"),
            policy.delay_after(1, "a"),
            "repeating a report changes nothing"
        );
    }

    #[test]
    fn what_is_shown_reads_back() {
        for text in [
            "R3/PT10S",
            "R1/PT0S",
            "PT5S,PT1M,PT10M",
            "R3/PT10S~0%",
            "PT5S,PT1M~100%",
        ] {
            assert_eq!(policy(text).to_string(), text);
        }
    }

    #[test]
    fn nonsense_is_refused_with_a_remedy() {
        for text in [
            "",
            "R0/PT1S",
            "R3",
            "R/PT1M",
            "R3/-PT1S",
            "PT",
            "three times",
            "R99999999999/PT1S",
            "R3/P1Y",
            "R3/P1M",
            "R3/PT9223372036854775807S",
            ",",
            "R3/PT1M~",
            "R3/PT1M~20",
            "R3/PT1M~101%",
            "R3/PT1M~-1%",
            "R3/PT1M~1%~2%",
        ] {
            let error = text.parse::<RetryPolicy>().unwrap_err();
            assert!(error.to_string().contains("R3/PT1M"), "{text}");
        }
    }
}
