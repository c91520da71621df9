//! One measurement: a worker with or without the policy, on an engine of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use engine_client::Variables;
use engine_client::fake::{FakeEngine, LinearProcess, TaskStep};
use futures::stream::{self, StreamExt, TryStreamExt};
use serde_json::Value as Json;
use tokio::sync::Notify;
use tokio::time::timeout;
use worker_runtime::{Chain, Ended, Event, HandlerResult, Observer, Worker};

use crate::Args;

/// Whether tasks are held to the policy.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Mode {
    /// A chain that allows all.
    Off,
    /// What a worker does unless it is told otherwise.
    On,
}

const TOPIC: &str = "nothing";

/// How many topics the process lists.
const LISTED: u32 = 20;

/// How many tasks the worker works off in a second.
pub(crate) async fn throughput(mode: Mode, args: &Args) -> anyhow::Result<f64> {
    let fake = FakeEngine::new();
    fake.deploy(process());
    let client = fake.client();
    let variables = Variables::new();
    stream::iter(0..args.tasks)
        .map(|_| client.start_instance("policy", None, None, &variables))
        .buffer_unordered(8)
        .try_for_each(async |_| Ok(()))
        .await?;
    let count = Arc::new(Count::new(args.tasks));
    let began = Instant::now();
    let worker = Worker::builder(client)
        .topic(TOPIC, async |_: Json| -> HandlerResult<()> { Ok(()) })
        .capacity(args.slots.into())
        .observer(Arc::clone(&count) as _)
        .settings(move |settings| {
            if mode == Mode::Off {
                settings.chain = Chain::default();
            }
        })
        .start()?;
    let done = timeout(Duration::from_secs(args.patience), count.reached.notified()).await;
    let took = began.elapsed();
    worker.stop().await;
    done.with_context(|| format!("{:?} of {} tasks are left", count.left, args.tasks))?;
    let wrong = count.wrong.load(Ordering::Relaxed);
    ensure!(wrong == 0, "{wrong} tasks were not completed");
    Ok(f64::from(args.tasks) / took.as_secs_f64())
}

fn process() -> LinearProcess {
    let others: String = (1..LISTED)
        .map(|number| format!("<p:task topic=\"topic_{number}\" sandboxLevel=\"high\"/>"))
        .collect();
    LinearProcess::new("policy")
        .extensions(format!(
            "<p:security xmlns:p=\"urn:procos:bpmn:1.0\"><p:allowedTasks>{others}<p:task topic=\"{TOPIC}\" \
             sandboxLevel=\"none\"/></p:allowedTasks></p:security>"
        ))
        .then(TaskStep::new("work", TOPIC))
}

/// Counts tasks down as their reports are taken.
struct Count {
    left: AtomicU32,
    wrong: AtomicU32,
    reached: Notify,
}

impl Count {
    fn new(tasks: u32) -> Self {
        Self {
            left: AtomicU32::new(tasks),
            wrong: AtomicU32::new(0),
            reached: Notify::new(),
        }
    }
}

impl Observer for Count {
    fn observe(&self, _pool: &str, event: Event<'_>) {
        let Event::Finished { ended, .. } = event else {
            return;
        };
        if ended != Ended::Completed {
            self.wrong.fetch_add(1, Ordering::Relaxed);
        }
        if self.left.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.reached.notify_one();
        }
    }
}
