//! A process engine of a test's own, for what brings things in from outside.

use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::body::Bytes;
use serde_json::Value as Json;
use worker_api::{
    Hit, Message, Outcome, PortError, ProcessPort, Signal, StartProcess, Started, TaskContext, TopicCall,
    TopicDescription, async_trait,
};

/// Remembers what reached it, and refuses it as often as it is told to.
#[derive(Debug, Default)]
pub struct Arrivals {
    started: Mutex<Vec<StartProcess>>,
    correlated: Mutex<Vec<Message>>,
    refusals: Mutex<Vec<PortError>>,
    asked: Mutex<usize>,
    keys_are: Option<Json>,
}

impl Arrivals {
    /// One that says these first, in this order, and then takes everything.
    #[must_use]
    pub fn refusing(refusals: impl IntoIterator<Item = PortError>) -> Self {
        let arrivals = Self::default();
        arrivals.refuse(refusals);
        arrivals
    }

    /// Has nobody wait for messages that are for another value than this by their correlation keys.
    #[must_use]
    pub fn for_keys(mut self, value: impl Into<Json>) -> Self {
        self.keys_are = Some(value.into());
        self
    }

    /// Says these next, in this order.
    pub fn refuse(&self, refusals: impl IntoIterator<Item = PortError>) {
        let mut all: Vec<PortError> = refusals.into_iter().collect();
        all.reverse();
        *lock(&self.refusals) = all;
    }

    /// The starts that it has taken.
    #[must_use]
    pub fn started(&self) -> Vec<StartProcess> {
        lock(&self.started).clone()
    }

    /// The messages that it has taken.
    #[must_use]
    pub fn correlated(&self) -> Vec<Message> {
        lock(&self.correlated).clone()
    }

    /// How often it was asked, refusals included.
    #[must_use]
    pub fn asked(&self) -> usize {
        *lock(&self.asked)
    }

    fn refusal(&self) -> Result<(), PortError> {
        *lock(&self.asked) += 1;
        match lock(&self.refusals).pop() {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[async_trait]
impl ProcessPort for Arrivals {
    async fn start(&self, process: StartProcess) -> Result<Started, PortError> {
        self.refusal()?;
        lock(&self.started).push(process);
        Ok(Started {
            process_instance_id: "i".into(),
            new: true,
        })
    }

    async fn correlate(&self, message: Message) -> Result<Vec<Hit>, PortError> {
        self.refusal()?;
        let mut keys = message.correlation_keys.values();
        if let Some(wanted) = &self.keys_are
            && keys.any(|value| value.to_json() != *wanted)
        {
            return Err(PortError::NoMatch {
                message: message.name,
                conditions: String::new(),
            });
        }
        lock(&self.correlated).push(message);
        Ok(Vec::new())
    }

    async fn signal(&self, _: Signal) -> Result<(), PortError> {
        unreachable!("what arrives throws no signals")
    }

    async fn call_topic(&self, _: &TaskContext, _: TopicCall) -> Result<Outcome, PortError> {
        unreachable!("what arrives calls no topics")
    }

    async fn resource(&self, _: &TaskContext, _: &str) -> Result<Option<Bytes>, PortError> {
        unreachable!("what arrives reads no resources")
    }

    fn topic(&self, _: &str) -> Option<TopicDescription> {
        None
    }
}
