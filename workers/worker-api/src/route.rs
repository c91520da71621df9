//! Which adapter serves which topic.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value as Json};

use crate::{Adapter, RetryPolicy};

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
    /// Inputs that the operator fixes; they win over the model's.
    pub with: Map<String, Json>,
    /// How long one attempt may take, where it differs from the pool's.
    pub timeout: Option<Duration>,
    /// How failures are retried, where it differs from the pool's.
    pub retry: Option<RetryPolicy>,
}
