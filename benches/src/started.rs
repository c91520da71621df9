//! A process that was started to be measured, and that ends with the measurement.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::Context;
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

/// How long it may take to stop in order: workers drain for 20 s, the engine stops within 12.
const STOP: Duration = Duration::from_secs(40);

/// A process. Dropped, it is killed.
#[derive(Debug)]
pub struct Started {
    /// The process itself.
    pub child: Child,
    /// Its standard input. To wait for a child closes the one that it holds, and the engine ends when it closes.
    pub stdin: Option<ChildStdin>,
    /// Its id.
    pub pid: u32,
    /// Just before it was started.
    pub at: Instant,
    log: PathBuf,
}

impl Started {
    /// Starts it; what it says goes into the file.
    ///
    /// # Errors
    /// Where it cannot be started, or the file not be written.
    pub fn start(command: &mut Command, log: &Path) -> anyhow::Result<Self> {
        let file = File::create(log).with_context(|| log.display().to_string())?;
        command.stdout(file.try_clone()?).stderr(file);
        Self::spawn(command, log)
    }

    /// The same for one whose standard output is to be read.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn start_reading(command: &mut Command, log: &Path) -> anyhow::Result<(Self, ChildStdout)> {
        let file = File::create(log).with_context(|| log.display().to_string())?;
        command.stdout(Stdio::piped()).stderr(file);
        let mut started = Self::spawn(command, log)?;
        let stdout = started.child.stdout.take().context("its standard output")?;
        Ok((started, stdout))
    }

    fn spawn(command: &mut Command, log: &Path) -> anyhow::Result<Self> {
        let program = command.as_std().get_program().to_owned();
        let at = Instant::now();
        let mut child = command
            .stdin(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        Ok(Self {
            pid: child.id().context("it has ended already")?,
            stdin: child.stdin.take(),
            child,
            at,
            log: log.to_owned(),
        })
    }

    /// The last that its log says, for an error's message.
    #[must_use]
    pub fn said(&self) -> String {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }

    /// Ends it: SIGTERM, and SIGKILL when that has not helped in 40 s. Waits until it is gone. Gives whether it ended
    /// in order.
    pub async fn stop(&mut self) -> bool {
        drop(self.stdin.take());
        if let Some(pid) = self.child.id().and_then(|id| Pid::from_raw(id.cast_signed())) {
            // It may have ended just now.
            let _ = kill_process(pid, Signal::TERM);
        }
        let in_order = timeout(STOP, self.child.wait()).await.is_ok();
        if !in_order {
            let _ = self.child.kill().await;
        }
        in_order
    }
}
