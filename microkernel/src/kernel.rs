//! The kernel itself: walks through the phases.

use std::time::{Duration, Instant};

use deploy::Bundle;
use engine_client::EngineClient;
use tokio_util::sync::CancellationToken;

use crate::around::Watch;
use crate::data_dir::DataDir;
use crate::engine::{self, Prepared, Running};
use crate::engine_log::EngineLog;
use crate::exit::About;
use crate::progress::Progress;
use crate::restart::{Deaths, Decision};
use crate::{BootError, Event, KernelSettings, LogTail, Observer, Phase, Step, exit, health, listen, root};

/// How often a deployment is tried that only the moment is in the way of.
const DEPLOY_ATTEMPTS: u32 = 3;

/// A booted system: its engine runs, its system processes are deployed, its root process is there.
///
/// Dropped without [`stop`](Self::stop), it takes the engine with it without ceremony.
pub struct Kernel {
    settings: KernelSettings,
    client: EngineClient,
    data: DataDir,
    log: EngineLog,
    progress: Progress,
    running: Option<Running>,
    prepared: Option<Prepared>,
    about: Option<About>,
    deaths: Deaths,
    around: Option<Watch>,
}

impl Kernel {
    /// Boots: returns as soon as the root process runs.
    ///
    /// Cancellation: by the token at any moment; what was started is stopped before it returns
    /// [`BootError::Interrupted`]. Dropping the future kills the engine.
    ///
    /// # Errors
    /// Whatever keeps the system from running; nothing is left running then.
    pub async fn boot(
        settings: KernelSettings,
        observer: Observer,
        cancel: CancellationToken,
    ) -> Result<Self, BootError> {
        let progress = Progress::new(observer);
        let client = settings.engine.client();
        let client = client.map_err(|error| BootError::Settings(error.to_string()))?;
        let data = DataDir::take(&settings.data_dir)?;
        let log = EngineLog::open(&data.path().join("logs"));
        let around = Watch::new(&settings, data.path(), &client, progress.observer());
        let mut kernel = Self {
            settings,
            client,
            data,
            log,
            progress,
            running: None,
            prepared: None,
            about: None,
            deaths: Deaths::default(),
            around: Some(around),
        };
        kernel.progress.step(Step::Done);
        match kernel.bring_up_unless(&cancel).await {
            Ok(()) => Ok(kernel),
            Err(BootError::Interrupted) => {
                kernel.stop().await;
                Err(BootError::Interrupted)
            }
            Err(error) => {
                kernel.halt().await;
                kernel.progress.step(Step::Fail);
                Err(error)
            }
        }
    }

    /// The engine's REST API, with the kernel's login. It stays the same over restarts.
    #[must_use]
    pub fn engine(&self) -> &EngineClient {
        &self.client
    }

    /// Where the kernel is in its life.
    #[must_use]
    pub fn phase(&self) -> Phase {
        self.progress.phase()
    }

    /// Keeps the engine alive: starts it again when it has died, with growing delays; waits for one that somebody
    /// else runs. Returns when the token is cancelled and leaves the engine as it is then, so that workers can be
    /// drained before [`stop`](Self::stop). To be called once.
    ///
    /// # Errors
    /// Where the engine has died too often; nothing is left running then.
    pub async fn watch(&mut self, cancel: CancellationToken) -> Result<(), BootError> {
        let mut around = self.around.take();
        loop {
            let look = async {
                match &mut around {
                    Some(around) => around.run().await,
                    None => std::future::pending().await,
                }
            };
            let death = tokio::select! {
                biased;
                () = cancel.cancelled() => return Ok(()),
                death = self.death() => death,
                () = look => continue,
            };
            let down = Instant::now();
            match self.revive(death, &cancel).await {
                Ok(()) => self.progress.tell(&Event::EngineUp {
                    after: down.elapsed(),
                }),
                Err(BootError::Interrupted) => return Ok(()),
                Err(error) => {
                    self.progress.step(Step::Fail);
                    return Err(error);
                }
            }
        }
    }

    /// Ends the engine: it gets some seconds for an orderly stop. One that somebody else runs is left alone.
    ///
    /// Cancellation: dropping the future kills the engine.
    pub async fn stop(mut self) {
        self.progress.step(Step::Stop);
        self.halt().await;
        self.progress.step(Step::Done);
    }

    /// Ends the engine, if there is one.
    async fn halt(&mut self) {
        let observer = self.progress.observer();
        match (self.running.take(), self.prepared.take()) {
            (Some(running), _) => running.stop(observer).await,
            (None, Some(prepared)) => prepared.clear(observer).await,
            (None, None) => {}
        }
    }

    async fn bring_up_unless(&mut self, cancel: &CancellationToken) -> Result<(), BootError> {
        tokio::select! {
            biased;
            () = cancel.cancelled() => Err(BootError::Interrupted),
            result = self.bring_up() => result,
        }
    }

    /// From the checks to the root process, at a boot and at each restart.
    async fn bring_up(&mut self) -> Result<(), BootError> {
        let bundles = self.bundles()?;
        let engine = &self.settings.engine;
        let prepared = engine::prepare(engine, &self.data, self.progress.observer()).await?;
        self.about = engine.about(&prepared, &self.data);
        self.progress.step(Step::Done);

        let begun = Instant::now();
        let prepared = self.prepared.insert(prepared);
        engine::start(prepared, engine, &self.data, &self.log, &mut self.running).await?;
        self.progress.step(Step::Done);

        let version = self.answer().await?;
        self.progress.tell(&Event::EngineReady {
            version,
            took: begun.elapsed(),
        });
        self.progress.step(Step::Done);

        for bundle in &bundles {
            self.deploy(bundle).await?;
        }
        self.progress.step(Step::Done);

        if let Some(key) = &self.settings.root_process {
            let root = root::ensure(&self.client, key).await?;
            self.progress.tell(&Event::RootRunning {
                key: key.clone(),
                instance_id: root.instance.id,
                started: root.started,
                outdated: root.outdated,
            });
        }
        // Tried again with the first look.
        if let Some(around) = &mut self.around
            && let Err(error) = around.begin().await
        {
            tracing::warn!(%error, "cannot note which deployments are there already");
        }
        self.progress.step(Step::Done);
        Ok(())
    }

    /// The system processes, read anew and checked before anything is started.
    fn bundles(&self) -> Result<Vec<Bundle>, BootError> {
        let mut bundles = self.settings.system_processes.clone();
        for directory in &self.settings.process_directories {
            bundles.push(deploy::load(std::slice::from_ref(directory))?);
        }
        for bundle in &bundles {
            let report = bundle.check(&self.settings.gate);
            if report.errors > 0 {
                return Err(BootError::Deploy {
                    name: bundle.name().to_owned(),
                    source: deploy::DeployError::Findings(report),
                });
            }
        }
        Ok(bundles)
    }

    /// Waits for the engine's first answer: its version.
    async fn answer(&mut self) -> Result<String, BootError> {
        let (settings, client) = (&self.settings, &self.client);
        let user = listen::login_name(&settings.engine.login());
        let ready = health::first_answer(
            client,
            &user,
            settings.boot_timeout,
            settings.engine.is_attached(),
        );
        let Some(running) = &mut self.running else {
            return ready
                .await
                .map_err(|silence| silence.explain(client, log(&self.log, settings)));
        };
        tokio::select! {
            exit = running.exited() => Err(self.explain(&exit)),
            answer = ready => answer.map_err(|silence| silence.explain(client, log(&self.log, settings))),
        }
    }

    async fn deploy(&self, bundle: &Bundle) -> Result<(), BootError> {
        let mut attempt = 1;
        loop {
            match deploy::deploy(&self.client, bundle, None, None, &self.settings.gate).await {
                Ok(outcome) => {
                    let name = bundle.name().to_owned();
                    self.progress.tell(&Event::Deployed { name, outcome });
                    return Ok(());
                }
                // Two kernels at one engine may be in each other's way.
                Err(deploy::DeployError::Engine(error))
                    if error.is_transient() && attempt < DEPLOY_ATTEMPTS =>
                {
                    attempt += 1;
                    tokio::time::sleep(Duration::from_millis(500)).await;
                }
                Err(source) => {
                    let name = bundle.name().to_owned();
                    return Err(BootError::Deploy { name, source });
                }
            }
        }
    }

    /// Waits for the engine's death.
    async fn death(&mut self) -> BootError {
        let sick = health::until_silent(&self.client, self.settings.health_interval, self.patience());
        let Some(running) = &mut self.running else {
            return sick.await.explain(&self.client, log(&self.log, &self.settings));
        };
        tokio::select! {
            exit = running.exited() => self.explain(&exit),
            silence = sick => silence.explain(&self.client, log(&self.log, &self.settings)),
        }
    }

    /// Nothing is done about an engine that somebody else runs, so that it can be told at once.
    fn patience(&self) -> Duration {
        if self.settings.engine.is_attached() {
            self.settings.health_interval
        } else {
            self.settings.unresponsive_after
        }
    }

    fn explain(&self, end: &exit::Exit) -> BootError {
        let log = self.log.tail();
        match &self.about {
            Some(about) => exit::explain(end, about, log),
            None => BootError::EngineDied {
                status: end.status.clone(),
                log,
            },
        }
    }

    /// Brings a dead engine up again, or gives up.
    async fn revive(&mut self, mut death: BootError, cancel: &CancellationToken) -> Result<(), BootError> {
        loop {
            self.progress.tell(&Event::EngineDown {
                reason: death.to_string(),
                log: death.log().cloned(),
            });
            self.halt().await;
            self.progress.step(Step::EngineLost);
            let pause = self.pause(death)?;
            tokio::select! {
                biased;
                () = cancel.cancelled() => return Err(BootError::Interrupted),
                () = pause => {}
            }
            self.progress.step(Step::Done);
            match self.bring_up_unless(cancel).await {
                Ok(()) => return Ok(()),
                Err(BootError::Interrupted) => return Err(BootError::Interrupted),
                Err(error) => death = error,
            }
        }
    }

    /// What to wait for before the next attempt: a delay, or another's engine, for however long that takes.
    fn pause(&mut self, death: BootError) -> Result<impl Future<Output = ()> + use<>, BootError> {
        let policy = self.settings.restart;
        let attached = self.settings.engine.is_attached();
        let lost = matches!(&death, BootError::Timeout { .. } | BootError::Lost { .. });
        let (client, interval) = (self.client.clone(), self.settings.health_interval);
        let delay = if attached && lost {
            Duration::ZERO
        } else {
            match self.deaths.count(&policy, Instant::now()) {
                Decision::Restart { attempt, delay } => {
                    self.progress.tell(&Event::Restarting {
                        attempt,
                        of: policy.attempts,
                        delay,
                    });
                    delay
                }
                Decision::GiveUp => {
                    return Err(BootError::GaveUp {
                        attempts: policy.attempts,
                        window: policy.window,
                        last: Box::new(death),
                    });
                }
            }
        };
        Ok(async move {
            tokio::time::sleep(delay).await;
            if attached {
                health::until_answer(&client, interval).await;
            }
        })
    }
}

/// The end of the engine's log; another's engine has none here.
fn log(log: &EngineLog, settings: &KernelSettings) -> LogTail {
    if settings.engine.is_attached() {
        LogTail::default()
    } else {
        log.tail()
    }
}
