//! The self-test: hostile probes that a backend has to stop before it is used.

use serde::{Deserialize, Serialize};

use crate::cell::Backend;
use crate::{SandboxError, Settings};

/// What the self-test has shown of a backend.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SelfTest {
    /// The backend.
    pub backend: String,
    /// Every probe, and what became of it.
    pub probes: Vec<Probe>,
}

/// One probe.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probe {
    /// What it tries.
    pub name: String,
    /// What stopped it; absent where nothing did.
    pub stopped_by: Option<String>,
}

/// Runs every probe.
pub(crate) async fn run(backend: &dyn Backend, _settings: &Settings) -> Result<SelfTest, SandboxError> {
    Ok(SelfTest { backend: backend.name().to_owned(), probes: Vec::new() })
}
