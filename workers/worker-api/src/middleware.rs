//! What stands between the worker and an adapter.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use crate::{Adapter, Effect, Inquiry, Outcome, TaskContext};

/// One layer around every task of a worker: it may look at the task, change what the next layer gets, refuse it,
/// and look at or change the outcome.
///
/// ```
/// use worker_api::{Middleware, Next, Outcome, TaskContext, async_trait};
///
/// /// Runs nothing in the lunch break.
/// struct LunchBreak;
///
/// #[async_trait]
/// impl Middleware for LunchBreak {
///     fn name(&self) -> &str {
///         "lunch break"
///     }
///
///     async fn handle(&self, context: TaskContext, next: Next<'_>) -> Outcome {
///         if is_lunch_time() {
///             return Err(worker_api::Postponed::new("it is lunch time", std::time::Duration::from_secs(600)).into());
///         }
///         next.run(context).await
///     }
/// }
/// # fn is_lunch_time() -> bool { false }
/// ```
#[async_trait]
pub trait Middleware: Send + Sync + 'static {
    /// Its name in the chain's listing.
    fn name(&self) -> &str;

    /// Handles one attempt at a task, by way of `next` or without it. Called for many tasks at once.
    ///
    /// Cancellation: the future is dropped where the attempt is given up, like an adapter's. A panic costs this
    /// attempt alone.
    async fn handle(&self, context: TaskContext, next: Next<'_>) -> Outcome;
}

/// What comes after a middleware: the layers further in, and the adapter at the end. Used up by running it, so that
/// an adapter runs at most once an attempt.
pub struct Next<'a> {
    layers: &'a [Arc<dyn Middleware>],
    adapter: &'a dyn Adapter,
}

impl<'a> Next<'a> {
    /// The given layers from outside in, then the adapter.
    #[must_use]
    pub fn new(layers: &'a [Arc<dyn Middleware>], adapter: &'a dyn Adapter) -> Self {
        Self { layers, adapter }
    }

    /// What running this task does outside, as its adapter says.
    #[must_use]
    pub fn effect(&self, context: &TaskContext) -> Effect {
        self.adapter.effect(context)
    }

    /// Has the adapter ask its service what came of an attempt at this task.
    pub async fn inquire(&self, context: &TaskContext) -> Inquiry {
        self.adapter.inquire(context).await
    }

    /// Runs the rest of the chain.
    pub async fn run(self, context: TaskContext) -> Outcome {
        match self.layers.split_first() {
            Some((layer, rest)) => layer.handle(context, Next::new(rest, self.adapter)).await,
            None => self.adapter.execute(context).await,
        }
    }
}

impl fmt::Debug for Next<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.layers.iter().map(|layer| layer.name());
        formatter.debug_list().entries(names).finish()
    }
}
