//! The chain of middleware around every task: made in one place, listed in the log, the same for a task of the engine
//! and for a topic that such a task calls.
//!
//! From outside in:
//! 1. `tracing`: the span of a called topic, and how it ended. A task's own span is open for longer, see [`span`].
//! 2. `policy`: refuses what may not run, and says how strict the sandbox has to be: [`ModelPolicy`] by what the process
//!    itself says. All that comes after sees its grant.
//! 3. Middleware of the program's own, in the order in which it was added.
//! 4. `cache`, `breaker`, `rate`: what the operator puts before a topic, where a route asks for it.
//! 5. `concurrency`: limits how many tasks with the same key run at once.
//! 6. `effects`: what must not happen twice is written down in the engine, before and after.
//! 7. `timeout`: the adapter's time runs from here. Whatever waits further out costs the task none of it.

mod admission;
mod concurrency;
mod effects;
mod guards;
mod model_policy;
mod spans;
mod timeout;

use std::any::Any;
use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use worker_api::{Adapter, AllowAll, Failure, Middleware, Next, Outcome, Policy, Router, TaskContext};

pub use concurrency::Concurrency;
pub use model_policy::{ModelPolicy, PolicyDefaults};
pub(crate) use spans::span;

/// How long all layers together may hold a task beside the adapter's own time.
const OVERHEAD: Duration = Duration::from_secs(60);

/// The layers around every task. Clones share them, and so their limits: pools that are given clones of one chain
/// count their tasks together.
#[derive(Clone)]
pub struct Chain {
    layers: Arc<[Arc<dyn Middleware>]>,
    overhead: Duration,
}

/// A chain in the making: [`Chain::builder`].
#[must_use = "`build` it"]
pub struct ChainBuilder {
    policy: Arc<dyn Policy>,
    own: Vec<Arc<dyn Middleware>>,
    guards: Vec<Arc<dyn Middleware>>,
    concurrency: Concurrency,
    overhead: Duration,
}

impl Chain {
    /// A chain with what every one has: tracing, a policy that allows all, concurrency by key, and timeouts.
    pub fn builder() -> ChainBuilder {
        ChainBuilder {
            policy: Arc::new(AllowAll),
            own: Vec::new(),
            guards: Vec::new(),
            concurrency: Concurrency::default(),
            overhead: OVERHEAD,
        }
    }

    /// The layers' names, from outside in.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.layers.iter().map(|layer| layer.name())
    }

    /// Runs an adapter inside the chain. A layer that panics, or that holds the task for longer than it may, is a
    /// failure of this task.
    pub(crate) async fn run(&self, context: TaskContext, adapter: &dyn Adapter) -> Outcome {
        let longest = context.timeout.saturating_add(self.overhead);
        let work = AssertUnwindSafe(Next::new(&self.layers, adapter).run(context)).catch_unwind();
        match tokio::time::timeout(longest, work).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(panic)) => Err(broken("a middleware around the adapter", panic.as_ref()).into()),
            Err(_) => Err(Failure::retryable(format!(
                "the middleware around the adapter held the task for longer than {:?} beside the adapter's own time; \
                 this is a fault in one of: {self:?}",
                self.overhead
            ))
            .into()),
        }
    }
}

impl Default for Chain {
    fn default() -> Self {
        Self::builder().build()
    }
}

/// The layers' names from outside in, as in `tracing > policy (allow all) > concurrency > timeout`.
impl fmt::Debug for Chain {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, name) in self.names().enumerate() {
            let before = if index == 0 { "" } else { " > " };
            write!(formatter, "{before}{name}")?;
        }
        Ok(())
    }
}

impl ChainBuilder {
    /// Sets which tasks may run.
    pub fn policy(mut self, policy: impl Policy) -> Self {
        self.policy = Arc::new(policy);
        self
    }

    /// Adds a layer of the program's own, inside of those added before: behind the policy, so that it sees only what
    /// may run, and before the task has its turn and the adapter's time begins.
    pub fn middleware(mut self, layer: impl Middleware) -> Self {
        self.own.push(Arc::new(layer));
        self
    }

    /// Puts before each topic what its route asks for: see [`worker_api::Guards`].
    pub fn routes(mut self, router: &Arc<dyn Router>) -> Self {
        self.guards = guards::layers(router);
        self
    }

    /// Sets how many tasks with the same key run at once.
    pub fn concurrency(mut self, concurrency: Concurrency) -> Self {
        self.concurrency = concurrency;
        self
    }

    /// Sets how long all layers together may hold a task beside the adapter's own time: 60 s by default. What takes
    /// longer is given up as a failure that is retried.
    pub fn overhead(mut self, overhead: Duration) -> Self {
        self.overhead = overhead;
        self
    }

    /// The chain.
    #[must_use]
    pub fn build(self) -> Chain {
        let mut layers: Vec<Arc<dyn Middleware>> = vec![
            Arc::new(spans::Spans),
            Arc::new(admission::Admission::new(self.policy)),
        ];
        layers.extend(self.own);
        layers.extend(self.guards);
        layers.push(Arc::new(concurrency::Turns::new(self.concurrency)));
        layers.push(Arc::new(effects::Effects));
        layers.push(Arc::new(timeout::Timeout));
        Chain {
            layers: layers.into(),
            overhead: self.overhead,
        }
    }
}

/// The failure of a task whose code panicked.
pub(crate) fn broken(what: &str, panic: &(dyn Any + Send)) -> Failure {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    Failure::retryable(format!(
        "{what} broke: {}; this is a fault in its code",
        text.unwrap_or("it does not say why")
    ))
}

#[cfg(test)]
mod tests;
