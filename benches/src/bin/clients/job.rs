//! What a client is to do: the one interface that all of them share, in the environment of their processes.

use std::env;
use std::time::Duration;

use anyhow::Context;

/// How long tasks are locked. Longer than it takes to queue a workload, for clients that are halted then.
pub(crate) const LOCK: Duration = Duration::from_secs(60);

/// How long polls are, where a client is told.
pub(crate) const LONG_POLL: Duration = Duration::from_secs(15);

/// A client's job. `benches/peers/README.md` has the variables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Job {
    /// The REST API's address.
    pub(crate) url: String,
    /// The login.
    pub(crate) username: String,
    /// Its password.
    pub(crate) password: String,
    /// Topics, and how long the handler of each sleeps.
    pub(crate) topics: Vec<(String, Duration)>,
    /// How many tasks may run at once, where a client can be told.
    pub(crate) slots: usize,
}

impl Job {
    /// As variables of a process.
    pub(crate) fn variables(&self) -> [(&'static str, String); 6] {
        let topics: Vec<String> = self
            .topics
            .iter()
            .map(|(topic, sleep)| format!("{topic}={}", sleep.as_millis()))
            .collect();
        [
            ("BENCH_URL", self.url.clone()),
            ("BENCH_USER", self.username.clone()),
            ("BENCH_PASSWORD", self.password.clone()),
            ("BENCH_TOPICS", topics.join(",")),
            ("BENCH_SLOTS", self.slots.to_string()),
            ("BENCH_LOCK_MS", LOCK.as_millis().to_string()),
        ]
    }

    /// From this process's environment.
    pub(crate) fn of_environment() -> anyhow::Result<Self> {
        let get = |name: &str| env::var(name).with_context(|| name.to_owned());
        let topics = get("BENCH_TOPICS")?;
        let topics = topics.split(',').map(|topic| {
            let (topic, millis) = topic.split_once('=').context("BENCH_TOPICS: topic=ms,topic=ms")?;
            Ok((topic.to_owned(), Duration::from_millis(millis.parse()?)))
        });
        Ok(Self {
            url: get("BENCH_URL")?,
            username: get("BENCH_USER")?,
            password: get("BENCH_PASSWORD")?,
            topics: topics.collect::<anyhow::Result<_>>()?,
            slots: get("BENCH_SLOTS")?.parse().context("BENCH_SLOTS")?,
        })
    }
}
