//! Operaton, an engine of the same family, as its own users would run it: without a login, on its defaults.

use std::sync::OnceLock;

use engine_client::{EngineClient, Login};

use crate::Running;
use crate::engine::boot_jar;

/// A booted Operaton. It ends with the test process, however that ends.
#[derive(Debug)]
pub struct Operaton {
    address: String,
    _process: Running,
}

impl Operaton {
    /// The one Operaton of this test binary, booted when first asked for; none where its jar has not been built. Its
    /// tests share it. Blocks its thread while it boots, some ten seconds.
    ///
    /// # Panics
    /// Where it does not boot; the message shows what it said.
    pub fn shared() -> Option<&'static Self> {
        static SHARED: OnceLock<Option<Operaton>> = OnceLock::new();
        SHARED.get_or_init(Self::boot).as_ref()
    }

    fn boot() -> Option<Self> {
        let (address, process) = boot_jar("Operaton", "tests/operaton/target/procos-tests-operaton.jar")?;
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

    /// A new client. Connections belong to the runtime that made them, so every test asks for its own.
    #[must_use]
    pub fn client(&self) -> EngineClient {
        let url = self.rest_url().parse().expect("it says where it listens");
        EngineClient::new(url, Login::None).expect("a client")
    }
}
