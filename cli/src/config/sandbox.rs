//! `sandbox`: in what scripts are run, and what they may use.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use adapter_catalog::ScriptSettings;
use sandbox::{BackendChoice, Level, Limits};
use serde::de::{Error, IntoDeserializer, value::StringDeserializer};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Config, ConfigError, duration, parsed};

/// `sandbox`. What is not set is the level's.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Sandbox {
    /// What the sandbox is made with.
    #[serde(deserialize_with = "backend")]
    pub backend: BackendChoice,
    /// How strict it is.
    pub level: Level,
    /// Memory of a run, with all that lies in its files.
    #[serde(deserialize_with = "size", serialize_with = "show_size")]
    pub memory: Option<u64>,
    /// Processors of a run.
    pub cpus: Option<f64>,
    /// How long a run may take.
    #[serde(deserialize_with = "time", serialize_with = "show_time")]
    pub timeout: Option<Duration>,
    /// Processes and threads of a run at once.
    pub pids: Option<u32>,
    /// What a run may write to standard output, to standard error and as its result, each.
    #[serde(deserialize_with = "size", serialize_with = "show_size")]
    pub output: Option<u64>,
    /// What may lie in a run's working directory.
    #[serde(deserialize_with = "size", serialize_with = "show_size")]
    pub tmpfs: Option<u64>,
    /// How many cells of each kind in use are made ahead.
    pub warm: u16,
    /// Docker's images, by a language or by a name of one's own, beside those that are known.
    pub images: BTreeMap<String, String>,
    /// Bubblewrap's unpacked roots, by the same names.
    pub roots: BTreeMap<String, PathBuf>,
    /// The program of the backend `bubblewrap`.
    pub bubblewrap: PathBuf,
    /// The socket of `procos sandbox-launcher`.
    pub launcher: PathBuf,
    /// Where scripts are looked for that a process's own deployment does not hold.
    pub script_directories: Vec<PathBuf>,
}

impl Default for Sandbox {
    fn default() -> Self {
        let usual = sandbox::Settings::new("");
        Self {
            backend: usual.backend,
            level: Level::default(),
            memory: None,
            cpus: None,
            timeout: None,
            pids: None,
            output: None,
            tmpfs: None,
            warm: u16::try_from(usual.warm).unwrap_or(u16::MAX),
            images: BTreeMap::new(),
            roots: BTreeMap::new(),
            bubblewrap: usual.bubblewrap,
            launcher: usual.launcher,
            script_directories: Vec::new(),
        }
    }
}

impl Sandbox {
    /// What a run may use at most: the level's numbers, and over them those that are set.
    pub(crate) fn limits(&self) -> Limits {
        let level = self.level.limits();
        Limits {
            memory: self.memory.unwrap_or(level.memory),
            cpus: self.cpus.unwrap_or(level.cpus),
            pids: self.pids.unwrap_or(level.pids),
            timeout: self.timeout.unwrap_or(level.timeout),
            output: self.output.unwrap_or(level.output),
            tmpfs: self.tmpfs.unwrap_or(level.tmpfs),
        }
    }

    /// The settings of the adapter that runs scripts. The sandbox keeps its notes in the data directory.
    pub(crate) fn script_settings(&self, data_dir: &Path) -> ScriptSettings {
        let usual = sandbox::Settings::new(data_dir.join("sandbox"));
        let mut images = usual.images.clone();
        images.extend(self.images.clone());
        ScriptSettings {
            sandbox: sandbox::Settings {
                backend: self.backend,
                limits: self.limits(),
                warm: self.warm.into(),
                images,
                roots: self.roots.clone(),
                bubblewrap: self.bubblewrap.clone(),
                launcher: self.launcher.clone(),
                ..usual
            },
            directories: self.script_directories.clone(),
        }
    }

    /// As it is in force: with the level's numbers, and all images.
    pub(super) fn in_force(&self, data_dir: &Path) -> Self {
        let limits = self.limits();
        Self {
            memory: Some(limits.memory),
            cpus: Some(limits.cpus),
            timeout: Some(limits.timeout),
            pids: Some(limits.pids),
            output: Some(limits.output),
            tmpfs: Some(limits.tmpfs),
            images: self.script_settings(data_dir).sandbox.images,
            ..self.clone()
        }
    }
}

impl Config {
    /// Whether the numbers leave a script anything to run with.
    pub(super) fn check_sandbox(&self) -> Result<(), ConfigError> {
        let sandbox = &self.settings().sandbox;
        for (name, is_nothing) in [
            ("memory", sandbox.memory == Some(0)),
            (
                "cpus",
                sandbox.cpus.is_some_and(|cpus| !(cpus > 0.0 && cpus.is_finite())),
            ),
            (
                "timeout",
                sandbox.timeout.is_some_and(|timeout| timeout.is_zero()),
            ),
            ("pids", sandbox.pids == Some(0)),
            ("output", sandbox.output == Some(0)),
            ("tmpfs", sandbox.tmpfs == Some(0)),
        ] {
            if is_nothing {
                let key = format!("sandbox.{name}");
                return Err(self.wrong(&key, format!("`{key}` must be more than nothing")));
            }
        }
        Ok(())
    }
}

fn backend<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BackendChoice, D::Error> {
    let name = String::deserialize(deserializer)?;
    if name == "none" {
        return Err(D::Error::custom(
            "there is none for code that nobody trusts: scripts run in a sandbox or not at all; write auto, bubblewrap, \
             docker or launcher",
        ));
    }
    let name: StringDeserializer<D::Error> = name.into_deserializer();
    BackendChoice::deserialize(name)
}

fn size<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    parsed::size(deserializer).map(Some)
}

fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    duration::deserialize(deserializer).map(Some)
}

fn show_size<S: Serializer>(size: &Option<u64>, serializer: S) -> Result<S::Ok, S::Error> {
    let Some(bytes) = *size else {
        return serializer.serialize_none();
    };
    // What is shown reads back as the same number.
    let units = [("Gi", 1_u64 << 30), ("Mi", 1 << 20), ("Ki", 1 << 10)];
    match units
        .iter()
        .find(|(_, unit)| bytes > 0 && bytes.is_multiple_of(*unit))
    {
        Some((name, unit)) => serializer.collect_str(&format_args!("{}{name}", bytes / unit)),
        None => serializer.serialize_u64(bytes),
    }
}

fn show_time<S: Serializer>(time: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) => duration::serialize(time, serializer),
        None => serializer.serialize_none(),
    }
}
