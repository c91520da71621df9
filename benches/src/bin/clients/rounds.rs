//! The rounds: everybody's turn at every workload.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use anyhow::{Context, anyhow, bail, ensure};
use benches::{Machine, Setup, interrupted, workspace};
use indicatif::{ProgressBar, ProgressStyle};
use jiff::Zoned;
use serde_json::json;
use tokio::process::Command;

use crate::args::Args;
use crate::bed::Bed;
use crate::contender::{Client, Contender};
use crate::measure::{self, Figures, Workload};
use crate::peers::Peer;
use crate::report::{self, Circumstances};

/// With how many reports in flight the raw loop runs where they are not what is compared.
const RAW_REPORTS: usize = 4;

/// What was measured: a round's figures of each contender at each workload.
pub(crate) type Measured = BTreeMap<(Workload, Contender), Vec<Figures>>;

/// Measures and tells.
///
/// # Errors
/// Where something is missing or a client could not be measured; what was measured is told all the same.
pub(crate) async fn run(args: &Args) -> anyhow::Result<()> {
    ensure!(
        args.allow_debug || !cfg!(debug_assertions),
        "this is a debug build, whose figures say nothing; use `cargo run --release -p benches --bin clients`, or \
         --allow-debug to try the benchmark itself"
    );
    let setup = Setup::new(args.procos.clone(), args.jar.clone(), None, args.patience())?;
    if let Some(source) = setup.stale() {
        let procos = setup.procos.display();
        eprintln!(
            "note: {procos} is older than {}; `cargo build --release -p cli`",
            source.display()
        );
    }
    let stop = interrupted()?;
    let peers = peers(args);
    for peer in &peers {
        tokio::select! {
            installed = peer.install() => installed?,
            () = stop.cancelled() => bail!("interrupted"),
        }
    }
    let (machine, load) = (Machine::here()?, Machine::load()?);
    let mut bed = match &args.engine_data_dir {
        Some(data) => Bed::attach(args.engine_url.as_str(), data)?,
        None => {
            eprintln!("booting the engine");
            Bed::boot(&setup).await?
        }
    };
    let mut measured = Measured::new();
    let outcome = tokio::select! {
        outcome = rounds(args, &setup, &mut bed, &mut measured) => outcome,
        () = stop.cancelled() => Err(anyhow!("interrupted")),
    };
    let engine = bed.version().await;
    bed.stop().await?;
    let circumstances = Circumstances {
        machine,
        load,
        date: Zoned::now().strftime("%Y-%m-%d %H:%M %Z").to_string(),
        versions: versions(engine?, &peers).await?,
        rounds: args.runs(),
        warm: args.warm(),
        sizes: args.sizes(),
    };
    tell(args, &circumstances, &measured, outcome.is_ok())?;
    outcome
}

fn tell(args: &Args, of: &Circumstances, measured: &Measured, all: bool) -> anyhow::Result<()> {
    let text = report::render(of, measured);
    if args.json {
        let measured = measured.iter().map(|((workload, contender), rounds)| {
            json!({"workload": workload, "client": contender.client, "name": contender.to_string(), "rounds": rounds})
        });
        let answer = json!({
            "machine": of.machine,
            "load_average": of.load,
            "date": of.date,
            "versions": of.versions,
            "warm": of.warm,
            "sizes": of.sizes,
            "measured": Vec::from_iter(measured),
        });
        println!("{answer}");
    } else {
        println!("{text}");
    }
    let results = || -> PathBuf { workspace().join("benches/RESULTS.md") };
    let file = args
        .out
        .clone()
        .or_else(|| (all && args.is_whole()).then(results));
    if let Some(file) = file {
        std::fs::write(&file, text).with_context(|| file.display().to_string())?;
        eprintln!("written to {}", file.display());
    }
    Ok(())
}

async fn rounds(args: &Args, setup: &Setup, bed: &mut Bed, measured: &mut Measured) -> anyhow::Result<()> {
    warm(args, setup, bed).await?;
    let (sizes, mut failed) = (args.sizes(), Vec::new());
    for round in 0..args.runs() {
        for workload in args.workloads() {
            let mut contenders = contenders(args, workload);
            // Another order each time, for what drifts over a run.
            let turn = round as usize * contenders.len() / args.runs() as usize;
            contenders.rotate_left(turn);
            for contender in contenders {
                let what = format!("{contender} at {}", workload.name());
                match measure::measure(bed, setup, contender, workload, &sizes).await {
                    Ok(figures) => {
                        eprintln!("round {}, {what}: {}", round + 1, line(&figures));
                        measured.entry((workload, contender)).or_default().push(figures);
                    }
                    Err(error) => {
                        eprintln!("round {}, {what}: {error:#}", round + 1);
                        failed.push(what);
                    }
                }
            }
        }
    }
    ensure!(failed.is_empty(), "not measured: {}", failed.join("; "));
    Ok(())
}

async fn warm(args: &Args, setup: &Setup, bed: &mut Bed) -> anyhow::Result<()> {
    let tasks = args.warm();
    if tasks == 0 {
        return Ok(());
    }
    let style =
        ProgressStyle::with_template("warming the engine up {wide_bar} {pos}/{len} tasks, {eta} left")?;
    let bar = ProgressBar::new(tasks as u64).with_style(style);
    measure::warm(bed, setup, tasks, args.patience(), &|done| {
        bar.set_position(done as u64);
    })
    .await?;
    bar.finish_and_clear();
    Ok(())
}

fn contenders(args: &Args, workload: Workload) -> Vec<Contender> {
    let mut contenders = Vec::new();
    for client in args.clients() {
        let reports = match (client, workload) {
            (Client::Raw, Workload::Noop) => args.raw_reports.as_slice(),
            _ => &[RAW_REPORTS],
        };
        contenders.extend(reports.iter().map(|&reports| Contender { client, reports }));
    }
    let sleeps = matches!(workload, Workload::Sleep | Workload::Mix);
    contenders.retain(|contender| !sleeps || contender.sleeps());
    contenders
}

/// Those that take part.
fn peers(args: &Args) -> BTreeSet<Peer> {
    let contenders = args
        .clients()
        .into_iter()
        .map(|client| Contender { client, reports: 0 });
    contenders.filter_map(Contender::peer).collect()
}

/// Figures on a line, for whoever watches.
fn line(figures: &Figures) -> String {
    let figures = figures
        .iter()
        .map(|(name, value)| match name.strip_suffix("_bytes") {
            Some(name) => format!("{name} {:.1} MB", value / 1e6),
            None => format!("{name} {value:.2}"),
        });
    Vec::from_iter(figures).join(", ")
}

async fn versions(engine: String, peers: &BTreeSet<Peer>) -> anyhow::Result<Vec<(String, String)>> {
    let own = env!("CARGO_PKG_VERSION");
    let mut git = Command::new("git");
    git.args(["describe", "--always", "--dirty"])
        .current_dir(workspace());
    let own = match first_line(&mut git).await {
        Some(commit) => format!("{own} ({commit})"),
        None => own.to_owned(),
    };
    let mut versions = vec![("engine Camunda".to_owned(), engine), ("procos".to_owned(), own)];
    for peer in peers {
        let platform = first_line(&mut peer.platform()).await.unwrap_or_default();
        versions.push((
            format!("{peer:?} client"),
            format!("{} on {platform}", peer.version()?),
        ));
    }
    Ok(versions)
}

/// The first line that a program prints, where there is such a program.
async fn first_line(command: &mut Command) -> Option<String> {
    let output = command.output().await.ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().next()?.trim();
    (output.status.success() && !line.is_empty()).then(|| line.to_owned())
}
