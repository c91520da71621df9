//! What a run may use, and the levels that stand for it.

use std::fmt;
use std::time::Duration;

use bytesize::ByteSize;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

const KI: u64 = 1 << 10;
const MI: u64 = 1 << 20;
const GI: u64 = 1 << 30;

/// What a run may use at most. There is no network in any.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Bytes of memory, of all its processes together, with what lies in its files.
    pub memory: u64,
    /// Processors, such as 0.5.
    pub cpus: f64,
    /// Processes and threads at once.
    pub pids: u32,
    /// How long it may take, from when the script is handed over.
    pub timeout: Duration,
    /// Bytes it may write: to standard output, to standard error, and as its result with its files, each.
    pub output: u64,
    /// Bytes that may lie in its working directory.
    pub tmpfs: u64,
}

/// How strict a sandbox is.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// For long computations of people one knows.
    Low,
    /// For most.
    #[default]
    Medium,
    /// The strictest: for what strangers wrote.
    High,
}

impl Level {
    /// All of them, the least strict first.
    pub const ALL: [Self; 3] = [Self::Low, Self::Medium, Self::High];

    /// What a run at this level may use.
    #[must_use]
    pub fn limits(self) -> Limits {
        match self {
            Self::Low => Limits {
                memory: GI,
                cpus: 2.0,
                pids: 256,
                timeout: Duration::from_secs(300),
                output: 8 * MI,
                tmpfs: 256 * MI,
            },
            Self::Medium => Limits {
                memory: 256 * MI,
                cpus: 0.5,
                pids: 64,
                timeout: Duration::from_secs(30),
                output: MI,
                tmpfs: 64 * MI,
            },
            Self::High => Limits {
                memory: 128 * MI,
                cpus: 0.25,
                pids: 16,
                timeout: Duration::from_secs(10),
                output: 256 * KI,
                tmpfs: 16 * MI,
            },
        }
    }
}

/// What tightens limits; absent parts leave them as they are.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Tightened {
    /// No more than a run at this level may use.
    pub level: Option<Level>,
    /// Bytes of memory.
    pub memory: Option<u64>,
    /// Processors.
    pub cpus: Option<f64>,
    /// Processes and threads.
    pub pids: Option<u32>,
    /// How long it may take.
    pub timeout: Option<Duration>,
    /// Bytes it may write.
    pub output: Option<u64>,
    /// Bytes in its working directory.
    pub tmpfs: Option<u64>,
}

impl From<&Limits> for Tightened {
    fn from(limits: &Limits) -> Self {
        Self {
            level: None,
            memory: Some(limits.memory),
            cpus: Some(limits.cpus),
            pids: Some(limits.pids),
            timeout: Some(limits.timeout),
            output: Some(limits.output),
            tmpfs: Some(limits.tmpfs),
        }
    }
}

impl Limits {
    /// The tighter of these and what is asked for, part by part: nobody gets more by asking.
    #[must_use]
    pub fn tightened(self, by: &Tightened) -> Self {
        let level = by.level.map_or(self, Level::limits);
        Self {
            memory: self.memory.min(level.memory).min(by.memory.unwrap_or(u64::MAX)),
            cpus: self.cpus.min(level.cpus).min(by.cpus.unwrap_or(f64::MAX)),
            pids: self.pids.min(level.pids).min(by.pids.unwrap_or(u32::MAX)),
            timeout: self
                .timeout
                .min(level.timeout)
                .min(by.timeout.unwrap_or(Duration::MAX)),
            output: self.output.min(level.output).min(by.output.unwrap_or(u64::MAX)),
            tmpfs: self.tmpfs.min(level.tmpfs).min(by.tmpfs.unwrap_or(u64::MAX)),
        }
    }

    /// What was hit, in words with the number that it is.
    #[must_use]
    pub fn told(&self, limit: Limit) -> String {
        match limit {
            Limit::Time => format!("it may take {} and took longer", seconds(self.timeout)),
            Limit::Cpu => format!(
                "it may use {} processors for {}, which is {} of computing, and used more",
                self.cpus,
                seconds(self.timeout),
                seconds(self.timeout.mul_f64(self.cpus))
            ),
            Limit::Memory => format!(
                "it may use {} of memory, files in its working directory included, and wanted more",
                bytes(self.memory)
            ),
            Limit::Processes => format!("it may have {} processes and threads and wanted more", self.pids),
            Limit::Output => format!(
                "it may write {} to standard output, to standard error and as its result, each, and wrote more",
                bytes(self.output)
            ),
        }
    }
}

/// Which limit a run has hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    /// Its time.
    Time,
    /// Its share of the processors, added up.
    Cpu,
    /// Its memory.
    Memory,
    /// Its processes.
    Processes,
    /// What it wrote.
    Output,
}

impl Limit {
    /// The code that a model's error map can mean it by.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Time => "SCRIPT_TIMEOUT",
            Self::Cpu => "SCRIPT_CPU",
            Self::Memory => "SCRIPT_MEMORY",
            Self::Processes => "SCRIPT_PROCESSES",
            Self::Output => "SCRIPT_OUTPUT",
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Time => "time",
            Self::Cpu => "cpu",
            Self::Memory => "memory",
            Self::Processes => "process",
            Self::Output => "output",
        })
    }
}

fn seconds(duration: Duration) -> String {
    format!("{} s", (duration.as_secs_f64() * 1000.0).round() / 1000.0)
}

fn bytes(bytes: u64) -> String {
    ByteSize(bytes).display().iec().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_level_is_stricter_than_the_one_before_in_every_part() {
        for pair in Level::ALL.windows(2) {
            let (a, b) = (pair[0].limits(), pair[1].limits());
            assert!(b.memory < a.memory && b.cpus < a.cpus && b.pids < a.pids);
            assert!(b.timeout < a.timeout && b.output < a.output && b.tmpfs < a.tmpfs);
        }
    }

    #[test]
    fn who_asks_gets_less_and_never_more() {
        let pool = Level::Medium.limits();
        let more = Tightened {
            level: Some(Level::Low),
            memory: Some(GI),
            cpus: Some(8.0),
            pids: Some(1000),
            timeout: Some(Duration::MAX),
            output: Some(GI),
            tmpfs: Some(GI),
        };
        assert_eq!(pool.tightened(&more), pool);
        assert_eq!(
            pool.tightened(&Tightened {
                level: Some(Level::High),
                ..Tightened::default()
            }),
            Level::High.limits()
        );
        let less = Tightened {
            memory: Some(MI),
            cpus: Some(0.1),
            pids: Some(3),
            timeout: Some(Duration::from_secs(1)),
            output: Some(KI),
            tmpfs: Some(KI),
            level: None,
        };
        let got = pool.tightened(&less);
        assert_eq!((got.memory, got.cpus, got.pids), (MI, 0.1, 3));
        assert_eq!(
            (got.timeout, got.output, got.tmpfs),
            (Duration::from_secs(1), KI, KI)
        );
    }

    #[test]
    fn what_was_hit_is_told_with_its_number() {
        let limits = Level::Medium.limits();
        assert!(
            limits.told(Limit::Memory).contains("256.0 MiB"),
            "{}",
            limits.told(Limit::Memory)
        );
        assert!(limits.told(Limit::Time).contains("30 s"));
        assert!(limits.told(Limit::Cpu).contains("15 s"));
        assert!(limits.told(Limit::Processes).contains("64"));
        assert!(limits.told(Limit::Output).contains("1.0 MiB"));
    }
}
