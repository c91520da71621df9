//! `procos up`, measured from outside.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use engine_client::{EngineClient, Login};
use microkernel::Credentials;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::ChildStdout;
use tokio::time::timeout;

use crate::{Setup, Started, Usage};

/// A `procos up` with its engine. [`stop`](Self::stop) it: dropped, procos is killed, and the engine ends itself a
/// moment later.
#[derive(Debug)]
pub struct System {
    process: Started,
    lines: Lines<BufReader<ChildStdout>>,
    data: PathBuf,
    setup: Setup,
}

/// How a boot went. Times are in seconds.
#[derive(Clone, Debug, Serialize)]
pub struct Boot {
    /// From the start of the process to the moment it says that it is ready.
    pub ready: f64,
    /// The engine's part: from the start of the JVM to its first answer.
    pub engine: f64,
    /// All the rest, by what happened then; together procos's own share.
    pub own: Vec<(String, f64)>,
    /// What procos used until it was ready.
    pub procos: Usage,
    /// What the JVM used until then.
    pub jvm: Usage,
}

impl Boot {
    /// procos's own share, in seconds.
    #[must_use]
    pub fn own_share(&self) -> f64 {
        self.ready - self.engine
    }
}

/// A line of `procos up --json`.
#[derive(Debug, Default, Deserialize)]
struct Line {
    #[serde(default)]
    phase: String,
    previous: Option<String>,
    previous_ms: Option<u64>,
    message: Option<String>,
}

impl System {
    /// Starts it in `folder`, with its data directory there and these flags besides.
    ///
    /// # Errors
    /// Where it cannot be started.
    pub fn start(setup: &Setup, folder: &Path, flags: &[&str]) -> anyhow::Result<Self> {
        let data = folder.join("data");
        let mut command = setup.command(&setup.procos, folder);
        command
            .args(["up", "--json", "--data-dir"])
            .arg(&data)
            .args(flags)
            .env("PROCOS_ENGINE_JAR", &setup.jar)
            .env("PROCOS_ENGINE__URL", setup.engine_url()?.as_str())
            .env("PROCOS_HTTP__LISTEN", format!("127.0.0.1:{}", setup.http_port));
        if let Some(flags) = &setup.java_flags {
            command.env("PROCOS_ENGINE__JAVA_FLAGS", serde_json::to_string(flags)?);
        }
        let (process, stdout) = Started::start_reading(&mut command, &folder.join("procos.log"))?;
        Ok(Self {
            process,
            lines: BufReader::new(stdout).lines(),
            data,
            setup: setup.clone(),
        })
    }

    /// Waits until it is ready.
    ///
    /// # Errors
    /// Where it does not become ready, with the last it has said.
    pub async fn ready(&mut self) -> anyhow::Result<Boot> {
        let patience = self.setup.patience;
        match timeout(patience, self.boot()).await.context("it took too long") {
            Ok(Ok(boot)) => Ok(boot),
            Ok(Err(error)) | Err(error) => {
                bail!("procos up is not ready: {error:#}\n{}", self.process.said())
            }
        }
    }

    async fn boot(&mut self) -> anyhow::Result<Boot> {
        let (mut engine, mut own) = (Duration::ZERO, Vec::new());
        loop {
            let line = self.lines.next_line().await?.context("it has ended")?;
            let at = self.process.at.elapsed();
            let line: Line = serde_json::from_str(&line).with_context(|| line.clone())?;
            let took = Duration::from_millis(line.previous_ms.unwrap_or_default());
            match (line.phase.as_str(), line.previous.as_deref()) {
                ("failed", _) => return Err(anyhow!(line.message.unwrap_or_default())),
                ("ready", _) => {
                    let (procos, jvm) = self.usage()?;
                    let named: f64 = own.iter().map(|(_, seconds)| seconds).sum();
                    let (ready, engine) = (at.as_secs_f64(), engine.as_secs_f64());
                    own.push(("before and after".to_owned(), ready - engine - named));
                    return Ok(Boot {
                        ready,
                        engine,
                        own,
                        procos,
                        jvm,
                    });
                }
                (_, Some("starting" | "awaiting")) => engine += took,
                (_, Some(previous)) => own.push((previous.to_owned(), took.as_secs_f64())),
                _ => {}
            }
        }
    }

    /// What procos and the JVM use now.
    ///
    /// # Errors
    /// Where one of them has ended.
    pub fn usage(&self) -> anyhow::Result<(Usage, Usage)> {
        Ok((Usage::of(self.process.pid)?, Usage::of(self.jvm()?)?))
    }

    /// The id of the JVM's process, which the kernel notes.
    ///
    /// # Errors
    /// Where there is none.
    pub fn jvm(&self) -> anyhow::Result<u32> {
        let note = self.data.join("engine.pid");
        let text = std::fs::read_to_string(&note).with_context(|| note.display().to_string())?;
        text.trim().parse().with_context(|| note.display().to_string())
    }

    /// Its data directory.
    #[must_use]
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// A client of its engine with the kernel's login.
    ///
    /// # Errors
    /// Where the passwords cannot be read.
    pub fn engine(&self) -> anyhow::Result<EngineClient> {
        let login = Login::Basic {
            username: "kernel".to_owned(),
            password: Credentials::load_or_create(&self.data)?.kernel,
        };
        Ok(EngineClient::new(self.setup.engine_url()?, login)?)
    }

    /// Stops it and its engine, and waits until both are gone.
    ///
    /// # Errors
    /// Where it had to be killed.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        let rest = async { while matches!(self.lines.next_line().await, Ok(Some(_))) {} };
        let (in_order, ()) = tokio::join!(self.process.stop(), rest);
        if !in_order {
            bail!(
                "procos did not stop in time and was killed\n{}",
                self.process.said()
            );
        }
        Ok(())
    }
}
