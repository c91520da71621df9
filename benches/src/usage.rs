//! What a process takes of the machine.

use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use procfs_core::FromRead;
use procfs_core::process::{Stat, Status};
use serde::{Deserialize, Serialize};

/// Memory and processor time of one process at one moment, from `/proc/PID/status` and `/proc/PID/stat` (proc(5)).
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Usage {
    /// Resident memory, in bytes: VmRSS.
    pub resident: u64,
    /// The part of it that is the process's own, not pages of its files: RssAnon.
    pub anonymous: u64,
    /// The most that was ever resident, in bytes: VmHWM.
    pub peak: u64,
    /// Processor time of all its threads, in user and kernel mode, in seconds. Counted in hundredths.
    pub cpu: f64,
}

impl Usage {
    /// Of the process with this id.
    ///
    /// # Errors
    /// Where there is no such process, or no `/proc`.
    pub fn of(pid: u32) -> anyhow::Result<Self> {
        let folder = Path::new("/proc").join(pid.to_string());
        let of = || format!("what process {pid} uses");
        let status = Status::from_file(folder.join("status")).with_context(of)?;
        let stat = Stat::from_file(folder.join("stat")).with_context(of)?;
        let bytes = |kibibytes: Option<u64>| kibibytes.map(|it| it * 1024).with_context(of);
        let tick = Duration::from_secs(1).as_secs_f64() / rustix::param::clock_ticks_per_second() as f64;
        Ok(Self {
            resident: bytes(status.vmrss)?,
            anonymous: bytes(status.rssanon)?,
            peak: bytes(status.vmhwm)?,
            cpu: (stat.utime + stat.stime) as f64 * tick,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_uses_something() {
        let usage = Usage::of(std::process::id()).unwrap();
        assert!(
            usage.anonymous > 0 && usage.anonymous < usage.resident,
            "{usage:?}"
        );
        assert!(usage.resident <= usage.peak && usage.peak < 1 << 32, "{usage:?}");
    }
}
