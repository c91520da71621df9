//! What it costs to hold each task to the policy of its process: see `--help`.

mod measure;

use std::process::ExitCode;

use anyhow::{Context, ensure};
use benches::{Machine, Spread};
use clap::Parser;
use serde_json::json;

use measure::Mode;

const EXAMPLES: &str = "\
Examples:
  cargo run --release -p benches --bin policy
  cargo run --release -p benches --bin policy -- --rounds 15 --tasks 20000

Tasks that do nothing, on the fake engine in this very process, so that the worker's own work is all there is to see: on
a real engine the share of the policy is far smaller. Both modes work off the same process, which lists 20 topics;
`off` has a chain that allows all. Each round measures both, and which comes first changes from round to round.

Quote the median of the ratios, and the load average with it. The exit status says whether it could be measured, nothing
about the figures.";

/// Measures what it costs to hold each task to the `procos:security` of its process.
#[derive(Debug, Parser)]
#[command(name = "policy", after_help = EXAMPLES, max_term_width = 110)]
struct Args {
    /// How many tasks are worked off, each time
    #[arg(long, value_name = "N", default_value_t = 5000, value_parser = clap::value_parser!(u32).range(1..))]
    tasks: u32,

    /// How often each mode is measured
    #[arg(long, value_name = "N", default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,

    /// How many tasks run at once
    #[arg(long, value_name = "N", default_value_t = 64)]
    slots: u16,

    /// After how many seconds to give up on a measurement
    #[arg(long, value_name = "SECONDS", default_value_t = 180)]
    patience: u64,

    /// Print one JSON object, with tasks in a second
    #[arg(long)]
    json: bool,

    /// Measure a debug build
    #[arg(long)]
    allow_debug: bool,
}

/// How much of the throughput the policy may cost.
const TARGET: f64 = 0.05;

#[tokio::main]
async fn main() -> ExitCode {
    match run(&Args::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("policy: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(args: &Args) -> anyhow::Result<()> {
    ensure!(
        args.allow_debug || !cfg!(debug_assertions),
        "this is a debug build, whose figures say nothing; use `cargo run --release -p benches --bin policy`, or \
         --allow-debug to try the benchmark itself"
    );
    let machine = Machine::here()?;
    let before = Machine::load()?;
    let (mut off, mut on, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    // The first round of all is to warm up.
    for round in 0..=args.rounds {
        let order = if round % 2 == 0 {
            [Mode::Off, Mode::On]
        } else {
            [Mode::On, Mode::Off]
        };
        let (mut without, mut with) = (0.0, 0.0);
        for mode in order {
            let rate = measure::throughput(mode, args).await?;
            match mode {
                Mode::Off => without = rate,
                Mode::On => with = rate,
            }
        }
        if round > 0 {
            off.push(without);
            on.push(with);
            ratios.push(with / without);
        }
    }
    let after = Machine::load()?;
    let spread = |values| Spread::of(values).context("no rounds");
    let (off, on, ratio) = (spread(off)?, spread(on)?, spread(ratios)?);
    if args.json {
        let load = json!({"before": before, "after": after});
        println!(
            "{}",
            json!({"machine": machine, "load_average": load, "off": off, "on": on, "ratio": ratio})
        );
        return Ok(());
    }
    println!(
        "{} cores, Linux {}; load average {before:.1} before, {after:.1} after; {} rounds of {} tasks\n",
        machine.cores, machine.kernel, args.rounds, args.tasks
    );
    println!("{:<12}{:>10}{:>10}{:>10}", "", "MIN", "MEDIAN", "MAX");
    for (name, it) in [("off", off), ("on", on)] {
        println!("{name:<12}{:>8.0}/s{:>8.0}/s{:>8.0}/s", it.min, it.median, it.max);
    }
    println!(
        "{:<12}{:>10.3}{:>10.3}{:>10.3}",
        "on / off", ratio.min, ratio.median, ratio.max
    );
    println!(
        "\nthe policy costs {:.1} % of the throughput; the target is at most {:.0} %",
        (1.0 - ratio.median) * 100.0,
        TARGET * 100.0
    );
    Ok(())
}
