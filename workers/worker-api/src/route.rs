//! Which adapter serves which topic.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value as Json};

use crate::{Adapter, Guards, RetryPolicy, TopicDescription};

/// Finds the adapter for a topic. The catalogue of adapters implements it; the worker asks it.
pub trait Router: Send + Sync + 'static {
    /// Every topic that has a route, sorted.
    fn topics(&self) -> Vec<String>;

    /// The route of a topic, where it has one.
    fn route(&self, topic: &str) -> Option<&Route>;
}

/// Where a topic leads.
#[derive(Clone)]
pub struct Route {
    /// The adapter's name in the catalogue.
    pub adapter_name: String,
    /// The adapter.
    pub adapter: Arc<dyn Adapter>,
    /// The adapter's own topic that the routed one stands for.
    pub operation: String,
    /// Whether the adapter runs code of users for it, in a sandbox: [`TopicDescription::sandboxed`].
    pub sandboxed: bool,
    /// Inputs that the operator fixes; they win over the model's.
    pub with: Map<String, Json>,
    /// How long one attempt may take, where it differs from the pool's.
    pub timeout: Option<Duration>,
    /// How failures are retried, where it differs from the pool's.
    pub retry: Option<RetryPolicy>,
    /// What stands before the adapter.
    pub guards: Guards,
}

impl Route {
    /// A route to an adapter's own topic with nothing fixed and nothing of its own. Whether it is sandboxed is as the
    /// adapter describes the topic, which it is asked once, here.
    #[must_use]
    pub fn new(
        adapter_name: impl Into<String>,
        adapter: Arc<dyn Adapter>,
        operation: impl Into<String>,
    ) -> Self {
        let operation = operation.into();
        let topics = adapter.description().topics;
        let sandboxed = |topic: &TopicDescription| topic.topic == operation && topic.sandboxed;
        Self {
            adapter_name: adapter_name.into(),
            sandboxed: topics.iter().any(sandboxed),
            adapter,
            operation,
            with: Map::new(),
            timeout: None,
            retry: None,
            guards: Guards::default(),
        }
    }
}
