//! `worker-runtime` as a library, with an adapter that does nothing but sleep, and with logging and metrics as
//! `procos` sets them up.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use engine_client::{EngineClient, Login};
use telemetry::logging::{self, Format};
use telemetry::metrics::{Metrics, Outcome as Counted, WorkerMetrics};
use tokio::signal::unix::{SignalKind, signal};
use tracing::level_filters::LevelFilter;
use worker_api::{
    Adapter, AdapterDescription, Answer, Effect, Outcome, Route, Router, TaskContext, async_trait,
};
use worker_runtime::{Ended, Event, Observer, PoolSettings, WorkerPool};

use crate::job::{Job, LOCK};

/// How `procos` runs: few threads.
///
/// # Errors
/// Where the system gives no threads.
pub(crate) fn runtime() -> io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
}

/// Works until it is told to stop, then drains.
pub(crate) async fn run(job: Job) -> anyhow::Result<()> {
    logging::init(Format::Json, LevelFilter::INFO, 0)?;
    let mut terminate = signal(SignalKind::terminate())?;
    let login = Login::Basic {
        username: job.username,
        password: job.password.into(),
    };
    let engine = EngineClient::new(job.url.parse().context("BENCH_URL")?, login)?;
    let routes = job.topics.into_iter().map(|(topic, sleep)| {
        let route = Route::new("sleeper", Arc::new(Sleeper(sleep)), topic.clone());
        (topic, route)
    });
    let routes = Routes(routes.collect());
    let mut settings = PoolSettings::new("bench", routes.topics());
    settings.capacity = job.slots;
    settings.lock_duration = LOCK;
    let metrics = Metrics::new()?.worker(&settings.name, settings.topic_names());
    metrics.started();
    let journal = tempfile::tempdir()?;
    let pool = WorkerPool::start(
        engine,
        settings,
        Arc::new(routes),
        Arc::new(Counting(metrics)),
        Some(journal.path().to_owned()),
    )?;
    terminate.recv().await;
    pool.stop(Duration::from_secs(20)).await;
    Ok(())
}

struct Sleeper(Duration);

#[async_trait]
impl Adapter for Sleeper {
    fn description(&self) -> AdapterDescription {
        AdapterDescription::new("sleeper", "Sleeps")
    }

    fn effect(&self, _: &TaskContext) -> Effect {
        Effect::Repeatable
    }

    async fn execute(&self, _context: TaskContext) -> Outcome {
        if !self.0.is_zero() {
            tokio::time::sleep(self.0).await;
        }
        Ok(Answer::new())
    }
}

struct Routes(HashMap<String, Route>);

impl Router for Routes {
    fn topics(&self) -> Vec<String> {
        let mut topics = Vec::from_iter(self.0.keys().cloned());
        topics.sort();
        topics
    }

    fn route(&self, topic: &str) -> Option<&Route> {
        self.0.get(topic)
    }
}

struct Counting(WorkerMetrics);

impl Observer for Counting {
    fn observe(&self, _pool: &str, event: Event<'_>) {
        match event {
            Event::Started { .. } => self.0.task_started(),
            Event::Finished { task, ended, elapsed } => {
                let outcome = match ended {
                    Ended::Completed => Counted::Completed,
                    Ended::BpmnError => Counted::BpmnError,
                    Ended::Failed => Counted::Failed,
                    Ended::Incident => Counted::Incident,
                    Ended::Dropped => Counted::Dropped,
                };
                self.0.task_finished(&task.topic, outcome, elapsed);
            }
            Event::EngineLost => self.0.fetch_failed(),
            _ => {}
        }
    }
}
