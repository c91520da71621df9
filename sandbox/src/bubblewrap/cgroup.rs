//! Cgroups, where they can be written to: the kernel itself then holds memory, processes and processors.
//!
//! Both versions are known: one tree with all controllers (version 2), or a tree for each (version 1). Where there is no
//! place to write, as for an ordinary user without delegation, cells are watched instead.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio_util::task::TaskTracker;

use crate::bubblewrap::limits::is_enforced;
use crate::cell::Shape;
use crate::{Limit, Settings};

/// What the names of ours begin with; then come the owner's id and the cell's number.
const PREFIX: &str = "procos-sandbox-";

/// Where the kernel shows cgroups.
const MOUNT: &str = "/sys/fs/cgroup";

/// Beside the script there are bwrap's own process and the harness's.
const OWN_PROCESSES: u32 = 2;

/// The time over which processors are shared out, in microseconds: the kernel's own default.
const PERIOD: u64 = 100_000;

/// A place for groups.
#[derive(Clone, Debug)]
pub(crate) struct Hierarchy {
    removals: Removals,
    owner: String,
    memory: PathBuf,
    pids: PathBuf,
    cpu: PathBuf,
    version: Version,
}

/// What is removed behind one's back.
#[derive(Clone, Debug)]
struct Removals {
    tasks: TaskTracker,
    /// Where that runs: a cell may be dropped by a thread that knows of no runtime.
    runtime: Handle,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    One,
    Two,
}

impl Hierarchy {
    /// A place where groups can be made with all three controllers.
    pub(crate) fn find(owner: &str) -> Option<Self> {
        Self::find_in(Path::new(MOUNT), owner)
    }

    fn find_in(mount: &Path, owner: &str) -> Option<Self> {
        let removals = Removals {
            tasks: TaskTracker::new(),
            runtime: Handle::try_current().ok()?,
        };
        let one = Self {
            removals: removals.clone(),
            owner: owner.to_owned(),
            memory: mount.join("memory"),
            pids: mount.join("pids"),
            cpu: mount.join("cpu"),
            version: Version::One,
        };
        let two = Self {
            removals,
            owner: owner.to_owned(),
            memory: mount.to_owned(),
            pids: mount.to_owned(),
            cpu: mount.to_owned(),
            version: Version::Two,
        };
        [two, one].into_iter().find(|place| place.can_be_used().is_ok())
    }

    /// Tries it: a group with the limits that cells get.
    fn can_be_used(&self) -> io::Result<()> {
        if self.version == Version::Two {
            let controllers = fs::read_to_string(self.memory.join("cgroup.controllers"))?;
            if !["cpu", "memory", "pids"]
                .iter()
                .all(|one| controllers.split_whitespace().any(|it| it == *one))
            {
                return Err(io::Error::other("not all controllers are here"));
            }
            fs::write(self.memory.join("cgroup.subtree_control"), "+cpu +memory +pids")?;
        }
        let group = self.group("probe");
        let tried = group
            .make()
            .and_then(|()| group.limit(1 << 20, 8, 1000, |_| true));
        group.remove_now();
        tried
    }

    /// A group for a cell.
    pub(crate) fn make(&self, cell: &str, shape: &Shape, settings: &Settings) -> io::Result<Group> {
        let group = self.group(cell);
        let held = |limit| is_enforced(limit, settings);
        let made = group
            .make()
            .and_then(|()| group.limit(shape.memory, shape.pids, shape.milli_cpus, held));
        if let Err(error) = made {
            group.remove_now();
            return Err(error);
        }
        Ok(group)
    }

    fn group(&self, cell: &str) -> Group {
        let name = format!("{PREFIX}{}-{cell}", self.owner);
        Group {
            removals: self.removals.clone(),
            memory: self.memory.join(&name),
            pids: self.pids.join(&name),
            cpu: self.cpu.join(&name),
            version: self.version,
        }
    }

    /// Waits until what was dropped is removed.
    pub(crate) async fn settle(&self) {
        // A closed one still takes tasks: it only lets those that wait know when there is none.
        self.removals.tasks.close();
        self.removals.tasks.wait().await;
    }

    /// Removes all groups of an owner that is no more; tells whether all are gone.
    pub(crate) fn remove_of(&self, owner: &str) -> bool {
        let prefix = format!("{PREFIX}{owner}-");
        let mut all_gone = true;
        for place in [&self.memory, &self.pids, &self.cpu] {
            for entry in fs::read_dir(place).into_iter().flatten().flatten() {
                if entry.file_name().to_string_lossy().starts_with(&prefix) {
                    all_gone &= remove(&entry.path());
                }
            }
        }
        all_gone
    }
}

/// The group of one cell.
#[derive(Debug)]
pub(crate) struct Group {
    removals: Removals,
    memory: PathBuf,
    pids: PathBuf,
    cpu: PathBuf,
    version: Version,
}

impl Group {
    fn make(&self) -> io::Result<()> {
        for folder in self.folders() {
            fs::create_dir(folder)?;
        }
        Ok(())
    }

    fn folders(&self) -> Vec<&Path> {
        match self.version {
            Version::Two => vec![&self.memory],
            Version::One => vec![&self.memory, &self.pids, &self.cpu],
        }
    }

    fn limit(&self, memory: u64, pids: u32, milli_cpus: u64, held: impl Fn(Limit) -> bool) -> io::Result<()> {
        let pids = pids.saturating_add(OWN_PROCESSES).to_string();
        let quota = (milli_cpus * PERIOD / 1000).max(1000);
        match self.version {
            Version::One => {
                if held(Limit::Memory) {
                    fs::write(self.memory.join("memory.limit_in_bytes"), memory.to_string())?;
                    let both = self.memory.join("memory.memsw.limit_in_bytes");
                    // A kernel without accounting of swap does not have it.
                    if both.exists() {
                        fs::write(both, memory.to_string())?;
                    }
                }
                if held(Limit::Processes) {
                    fs::write(self.pids.join("pids.max"), pids)?;
                }
                if held(Limit::Cpu) {
                    fs::write(self.cpu.join("cpu.cfs_period_us"), PERIOD.to_string())?;
                    fs::write(self.cpu.join("cpu.cfs_quota_us"), quota.to_string())?;
                }
            }
            Version::Two => {
                if held(Limit::Memory) {
                    fs::write(self.memory.join("memory.max"), memory.to_string())?;
                    let swap = self.memory.join("memory.swap.max");
                    if swap.exists() {
                        fs::write(swap, "0")?;
                    }
                }
                if held(Limit::Processes) {
                    fs::write(self.pids.join("pids.max"), pids)?;
                }
                if held(Limit::Cpu) {
                    fs::write(self.cpu.join("cpu.max"), format!("{quota} {PERIOD}"))?;
                }
            }
        }
        Ok(())
    }

    /// Takes processes in; what they start from now on is in it, too.
    pub(crate) fn take(&self, pids: &[u32]) -> io::Result<()> {
        for folder in self.folders() {
            for pid in pids {
                fs::write(folder.join("cgroup.procs"), pid.to_string())?;
            }
        }
        Ok(())
    }

    /// What the kernel has had to refuse.
    pub(crate) fn hit(&self) -> Option<Limit> {
        let killed = match self.version {
            Version::One => count(&self.memory.join("memory.oom_control"), "oom_kill"),
            Version::Two => count(&self.memory.join("memory.events"), "oom_kill"),
        };
        if killed > 0 {
            return Some(Limit::Memory);
        }
        (count(&self.pids.join("pids.events"), "max") > 0).then_some(Limit::Processes)
    }

    /// Removes it, once what was in it has gone, behind one's back.
    pub(crate) fn remove(self) {
        if !self.remove_now() {
            let removals = self.removals.clone();
            // On a runtime that has ended this does nothing, and it stays until the next start.
            removals
                .tasks
                .spawn_on(self.remove_in_a_while(), &removals.runtime);
        }
    }

    fn remove_now(&self) -> bool {
        let left = self.folders().into_iter().filter(|folder| !remove(folder));
        left.count() == 0
    }

    /// The kernel does not tell when a killed process has gone from its group.
    async fn remove_in_a_while(self) {
        for wait in (0..10).map(|step| Duration::from_millis(1 << step)) {
            tokio::time::sleep(wait).await;
            if self.remove_now() {
                return;
            }
        }
    }
}

/// Whether it is gone.
fn remove(folder: &Path) -> bool {
    match fs::remove_dir(folder) {
        Ok(()) => true,
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    }
}

/// A number of a file of lines `name number`.
fn count(file: &Path, name: &str) -> u64 {
    let text = fs::read_to_string(file).unwrap_or_default();
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
    line.unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_by_their_names() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("memory.events");
        fs::write(&file, "low 0\noom 7\noom_kill 3\noom_group_kill 0\n").unwrap();
        assert_eq!(count(&file, "oom_kill"), 3);
        assert_eq!(count(&file, "oom"), 7);
        assert_eq!(count(&file, "max"), 0);
        assert_eq!(count(&folder.path().join("none"), "max"), 0);
    }

    #[tokio::test]
    async fn a_place_without_the_controllers_is_none() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Hierarchy::find_in(folder.path(), "a").is_none());
        fs::write(folder.path().join("cgroup.controllers"), "cpuset cpu io").unwrap();
        assert!(Hierarchy::find_in(folder.path(), "a").is_none());
    }
}
