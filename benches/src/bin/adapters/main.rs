//! What an adapter costs beside the bare library: see `--help`.

mod cases;
mod measure;
mod served;

use std::process::ExitCode;

use anyhow::ensure;
use benches::Machine;
use clap::Parser;
use serde_json::json;
use tabled::builder::Builder;
use tabled::settings::Style;

use measure::COLUMNS;

const EXAMPLES: &str = "\
Examples:
  cargo run --release -p benches --bin adapters
  cargo run --release -p benches --bin adapters -- --rounds 9 --only http_request --only sql_query

Tasks of each adapter against a service on loopback: servers of this program for HTTP, language models and Slack, and real ones of
PostgreSQL, RabbitMQ and Postfix, where they are installed. Where there is a library that does the same by itself, a bare loop over it
does so as often and with as many at once; each round measures both, and which comes first changes from round to round. Memory is
that of the whole process, servers of its own included, before and after the last round of the adapter.

Quote the median of the ratios, and the load average with it. The exit status says whether it could be measured, nothing about the
figures.";

/// Measures adapters against the bare libraries under them.
#[derive(Debug, Parser)]
#[command(name = "adapters", after_help = EXAMPLES, max_term_width = 110)]
struct Args {
    /// How many tasks are run, each time; of slow ones a part of it
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(100..))]
    tasks: u32,

    /// How often each is measured
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,

    /// How many run at once
    #[arg(long, value_name = "N", default_value_t = 32)]
    concurrency: usize,

    /// Measure this one alone; may be given several times
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,

    /// Print one JSON object, with tasks in a second
    #[arg(long)]
    json: bool,

    /// Measure a debug build
    #[arg(long)]
    allow_debug: bool,
}

fn main() -> ExitCode {
    // How `json_transform` runs filters: as in `procos`.
    if std::env::args().nth(1).as_deref() == Some("transform") {
        return adapter_catalog::serve_transformation();
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    let measured = runtime
        .map_err(anyhow::Error::from)
        .and_then(|runtime| runtime.block_on(run(&Args::parse())));
    match measured {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("adapters: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(args: &Args) -> anyhow::Result<()> {
    ensure!(
        args.allow_debug || !cfg!(debug_assertions),
        "this is a debug build, whose figures say nothing; use `cargo run --release -p benches --bin adapters`, or \
         --allow-debug to try the benchmark itself"
    );
    let (machine, before) = (Machine::here()?, Machine::load()?);
    let cases = cases::all(&args.only).await?;
    ensure!(
        !cases.is_empty(),
        "there is nothing called so; see --help without --only"
    );
    let mut all = Vec::new();
    for case in &cases {
        eprintln!("measuring {}", case.name);
        all.push(measure::measure(case, args).await?);
    }
    let after = Machine::load()?;
    if args.json {
        let figures = json!({
            "machine": machine, "load_average": {"before": before, "after": after},
            "concurrency": args.concurrency, "rounds": args.rounds, "adapters": all,
        });
        println!("{figures}");
        return Ok(());
    }
    let mut table = Builder::new();
    table.push_record(COLUMNS);
    for measured in &all {
        table.push_record(measured.row());
    }
    println!("{}", table.build().with(Style::markdown()));
    println!(
        "{} at once, {} rounds; {} cores, load average {before:.1} before and {after:.1} after",
        args.concurrency, args.rounds, machine.cores
    );
    Ok(())
}
