//! One client at one workload.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, anyhow, ensure};
use benches::Setup;
use clap::ValueEnum;
use futures::stream::{self, StreamExt, TryStreamExt};
use jiff::Timestamp;
use serde::Serialize;
use tokio::time::{Instant, sleep, sleep_until};

use crate::bed::{Bed, Life, Work};
use crate::contender::{Client, Contender, Handle};
use crate::job::Job;
use crate::proxy::Proxy;

/// What can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Workload {
    /// A queue of tasks that do nothing
    Noop,
    /// A queue of tasks of 100 ms
    Sleep,
    /// Single tasks, one after another, on an idle client
    Latency,
    /// A stream of fast tasks, without and with 1 slow (2 s) to 20 fast
    Mix,
    /// Nothing at all, with many topics
    Idle,
}

impl Workload {
    /// As it is typed.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Noop => "noop",
            Self::Sleep => "sleep",
            Self::Latency => "latency",
            Self::Mix => "mix",
            Self::Idle => "idle",
        }
    }
}

/// How large the workloads are.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Sizes {
    pub(crate) tasks: usize,
    pub(crate) sleepers: usize,
    pub(crate) slots: usize,
    pub(crate) singles: usize,
    pub(crate) fast: usize,
    pub(crate) topics: usize,
    pub(crate) idle: Duration,
    pub(crate) patience: Duration,
}

/// Figures by name. The unit is the end of the name.
pub(crate) type Figures = BTreeMap<&'static str, f64>;

/// How long the tasks of [`Workload::Sleep`] take.
pub(crate) const SLEEP: Duration = Duration::from_millis(100);

/// How long the slow tasks of [`Workload::Mix`] take.
const SLOW: Duration = Duration::from_secs(2);

/// How many fast tasks there are for a slow one.
const FAST_PER_SLOW: usize = 20;

/// A fast task comes every so often: a quarter of what the engine takes at most.
const FAST_EVERY: Duration = Duration::from_millis(10);

/// How many tasks each client does before it is measured, so that it is up and its code compiled.
const WARM: usize = 100;

/// Measures a client at a workload. Nothing of it is left in the engine.
pub(crate) async fn measure(
    bed: &mut Bed,
    setup: &Setup,
    contender: Contender,
    workload: Workload,
    sizes: &Sizes,
) -> anyhow::Result<Figures> {
    let processes = match workload {
        Workload::Noop | Workload::Sleep | Workload::Latency => 1,
        Workload::Mix => 3,
        Workload::Idle => sizes.topics,
    };
    let work = bed.deploy(processes).await?;
    let sleep = |index: usize| match (workload, index) {
        (Workload::Sleep, _) => SLEEP,
        (Workload::Mix, 2) => SLOW,
        _ => Duration::ZERO,
    };
    let topics = work
        .names
        .iter()
        .enumerate()
        .map(|(index, name)| (name, sleep(index)));
    let mut job = bed.job(topics, sizes.slots);
    let proxy = match workload {
        Workload::Idle => Some(Proxy::start(&job.url).await?),
        _ => None,
    };
    if let Some(proxy) = &proxy {
        job.url.clone_from(&proxy.url);
    }
    let folder = bed.folder()?;
    let mut running = contender.start(setup, &job, &folder)?;
    let handle = running.handle;
    let measuring = async {
        match (workload, &proxy) {
            (Workload::Noop, _) => queue(bed, handle, &work, sizes.tasks, sizes).await,
            (Workload::Sleep, _) => queue(bed, handle, &work, sizes.sleepers, sizes).await,
            (Workload::Latency, _) => latency(bed, &work, sizes).await,
            (Workload::Mix, _) => mix(bed, &work, sizes).await,
            (Workload::Idle, Some(proxy)) => idle(bed, handle, &work, proxy, sizes).await,
            (Workload::Idle, None) => Err(anyhow!("no proxy")),
        }
    };
    let measured = tokio::select! {
        measured = measuring => measured,
        error = running.ended() => Err(error),
    };
    let measured = measured.map_err(|error| running.explain(error));
    running.stop().await;
    // Those that nobody has done go with the deployment.
    bed.flush(&work.names[0]).await?;
    bed.drop(work).await?;
    measured
}

/// Runs so many tasks through the engine, by the raw loop, and tells how many are done.
pub(crate) async fn warm(
    bed: &mut Bed,
    setup: &Setup,
    tasks: usize,
    patience: Duration,
    progress: &dyn Fn(usize),
) -> anyhow::Result<()> {
    const PORTION: usize = 500;
    let raw = Contender {
        client: Client::Raw,
        reports: 4,
    };
    let work = bed.deploy(1).await?;
    let job: Job = bed.job([(&work.names[0], Duration::ZERO)], 1);
    let folder = bed.folder()?;
    let mut running = raw.start(setup, &job, &folder)?;
    let warming = async {
        let mut done = 0;
        while done < tasks {
            let portion = PORTION.min(tasks - done);
            bed.feed(&work.names[0], portion).await?;
            bed.drained(&work.names, Duration::from_millis(100), patience)
                .await?;
            done += portion;
            progress(done);
        }
        Ok(())
    };
    let warmed = tokio::select! {
        warmed = warming => warmed,
        error = running.ended() => Err(error),
    };
    let warmed = warmed.map_err(|error| running.explain(error));
    running.stop().await;
    bed.flush(&work.names[0]).await?;
    bed.drop(work).await?;
    warmed
}

/// A queue that is there before the client: it is halted while the tasks are queued, so that neither its start nor
/// the queueing counts.
async fn queue(
    bed: &Bed,
    client: Handle,
    work: &Work,
    tasks: usize,
    sizes: &Sizes,
) -> anyhow::Result<Figures> {
    let name = &work.names[0];
    up(bed, name, WARM, sizes).await?;
    client.halt()?;
    bed.feed(name, tasks).await?;
    let before = (client.usage()?, bed.usage()?);
    let began = Timestamp::now();
    client.go_on()?;
    bed.drained(&work.names, Duration::from_millis(100), sizes.patience)
        .await?;
    let after = (client.usage()?, bed.usage()?);
    let lives = bed.lives(name).await?;
    ensure!(
        lives.len() == WARM + tasks,
        "{} of {} instances have ended",
        lives.len(),
        WARM + tasks
    );
    let last = lives.last().context("no instance has ended")?.ended;
    let seconds = last.duration_since(began).as_secs_f64();
    let per_task_ms = 1000.0 / tasks as f64;
    Ok(Figures::from([
        ("seconds", seconds),
        ("tasks_per_second", tasks as f64 / seconds),
        ("client_cpu_ms", (after.0.cpu - before.0.cpu) * per_task_ms),
        ("engine_cpu_ms", (after.1.cpu - before.1.cpu) * per_task_ms),
        ("peak_bytes", after.0.peak as f64),
    ]))
}

async fn latency(bed: &Bed, work: &Work, sizes: &Sizes) -> anyhow::Result<Figures> {
    let name = &work.names[0];
    up(bed, name, WARM, sizes).await?;
    let began = Timestamp::now();
    for number in 0..sizes.singles {
        // Not in step with whatever the client does at intervals.
        sleep(Duration::from_millis(20 + (number as u64 * 37) % 50)).await;
        bed.start(name).await?;
        sleep(Duration::from_millis(10)).await;
        bed.drained(&work.names, Duration::from_millis(10), sizes.patience)
            .await?;
    }
    let lives = since(bed.lives(name).await?, began);
    ensure!(lives.len() == sizes.singles, "{} tasks are done", lives.len());
    Ok(Figures::from([
        ("p50_ms", percentile(&lives, 50)),
        ("p99_ms", percentile(&lives, 99)),
    ]))
}

async fn mix(bed: &Bed, work: &Work, sizes: &Sizes) -> anyhow::Result<Figures> {
    let [alone, beside, slow] = &work.names[..] else {
        return Err(anyhow!("three processes"));
    };
    up(bed, beside, WARM, sizes).await?;
    stream(bed, work, sizes, |number| (number % 2 == 0).then_some(alone)).await?;
    stream(bed, work, sizes, |number| match number % (2 * FAST_PER_SLOW) {
        1 => Some(slow),
        number if number % 2 == 0 => Some(beside),
        _ => None,
    })
    .await?;
    let alone = bed.lives(alone).await?;
    let mut beside = bed.lives(beside).await?;
    // The first ones warmed it up.
    beside.drain(..WARM.min(beside.len()));
    ensure!(
        alone.len() == sizes.fast && beside.len() == sizes.fast,
        "not all are done"
    );
    Ok(Figures::from([
        ("alone_p50_ms", percentile(&alone, 50)),
        ("alone_p99_ms", percentile(&alone, 99)),
        ("beside_p50_ms", percentile(&beside, 50)),
        ("beside_p99_ms", percentile(&beside, 99)),
    ]))
}

/// Starts what `which` says at each half of [`FAST_EVERY`], and waits until all is done.
async fn stream<'a>(
    bed: &Bed,
    work: &Work,
    sizes: &Sizes,
    which: impl Fn(usize) -> Option<&'a String>,
) -> anyhow::Result<()> {
    let began = Instant::now();
    stream::iter(0..2 * sizes.fast)
        .filter_map(async |number| Some((number, which(number)?)))
        .map(|(number, name)| async move {
            sleep_until(began + FAST_EVERY / 2 * number as u32).await;
            bed.start(name).await
        })
        .buffer_unordered(2 * sizes.fast)
        .try_for_each(async |()| Ok(()))
        .await?;
    bed.drained(&work.names, Duration::from_millis(100), sizes.patience)
        .await
}

async fn idle(
    bed: &Bed,
    client: Handle,
    work: &Work,
    proxy: &Proxy,
    sizes: &Sizes,
) -> anyhow::Result<Figures> {
    up(bed, &work.names[0], 1, sizes).await?;
    let (requests, cpu) = (proxy.count(), client.usage()?.cpu);
    // The time that is measured.
    sleep(sizes.idle).await;
    let per_minute = 60.0 / sizes.idle.as_secs_f64();
    let after = client.usage()?;
    Ok(Figures::from([
        (
            "requests_per_minute",
            (proxy.count() - requests) as f64 * per_minute,
        ),
        ("cpu_s_per_minute", (after.cpu - cpu) * per_minute),
        ("resident_bytes", after.resident as f64),
    ]))
}

/// Waits until the client has done so many tasks: it is up then.
async fn up(bed: &Bed, name: &str, tasks: usize, sizes: &Sizes) -> anyhow::Result<()> {
    bed.feed(name, tasks).await?;
    let topics = [name.to_owned()];
    bed.drained(&topics, Duration::from_millis(50), sizes.patience)
        .await
}

fn since(lives: Vec<Life>, began: Timestamp) -> Vec<Life> {
    lives.into_iter().filter(|life| life.began >= began).collect()
}

/// The latency that so many in a hundred do not exceed, in milliseconds; of none it is not a number.
fn percentile(lives: &[Life], hundredths: usize) -> f64 {
    let mut millis: Vec<f64> = lives.iter().map(|life| life.millis()).collect();
    millis.sort_by(f64::total_cmp);
    let rank = (millis.len() * hundredths).div_ceil(100).max(1);
    millis.get(rank - 1).copied().unwrap_or(f64::NAN)
}
