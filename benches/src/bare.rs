//! The engine without procos: what a boot costs at the least.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail};
use engine_client::{EngineClient, Login};
use microkernel::{Credentials, ServerSettings, Users};
use tokio::io::AsyncWriteExt;
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::{Setup, Started};

/// How often the kernel asks a booting engine, and so how often this does.
const POLL: Duration = Duration::from_millis(50);

/// How the JVM is called: its program and arguments, as procos has called it.
#[derive(Clone, Debug)]
pub struct Call(Vec<String>);

impl Call {
    /// As the process with this id was called.
    ///
    /// # Errors
    /// Where there is no such process, or no `/proc`.
    pub fn of(pid: u32) -> anyhow::Result<Self> {
        let line = std::fs::read_to_string(format!("/proc/{pid}/cmdline"))
            .with_context(|| format!("how process {pid} was called"))?;
        Ok(Self(line.split_terminator('\0').map(str::to_owned).collect()))
    }
}

/// Boots the engine in `folder` as procos does it, the same call and the same settings, and ends it when it has
/// answered. Gives how long that took. A second call in the same folder boots with the same database.
///
/// # Errors
/// Where it does not boot.
///
/// Cancellation: dropping the future kills the engine.
pub async fn boot(setup: &Setup, call: &Call, folder: &Path) -> anyhow::Result<Duration> {
    let data = folder.join("data");
    let credentials = Credentials::load_or_create(&data)?;
    let line = ServerSettings::new(Users::of(&credentials))
        .line(([127, 0, 0, 1], setup.engine_port).into(), &data.join("engine"));
    let (program, arguments) = call
        .0
        .split_first()
        .context("the JVM was called without a name")?;
    let mut command = setup.command(Path::new(program), folder);
    // The directory is a mark by which a kernel finds an engine of its own.
    command.args(
        arguments
            .iter()
            .filter(|it| !it.starts_with("-Dprocos.data_dir=")),
    );
    let mut engine = Started::start(&mut command, &folder.join("bare.log"))?;
    let stdin = engine.stdin.as_mut().context("its standard input")?;
    stdin
        .write_all(line.as_bytes())
        .await
        .context("the engine does not take its settings")?;

    let client = EngineClient::new(
        setup.engine_url()?,
        Login::Basic {
            username: "kernel".to_owned(),
            password: credentials.kernel,
        },
    )?;
    let answered = async {
        let mut ticks = interval(POLL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while client.version().await.is_err() {
            ticks.tick().await;
        }
    };
    let result = tokio::select! {
        answer = timeout(setup.patience, answered) => answer.context("it does not answer"),
        status = engine.child.wait() => Err(anyhow::anyhow!("it has ended: {}", status?)),
    };
    let took = engine.at.elapsed();
    if let Err(error) = result {
        bail!("the engine without procos: {error:#}\n{}", engine.said());
    }
    engine.stop().await;
    Ok(took)
}
