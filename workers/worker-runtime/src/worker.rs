//! A worker in a few lines: handlers by topic, one pool, an orderly end.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use engine_client::EngineClient;
use serde_json::Value as Json;
use worker_api::{Adapter, Effect, RetryPolicy, Route, Router};

use crate::handler::HandlerAdapter;
use crate::{
    Chain, Definitions, DrainReport, Handler, ModelPolicy, Observer, PoolSettings, StartError, Subscription,
    WorkerPool,
};

/// How long handlers may go on after the stop was asked for: shorter than the 30 s that container platforms give.
const DRAIN: Duration = Duration::from_secs(20);

/// A worker that runs: handlers and adapters by topic, in one [`WorkerPool`].
///
/// Dropped without [`Self::run`] or [`Self::stop`] it works on until the runtime ends; what it has locked then stays
/// locked until its time is up.
#[derive(Debug)]
#[must_use = "let it `run`, or keep it and `stop` it"]
pub struct Worker {
    pool: WorkerPool,
    drain: Duration,
}

/// A worker in the making: [`Worker::builder`].
#[must_use = "`run` or `start` it"]
pub struct WorkerBuilder {
    engine: EngineClient,
    name: String,
    routes: Vec<(Subscription, Route)>,
    idle_adapter: Option<String>,
    settings: Vec<Change>,
    observer: Arc<dyn Observer>,
    journal: Option<PathBuf>,
    drain: Duration,
}

/// A change of what the pool is told.
type Change = Box<dyn FnOnce(&mut PoolSettings) + Send>;

/// A topic with its handler, and what differs from the worker's other topics.
#[must_use = "give it to `WorkerBuilder::serve`"]
pub struct Topic {
    subscription: Subscription,
    route: Route,
}

/// Why a worker cannot start, or not wait for its end.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// Nothing to do.
    #[error("the worker has no topics; give it handlers with `topic` or adapters with `adapter`")]
    NoTopics,
    /// Two handlers for one topic: tasks would go to one of them alone.
    #[error("the topic `{topic}` is served twice, by `{first}` and by `{second}`; leave one of them out")]
    TopicTwice {
        /// The topic.
        topic: String,
        /// The adapter that serves it, or the topic's own handler.
        first: String,
        /// Who is to serve it, too.
        second: String,
    },
    /// An adapter whose description lists no topics, so that it would never run.
    #[error("the adapter `{adapter}` describes no topics; list them in its `description`")]
    IdleAdapter {
        /// The adapter's name.
        adapter: String,
    },
    /// There is no runtime that could run it.
    #[error("a worker starts inside a tokio runtime; call it from an async function below #[tokio::main]")]
    NoRuntime,
    /// The pool cannot start.
    #[error(transparent)]
    Pool(#[from] StartError),
    /// The system does not let the process hear of SIGINT and SIGTERM.
    #[error("the worker cannot listen for SIGINT and SIGTERM: {0}")]
    Signals(std::io::Error),
}

impl Worker {
    /// A worker for the engine, without topics so far. The rest has defaults: those of [`PoolSettings::new`], a
    /// [`ModelPolicy`], no observer, no journal, and 20 s for what is under way at the end.
    pub fn builder(engine: EngineClient) -> WorkerBuilder {
        WorkerBuilder {
            engine,
            name: "worker".to_owned(),
            routes: Vec::new(),
            idle_adapter: None,
            settings: Vec::new(),
            observer: Arc::new(()),
            journal: None,
            drain: DRAIN,
        }
    }

    /// The pool behind it: whether it is ready, what is in flight, under which id it locks.
    #[must_use]
    pub fn pool(&self) -> &WorkerPool {
        &self.pool
    }

    /// Works until the process is told to stop by SIGINT (Ctrl-C) or SIGTERM, then as [`Self::stop`]. A second
    /// signal ends it at once: what is locked then stays locked until its time is up.
    ///
    /// From then on the process does not end by these signals alone.
    ///
    /// # Errors
    /// Where the system does not let the process hear of these signals.
    #[cfg(unix)]
    pub async fn run(self) -> Result<(), WorkerError> {
        use tokio::signal::unix::{SignalKind, signal};

        let listen = |kind| signal(kind).map_err(WorkerError::Signals);
        let (mut interrupt, mut terminate) =
            (listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?);
        let mut told = async || {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        };
        told().await;
        tracing::info!(
            in_flight = self.pool.in_flight(),
            within = ?self.drain,
            "stopping; a second signal stops at once"
        );
        tokio::select! {
            _ = self.stop() => {}
            () = told() => tracing::warn!("stopped at once; what is locked stays so until its time is up"),
        }
        Ok(())
    }

    /// Works until `stop` is there, then as [`Self::stop`].
    pub async fn run_until(self, stop: impl Future<Output = ()>) -> DrainReport {
        stop.await;
        self.stop().await
    }

    /// Takes no more tasks, lets those under way finish within the time to drain, gives up the others, and unlocks
    /// what is left.
    ///
    /// Cancellation: dropped, it leaves the handlers running.
    pub async fn stop(self) -> DrainReport {
        let report = self.pool.stop(self.drain).await;
        tracing::info!(
            finished = report.finished,
            given_up = report.given_up,
            "worker stopped"
        );
        report
    }
}

impl WorkerBuilder {
    /// Serves a topic with a handler: see [`Handler`].
    pub fn topic<Arguments: 'static>(
        self,
        name: impl Into<String>,
        handler: impl Handler<Arguments>,
    ) -> Self {
        self.serve(Topic::new(name, handler))
    }

    /// Serves a topic that has settings of its own.
    pub fn serve(mut self, topic: Topic) -> Self {
        self.routes.push((topic.subscription, topic.route));
        self
    }

    /// Serves every topic that the adapter describes.
    pub fn adapter(mut self, adapter: impl Adapter) -> Self {
        let adapter: Arc<dyn Adapter> = Arc::new(adapter);
        let description = adapter.description();
        if description.topics.is_empty() {
            self.idle_adapter.get_or_insert(description.name.clone());
        }
        for topic in description.topics {
            let mut route = Route::new(
                description.name.clone(),
                Arc::clone(&adapter),
                topic.topic.clone(),
            );
            // As it has said: it may describe itself otherwise the next time it is asked.
            route.sandboxed = topic.sandboxed;
            self.routes.push((Subscription::new(topic.topic), route));
        }
        self
    }

    /// What the worker is called in its worker id, in metrics and logs: `worker` unless said.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// How many tasks run at once, of all topics together: 64 unless said.
    pub fn capacity(self, tasks: usize) -> Self {
        self.settings(move |settings| settings.capacity = tasks)
    }

    /// How long a task is locked: 60 s unless said. The lock is extended while the task runs, so this is how long a
    /// task waits whose worker has died.
    pub fn lock_duration(self, duration: Duration) -> Self {
        self.settings(move |settings| settings.lock_duration = duration)
    }

    /// How long an attempt may take where neither the topic nor the model says so: 30 s unless said.
    pub fn timeout(self, timeout: Duration) -> Self {
        self.settings(move |settings| settings.default_timeout = timeout)
    }

    /// How failures are tried again where neither the topic nor the model says so: three attempts 10 s apart
    /// unless said.
    pub fn retry(self, policy: RetryPolicy) -> Self {
        self.settings(move |settings| settings.retry = policy)
    }

    /// Changes whatever else the pool can be told. The chain in it holds the policy of the models; who puts another in its
    /// place gives it one for [`PoolSettings::definitions`], too.
    pub fn settings(mut self, change: impl FnOnce(&mut PoolSettings) + Send + 'static) -> Self {
        self.settings.push(Box::new(change));
        self
    }

    /// Who hears what happens, for metrics.
    pub fn observer(mut self, observer: Arc<dyn Observer>) -> Self {
        self.observer = observer;
        self
    }

    /// A folder in which worker ids are kept, so that what a killed worker had locked is free again as soon as the
    /// next one starts there. Without one it waits until its lock is over.
    pub fn journal(mut self, directory: impl Into<PathBuf>) -> Self {
        self.journal = Some(directory.into());
        self
    }

    /// How long what is under way may take at the end: 20 s unless said.
    pub fn drain(mut self, within: Duration) -> Self {
        self.drain = within;
        self
    }

    /// Starts the worker. The engine need not be there yet: the worker waits for it.
    ///
    /// # Errors
    /// Where the topics or settings make no sense, the journal cannot be written, or there is no tokio runtime.
    pub fn start(self) -> Result<Worker, WorkerError> {
        if tokio::runtime::Handle::try_current().is_err() {
            return Err(WorkerError::NoRuntime);
        }
        if let Some(adapter) = self.idle_adapter {
            return Err(WorkerError::IdleAdapter { adapter });
        }
        let (subscriptions, routes) = Routes::of(self.routes)?;
        let topics = routes.topics();
        let mut settings = PoolSettings::new(self.name, subscriptions);
        let definitions = Definitions::new(self.engine.clone());
        settings.chain = Chain::builder()
            .policy(ModelPolicy::new(definitions.clone()))
            .build();
        settings.definitions = Some(definitions);
        for change in self.settings {
            change(&mut settings);
        }
        let url = self.engine.url().clone();
        let pool = WorkerPool::start(
            self.engine,
            settings,
            Arc::new(routes),
            self.observer,
            self.journal,
        )?;
        tracing::info!(worker = pool.worker_id(), engine = %url, ?topics, "worker started");
        Ok(Worker {
            pool,
            drain: self.drain,
        })
    }

    /// Starts the worker and lets it run: see [`Worker::run`].
    ///
    /// # Errors
    /// As [`Self::start`] and [`Worker::run`].
    #[cfg(unix)]
    pub async fn run(self) -> Result<(), WorkerError> {
        self.start()?.run().await
    }
}

impl Topic {
    /// A topic with its handler, see [`Handler`]. A task whose worker has died is run again: where that must not be, take
    /// [`Topic::once`].
    pub fn new<Arguments: 'static>(name: impl Into<String>, handler: impl Handler<Arguments>) -> Self {
        Self::with_effect(name.into(), handler, Effect::Repeatable)
    }

    /// A topic whose handler does what must not be done twice in silence, such as a payment. Before it runs, the worker
    /// writes down in the engine that it is about to, and afterwards what came of it; a task of which nobody knows whether
    /// it was done raises the BPMN error `OUTCOME_UNKNOWN` instead of running again. Where an error of the handler is sure
    /// to come before anything was done, say so: [`Failure::nothing_done`](worker_api::Failure::nothing_done).
    pub fn once<Arguments: 'static>(name: impl Into<String>, handler: impl Handler<Arguments>) -> Self {
        Self::with_effect(name.into(), handler, Effect::Once)
    }

    fn with_effect<Arguments: 'static>(
        name: String,
        handler: impl Handler<Arguments>,
        effect: Effect,
    ) -> Self {
        let adapter = Arc::new(HandlerAdapter::new(&name, handler, effect));
        let route = Route::new(name.clone(), adapter, name.clone());
        Self {
            subscription: Subscription::new(name),
            route,
        }
    }

    /// How many of its tasks run at once, of the worker's capacity.
    pub fn limit(mut self, tasks: usize) -> Self {
        self.subscription.limit = Some(tasks);
        self
    }

    /// Changes what the engine is asked for: which tasks, by process, tenant or business key, and which variables
    /// come along.
    pub fn subscription(mut self, change: impl FnOnce(&mut Subscription)) -> Self {
        change(&mut self.subscription);
        self
    }

    /// How long an attempt may take where the model does not say so.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.route.timeout = Some(timeout);
        self
    }

    /// How failures are tried again where the model does not say so.
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.route.retry = Some(policy);
        self
    }

    /// Fixes an input; it wins over one of the same name in the model.
    pub fn with(mut self, input: impl Into<String>, value: impl Into<Json>) -> Self {
        self.route.with.insert(input.into(), value.into());
        self
    }
}

struct Routes(BTreeMap<String, Route>);

impl Routes {
    fn of(routes: Vec<(Subscription, Route)>) -> Result<(Vec<Subscription>, Self), WorkerError> {
        if routes.is_empty() {
            return Err(WorkerError::NoTopics);
        }
        let mut subscriptions = Vec::new();
        let mut by_topic = BTreeMap::<String, Route>::new();
        for (subscription, route) in routes {
            let topic = subscription.topic.clone();
            if let Some(first) = by_topic.get(&topic) {
                return Err(WorkerError::TopicTwice {
                    first: first.adapter_name.clone(),
                    second: route.adapter_name,
                    topic,
                });
            }
            subscriptions.push(subscription);
            by_topic.insert(topic, route);
        }
        Ok((subscriptions, Self(by_topic)))
    }
}

impl Router for Routes {
    fn topics(&self) -> Vec<String> {
        self.0.keys().cloned().collect()
    }

    fn route(&self, topic: &str) -> Option<&Route> {
        self.0.get(topic)
    }
}

#[cfg(test)]
mod tests;
