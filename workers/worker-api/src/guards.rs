//! What an operator may put before any topic: a rate, a circuit breaker, a cache.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The guards of a route. There are none unless one is configured.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Guards {
    /// How many tasks may run in a time.
    pub rate: Option<Rate>,
    /// When no more tasks are tried for a while.
    pub breaker: Option<Breaker>,
    /// Which answers are kept and given again.
    pub cache: Option<Cache>,
}

/// How many tasks may run in a time, such as `100/s`, `30/m` or `1000/h`.
///
/// ```
/// let rate: worker_api::Rate = "30/m".parse()?;
/// assert_eq!(rate.between(), std::time::Duration::from_secs(2));
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    tasks: NonZeroU32,
    per: char,
}

impl Rate {
    /// How many tasks.
    #[must_use]
    pub fn tasks(self) -> NonZeroU32 {
        self.tasks
    }

    /// In which time.
    #[must_use]
    pub fn per(self) -> Duration {
        Duration::from_secs(match self.per {
            's' => 1,
            'm' => 60,
            _ => 3600,
        })
    }

    /// The time from one task to the next, where they come evenly.
    #[must_use]
    pub fn between(self) -> Duration {
        self.per() / self.tasks.get()
    }
}

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no rate: write one such as 100/s, 30/m or 1000/h");
        let (tasks, per) = text.split_once('/').ok_or_else(wrong)?;
        let mut letters = per.trim().chars();
        match (letters.next(), letters.next()) {
            (Some(per @ ('s' | 'm' | 'h')), None) => Ok(Self {
                tasks: tasks.trim().parse().map_err(|_| wrong())?,
                per,
            }),
            _ => Err(wrong()),
        }
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.tasks, self.per)
    }
}

impl<'de> Deserialize<'de> for Rate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

impl Serialize for Rate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// When a service that does not answer is left alone for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Breaker {
    /// After how many failures one after the other.
    #[serde(default = "failures")]
    pub failures: NonZeroU32,
    /// For how long. One task is tried after that, and the others follow where it does not fail.
    #[serde(default = "pause", with = "crate::duration")]
    pub pause: Duration,
}

/// Which answers are given again without asking.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Cache {
    /// For how long.
    #[serde(rename = "for", with = "crate::duration")]
    pub lifetime: Duration,
    /// The inputs that make the difference: tasks that agree in these get the same answer.
    pub by: Vec<String>,
}

fn failures() -> NonZeroU32 {
    const { NonZeroU32::new(5).unwrap() }
}

fn pause() -> Duration {
    Duration::from_secs(30)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "test code")]
mod tests {
    use super::*;

    #[test]
    fn rates_are_shown_as_they_are_read() {
        for text in ["1/s", "30/m", "1000/h"] {
            assert_eq!(text.parse::<Rate>().unwrap().to_string(), text);
        }
        for text in ["", "1", "0/s", "-1/s", "1/d", "1/sec", "a/s", "1/s/s"] {
            assert!(text.parse::<Rate>().unwrap_err().contains("30/m"), "{text}");
        }
    }

    #[test]
    fn guards_have_defaults_but_for_what_a_cache_goes_by() {
        let breaker: Breaker = serde_json::from_str("{}").unwrap();
        assert_eq!(
            (breaker.failures.get(), breaker.pause),
            (5, Duration::from_secs(30))
        );
        let cache: Cache = serde_json::from_str(r#"{"for": "10m", "by": ["url"]}"#).unwrap();
        assert_eq!(cache.lifetime, Duration::from_secs(600));
        serde_json::from_str::<Cache>(r#"{"for": "10m"}"#).unwrap_err();
    }
}
