//! Measures a case, and says what came of it.

use std::time::{Duration, Instant};

use anyhow::Context;
use benches::{Spread, Usage};
use futures::{StreamExt, stream};
use serde::Serialize;

use crate::Args;
use crate::cases::{Case, Work};

/// The figures of a case.
#[derive(Debug, Serialize)]
pub(crate) struct Measured {
    name: String,
    tasks: u32,
    per_second: Spread,
    peer: Option<&'static str>,
    peer_per_second: Option<Spread>,
    ratio: Option<Spread>,
    p50_ms: f64,
    p99_ms: f64,
    memory_before: u64,
    memory_after: u64,
}

/// What stands over the columns of [`Measured::row`].
pub(crate) const COLUMNS: [&str; 8] = [
    "adapter",
    "tasks",
    "tasks/s",
    "peer",
    "of the peer's",
    "p50 ms",
    "p99 ms",
    "memory MiB",
];

/// Runs a case's rounds; the first of all is to warm up.
pub(crate) async fn measure(case: &Case, args: &Args) -> anyhow::Result<Measured> {
    let tasks = (args.tasks / case.slower).max(10);
    let (mut own, mut peers, mut ratios, mut latencies) = (vec![], vec![], vec![], vec![]);
    let mut memory = (0, 0);
    for round in 0..=args.rounds {
        let mut peer = None;
        if let Some((_, work)) = case.peer.as_ref().filter(|_| round % 2 == 1) {
            peer = Some(once(work, tasks, args.concurrency, &mut Vec::new()).await?);
        }
        let before = Usage::of(std::process::id())?.anonymous;
        let mut took = Vec::new();
        let adapter = once(&case.work, tasks, args.concurrency, &mut took)
            .await
            .with_context(|| case.name.clone())?;
        memory = (before, Usage::of(std::process::id())?.anonymous);
        if let Some((_, work)) = case.peer.as_ref().filter(|_| round % 2 == 0) {
            peer = Some(once(work, tasks, args.concurrency, &mut Vec::new()).await?);
        }
        if round == 0 {
            continue;
        }
        own.push(adapter);
        latencies.extend(took);
        ratios.extend(peer.map(|peer| adapter / peer));
        peers.extend(peer);
    }
    latencies.sort();
    let at = |part: f64| {
        let index = (latencies.len() as f64 * part) as usize;
        let latency = latencies.get(index.min(latencies.len().saturating_sub(1)));
        latency.copied().unwrap_or_default().as_secs_f64() * 1e3
    };
    Ok(Measured {
        name: case.name.clone(),
        tasks,
        per_second: Spread::of(own).context("no rounds")?,
        peer: case.peer.as_ref().map(|(name, _)| *name),
        peer_per_second: Spread::of(peers),
        ratio: Spread::of(ratios),
        p50_ms: at(0.5),
        p99_ms: at(0.99),
        memory_before: memory.0,
        memory_after: memory.1,
    })
}

/// Tasks in a second.
async fn once(
    work: &Work,
    tasks: u32,
    concurrency: usize,
    latencies: &mut Vec<Duration>,
) -> anyhow::Result<f64> {
    let began = Instant::now();
    let mut running = stream::iter(0..tasks)
        .map(|_| async {
            let began = Instant::now();
            work().await.map(|()| began.elapsed())
        })
        .buffer_unordered(concurrency);
    while let Some(took) = running.next().await {
        latencies.push(took?);
    }
    Ok(f64::from(tasks) / began.elapsed().as_secs_f64())
}

impl Measured {
    /// Its line of the table.
    pub(crate) fn row(&self) -> [String; 8] {
        let spread = |it: Spread| format!("{:.0} ({:.0}–{:.0})", it.median, it.min, it.max);
        let ratio = |it: Spread| format!("{:.2} ({:.2}–{:.2})", it.median, it.min, it.max);
        let mebibytes = |bytes: u64| bytes as f64 / f64::from(1 << 20);
        let peer = self.peer.zip(self.peer_per_second);
        [
            self.name.clone(),
            self.tasks.to_string(),
            spread(self.per_second),
            peer.map(|(name, it)| format!("{name}: {}", spread(it)))
                .unwrap_or_default(),
            self.ratio.map(ratio).unwrap_or_default(),
            format!("{:.2}", self.p50_ms),
            format!("{:.2}", self.p99_ms),
            format!(
                "{:.1} → {:.1}",
                mebibytes(self.memory_before),
                mebibytes(self.memory_after)
            ),
        ]
    }
}
