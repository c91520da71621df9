//! The process of a filter: how it is asked, and how it limits itself.

use std::ffi::OsString;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{ExitCode, Output, Stdio};

use rustix::process::{Resource, Rlimit, Signal, set_parent_process_death_signal, setrlimit};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use tokio::sync::Semaphore;
use worker_api::Failure;

use super::evaluate::evaluate;
use super::{LARGEST, Reply};

/// Memory that a filter's process may have.
const MEMORY: u64 = 512 << 20;

/// Of it, what calls within calls may take.
const STACK: usize = 64 << 20;

/// Seconds of a processor's time that it may take, should nobody be there any more to end it.
const PROCESSOR: u64 = 600;

/// Processes that run filters.
#[derive(Debug)]
pub(crate) struct Transformer {
    program: PathBuf,
    arguments: Vec<OsString>,
    /// Filters compute: more of them at once than there are processors only make each slower.
    slots: Semaphore,
}

impl Transformer {
    pub(crate) fn new(program: PathBuf, arguments: Vec<OsString>) -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            program,
            arguments,
            slots: Semaphore::new(processors),
        }
    }

    /// Runs a filter.
    ///
    /// # Errors
    /// Where the process cannot be started, or takes more than it may.
    ///
    /// Cancellation: dropped, as at the task's deadline, it kills the process.
    pub(super) async fn ask(&self, given: Vec<u8>) -> Result<Reply, Failure> {
        let trouble = |error: &dyn std::fmt::Display| {
            Failure::retryable(format!(
                "the process that runs filters ({} {}) cannot be asked: {error}",
                self.program.display(),
                self.arguments
                    .iter()
                    .map(|it| it.to_string_lossy())
                    .collect::<Vec<_>>()
                    .join(" ")
            ))
        };
        let _slot = self.slots.acquire().await.map_err(|error| trouble(&error))?;
        let mut child = Command::new(&self.program)
            .args(&self.arguments)
            // A filter reads the environment with `env`.
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| trouble(&error))?;
        let stdin = child.stdin.take();
        let writing = async {
            if let Some(mut stdin) = stdin {
                // One that has ended meanwhile says by its end why.
                let _ = stdin.write_all(&given).await;
            }
        };
        // What it writes is bounded there: see `evaluate`.
        let ((), output) = tokio::join!(writing, child.wait_with_output());
        let output = output.map_err(|error| trouble(&error))?;
        if !output.status.success() {
            return Err(broken(&output));
        }
        serde_json::from_slice(&output.stdout).map_err(|error| trouble(&error))
    }
}

/// Why it ended before it had an answer.
fn broken(output: &Output) -> Failure {
    let said = String::from_utf8_lossy(&output.stderr);
    let why = if said.contains("memory allocation") {
        format!("it takes more than {} MiB of memory", MEMORY >> 20)
    } else if said.contains("overflowed its stack") {
        "it calls itself too often, or its value is nested too deeply".to_owned()
    } else {
        format!("its process ended with {}: {}", output.status, said.trim())
    };
    Failure::permanent(format!("the input `filter` cannot be run to its end: {why}"))
}

/// Runs one filter that is given on standard input, within limits, and answers on standard output: what this program does where
/// it is started for that. It reads nothing else, and opens nothing.
#[must_use]
pub fn serve() -> ExitCode {
    let served = || -> Result<(), Box<dyn std::error::Error>> {
        limit()?;
        let mut given = Vec::new();
        std::io::stdin()
            .take(LARGEST as u64 + 1)
            .read_to_end(&mut given)?;
        let inputs = serde_json::from_slice(&given)?;
        let evaluating = std::thread::Builder::new()
            .stack_size(STACK)
            .spawn(move || evaluate(&inputs))?;
        let reply = evaluating.join().map_err(|_| "the filter broke off")?;
        std::io::stdout().write_all(&serde_json::to_vec(&reply)?)?;
        Ok(())
    };
    match served() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody may be there any more to read it.
            let _ = writeln!(std::io::stderr(), "{error}");
            ExitCode::FAILURE
        }
    }
}

/// Bounds this process, and ends it with the one that has started it.
fn limit() -> std::io::Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    for (resource, most) in [
        (Resource::As, MEMORY),
        (Resource::Cpu, PROCESSOR),
        (Resource::Core, 0),
        (Resource::Fsize, 0),
    ] {
        let most = Some(most);
        setrlimit(
            resource,
            Rlimit {
                current: most,
                maximum: most,
            },
        )?;
    }
    Ok(())
}
