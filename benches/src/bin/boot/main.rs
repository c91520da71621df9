//! How long a boot takes, how much of that is procos's own, and what it takes of memory: see `--help`.

mod args;
mod figures;
mod measure;
mod table;

use std::process::ExitCode;

use anyhow::ensure;
use benches::{Machine, Setup};
use clap::Parser;
use serde_json::json;

use args::Args;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(&Args::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("boot: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(args: &Args) -> anyhow::Result<()> {
    let debug = cfg!(debug_assertions) || args.procos.iter().any(|it| it.iter().any(|part| part == "debug"));
    ensure!(
        args.allow_debug || !debug,
        "this is a debug build, whose figures say nothing; use `cargo run --release -p benches --bin boot`, or \
         --allow-debug to try the benchmark itself"
    );
    let (procos, jar) = (args.procos.clone(), args.jar.clone());
    let mut setup = Setup::new(procos, jar, args.port, args.patience())?;
    let flags = args.java_flags.as_deref();
    setup.java_flags = flags.map(|flags| flags.split_whitespace().map(str::to_owned).collect());
    if let Some(source) = setup.stale() {
        let procos = setup.procos.display();
        eprintln!(
            "note: {procos} is older than {}; `cargo build --release -p cli`",
            source.display()
        );
    }
    let machine = Machine::here()?;
    let before = Machine::load()?;
    let rounds = measure::rounds(&setup, args).await?;
    let after = Machine::load()?;
    let figures = figures::of(&rounds, args.instances);
    if args.json {
        let answer = json!({
            "machine": machine,
            "load_average": {"before": before, "after": after},
            "rounds": rounds,
            "figures": figures,
        });
        println!("{answer}");
    } else {
        println!(
            "{}",
            table::render(&setup, &machine, (before, after), rounds.len(), &figures)
        );
    }
    Ok(())
}
