//! The engine, whichever way it is run: what it needs, its start, its end.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use engine_client::{ClientSettings, EngineClient, EngineError, Login, Tls};

use crate::child::{self, JavaChild};
use crate::data_dir::DataDir;
use crate::docker::{self, Container, Daemon};
use crate::engine_log::EngineLog;
use crate::exit::{About, Exit};
use crate::settings::{EngineKind, EngineSettings, ServerSettings};
use crate::{BootError, Event, Observer, java, listen};

/// How long the port of an engine that was killed may stay in use.
const PATIENCE: Duration = Duration::from_secs(2);

/// An engine whose needs are met.
pub(crate) enum Prepared {
    Java { program: PathBuf, address: SocketAddr },
    Docker { daemon: Daemon, address: SocketAddr },
    Attached,
}

/// An engine that has been started.
pub(crate) enum Running {
    Java(JavaChild),
    Docker(Container),
    Attached,
}

/// Checks what the engine needs, and clears away what a killed kernel has left.
pub(crate) async fn prepare(
    settings: &EngineSettings,
    data: &DataDir,
    observer: &Observer,
) -> Result<Prepared, BootError> {
    match &settings.kind {
        EngineKind::Java(java) => {
            data.check_space()?;
            let about = std::fs::metadata(&java.jar);
            if !about.is_ok_and(|about| about.is_file()) {
                return Err(BootError::JarMissing(java.jar.clone()));
            }
            let orphan = child::end_orphan(data.path(), child::STOP, observer);
            let (program, address, had_orphan) = tokio::join!(
                java::find(java.java.as_deref()),
                listen::address(&settings.url),
                orphan
            );
            let (program, address) = (program?, address?);
            // A process's port is free a moment after the process is gone.
            let patience = if had_orphan { PATIENCE } else { Duration::ZERO };
            listen::check_within(address, patience).await?;
            Ok(Prepared::Java { program, address })
        }
        EngineKind::Docker(docker) => {
            let daemon = Daemon::connect(data.id()).await?;
            daemon.reap(observer).await?;
            let address = listen::address(&settings.url).await?;
            listen::check(address)?;
            daemon.image(&docker.image, observer).await?;
            Ok(Prepared::Docker { daemon, address })
        }
        EngineKind::Attached { .. } => Ok(Prepared::Attached),
    }
}

/// Starts it. It is put into `running` before it is told its settings, so that it can be stopped at any moment.
pub(crate) async fn start(
    prepared: &Prepared,
    settings: &EngineSettings,
    data: &DataDir,
    log: &EngineLog,
    running: &mut Option<Running>,
) -> Result<(), BootError> {
    log.begin();
    match (&settings.kind, prepared) {
        (EngineKind::Java(java), Prepared::Java { program, address }) => {
            let directory = data.path().join("engine");
            let line = java.server.line(*address, &directory);
            let child = JavaChild::start(program, java, data.path(), log)?;
            if let Running::Java(child) = running.insert(Running::Java(child)) {
                child.tell(&line).await;
            }
        }
        (EngineKind::Docker(docker), Prepared::Docker { daemon, address }) => {
            let within = SocketAddr::from(([0, 0, 0, 0], docker::PORT));
            let line = docker.server.line(within, docker::directory());
            let container = daemon.start(docker, *address, log).await?;
            if let Running::Docker(container) = running.insert(Running::Docker(container)) {
                container.tell(&line).await;
            }
        }
        _ => *running = Some(Running::Attached),
    }
    Ok(())
}

impl Prepared {
    /// Clears away what a start has left that was broken off.
    pub(crate) async fn clear(self, observer: &Observer) {
        let quiet: Observer = Arc::new(|_| {});
        if let Self::Docker { daemon, .. } = self
            && let Err(error) = daemon.reap(&quiet).await
        {
            observer(&Event::Warning(error.to_string()));
        }
    }
}

impl Running {
    /// Waits until it ends: for ever where somebody else runs it.
    pub(crate) async fn exited(&mut self) -> Exit {
        match self {
            Self::Java(child) => child.exited().await,
            Self::Docker(container) => container.exited().await,
            Self::Attached => std::future::pending().await,
        }
    }

    /// Ends it in order; one that somebody else runs is left alone.
    pub(crate) async fn stop(self, observer: &Observer) {
        match self {
            Self::Java(child) => {
                if child.stop().await {
                    let warning = "the engine did not stop in time and was killed; its database keeps what was committed";
                    observer(&Event::Warning(warning.to_owned()));
                }
            }
            Self::Docker(container) => {
                if let Err(error) = container.stop().await {
                    observer(&Event::Warning(error.to_string()));
                }
            }
            Self::Attached => {}
        }
    }
}

impl EngineSettings {
    /// The kernel's client of it.
    pub(crate) fn client(&self) -> Result<EngineClient, EngineError> {
        let tls = match &self.kind {
            EngineKind::Attached { tls, .. } => tls.clone(),
            EngineKind::Java(_) | EngineKind::Docker(_) => Tls::new(),
        };
        ClientSettings::new()
            .tls(tls)
            .client(self.url.clone(), self.login())
    }

    /// What the kernel logs in with.
    pub(crate) fn login(&self) -> Login {
        match (&self.kind, self.server()) {
            (EngineKind::Attached { login, .. }, _) => login.clone(),
            (_, Some(server)) => server.users.kernel.login(),
            (_, None) => Login::None,
        }
    }

    /// Whether somebody else runs it.
    pub(crate) fn is_attached(&self) -> bool {
        matches!(self.kind, EngineKind::Attached { .. })
    }

    /// What is known of it, to explain its end.
    pub(crate) fn about(&self, prepared: &Prepared, data: &DataDir) -> Option<About> {
        let (program, jar, address, directory) = match (&self.kind, prepared) {
            (EngineKind::Java(java), Prepared::Java { program, address }) => {
                let program = program.display().to_string();
                (program, java.jar.clone(), *address, data.path().join("engine"))
            }
            (EngineKind::Docker(docker), Prepared::Docker { address, .. }) => {
                let image = docker.image.clone();
                (
                    image.clone(),
                    image.into(),
                    *address,
                    docker::directory().to_owned(),
                )
            }
            _ => return None,
        };
        Some(About {
            program,
            jar,
            address,
            database: self.server()?.database(&directory).shown(),
            data_dir: data.path().to_owned(),
        })
    }

    fn server(&self) -> Option<&ServerSettings> {
        match &self.kind {
            EngineKind::Java(java) => Some(&java.server),
            EngineKind::Docker(docker) => Some(&docker.server),
            EngineKind::Attached { .. } => None,
        }
    }
}
