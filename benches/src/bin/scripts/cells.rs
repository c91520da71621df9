//! The sandbox by itself: overhead, cold starts, sustained load, and what it takes to hold cells.

use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{bail, ensure};
use benches::Usage;
use sandbox::{BackendChoice, Ending, Language, Sandbox, Script, Settings};
use tokio::process::Command;

use crate::args::{Args, BackendName};
use crate::table::Figure;

/// A script that does nothing, by language, and the bare interpreter's call that does the same.
const LANGUAGES: [(Language, &str, &[&str]); 3] = [
    (
        Language::Python,
        "result = 1",
        &["/usr/bin/python3", "-I", "-c", "result = 1"],
    ),
    (Language::JavaScript, "return 1", &["/usr/bin/node", "-e", "1"]),
    (Language::Shell, "echo 1", &["/bin/bash", "-c", "echo 1"]),
];

/// The bare interpreters.
pub(crate) async fn bare(args: &Args) -> anyhow::Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for (language, _, command) in LANGUAGES {
        let mut times = Vec::new();
        for _ in 0..args.runs {
            let begun = Instant::now();
            let status = Command::new(command[0])
                .args(&command[1..])
                .stdout(Stdio::null())
                .status()
                .await?;
            ensure!(status.success(), "{command:?}: {status}");
            times.push(begun.elapsed().as_secs_f64());
        }
        figures.extend(Figure::times(format!("bare {language}"), times, ""));
    }
    Ok(figures)
}

/// All figures of a backend.
pub(crate) async fn backend(backend: BackendName, args: &Args) -> anyhow::Result<Vec<Figure>> {
    let mut figures = Vec::new();
    let state = tempfile::tempdir()?;
    let (overhead, sustained) = match backend {
        BackendName::Bubblewrap => ("≤ 10 ms", "≥ 60/s"),
        BackendName::Docker => ("≤ 20 ms", ""),
    };
    for (language, source, command) in LANGUAGES {
        if !is_here(backend, language) {
            eprintln!(
                "note: no image of {language} for {backend}; left out (script/sandbox-images {language})"
            );
            continue;
        }
        let mut settings = settings(backend, &state);
        settings.warm = 2;
        settings.languages = vec![language];
        let sandbox = Sandbox::open(&settings).await?;
        let script = script(language, source);
        let (mut warm, mut cold, mut bare) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..args.runs {
            let begun = Instant::now();
            Command::new(command[0])
                .args(&command[1..])
                .stdout(Stdio::null())
                .status()
                .await?;
            bare.push(begun.elapsed().as_secs_f64());
            // All cells wait, so that none is being made beside the run that is measured.
            waiting(&sandbox, settings.warm).await;
            warm.push(run(&sandbox, &script).await?);
        }
        sandbox.close().await;
        settings.warm = 0;
        let sandbox = Sandbox::open(&settings).await?;
        for _ in 0..args.runs.min(10) {
            cold.push(run(&sandbox, &script).await?);
        }
        sandbox.close().await;
        let bare = Figure::times(String::new(), bare, "").map_or(0.0, |figure| figure.p50());
        let warm = Figure::times(format!("{backend} {language}, warm"), warm, "");
        if let Some(warm) = warm {
            figures.push(Figure::time(
                format!("{backend} {language}, overhead over bare"),
                warm.p50() - bare,
                overhead,
            ));
            figures.push(warm);
        }
        figures.extend(Figure::times(format!("{backend} {language}, cold"), cold, ""));
    }
    let mut settings = settings(backend, &state);
    settings.warm = args.lanes as usize;
    settings.languages = vec![Language::Python];
    let sandbox = Sandbox::open(&settings).await?;
    waiting(&sandbox, settings.warm).await;
    let rate = sustained_rate(&sandbox, args).await?;
    sandbox.close().await;
    figures.push(Figure::rate(
        format!("{backend} python, sustained in {} lanes", args.lanes),
        rate,
        sustained,
    ));
    Ok(figures)
}

async fn sustained_rate(sandbox: &Sandbox, args: &Args) -> anyhow::Result<f64> {
    let done = Arc::new(AtomicU64::new(0));
    let begun = Instant::now();
    let end = begun + Duration::from_secs(args.seconds);
    let lanes = (0..args.lanes).map(|_| {
        let (sandbox, done) = (sandbox.clone(), Arc::clone(&done));
        tokio::spawn(async move {
            let script = script(Language::Python, FIBONACCI);
            while Instant::now() < end {
                run(&sandbox, &script).await?;
                done.fetch_add(1, Ordering::Relaxed);
            }
            anyhow::Ok(())
        })
    });
    for lane in futures::future::join_all(lanes).await {
        lane??;
    }
    Ok(done.load(Ordering::Relaxed) as f64 / begun.elapsed().as_secs_f64())
}

/// The work that others publish figures for.
pub(crate) const FIBONACCI: &str = "\
def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)


def main(inputs):
    return fib(10)
";

/// Holds so many warm cells, and tells what this process takes.
pub(crate) async fn hold(cells: usize) -> anyhow::Result<Usage> {
    let state = tempfile::tempdir()?;
    let mut settings = settings(BackendName::Bubblewrap, &state);
    settings.warm = cells;
    settings.languages = vec![Language::Python];
    let sandbox = Sandbox::open(&settings).await?;
    waiting(&sandbox, cells).await;
    let usage = Usage::of(std::process::id())?;
    sandbox.close().await;
    Ok(usage)
}

async fn waiting(sandbox: &Sandbox, cells: usize) {
    while sandbox.waiting() < cells {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

async fn run(sandbox: &Sandbox, script: &Script) -> anyhow::Result<f64> {
    let begun = Instant::now();
    let report = sandbox.run(script, sandbox.limits()).await?;
    let took = begun.elapsed().as_secs_f64();
    match report.ending {
        Ending::Result(_) => Ok(took),
        other => bail!("{}: {other:?}", script.name),
    }
}

fn settings(backend: BackendName, state: &tempfile::TempDir) -> Settings {
    let mut settings = Settings::new(state.path());
    settings.backend = match backend {
        BackendName::Bubblewrap => BackendChoice::Bubblewrap,
        BackendName::Docker => BackendChoice::Docker,
    };
    settings
}

fn is_here(backend: BackendName, language: Language) -> bool {
    let image = format!("procos/script-{language}:bookworm");
    backend == BackendName::Bubblewrap
        || std::process::Command::new("docker")
            .args(["image", "inspect", &image])
            .output()
            .is_ok_and(|output| output.status.success())
}

fn script(language: Language, source: &str) -> Script {
    Script {
        language,
        image: None,
        name: format!("bench.{}", language.extension()),
        source: source.to_owned(),
        inputs: serde_json::Map::new(),
        files: Vec::new(),
        output_files: Vec::new(),
        result_variables: Vec::new(),
    }
}
