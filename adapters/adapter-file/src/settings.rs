//! The settings of a folder: what stands under `services.file.NAME`.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// The settings of one named folder. There is none unless one is configured.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct FolderSettings {
    /// The folder: tasks see what is below it.
    pub path: PathBuf,
    /// Whether tasks may write there, too.
    #[serde(default)]
    pub write: bool,
    /// Bytes that a file may have which is read or written.
    #[serde(default = "most", with = "worker_api::size")]
    pub max_bytes: u64,
}

fn most() -> u64 {
    10 << 20
}
