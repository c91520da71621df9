//! The processes of a cell, and what they use, as the kernel tells in `/proc`.

use std::fs;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::command::WORK;

/// What the kernel itself keeps of a file in memory, with its name, in bytes: an empty one, too.
const FILE: u64 = 1536;

/// The processes below one of ours, at one moment.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    /// Their ids, parents before children.
    pub(crate) pids: Vec<u32>,
    /// Their threads, all together.
    pub(crate) threads: u64,
}

impl Tree {
    /// What is below this process, itself left out. It is given up at so many threads: more are not looked at.
    pub(crate) fn below(root: u32, most: u64) -> Self {
        let mut tree = Self::default();
        let mut parents = vec![root];
        while let Some(parent) = parents.pop() {
            let Ok(tasks) = fs::read_dir(format!("/proc/{parent}/task")) else {
                continue;
            };
            for task in tasks.flatten() {
                if parent != root {
                    tree.threads += 1;
                }
                let children = fs::read_to_string(task.path().join("children")).unwrap_or_default();
                for child in children.split_whitespace().filter_map(|pid| pid.parse().ok()) {
                    tree.pids.push(child);
                    parents.push(child);
                }
            }
            if tree.threads > most {
                break;
            }
        }
        tree
    }

    /// Bytes of memory. `enough` or less is told from what is cheap to learn and counts shared pages more than once;
    /// beyond it, pages that are shared are counted once.
    pub(crate) fn memory(&self, enough: u64) -> u64 {
        let files = self.pids.first().map_or(0, |pid| files_of(*pid));
        let roughly = files + self.pids.iter().map(|pid| resident(*pid)).sum::<u64>();
        if roughly <= enough {
            return roughly;
        }
        let exactly = |pid: &u32| proportional(*pid).unwrap_or_else(|| resident(*pid));
        files + self.pids.iter().map(exactly).sum::<u64>()
    }

    /// Computing time, of processes that have ended, too.
    pub(crate) fn cpu(&self) -> Duration {
        let ticks: u64 = self.pids.iter().map(|pid| cpu_ticks(*pid)).sum();
        Duration::from_secs_f64(ticks as f64 / rustix::param::clock_ticks_per_second() as f64)
    }
}

/// Ends all processes whose arguments begin with this name.
pub(crate) fn end_named(name: &str) {
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let begins = |line: Vec<u8>| line.split(|byte| *byte == 0).next() == Some(name.as_bytes());
        let pid = entry
            .file_name()
            .to_str()
            .and_then(|pid| Pid::from_raw(pid.parse().ok()?));
        if let Some(pid) = pid
            && fs::read(entry.path().join("cmdline")).is_ok_and(begins)
        {
            // It may end at this moment, or be somebody else's who has taken our name.
            let _ = kill_process(pid, Signal::KILL);
        }
    }
}

/// Resident memory, and the page tables that it takes to map what is not: `VmRSS` and `VmPTE` of `status`. A process whose first
/// thread has ended tells nothing there of what its others hold.
fn resident(pid: u32) -> u64 {
    let of = |status: &str| {
        let status = fs::read_to_string(status).ok()?;
        Some(kilobytes(&status, "VmRSS:")? + kilobytes(&status, "VmPTE:").unwrap_or(0))
    };
    let of_threads = || {
        let threads = fs::read_dir(format!("/proc/{pid}/task")).ok()?.flatten();
        threads
            .filter_map(|thread| of(thread.path().join("status").to_str()?))
            .max()
    };
    of(&format!("/proc/{pid}/status"))
        .or_else(of_threads)
        .unwrap_or(0)
}

/// The same where each page counts for its share: `Pss` of `smaps_rollup`. None where it may not be read, as by root in a
/// container that may not trace, or where only other threads than the first know it.
fn proportional(pid: u32) -> Option<u64> {
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    Some(kilobytes(&rollup, "Pss:")? + kilobytes(&status, "VmPTE:").unwrap_or(0))
}

/// A line `NAME NUMBER kB`, in bytes.
fn kilobytes(text: &str, name: &str) -> Option<u64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
    let number: u64 = rest.split_whitespace().next()?.parse().ok()?;
    Some(number * 1024)
}

/// What lies in a cell's file systems in memory.
fn files_of(pid: u32) -> u64 {
    let used = |folder: &str| {
        let about = rustix::fs::statvfs(format!("/proc/{pid}/root{folder}")).ok()?;
        let files = about.f_files.saturating_sub(about.f_ffree);
        Some(about.f_blocks.saturating_sub(about.f_bfree) * about.f_frsize + files * FILE)
    };
    used(WORK).unwrap_or(0) + used("/dev/shm").unwrap_or(0)
}

/// `utime`, `stime`, `cutime` and `cstime` of `stat`: the 14th field and those after it; the second is a name in
/// brackets and may hold anything.
fn cpu_ticks(pid: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let Some((_, rest)) = stat.rsplit_once(')') else {
        return 0;
    };
    let fields = rest.split_whitespace().skip(11).take(4);
    fields.filter_map(|field| field.parse::<u64>().ok()).sum()
}
