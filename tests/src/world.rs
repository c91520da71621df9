//! A ProcOS of a test's own.

use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::{Procos, Running, Scratch, free_port};

const BOOT: Duration = Duration::from_secs(120);

/// A folder with ports of its own, in which `procos` is called as often as a test likes. What runs in it ends
/// with the values that `up` and `procos` have given, so drop those first, which the compiler sees to where they
/// are declared after it.
#[derive(Debug)]
pub struct World {
    scratch: Scratch,
    engine_port: u16,
    http_port: u16,
}

impl World {
    /// A new one; `name` becomes part of its folder's path.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self {
            scratch: Scratch::new(name),
            engine_port: free_port(),
            http_port: free_port(),
        }
    }

    /// Its folder, where `procos.yml` is looked for and `data` is kept.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.scratch.path()
    }

    /// Writes `procos.yml`. Leave `engine.url` and `http.listen` to the world.
    ///
    /// # Panics
    /// Where it cannot be written.
    pub fn configure(&self, yaml: &str) {
        fs::write(self.path().join("procos.yml"), yaml).expect("a file in the scratch folder");
    }

    /// A call of `procos` in it.
    #[must_use]
    pub fn procos<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Procos {
        Procos::new(self.path())
            .env("PROCOS_ENGINE__URL", self.engine_url())
            .env("PROCOS_HTTP__LISTEN", format!("127.0.0.1:{}", self.http_port))
            .args(arguments)
    }

    /// `procos up --json` with further arguments, once it is ready.
    ///
    /// # Panics
    /// Where it is not ready within two minutes; the message shows what it said.
    #[must_use]
    pub fn up<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Running {
        let up = self.procos(["up", "--json"].into_iter().chain(arguments)).spawn();
        up.wait_for_line("\"engine_url\"", BOOT);
        up
    }

    /// The address of the engine's REST API.
    #[must_use]
    pub fn engine_url(&self) -> String {
        format!("http://127.0.0.1:{}/engine-rest", self.engine_port)
    }

    /// The address of the HTTP port with health and metrics.
    #[must_use]
    pub fn http_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.http_port)
    }
}
