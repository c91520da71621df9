//! What the figures were measured on.

use anyhow::Context;
use procfs_core::{CpuInfo, FromRead, LoadAverage, Meminfo};
use serde::Serialize;

/// The shape of this machine, and how busy it is.
#[derive(Clone, Debug, Serialize)]
pub struct Machine {
    /// How many processors this process may use.
    pub cores: usize,
    /// What they are called; empty where the kernel does not tell.
    pub processor: String,
    /// All of its memory, in bytes.
    pub memory: u64,
    /// The kernel's release, such as `6.12.9`.
    pub kernel: String,
}

impl Machine {
    /// This machine.
    ///
    /// # Errors
    /// Where `/proc` cannot be read, as on systems that are not Linux.
    pub fn here() -> anyhow::Result<Self> {
        let processors = CpuInfo::from_file("/proc/cpuinfo").context("/proc/cpuinfo")?;
        let release =
            std::fs::read_to_string("/proc/sys/kernel/osrelease").context("the kernel's release")?;
        Ok(Self {
            cores: std::thread::available_parallelism()?.get(),
            processor: processors.model_name(0).unwrap_or_default().to_owned(),
            memory: Meminfo::from_file("/proc/meminfo")
                .context("/proc/meminfo")?
                .mem_total,
            kernel: release.trim().to_owned(),
        })
    }

    /// How many processes want a processor, on average over the last minute.
    ///
    /// # Errors
    /// As [`here`](Self::here).
    pub fn load() -> anyhow::Result<f32> {
        Ok(LoadAverage::from_file("/proc/loadavg")
            .context("/proc/loadavg")?
            .one)
    }
}
