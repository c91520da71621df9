//! What a cell may use: set on its processes before a script comes, and watched where the kernel does not hold it.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rustix::thread::{CpuSet, sched_getaffinity};

use super::tree::Tree;
use crate::cell::Shape;
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

/// What sets the kernel's own bounds, before the command that follows it, and so for all that comes of it. It is done
/// within: from outside it takes a right that root may lack, as in a container, and within a user namespace processes are
/// counted by themselves.
pub(crate) fn bounds(shape: &Shape, in_cgroup: bool, settings: &Settings) -> Vec<String> {
    let mut set = format!("ulimit -c 0; ulimit -n {FILES}; ");
    // A cgroup counts better: it tells, too, what it has refused.
    if !in_cgroup && is_enforced(Limit::Processes, settings) && counts_by_namespace() {
        let most = u64::from(shape.pids) + OWN_PROCESSES;
        // bash and other shells call it differently.
        set += &format!("ulimit -u {most} 2>/dev/null || ulimit -p {most}; ");
    }
    ["sh", "-c", &format!("{set}exec \"$@\""), "sandbox"]
        .map(str::to_owned)
        .into()
}

/// As many processors as the share needs, other ones for each cell in turn; none where it needs all. The share itself is
/// held by adding up.
#[expect(
    clippy::cast_possible_truncation,
    reason = "there are fewer processors than that"
)]
pub(crate) fn processors(shape: &Shape) -> io::Result<Option<CpuSet>> {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let ours = sched_getaffinity(None)?;
    let usable: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|cpu| ours.is_set(*cpu)).collect();
    let wanted = shape.milli_cpus.div_ceil(1000) as usize;
    if wanted >= usable.len() {
        return Ok(None);
    }
    let first = NEXT.fetch_add(wanted, Ordering::Relaxed);
    let mut chosen = CpuSet::new();
    for cpu in usable.iter().cycle().skip(first % usable.len()).take(wanted) {
        chosen.set(*cpu);
    }
    Ok(Some(chosen))
}

/// From Linux 5.14 on the limit of processes counts those of a user in a user namespace, before that all of the user's.
fn counts_by_namespace() -> bool {
    let about = rustix::system::uname();
    let release = about.release().to_string_lossy();
    let mut numbers = release
        .split(|c: char| !c.is_ascii_digit())
        .filter_map(|part| part.parse::<u32>().ok());
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
