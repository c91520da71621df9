//! What can be typed.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand};
use url::Url;

use crate::contender::Client;
use crate::measure::{Sizes, Workload};

const EXAMPLES: &str = "\
Examples:
  cargo build --release -p cli && mvn -f engine/engine-server package -DskipTests
  cargo run --release -p benches --bin clients                        # everything; about an hour and a half
  cargo run --release -p benches --bin clients -- --quick             # everything once and smaller
  cargo run --release -p benches --bin clients -- --clients raw,library --workloads noop --raw-reports 2,4,8 --warm 3000

To try a change again and again, let one engine run, and it stays warm:
  target/release/procos up --no-workers --data-dir /tmp/bench &
  cargo run --release -p benches --bin clients -- --engine-data-dir /tmp/bench --warm 9000 --workloads noop --clients raw
  cargo run --release -p benches --bin clients -- --engine-data-dir /tmp/bench --clients raw,library --quick

How it is measured:
  engine       booted by `procos up --no-workers` with procos's own JVM settings, warmed up by tasks that the raw loop
               works off; a run's processes have names of their own and go with their history after it
  noop, sleep  the client runs and has done 100 tasks; it is halted (SIGSTOP) while the tasks are queued. The time is
               from when it goes on to the last end of an instance in the engine's history. CPU is of the client's
               process (all are one process) and of the JVM in between
  latency      an instance's start to its end, from the engine's history (it has milliseconds, and the same clock and
               code for all clients); the next single starts when the last is done
  mix          100 fast tasks a second, then the same beside one task of 2 s to 20 fast ones; latencies as above
  idle         requests are counted by a proxy between client and engine, for idle alone

Clients take turns: a round of all, then the next round in another order. Figures are the medians of the rounds.
The exit status says whether all could be measured, nothing about the figures.";

/// Compares clients of external tasks: the same work on the same engine in one run.
///
/// Other people's clients are installed into target/peers from their registries when they are first needed: Maven,
/// Node with npm, and Python with venv must be there. Nothing else is left: data lies in a temporary folder, and
/// Ctrl-C stops what runs. A run of everything, not --quick, writes benches/RESULTS.md.
#[derive(Debug, Parser)]
#[command(name = "clients", after_help = EXAMPLES, max_term_width = 110)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Option<Own>,

    /// Only these clients
    #[arg(long, value_name = "CLIENT,…", value_delimiter = ',', value_enum)]
    pub(crate) clients: Vec<Client>,

    /// Only these workloads
    #[arg(long, value_name = "WORKLOAD,…", value_delimiter = ',', value_enum)]
    pub(crate) workloads: Vec<Workload>,

    /// How many rounds [default: 3; --quick: 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) runs: Option<u32>,

    /// One small round: a look, not figures to quote
    #[arg(long)]
    pub(crate) quick: bool,

    /// With how many reports in flight the raw loop takes part in noop
    #[arg(long, value_name = "N,…", value_delimiter = ',', default_values_t = [1, 2, 4, 8, 16, 32])]
    pub(crate) raw_reports: Vec<usize>,

    /// Tasks of noop [default: 2000; --quick: 1000]
    #[arg(long, value_name = "N", value_parser = positive)]
    pub(crate) tasks: Option<usize>,

    /// Tasks of sleep [default: 200]
    #[arg(long, value_name = "N", value_parser = positive)]
    pub(crate) sleepers: Option<usize>,

    /// Slots of each client that can be told
    #[arg(long, value_name = "N", default_value = "64", value_parser = positive)]
    pub(crate) slots: usize,

    /// Tasks of latency [default: 200; --quick: 50]
    #[arg(long, value_name = "N", value_parser = positive)]
    pub(crate) singles: Option<usize>,

    /// Fast tasks of mix, each time [default: 600; --quick: 200]
    #[arg(long, value_name = "N", value_parser = positive)]
    pub(crate) fast: Option<usize>,

    /// Topics of idle
    #[arg(long, value_name = "N", default_value = "20", value_parser = positive)]
    pub(crate) topics: usize,

    /// Seconds of idle [default: 60; --quick: 30]
    #[arg(long, value_name = "SECONDS", value_parser = positive)]
    pub(crate) idle: Option<usize>,

    /// Tasks that warm the engine up [default: 9000, with --engine-data-dir none]
    #[arg(long, value_name = "N")]
    pub(crate) warm: Option<usize>,

    /// Measure on the engine of the `procos up --no-workers` that runs with this data directory
    #[arg(long, value_name = "DIR")]
    pub(crate) engine_data_dir: Option<PathBuf>,

    /// Where that engine listens
    #[arg(
        long,
        value_name = "URL",
        default_value = "http://127.0.0.1:8080/engine-rest",
        requires = "engine_data_dir"
    )]
    pub(crate) engine_url: Url,

    /// Print one JSON object with every measurement in place of the tables
    #[arg(long)]
    pub(crate) json: bool,

    /// Write the tables to this file, whatever was measured
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,

    /// The procos to measure [default: the one beside this program]
    #[arg(long, value_name = "FILE")]
    pub(crate) procos: Option<PathBuf>,

    /// The engine's jar [default: the one built in the checkout]
    #[arg(long, value_name = "FILE")]
    pub(crate) jar: Option<PathBuf>,

    /// After how many seconds to give up on a client at a workload, or on the engine's boot
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    pub(crate) patience: u64,

    /// Measure a debug build
    #[arg(long)]
    pub(crate) allow_debug: bool,
}

/// The clients in this program, each run as a process of its own. Their job is in the environment.
#[derive(Debug, Subcommand)]
pub(crate) enum Own {
    /// The raw loop
    #[command(hide = true)]
    ClientRaw {
        /// Reports in flight
        reports: usize,
    },
    /// worker-runtime
    #[command(hide = true)]
    ClientLibrary,
}

impl Args {
    /// The patience as a duration.
    pub(crate) fn patience(&self) -> Duration {
        Duration::from_secs(self.patience)
    }

    /// How many rounds.
    pub(crate) fn runs(&self) -> u32 {
        self.runs.unwrap_or(if self.quick { 1 } else { 3 })
    }

    /// How many tasks warm the engine up.
    pub(crate) fn warm(&self) -> usize {
        let by_default = if self.engine_data_dir.is_some() { 0 } else { 9000 };
        self.warm.unwrap_or(by_default)
    }

    /// The clients that take part.
    pub(crate) fn clients(&self) -> Vec<Client> {
        or_all(&self.clients)
    }

    /// The workloads.
    pub(crate) fn workloads(&self) -> Vec<Workload> {
        or_all(&self.workloads)
    }

    /// Whether this is a run whose figures may be quoted: everything, as it is by default.
    pub(crate) fn is_whole(&self) -> bool {
        !self.quick && self.clients.is_empty() && self.workloads.is_empty()
    }

    /// How large the workloads are.
    pub(crate) fn sizes(&self) -> Sizes {
        let or = |given: Option<usize>, whole, quick| given.unwrap_or(if self.quick { quick } else { whole });
        Sizes {
            tasks: or(self.tasks, 2000, 1000),
            sleepers: or(self.sleepers, 200, 200),
            slots: self.slots,
            singles: or(self.singles, 200, 50),
            fast: or(self.fast, 600, 200),
            topics: self.topics,
            idle: Duration::from_secs(or(self.idle, 60, 30) as u64),
            patience: self.patience(),
        }
    }
}

fn or_all<T: Clone + clap::ValueEnum>(given: &[T]) -> Vec<T> {
    if given.is_empty() {
        T::value_variants().to_vec()
    } else {
        given.to_vec()
    }
}

fn positive(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("at least 1".to_owned()),
        Ok(number) => Ok(number),
        Err(error) => Err(format!("{error}")),
    }
}
