//! Camunda 7 as installations have it that let models run code: with beans, script engines and connectors.

use crate::Running;
use crate::engine::boot_jar;

/// A booted open engine. It ends with the value, and with the test process however that ends.
#[derive(Debug)]
pub struct OpenEngine {
    address: String,
    _process: Running,
}

impl OpenEngine {
    /// Boots one; none where its jar has not been built. Blocks its thread while it boots, some ten seconds.
    ///
    /// # Panics
    /// Where it does not boot; the message shows what it said.
    #[must_use]
    pub fn boot() -> Option<Self> {
        let (address, process) = boot_jar(
            "the open engine",
            "tests/open/target/procos-tests-open-engine.jar",
        )?;
        Some(Self {
            address,
            _process: process,
        })
    }

    /// The address of the REST API.
    #[must_use]
    pub fn rest_url(&self) -> String {
        format!("{}/engine-rest", self.address)
    }

    /// Where it tells what code of models has done since it was last asked.
    #[must_use]
    pub fn witness_url(&self) -> String {
        format!("{}/witness", self.address)
    }
}
