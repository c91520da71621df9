//! A child process with its output, which never outlives its value.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::Family;
use crate::family::MARK;

/// A child process that runs, or has run. Its output is kept line by line.
///
/// The waits block their thread: a test with tasks of its own that must go on meanwhile uses
/// `#[tokio::test(flavor = "multi_thread")]`.
///
/// Dropped, it kills the child and everything that came of it.
#[derive(Debug)]
pub struct Running {
    name: String,
    pid: u32,
    mark: String,
    watched: Arc<Watched>,
    stdin: Option<ChildStdin>,
}

#[derive(Debug, Default)]
struct Watched {
    seen: Mutex<Seen>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Seen {
    stdout: Vec<String>,
    stderr: Vec<String>,
    ended: usize,
    status: Option<ExitStatus>,
}

impl Running {
    /// Starts `command` with all three streams piped and keeps what it says; `name` is for messages.
    ///
    /// # Panics
    /// Where it cannot be started.
    pub fn start(name: &str, command: &mut Command) -> Self {
        let mark = uuid::Uuid::new_v4().to_string();
        let mut child = command
            .env(MARK, &mark)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {name} ({command:?}): {error}"));
        let watched = Arc::new(Watched::default());
        watched
            .clone()
            .keep(child.stdout.take().expect("piped"), |seen| &mut seen.stdout);
        watched
            .clone()
            .keep(child.stderr.take().expect("piped"), |seen| &mut seen.stderr);
        let running = Self {
            name: name.to_owned(),
            pid: child.id(),
            mark,
            watched: watched.clone(),
            stdin: child.stdin.take(),
        };
        thread::spawn(move || watched.reap(child));
        running
    }

    /// The process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// The lines on standard output until now.
    #[must_use]
    pub fn stdout(&self) -> Vec<String> {
        self.watched.lock().stdout.clone()
    }

    /// The lines on standard error until now.
    #[must_use]
    pub fn stderr(&self) -> Vec<String> {
        self.watched.lock().stderr.clone()
    }

    /// Its standard input: write to it, or take it and drop it to close it.
    pub fn stdin(&mut self) -> &mut Option<ChildStdin> {
        &mut self.stdin
    }

    /// Waits for a line, on either stream, that contains `part`, and gives it.
    ///
    /// # Panics
    /// After `within`, or when the process has ended without it; the message shows what it said.
    pub fn wait_for_line(&self, part: &str, within: Duration) -> String {
        self.wait(&format!("a line with {part:?}"), within, |seen| {
            seen.stdout
                .iter()
                .chain(&seen.stderr)
                .find(|line| line.contains(part))
                .cloned()
        })
    }

    /// Waits for its end and the end of its output, and gives its exit status.
    ///
    /// # Panics
    /// After `within`; the message shows what it said.
    pub fn wait_for_end(&self, within: Duration) -> ExitStatus {
        self.wait("its end", within, |seen| seen.status.filter(|_| seen.is_over()))
    }

    /// True where it ends, and its output too, within this time.
    #[must_use]
    pub fn ends_within(&self, within: Duration) -> bool {
        let deadline = Instant::now() + within;
        let mut seen = self.watched.lock();
        while !seen.is_over() && Instant::now() < deadline {
            let left = deadline.saturating_duration_since(Instant::now());
            seen = self
                .watched
                .changed
                .wait_timeout(seen, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        seen.is_over()
    }

    /// The exit status, where it has ended.
    #[must_use]
    pub fn status(&self) -> Option<ExitStatus> {
        self.watched.lock().status
    }

    /// Sends a signal to the process alone. Nothing where it has ended.
    pub fn signal(&self, signal: Signal) {
        // Under the lock, because the id is free for others once the end has been noted.
        let seen = self.watched.lock();
        if seen.status.is_none()
            && let Some(pid) = Pid::from_raw(self.pid.cast_signed())
        {
            let _ = kill_process(pid, signal);
        }
    }

    /// SIGKILL to the process alone. Gives it and all that came of it as they were just before, to wait until the
    /// rest of them has noticed: [`Family::wait_gone`].
    pub fn kill9(&self) -> Family {
        let family = self.family();
        self.signal(Signal::KILL);
        family
    }

    /// The process, if it lives, and all that came of it.
    #[must_use]
    pub fn family(&self) -> Family {
        let root = if self.status().is_none() { self.pid } else { 0 };
        Family::now(root, &self.mark)
    }

    fn wait<T>(&self, what: &str, within: Duration, found: impl Fn(&Seen) -> Option<T>) -> T {
        let deadline = Instant::now() + within;
        let mut seen = self.watched.lock();
        loop {
            if let Some(answer) = found(&seen) {
                return answer;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            let over = seen.is_over();
            if left.is_zero() || over {
                let why = if over { "it ended" } else { "time was up" };
                let said = seen.tail();
                drop(seen);
                panic!(
                    "waited for {what} of {} until {why} ({within:?})\n{said}",
                    self.name
                );
            }
            seen = self
                .watched
                .changed
                .wait_timeout(seen, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("{} (pid {})\n{}", self.name, self.pid, self.watched.lock().tail());
        }
        // Twice, for what was being born meanwhile.
        for _ in 0..2 {
            self.family().kill();
        }
        let _ = self.ends_within(Duration::from_secs(10));
    }
}

impl Watched {
    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep(self: Arc<Self>, stream: impl Read + Send + 'static, lines: fn(&mut Seen) -> &mut Vec<String>) {
        thread::spawn(move || {
            for line in BufReader::new(stream).split(b'\n').map_while(Result::ok) {
                let line = String::from_utf8_lossy(&line).trim_end_matches('\r').to_owned();
                lines(&mut self.lock()).push(line);
                self.changed.notify_all();
            }
            self.lock().ended += 1;
            self.changed.notify_all();
        });
    }

    fn reap(self: Arc<Self>, mut child: Child) {
        let status = child.wait().expect("a child of ours");
        self.lock().status = Some(status);
        self.changed.notify_all();
    }
}

impl Seen {
    fn is_over(&self) -> bool {
        self.ended == 2 && self.status.is_some()
    }

    fn tail(&self) -> String {
        let last = |name: &str, lines: &[String]| {
            let from = lines.len().saturating_sub(40);
            format!("--- last of {name}:\n{}\n", lines[from..].join("\n"))
        };
        format!(
            "status: {:?}\n{}{}",
            self.status,
            last("stdout", &self.stdout),
            last("stderr", &self.stderr)
        )
    }
}
