//! What a cell may use: set on its processes before a script comes, and watched where the kernel does not hold it.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rustix::process::{Pid, Resource, Rlimit, prlimit};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use super::tree::Tree;
use crate::{Limit, Limits, Settings};

/// Beside the script there are bwrap's own process and the harness's.
const OWN_PROCESSES: u64 = 2;

/// Open files of a process.
const FILES: u64 = 256;

/// Which limits are held by looking and ending.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Watched {
    limits: Limits,
    memory: bool,
    pids: bool,
    cpu: bool,
}

impl Watched {
    /// All that no cgroup holds.
    pub(crate) fn new(limits: &Limits, in_cgroup: bool, settings: &Settings) -> Self {
        let held = |limit: Limit| !in_cgroup && is_enforced(limit, settings);
        Self {
            limits: *limits,
            memory: held(Limit::Memory),
            pids: held(Limit::Processes),
            cpu: held(Limit::Cpu),
        }
    }

    /// Whether there is anything to look at.
    pub(crate) fn is_needed(&self) -> bool {
        self.memory || self.pids || self.cpu
    }

    /// What is hit at this moment.
    pub(crate) fn hit(&self, root: u32) -> Option<Limit> {
        let most = u64::from(self.limits.pids) + OWN_PROCESSES;
        let tree = Tree::below(root, most);
        if self.pids && tree.threads > most {
            return Some(Limit::Processes);
        }
        if self.memory && tree.memory(self.limits.memory) > self.limits.memory {
            return Some(Limit::Memory);
        }
        if self.cpu && tree.cpu() > self.budget() {
            return Some(Limit::Cpu);
        }
        None
    }

    /// What a run that has used up its time was at the end of.
    pub(crate) fn at_its_end(&self, root: u32) -> Option<Limit> {
        let most = u64::from(self.limits.pids) + OWN_PROCESSES - 1;
        (self.pids && Tree::below(root, most).threads > most).then_some(Limit::Processes)
    }

    fn budget(&self) -> Duration {
        self.limits.timeout.mul_f64(self.limits.cpus)
    }
}

/// Sets the kernel's own bounds on a process that waits, and so on all that comes of it.
pub(crate) fn bound(harness: Pid, limits: &Limits, in_cgroup: bool, settings: &Settings) -> io::Result<()> {
    let set = |resource: Resource, most: u64| {
        let limit = Rlimit {
            current: Some(most),
            maximum: Some(most),
        };
        prlimit(Some(harness), resource, limit).map(drop)
    };
    set(Resource::Core, 0)?;
    set(Resource::Nofile, FILES)?;
    set(Resource::Memlock, 0)?;
    if is_enforced(Limit::Processes, settings) && counts_by_namespace() {
        set(Resource::Nproc, u64::from(limits.pids) + OWN_PROCESSES)?;
    }
    if !in_cgroup && is_enforced(Limit::Cpu, settings) {
        confine(harness, limits.cpus)?;
    }
    Ok(())
}

/// As many processors as the share needs, other ones for each cell in turn. The share itself is held by adding up.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share of processors is small and positive"
)]
fn confine(harness: Pid, cpus: f64) -> io::Result<()> {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let ours = sched_getaffinity(None)?;
    let usable: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|cpu| ours.is_set(*cpu)).collect();
    let wanted = (cpus.ceil() as usize).clamp(1, usable.len().max(1));
    let first = NEXT.fetch_add(wanted, Ordering::Relaxed);
    let mut chosen = CpuSet::new();
    for step in 0..wanted {
        if let Some(cpu) = usable.get((first + step) % usable.len().max(1)) {
            chosen.set(*cpu);
        }
    }
    Ok(sched_setaffinity(Some(harness), &chosen)?)
}

/// From Linux 5.14 on the limit of processes counts those of a user in a user namespace, before that all of the user's.
fn counts_by_namespace() -> bool {
    let about = rustix::system::uname();
    let release = about.release().to_string_lossy();
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).filter_map(|part| part.parse::<u32>().ok());
    (numbers.next(), numbers.next()) >= (Some(5), Some(14))
}

#[cfg(feature = "weakened")]
pub(crate) fn is_enforced(limit: Limit, settings: &Settings) -> bool {
    !settings.weakened.limits.contains(&limit)
}

#[cfg(not(feature = "weakened"))]
pub(crate) fn is_enforced(_limit: Limit, _settings: &Settings) -> bool {
    true
}
