//! What is measured, and where.

use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, ensure};
use tokio::process::Command;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use url::Url;

/// The programs that are measured, and the ports that they get.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The `procos` binary.
    pub procos: PathBuf,
    /// The engine's jar.
    pub jar: PathBuf,
    /// Flags of the JVM in place of procos's own.
    pub java_flags: Option<Vec<String>>,
    /// Where the engine listens on loopback.
    pub engine_port: u16,
    /// Where procos serves health and metrics on loopback.
    pub http_port: u16,
    /// How long anything may take before the benchmark gives up.
    pub patience: Duration,
}

impl Setup {
    /// These programs, else the `procos` beside this benchmark and the jar of its checkout; these two ports in a row,
    /// else any that are free.
    ///
    /// # Errors
    /// Where a program is missing, with the command that builds it, or there is no free port.
    pub fn new(
        procos: Option<PathBuf>,
        jar: Option<PathBuf>,
        port: Option<u16>,
        patience: Duration,
    ) -> anyhow::Result<Self> {
        let beside = std::env::current_exe()
            .context("this program's place")?
            .with_file_name("procos");
        let procos = std::path::absolute(procos.unwrap_or(beside))?;
        let there = procos.is_file();
        ensure!(
            there,
            "there is no {}; run `cargo build --release -p cli`",
            procos.display()
        );
        let jar = std::path::absolute(jar.unwrap_or_else(|| workspace().join(JAR)))?;
        let there = jar.is_file();
        ensure!(
            there,
            "there is no {}; run `mvn -f engine/engine-server package -DskipTests`",
            jar.display()
        );
        let (engine_port, http_port) = match port {
            Some(port) => (
                port,
                port.checked_add(1)
                    .context("--port: the next one is needed, too")?,
            ),
            None => free_ports().context("no free port")?,
        };
        Ok(Self {
            procos,
            jar,
            java_flags: None,
            engine_port,
            http_port,
            patience,
        })
    }

    /// A source file that has changed since `procos` was built: its figures are those of yesterday then. None where
    /// cargo has left no list of the sources beside it.
    #[must_use]
    pub fn stale(&self) -> Option<PathBuf> {
        let modified = |file: &Path| file.metadata().and_then(|about| about.modified()).ok();
        let built = modified(&self.procos)?;
        let sources = std::fs::read_to_string(self.procos.with_extension("d")).ok()?;
        let sources = sources.split_whitespace().skip(1).map(PathBuf::from);
        sources
            .into_iter()
            .find(|source| modified(source).is_some_and(|changed| changed > built))
    }

    /// The address of the engine's REST API.
    ///
    /// # Errors
    /// Where it makes no address; a port always does.
    pub fn engine_url(&self) -> anyhow::Result<Url> {
        Ok(Url::parse(&format!(
            "http://127.0.0.1:{}/engine-rest",
            self.engine_port
        ))?)
    }

    /// A call of `program` in `folder`. Of the caller's own environment it sees the path, the home and the JDK, so
    /// that nobody's settings change the figures.
    #[must_use]
    pub fn command(&self, program: &Path, folder: &Path) -> Command {
        let mut command = Command::new(program);
        command.current_dir(folder).env_clear();
        for name in ["PATH", "HOME", "JAVA_HOME", "LANG", "TMPDIR"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command
    }
}

const JAR: &str = "engine/engine-server/target/procos-engine.jar";

/// The checkout that this was built from.
#[must_use]
pub fn workspace() -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.parent().unwrap_or(own).to_owned()
}

/// Two ports that nobody listens on now.
fn free_ports() -> std::io::Result<(u16, u16)> {
    let listen = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    let (one, other) = (listen()?, listen()?);
    Ok((one.local_addr()?.port(), other.local_addr()?.port()))
}

/// A token that Ctrl-C and SIGTERM cancel, from now on.
///
/// # Errors
/// Where signals cannot be listened for.
pub fn interrupted() -> anyhow::Result<CancellationToken> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let token = CancellationToken::new();
    let cancelled = token.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        cancelled.cancel();
    });
    Ok(token)
}
