//! What it costs to run a script in the sandbox: see `--help`.

mod args;
mod cells;
mod steps;
mod table;

use std::process::ExitCode;

use anyhow::ensure;
use benches::{Machine, Usage};
use clap::Parser;
use serde_json::json;

use args::Args;

#[tokio::main]
async fn main() -> ExitCode {
    match run(&Args::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("scripts: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(args: &Args) -> anyhow::Result<()> {
    ensure!(
        args.allow_debug || !cfg!(debug_assertions),
        "this is a debug build, whose figures say nothing; use `cargo run --release -p benches --bin scripts`, or \
         --allow-debug to try the benchmark itself"
    );
    if let Some(cells) = args.hold {
        let held = cells::hold(cells).await?;
        println!("{}", serde_json::to_string(&held)?);
        return Ok(());
    }
    let machine = Machine::here()?;
    let before = Machine::load()?;
    let mut figures = cells::bare(args).await?;
    for backend in &args.backends {
        eprintln!("{backend}: cells");
        figures.extend(cells::backend(*backend, args).await?);
        if !args.no_engine {
            eprintln!("{backend}: through engine and worker");
            figures.extend(steps::measure(*backend, args).await?);
        }
    }
    eprintln!("the process that holds {} cells", args.held);
    figures.push(held(args).await?);
    let after = Machine::load()?;
    if args.json {
        println!(
            "{}",
            json!({"machine": machine, "load_average": {"before": before, "after": after}, "figures": figures})
        );
    } else {
        println!("{}", table::render(&machine, (before, after), &figures));
    }
    Ok(())
}

/// What a process takes that does nothing but hold cells: this program once more.
async fn held(args: &Args) -> anyhow::Result<table::Figure> {
    let own = std::env::current_exe()?;
    let mut command = tokio::process::Command::new(own);
    command.args(["--hold", &args.held.to_string()]);
    if args.allow_debug {
        command.arg("--allow-debug");
    }
    let output = command.stderr(std::process::Stdio::inherit()).output().await?;
    ensure!(output.status.success(), "--hold: {}", output.status);
    let usage: Usage = serde_json::from_slice(&output.stdout)?;
    Ok(table::Figure::bytes(
        format!("resident with {} warm cells", args.held),
        usage.resident,
        "≤ 15 MB",
    ))
}
