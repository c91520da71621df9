//! The sandbox of the pools' script topics.

use std::sync::Arc;

use adapter_catalog::{Catalogue, ScriptAdapter};
use sandbox::{SandboxError, SelfTest};
use tokio::task::JoinHandle;
use worker_runtime::PoolSettings;

/// The sandbox, which is opened while the rest boots. Dropped, it is left to the tasks that use it.
pub(super) struct Scripts {
    adapter: Arc<ScriptAdapter>,
    topics: Vec<String>,
    opening: Option<JoinHandle<Result<SelfTest, SandboxError>>>,
}

/// How the sandbox is.
pub(super) enum State {
    /// No pool has a script topic.
    NotNeeded,
    /// It is open; this is what it says of itself.
    Open(String),
    /// There is none, for this reason.
    Refused(String),
}

impl Scripts {
    /// Begins to open the sandbox where a pool has a topic that leads to a script.
    pub(super) fn open(catalogue: &Catalogue, plans: &[PoolSettings]) -> Self {
        let adapter = Arc::clone(catalogue.scripts());
        let topics = plans.iter().flat_map(PoolSettings::topic_names);
        let topics: Vec<String> = topics.filter(|topic| catalogue.is_script(topic)).collect();
        let opening = (!topics.is_empty()).then(|| {
            let adapter = Arc::clone(&adapter);
            tokio::spawn(async move { adapter.open().await })
        });
        Self {
            adapter,
            topics,
            opening,
        }
    }

    /// Waits until it is open, or refused.
    pub(super) async fn state(&mut self) -> State {
        let Some(opening) = self.opening.take() else {
            return State::NotNeeded;
        };
        match opening.await {
            Ok(Ok(self_test)) => State::Open(told(&self_test)),
            Ok(Err(error)) => State::Refused(error.to_string()),
            Err(error) => State::Refused(format!("opening the sandbox broke off: {error}")),
        }
    }

    /// Whether a pool serves scripts.
    pub(super) fn are_served_by(&self, plan: &PoolSettings) -> bool {
        plan.topic_names()
            .iter()
            .any(|topic| self.topics.iter().any(|script| script == topic))
    }

    /// Removes what waits in the sandbox.
    pub(super) async fn close(&self) {
        self.adapter.close().await;
    }
}

/// A self-test as people read it.
pub(crate) fn told(self_test: &SelfTest) -> String {
    let stopped = self_test
        .probes
        .iter()
        .filter(|probe| probe.stopped_by.is_some())
        .count();
    format!(
        "{} (self-test {stopped}/{})",
        self_test.backend,
        self_test.probes.len()
    )
}
