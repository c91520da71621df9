//! The rounds of the benchmark.

use std::path::Path;

use anyhow::{Context, anyhow};
use benches::bare::{self, Call};
use benches::{Boot, Setup, System, Usage, interrupted, run_order_checks};
use serde::Serialize;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::args::Args;

/// One round: a first and a second boot, each also without procos.
#[derive(Debug, Serialize)]
pub(crate) struct Round {
    /// In an empty data directory.
    pub(crate) first: Boots,
    /// In the same one again.
    pub(crate) second: Boots,
    /// What procos used when the instances had run.
    pub(crate) procos_after: Usage,
    /// What the JVM used then.
    pub(crate) jvm_after: Usage,
}

/// A boot of the whole, and one of the engine alone.
#[derive(Debug, Serialize)]
pub(crate) struct Boots {
    pub(crate) up: Boot,
    /// In seconds.
    pub(crate) alone: f64,
}

/// Measures as often as asked. Whatever happens, nothing runs any more when it returns.
pub(crate) async fn rounds(setup: &Setup, args: &Args) -> anyhow::Result<Vec<Round>> {
    let (mut rounds, stop) = (Vec::new(), interrupted()?);
    for number in 1..=args.runs {
        let step = |text: &str| eprintln!("round {number} of {}: {text}", args.runs);
        rounds.push(round(setup, args.instances, &stop, &step).await?);
    }
    Ok(rounds)
}

async fn round(
    setup: &Setup,
    instances: u32,
    stop: &CancellationToken,
    step: &dyn Fn(&str),
) -> anyhow::Result<Round> {
    let folders = (folder()?, folder()?);
    let (with, without) = (folders.0.path(), folders.1.path());
    let (first, call, _) = up(setup, with, None, stop).await?;
    step(&format!("first boot {:.2} s", first.ready));
    let first = Boots {
        up: first,
        alone: alone(setup, &call, without, stop).await?,
    };
    step(&format!("first boot of the engine alone {:.2} s", first.alone));
    let (second, call, after) = up(setup, with, Some(instances), stop).await?;
    step(&format!(
        "second boot {:.2} s, then {instances} instances",
        second.ready
    ));
    let second = Boots {
        up: second,
        alone: alone(setup, &call, without, stop).await?,
    };
    step(&format!("second boot of the engine alone {:.2} s", second.alone));
    let (procos_after, jvm_after) = after;
    Ok(Round {
        first,
        second,
        procos_after,
        jvm_after,
    })
}

/// Boots, lets so many instances run, and stops. Gives the boot, how the JVM was called, and what both used at the
/// end.
async fn up(
    setup: &Setup,
    folder: &Path,
    instances: Option<u32>,
    stop: &CancellationToken,
) -> anyhow::Result<(Boot, Call, (Usage, Usage))> {
    let mut system = System::start(setup, folder, &[])?;
    let measured = tokio::select! {
        measured = measure(&mut system, setup, instances) => measured,
        () = stop.cancelled() => Err(anyhow!("interrupted")),
    };
    let stopped = system.stop().await;
    let measured = measured?;
    stopped.map(|()| measured)
}

async fn measure(
    system: &mut System,
    setup: &Setup,
    instances: Option<u32>,
) -> anyhow::Result<(Boot, Call, (Usage, Usage))> {
    let boot = system.ready().await?;
    let call = Call::of(system.jvm()?)?;
    if let Some(instances) = instances {
        run_order_checks(&system.engine()?, instances as usize, setup.patience).await?;
    }
    Ok((boot, call, system.usage()?))
}

async fn alone(setup: &Setup, call: &Call, folder: &Path, stop: &CancellationToken) -> anyhow::Result<f64> {
    tokio::select! {
        took = bare::boot(setup, call, folder) => took.map(|took| took.as_secs_f64()),
        () = stop.cancelled() => Err(anyhow!("interrupted")),
    }
}

fn folder() -> anyhow::Result<TempDir> {
    tempfile::Builder::new()
        .prefix("procos-boot-")
        .tempdir()
        .context("a temporary folder")
}
