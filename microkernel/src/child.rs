//! The engine as a child process.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal};
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, ChildStdin};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::engine_log::EngineLog;
use crate::exit::Exit;
use crate::settings::JavaSettings;
use crate::{BootError, Event, Observer, java};

/// How long an engine may take to stop in order: it gives itself 10 s.
pub(crate) const STOP: Duration = Duration::from_secs(12);

/// How long to wait for the last of its output once it has ended.
const OUTPUT: Duration = Duration::from_secs(1);

/// A running engine. Dropped, it is killed.
pub(crate) struct JavaChild {
    child: Child,
    /// The lifeline: the engine stops when it closes, so it lives no longer than this process, however that ends.
    stdin: Option<ChildStdin>,
    output: JoinSet<()>,
    exit: Option<Exit>,
}

impl JavaChild {
    /// Starts it. `settings_line` goes to its standard input.
    pub(crate) fn start(
        program: &Path,
        settings: &JavaSettings,
        data_dir: &Path,
        log: &EngineLog,
    ) -> Result<Self, BootError> {
        let mut command = java::command(program);
        command
            .args(&settings.flags)
            .arg(mark(data_dir))
            .arg("-jar")
            .arg(&settings.jar)
            .arg("--settings=-")
            // Out of the way of a terminal's Ctrl-C: the workers drain before the engine goes.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let mut child = command.spawn().map_err(|error| BootError::JavaBroken {
            program: program.display().to_string(),
            said: error.to_string(),
        })?;
        if let Some(id) = child.id() {
            // Only for the next kernel, should this one be killed.
            let _ = std::fs::write(note(data_dir), id.to_string());
        }
        let mut output = JoinSet::new();
        if let Some(source) = child.stdout.take() {
            output.spawn(log.clone().follow(source));
        }
        if let Some(source) = child.stderr.take() {
            output.spawn(log.clone().follow(source));
        }
        let stdin = child.stdin.take();
        Ok(Self {
            child,
            stdin,
            output,
            exit: None,
        })
    }

    /// Tells it its settings. One that has ended already says so by its exit.
    pub(crate) async fn tell(&mut self, settings_line: &str) {
        if let Some(stdin) = &mut self.stdin {
            let _ = stdin.write_all(settings_line.as_bytes()).await;
        }
    }

    /// Waits until it ends, and for the last of its output. May be dropped and called again.
    pub(crate) async fn exited(&mut self) -> Exit {
        if let Some(exit) = &self.exit {
            return exit.clone();
        }
        let exit = match self.child.wait().await {
            Ok(status) => Exit {
                code: status.code(),
                status: status.to_string(),
            },
            Err(error) => Exit {
                code: None,
                status: error.to_string(),
            },
        };
        let _ = timeout(OUTPUT, async { while self.output.join_next().await.is_some() {} }).await;
        self.exit.insert(exit).clone()
    }

    /// Ends it in order, or after some seconds without. Gives whether it had to be killed.
    pub(crate) async fn stop(mut self) -> bool {
        self.stdin = None;
        self.signal(Signal::TERM);
        let in_time = timeout(STOP, self.exited()).await.is_ok();
        if !in_time {
            self.signal(Signal::KILL);
            self.exited().await;
        }
        !in_time
    }

    /// To its whole process group: the program may be a script that runs the JVM.
    fn signal(&self, signal: Signal) {
        let id = self.child.id().and_then(|id| i32::try_from(id).ok());
        if let Some(group) = id.and_then(Pid::from_raw) {
            let _ = rustix::process::kill_process_group(group, signal);
        }
    }
}

/// Waits for the end of the engine of a kernel that was killed: it still stops in order, and holds the port and the
/// database until then. After `patience` it is killed. Gives whether there was one.
pub(crate) async fn end_orphan(data_dir: &Path, patience: Duration, observer: &Observer) -> bool {
    let text = std::fs::read_to_string(note(data_dir)).unwrap_or_default();
    let Some(id) = text.trim().parse().ok().and_then(Pid::from_raw) else {
        return false;
    };
    if !lives(id, data_dir) {
        return false;
    }
    observer(&Event::Orphan {
        what: format!("process {}", id.as_raw_nonzero()),
    });
    let ended = async {
        let mut ticks = tokio::time::interval(Duration::from_millis(50));
        while lives(id, data_dir) {
            ticks.tick().await;
        }
    };
    if timeout(patience, ended).await.is_err() {
        // It leads its group: see `start`.
        let _ = rustix::process::kill_process_group(id, Signal::KILL);
    }
    true
}

/// Whether the process is an engine of this data directory: numbers of processes are used again. Where the system
/// has no /proc, an orphan shows as a port in use.
fn lives(id: Pid, data_dir: &Path) -> bool {
    let command = std::fs::read(format!("/proc/{}/cmdline", id.as_raw_nonzero())).unwrap_or_default();
    let mark = mark(data_dir);
    command
        .split(|&byte| byte == 0)
        .any(|argument| argument == mark.as_bytes())
}

/// The engine ignores it; it says whose engine this is.
fn mark(data_dir: &Path) -> String {
    format!("-Dprocos.data_dir={}", data_dir.display())
}

fn note(data_dir: &Path) -> PathBuf {
    data_dir.join("engine.pid")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::io::AsyncReadExt;

    use super::*;

    #[tokio::test]
    async fn an_orphan_that_does_not_stop_goes_with_all_its_group() {
        let data = tempfile::tempdir().unwrap();
        let mut orphan = tokio::process::Command::new("sh")
            .args(["-c", "sleep 600 & echo begun; wait", &mark(data.path())])
            .process_group(0)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut output = orphan.stdout.take().unwrap();
        let mut begun = [0; 6];
        output.read_exact(&mut begun).await.unwrap();
        std::fs::write(note(data.path()), orphan.id().unwrap().to_string()).unwrap();

        let observer: Observer = Arc::new(|_| {});
        assert!(end_orphan(data.path(), Duration::from_millis(100), &observer).await);
        orphan.wait().await.unwrap();
        // Its output ends when nobody of the group is left to write.
        let mut rest = Vec::new();
        let ends = output.read_to_end(&mut rest);
        timeout(Duration::from_secs(20), ends).await.unwrap().unwrap();
        assert!(!end_orphan(data.path(), Duration::ZERO, &observer).await);
    }
}
