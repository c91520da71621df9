//! What can be typed.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, ValueEnum};

const EXAMPLES: &str = "\
Examples:
  script/sandbox-images python
  cargo build --release -p cli && mvn -f engine/engine-server package -DskipTests
  cargo run --release -p benches --bin scripts
  cargo run --release -p benches --bin scripts -- --backends bubblewrap --no-engine

What the figures mean:
  bare                the interpreter started, given a script that does nothing, and ended: no sandbox
  warm                the same script in a cell that waits: from handing it over to its result
  overhead            the warm p50 less the bare p50 of the same run
  cold                the same with no cell waiting, so that one is made first
  sustained           scripts one after the other in several lanes, cells being made meanwhile
  a step              fib(10) in Python, 40 times one after the other in one process instance, through the engine and a
                      `procos up`: its duration by the engine's own history, divided by 40; and beside it the same with
                      a task that only renders a text, which is the share of the engine and the worker

Quote medians, and the load average with them. The exit status says whether it could be measured, nothing about the
figures.";

/// Measures what it costs to run a script in the sandbox, and how many run in a second.
#[derive(Debug, Parser)]
#[command(name = "scripts", after_help = EXAMPLES, max_term_width = 110)]
pub(crate) struct Args {
    /// Which backends
    #[arg(long, value_delimiter = ',', default_values = ["bubblewrap", "docker"])]
    pub(crate) backends: Vec<BackendName>,

    /// How many runs of each kind
    #[arg(long, value_name = "N", default_value_t = 40, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) runs: u32,

    /// For how many seconds scripts run one after the other
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    pub(crate) seconds: u64,

    /// Lanes of the sustained load
    #[arg(long, value_name = "N", default_value_t = 4)]
    pub(crate) lanes: u32,

    /// How many warm cells one process holds when its memory is looked at
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub(crate) held: usize,

    /// Leave out what needs the engine
    #[arg(long)]
    pub(crate) no_engine: bool,

    /// How many tasks warm the engine up, whose JVM has just started
    #[arg(long, value_name = "TASKS", default_value_t = 9000)]
    pub(crate) warm_up: u32,

    /// Print one JSON object, times in seconds and sizes in bytes
    #[arg(long)]
    pub(crate) json: bool,

    /// The procos to measure [default: the one beside this program]
    #[arg(long, value_name = "FILE")]
    pub(crate) procos: Option<PathBuf>,

    /// The engine's jar [default: the one built in the checkout]
    #[arg(long, value_name = "FILE")]
    pub(crate) jar: Option<PathBuf>,

    /// After how many seconds to give up on the engine
    #[arg(long, value_name = "SECONDS", default_value_t = 180)]
    pub(crate) patience: u64,

    /// Measure a debug build
    #[arg(long)]
    pub(crate) allow_debug: bool,

    /// Hold so many cells, tell what this process takes, and end
    #[arg(long, hide = true)]
    pub(crate) hold: Option<usize>,
}

impl Args {
    /// The patience as a duration.
    pub(crate) fn patience(&self) -> Duration {
        Duration::from_secs(self.patience)
    }
}

/// A backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum BackendName {
    Bubblewrap,
    Docker,
}

impl fmt::Display for BackendName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Bubblewrap => "bubblewrap",
            Self::Docker => "docker",
        })
    }
}
