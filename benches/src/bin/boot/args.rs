//! What can be typed.

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;

const EXAMPLES: &str = "\
Examples:
  cargo build --release -p cli && mvn -f engine/engine-server package -DskipTests
  cargo run --release -p benches --bin boot
  cargo run --release -p benches --bin boot -- --runs 7 --json > boot.json
  cargo run --release -p benches --bin boot -- --java-flags '-XX:+UseSerialGC -Xmx256m'

What the figures mean:
  ready              from the start of `procos up` until it says that all is ready
  engine             the engine's part of that: from the start of the JVM to its first answer
  own share          all the rest: checks before, deployment and root process after. The engine does the work in some
                     of that, but procos asks for it, so it counts
  own CPU time       what procos itself computed until then, also while it waited for the engine
  engine alone       the same JVM call and settings on a database of its own, without procos, in the same round
  ready / alone      round by round, so that both had the same load from others: what procos costs, honestly
  resident           VmRSS; `own` is the part that is not pages of files (RssAnon), `peak` the most there ever was

Quote medians, and the load average with them. The exit status says whether it could be measured, nothing about the
figures.";

/// Measures how long `procos up` takes to be ready, and what it takes of memory.
///
/// Each round boots twice in a new data directory, with and without procos around the engine, lets order-check run
/// after the second boot, and stops everything. Nothing is left: data lies in a temporary folder, and Ctrl-C stops
/// what runs.
#[derive(Debug, Parser)]
#[command(name = "boot", after_help = EXAMPLES, max_term_width = 110)]
pub(crate) struct Args {
    /// How many rounds
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) runs: u32,

    /// How many instances of order-check run before memory is looked at again
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) instances: u32,

    /// Print one JSON object with every measurement, times in seconds and sizes in bytes
    #[arg(long)]
    pub(crate) json: bool,

    /// The procos to measure [default: the one beside this program]
    #[arg(long, value_name = "FILE")]
    pub(crate) procos: Option<PathBuf>,

    /// The engine's jar [default: the one built in the checkout]
    #[arg(long, value_name = "FILE")]
    pub(crate) jar: Option<PathBuf>,

    /// Flags of the JVM in place of procos's own, as one text: to find out what one of them does
    #[arg(long, value_name = "FLAGS", allow_hyphen_values = true)]
    pub(crate) java_flags: Option<String>,

    /// Use this port for the engine and the next for procos [default: two that are free]
    #[arg(long, value_name = "PORT")]
    pub(crate) port: Option<u16>,

    /// After how many seconds to give up on a boot, or on the instances
    #[arg(long, value_name = "SECONDS", default_value_t = 180)]
    pub(crate) patience: u64,

    /// Measure a debug build
    #[arg(long)]
    pub(crate) allow_debug: bool,
}

impl Args {
    /// The patience as a duration.
    pub(crate) fn patience(&self) -> Duration {
        Duration::from_secs(self.patience)
    }
}
