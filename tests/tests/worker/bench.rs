//! A pool with scripted adapters on the shared engine, and processes made to measure.

use std::ops::Deref;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tests::{Engine, Process};
pub(crate) use tests::{boundary, extension, property, task_process};
use worker_api::{Adapter, AdapterDescription, Effect, Outcome, Route, Router, TaskContext, async_trait};
use worker_runtime::{Ended, Event, Observer, PoolSettings, WorkerPool};

pub(crate) const SOON: Duration = Duration::from_secs(20);

type Script = dyn Fn(TaskContext) -> std::pin::Pin<Box<dyn Future<Output = Outcome> + Send>> + Send + Sync;

struct Scripted(Box<Script>, Effect);

#[async_trait]
impl Adapter for Scripted {
    fn description(&self) -> AdapterDescription {
        AdapterDescription::new("scripted", "Does what a test says")
    }

    fn effect(&self, _: &TaskContext) -> Effect {
        self.1
    }

    async fn execute(&self, context: TaskContext) -> Outcome {
        (self.0)(context).await
    }
}

/// One topic, served by a closure.
pub(crate) struct OneTopic {
    topic: String,
    route: Route,
}

impl Router for OneTopic {
    fn topics(&self) -> Vec<String> {
        vec![self.topic.clone()]
    }

    fn route(&self, topic: &str) -> Option<&Route> {
        (topic == self.topic).then_some(&self.route)
    }
}

/// Everything that a pool has told.
#[derive(Default)]
pub(crate) struct Heard(Mutex<Vec<Ended>>);

impl Observer for Heard {
    fn observe(&self, _pool: &str, event: Event<'_>) {
        if let Event::Finished { ended, .. } = event {
            self.0.lock().unwrap().push(ended);
        }
    }
}

impl Heard {
    pub(crate) fn ends(&self) -> Vec<Ended> {
        self.0.lock().unwrap().clone()
    }
}

/// A test's own process, whose topic has the same name.
pub(crate) struct Bench {
    process: Process,
}

impl Bench {
    pub(crate) fn new(name: &str) -> Self {
        Self {
            process: Process::new(name),
        }
    }

    /// A pool for the test's topic. Its handler is a closure; its settings can be changed.
    pub(crate) fn pool<F>(
        &self,
        change: impl FnOnce(&mut PoolSettings),
        handler: impl Fn(TaskContext) -> F + Send + Sync + 'static,
    ) -> (WorkerPool, Arc<Heard>)
    where
        F: Future<Output = Outcome> + Send + 'static,
    {
        self.pool_of(self.router(handler), change)
    }

    /// A pool for the test's topic, whose handler does what must not be done twice.
    pub(crate) fn pool_once(
        &self,
        handler: impl Fn() -> Outcome + Send + Sync + 'static,
    ) -> (WorkerPool, Arc<Heard>) {
        let handler = move |_| -> std::pin::Pin<Box<dyn Future<Output = Outcome> + Send>> {
            Box::pin(std::future::ready(handler()))
        };
        let adapter = Scripted(Box::new(handler), Effect::Once);
        self.pool_of(self.router_of(adapter), |_| {})
    }

    /// Routes the test's topic to a closure.
    pub(crate) fn router<F>(
        &self,
        handler: impl Fn(TaskContext) -> F + Send + Sync + 'static,
    ) -> Arc<dyn Router>
    where
        F: Future<Output = Outcome> + Send + 'static,
    {
        let handler = Box::new(
            move |context| -> std::pin::Pin<Box<dyn Future<Output = Outcome> + Send>> {
                Box::pin(handler(context))
            },
        );
        self.router_of(Scripted(handler, Effect::Repeatable))
    }

    fn router_of(&self, adapter: Scripted) -> Arc<dyn Router> {
        Arc::new(OneTopic {
            topic: self.key.clone(),
            route: Route::new("scripted", Arc::new(adapter), self.key.clone()),
        })
    }

    /// A pool for the test's topic with a router that serves it.
    pub(crate) fn pool_of(
        &self,
        router: Arc<dyn Router>,
        change: impl FnOnce(&mut PoolSettings),
    ) -> (WorkerPool, Arc<Heard>) {
        let mut settings = PoolSettings::new("test", [&self.key]);
        change(&mut settings);
        let heard = Arc::new(Heard::default());
        let worker = Engine::shared().client_as("worker");
        let pool = WorkerPool::start(worker, settings, router, heard.clone(), None).unwrap();
        (pool, heard)
    }
}

impl Deref for Bench {
    type Target = Process;

    fn deref(&self) -> &Process {
        &self.process
    }
}
