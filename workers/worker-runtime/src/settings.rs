//! What a pool of workers is to do.

use std::sync::Arc;
use std::time::Duration;

use engine_client::FetchTopic;
use worker_api::{Dispatch, NoProcesses, ProcessPort, RetryPolicy};

use crate::protocol::Rules;
use crate::{Chain, Definitions};

/// A pool: topics that share slots.
#[derive(Clone, Debug)]
pub struct PoolSettings {
    /// Its name, part of its worker id.
    pub name: String,
    /// How many tasks run at once.
    pub capacity: usize,
    /// How many tasks more may be locked, so that a slot that becomes free finds its next task here; unless said, as
    /// many as there are slots. None are where handlers usually take longer than half a second, and one that has found
    /// no slot within a second is unlocked.
    pub prefetch: Option<usize>,
    /// What it asks the engine for. Each topic needs a route.
    pub topics: Vec<Subscription>,
    /// Whether tasks of a higher priority come first; costs the engine a sort at each fetch.
    pub priorities: bool,
    /// How long a task is locked; the lock is extended each third of it while the task runs.
    pub lock_duration: Duration,
    /// How long an attempt may take where neither the model nor the route says so.
    pub default_timeout: Duration,
    /// How failures are retried where neither the model nor the route says so.
    pub retry: RetryPolicy,
    /// How long the engine may hold a request for tasks while there are none.
    pub long_poll: Duration,
    /// Where handlers run: in a runtime of their own, one that blocks its thread holds up no lock and no other pool.
    /// `None`: where the pool itself runs.
    pub handlers: Option<tokio::runtime::Handle>,
    /// The models of the tasks' processes, where they are shared with a [`ModelPolicy`](crate::ModelPolicy) or with other
    /// pools of the same engine; by default the pool reads its own.
    pub definitions: Option<Definitions>,
    /// What stands around every task. Pools that are given clones of one chain share its limits.
    pub chain: Chain,
    /// Where tasks are offered, so that the engine need not be asked for them; by default it is.
    pub offers: Option<Arc<dyn Dispatch>>,
    /// What tasks may ask of the engine and of other topics, such as an [`EnginePort`](crate::EnginePort); by default
    /// nothing.
    pub processes: Arc<dyn ProcessPort>,
}

/// A topic that a pool serves.
#[derive(Clone, Debug)]
pub struct Subscription {
    /// The topic's name.
    pub topic: String,
    /// How many of its tasks may be locked at once, of the pool's capacity.
    pub limit: Option<usize>,
    /// What else the engine is asked for with it: filters, and which variables come along. Its name and lock duration
    /// are the pool's to fill in.
    pub request: FetchTopic,
}

impl Subscription {
    /// A topic without a limit of its own and without filters.
    #[must_use]
    pub fn new(topic: impl Into<String>) -> Self {
        let topic = topic.into();
        Self {
            request: FetchTopic::new(&topic, Duration::ZERO),
            topic,
            limit: None,
        }
    }

    /// Sets how many of its tasks may be locked at once.
    #[must_use]
    pub fn limit(mut self, limit: usize) -> Self {
        self.limit = Some(limit);
        self
    }

    /// Whether it asks for some of its topic's tasks alone, or not for all that comes along.
    pub(crate) fn is_filtered(&self) -> bool {
        let own = FetchTopic {
            topic_name: self.topic.clone(),
            lock_duration: Duration::ZERO,
            ..self.request.clone()
        };
        own != FetchTopic::new(&self.topic, Duration::ZERO)
    }

    /// What the engine is asked for.
    pub(crate) fn request(&self, pool: &PoolSettings) -> FetchTopic {
        let mut request = self.request.clone();
        request.topic_name.clone_from(&self.topic);
        request.lock_duration = pool.lock_duration;
        request
    }
}

impl<T: Into<String>> From<T> for Subscription {
    fn from(topic: T) -> Self {
        Self::new(topic)
    }
}

impl PoolSettings {
    /// A pool for the topics, everything else as it is by default: 64 slots and as many tasks locked ahead, locks of
    /// 60 s, attempts of 30 s, and three attempts 10 s apart.
    #[must_use]
    pub fn new(name: impl Into<String>, topics: impl IntoIterator<Item = impl Into<Subscription>>) -> Self {
        Self {
            name: name.into(),
            capacity: 64,
            prefetch: None,
            priorities: false,
            handlers: None,
            topics: topics.into_iter().map(Into::into).collect(),
            lock_duration: Duration::from_secs(60),
            default_timeout: Duration::from_secs(30),
            retry: RetryPolicy::cycle(3, Duration::from_secs(10)),
            long_poll: Duration::from_secs(15),
            definitions: None,
            chain: Chain::default(),
            offers: None,
            processes: Arc::new(NoProcesses),
        }
    }

    /// The names of its topics, each once, in their order.
    #[must_use]
    pub fn topic_names(&self) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for subscription in &self.topics {
            if !names.contains(&subscription.topic) {
                names.push(subscription.topic.clone());
            }
        }
        names
    }

    pub(crate) fn rules(&self) -> Rules {
        Rules {
            capacity: self.capacity,
            prefetch: self.prefetch.unwrap_or(self.capacity),
            lock_duration: self.lock_duration,
            long_poll: self.long_poll,
            subscriptions: self
                .topics
                .iter()
                .map(|topic| (topic.topic.clone(), topic.limit))
                .collect(),
        }
    }
}
