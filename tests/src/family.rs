//! A process and all that came of it, found in `/proc`.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::until;

/// The environment variable by which the children of a dead parent are still recognised. Of all that the harness
/// could invent, the engine's process keeps what looks like a locale.
pub(crate) const MARK: &str = "LC_PROCOS_TEST_MARK";

/// A process and its descendants as they were at one moment. A process is its id and its start time, so that a
/// new process with an old id is not taken for it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Family {
    members: BTreeMap<Member, String>,
}

type Member = (i32, u64);

impl Family {
    /// The living processes below `root`, itself included, and every process that carries `mark` in its
    /// environment, which finds the children of a dead parent too.
    pub(crate) fn now(root: u32, mark: &str) -> Self {
        let all: Vec<Process> = fs::read_dir("/proc")
            .expect("/proc")
            .flatten()
            .filter_map(|entry| Process::read(entry.file_name().to_str()?.parse().ok()?))
            .collect();
        let wanted = format!("{MARK}={mark}");
        let mut members = BTreeMap::new();
        loop {
            let before = members.len();
            for process in &all {
                let child = members.keys().any(|(pid, _): &Member| *pid == process.parent);
                if child || process.pid.cast_unsigned() == root || process.carries(&wanted) {
                    members.insert((process.pid, process.started), process.command());
                }
            }
            if members.len() == before {
                return Self { members };
            }
        }
    }

    /// Those of them that still live, as `PID COMMAND`.
    #[must_use]
    pub fn alive(&self) -> Vec<String> {
        self.living()
            .map(|((pid, _), command)| format!("{pid} {command}"))
            .collect()
    }

    /// How many there were.
    #[must_use]
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// True where there was none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// The ids of those whose command line contains `part`, such as `procos-engine.jar`.
    #[must_use]
    pub fn with_command(&self, part: &str) -> Vec<u32> {
        self.living()
            .filter(|(_, command)| command.contains(part))
            .map(|((pid, _), _)| pid.cast_unsigned())
            .collect()
    }

    /// Waits until none is left.
    ///
    /// # Panics
    /// After `within`, with those that are.
    pub async fn wait_gone(&self, within: Duration) {
        until("all processes have ended", within, async || match self.alive() {
            left if left.is_empty() => Ok(()),
            left => Err(left.join("; ")),
        })
        .await;
    }

    /// SIGKILL to every one that lives.
    pub(crate) fn kill(&self) {
        for ((pid, _), _) in self.living() {
            if let Some(pid) = Pid::from_raw(*pid) {
                let _ = kill_process(pid, Signal::KILL);
            }
        }
    }

    fn living(&self) -> impl Iterator<Item = (&Member, &String)> {
        self.members
            .iter()
            .filter(|((pid, started), _)| Process::read(*pid).is_some_and(|now| now.started == *started))
    }
}

struct Process {
    pid: i32,
    parent: i32,
    started: u64,
}

impl Process {
    /// None where it has gone, a zombie included.
    fn read(pid: i32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The command's name, in parentheses, may itself hold spaces and parentheses (proc(5)).
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        (*fields.first()? != "Z").then_some(())?;
        Some(Self {
            pid,
            parent: fields.get(1)?.parse().ok()?,
            started: fields.get(19)?.parse().ok()?,
        })
    }

    fn carries(&self, variable: &str) -> bool {
        fs::read(format!("/proc/{}/environ", self.pid)).is_ok_and(|environment| {
            environment
                .split(|byte| *byte == 0)
                .any(|one| one == variable.as_bytes())
        })
    }

    fn command(&self) -> String {
        let line = fs::read(format!("/proc/{}/cmdline", self.pid)).unwrap_or_default();
        String::from_utf8_lossy(&line)
            .replace('\0', " ")
            .trim()
            .to_owned()
    }
}
