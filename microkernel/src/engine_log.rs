//! The engine's log: a file of bounded size, and its end in memory.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};

use crate::LogTail;

/// At this size, in bytes, the file makes room: there are two of them at the most.
const FULL: u64 = 8 << 20;

/// How many lines are kept in memory.
const TAIL: usize = 50;

/// Where the engine's output goes, whichever way it is run. Clones write to the same log.
#[derive(Clone)]
pub(crate) struct EngineLog(Arc<Mutex<Inner>>);

struct Inner {
    path: PathBuf,
    file: Option<File>,
    size: u64,
    full: u64,
    tail: VecDeque<String>,
}

impl EngineLog {
    /// The log in this directory. A file that cannot be written costs the file, not the boot.
    pub(crate) fn open(directory: &Path) -> Self {
        Self::with_size(directory, FULL)
    }

    fn with_size(directory: &Path, full: u64) -> Self {
        let path = directory.join("engine.log");
        let mut inner = Inner {
            file: None,
            size: 0,
            full,
            tail: VecDeque::with_capacity(TAIL),
            path,
        };
        inner.reopen();
        Self(Arc::new(Mutex::new(inner)))
    }

    /// Adds a line, given without its end.
    pub(crate) fn line(&self, line: &str) {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        inner.write(line);
        // The file keeps the stack of an exception; it would push the reason out of the few lines that are shown.
        if line.starts_with("\tat ") || line.starts_with("\t... ") {
            return;
        }
        if inner.tail.len() == TAIL {
            inner.tail.pop_front();
        }
        inner.tail.push_back(line.to_owned());
    }

    /// The end of what the present engine has said.
    pub(crate) fn tail(&self) -> LogTail {
        let inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        LogTail {
            file: inner.path.clone(),
            lines: inner.tail.iter().cloned().collect(),
        }
    }

    /// Forgets what an earlier engine said; the file keeps it.
    pub(crate) fn begin(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).tail.clear();
    }

    /// Takes lines until the source ends.
    pub(crate) async fn follow(self, source: impl AsyncRead + Unpin) {
        let mut source = BufReader::new(source);
        let mut line = Vec::new();
        while matches!(source.read_until(b'\n', &mut line).await, Ok(1..)) {
            self.line(String::from_utf8_lossy(&line).trim_end());
            line.clear();
        }
    }
}

impl Inner {
    fn reopen(&mut self) {
        self.file = OpenOptions::new().create(true).append(true).open(&self.path).ok();
        self.size = self
            .file
            .as_ref()
            .and_then(|file| file.metadata().ok())
            .map_or(0, |about| about.len());
    }

    fn write(&mut self, line: &str) {
        if self.size >= self.full {
            self.file = None;
            let _ = std::fs::rename(&self.path, self.path.with_extension("log.1"));
            self.reopen();
        }
        if let Some(file) = &mut self.file {
            // One write a line, so that whoever follows the file sees whole ones.
            if file.write_all(format!("{line}\n").as_bytes()).is_ok() {
                self.size += line.len() as u64 + 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn keeps_the_last_lines_and_makes_room() {
        let root = tempfile::tempdir().unwrap();
        let log = EngineLog::with_size(root.path(), 1000);
        let text: String = (0..300).map(|i| format!("line {i}\n")).collect();
        log.clone().follow(text.as_bytes()).await;
        log.line("\tat org.h2.mvstore.DataUtils.writeFully(DataUtils.java:474)");
        let tail = log.tail().lines;
        assert_eq!(
            (tail.len(), tail[0].as_str(), tail[49].as_str()),
            (50, "line 250", "line 299")
        );
        let size = |name: &str| std::fs::metadata(root.path().join(name)).unwrap().len();
        assert!(size("engine.log") <= 1010 && size("engine.log.1") <= 1010);
        assert_eq!(std::fs::read_dir(root.path()).unwrap().count(), 2);
    }

    #[tokio::test]
    async fn broken_text_is_kept_as_well_as_can_be() {
        let root = tempfile::tempdir().unwrap();
        let log = EngineLog::open(root.path());
        log.clone()
            .follow(b"\xff\xfe\r\nlast without end".as_slice())
            .await;
        assert_eq!(log.tail().lines, ["\u{fffd}\u{fffd}", "last without end"]);
        log.begin();
        assert!(log.tail().lines.is_empty());
    }
}
