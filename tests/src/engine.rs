//! The engine's jar, booted as `procos` boots it.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use engine_client::{EngineClient, Login};
use serde_json::json;

use crate::{Database, Running, Scratch, engine_jar, workspace};

/// For an engine that lives for minutes: half the CPU for a boot (engine/engine-server/README.md has the figures).
pub const JAVA_FLAGS: [&str; 3] = ["-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"];

/// How long a JVM may take to boot while the machine builds.
pub(crate) const BOOT: Duration = Duration::from_secs(120);

/// Starts the jar of an engine that says `engine ready on ADDRESS`, and gives that; none where the jar has not been built.
///
/// # Panics
/// Where it does not boot; the message shows what it said.
pub(crate) fn boot_jar(name: &str, jar: &str) -> Option<(String, Running)> {
    let jar = workspace().join(jar);
    if !jar.is_file() {
        return None;
    }
    let process = Running::start(name, Command::new(java()).args(JAVA_FLAGS).arg("-jar").arg(jar));
    let ready = process.wait_for_line("engine ready on", BOOT);
    let address = ready.rsplit(' ').next().unwrap_or_default().to_owned();
    Some((address, process))
}

/// A booted engine. It ends with the value, and with the test process however that ends.
#[derive(Debug)]
pub struct Engine {
    address: String,
    process: Running,
}

/// How an engine is to be booted.
#[derive(Clone, Debug, Default)]
pub struct EngineSetup<'a> {
    /// The port on loopback; without one the engine chooses.
    pub port: Option<u16>,
    /// A PostgreSQL database instead of H2.
    pub database: Option<&'a Database>,
}

impl Engine {
    /// The one engine of this test binary, on H2, booted when first asked for. Its tests share it: each takes an
    /// own process key, business key or tenant. Blocks its thread while the engine boots, some ten seconds.
    ///
    /// # Panics
    /// Where it does not boot; the message shows what it said.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<(Engine, Scratch)> = OnceLock::new();
        let boot = || {
            let scratch = Scratch::new("engine");
            (Self::boot(scratch.path(), &EngineSetup::default()), scratch)
        };
        &SHARED.get_or_init(boot).0
    }

    /// An engine of a test's own, with its H2 database in `folder` where no other is set up.
    ///
    /// # Panics
    /// Where it does not boot; the message shows what it said.
    #[must_use]
    pub fn boot(folder: &Path, setup: &EngineSetup) -> Self {
        let user = |id: &str| json!({"id": id, "password": password(id)});
        let h2 = format!("jdbc:h2:file:{}", folder.join("engine").display());
        let settings = json!({
            "port": setup.port.unwrap_or(0),
            "database": setup.database.map_or_else(
                || json!({"url": h2}),
                |database| json!({
                    "url": database.jdbc_url(),
                    "username": database.username,
                    "password": database.password,
                }),
            ),
            "users": {"admin": user("admin"), "kernel": user("kernel"), "worker": user("worker")},
        });
        let mut process = Running::start(
            "the engine",
            Command::new(java())
                .current_dir(folder)
                .args(JAVA_FLAGS)
                .arg("-jar")
                .arg(engine_jar())
                .arg("--settings=-"),
        );
        let input = process.stdin().as_mut().expect("piped");
        writeln!(input, "{settings}").expect("the engine reads its settings");
        let ready = process.wait_for_line("engine ready in", BOOT);
        let address = ready.rsplit(' ').next().unwrap_or_default().to_owned();
        Self { address, process }
    }

    /// Where it listens, as `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The address of the REST API.
    #[must_use]
    pub fn rest_url(&self) -> String {
        format!("{}/engine-rest", self.address)
    }

    /// A new client with the kernel's login, which may deploy and start. Connections belong to the runtime that
    /// made them, so every test asks for its own.
    #[must_use]
    pub fn client(&self) -> EngineClient {
        self.client_as("kernel")
    }

    /// A new client with the login of `user`: `admin`, `kernel` or `worker`.
    #[must_use]
    pub fn client_as(&self, user: &str) -> EngineClient {
        let login = Login::Basic {
            username: user.to_owned(),
            password: password(user).into(),
        };
        let url = self.rest_url().parse().expect("the engine says where it listens");
        EngineClient::new(url, login).expect("a client")
    }

    /// The password of `user`: `admin`, `kernel` or `worker`.
    #[must_use]
    pub fn password(&self, user: &str) -> String {
        password(user)
    }

    /// The JVM: to kill it, or to read its log.
    #[must_use]
    pub fn process(&self) -> &Running {
        &self.process
    }
}

/// The JVM's program: `JAVA_HOME`'s, or the path's.
pub(crate) fn java() -> PathBuf {
    let home = std::env::var_os("JAVA_HOME");
    home.map_or_else(|| "java".into(), |home| Path::new(&home).join("bin/java"))
}

fn password(user: &str) -> String {
    format!("{user}-of-the-tests")
}
