//! Models that were deployed around the gate: by Camunda Modeler, or whoever else speaks to the engine directly.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use deploy::{GateContext, Report};
use engine_client::{Deployment, DeploymentQuery, EngineClient, EngineError};
use jiff::Timestamp;
use tokio::time::{MissedTickBehavior, interval};

use crate::seen::{LATE, Seen};
use crate::settings::{Around, KernelSettings};
use crate::{Event, Observer};

mod act;

/// How many deployments are read at once.
const PAGE: usize = 100;

/// A deployment that the gate refuses, and what was done about it.
#[derive(Clone, Debug)]
pub struct Violation {
    /// The deployment's id.
    pub deployment_id: String,
    /// Its name.
    pub name: Option<String>,
    /// What it says where it comes from.
    pub source: Option<String>,
    /// The errors; their files are the deployment's resources.
    pub report: Report,
    /// The definitions of the processes in the files with errors.
    pub definitions: Vec<Intruder>,
    /// What could not be done, and why.
    pub failures: Vec<String>,
    /// Whether it had been suspended and went on: activated by somebody, by the date it was deployed with, or in an instance
    /// that was migrated to it.
    pub again: bool,
}

/// A definition that was deployed around the gate and that the gate refuses.
#[derive(Clone, Debug)]
pub struct Intruder {
    /// Its id.
    pub id: String,
    /// Its key.
    pub key: String,
    /// Its version.
    pub version: u32,
    /// Whether it is suspended now.
    pub suspended: bool,
    /// How many instances had been started, where the engine keeps a history.
    pub started: Option<u64>,
    /// How many of these had finished.
    pub finished: Option<u64>,
}

/// Looks for them.
pub(crate) struct Watch {
    engine: EngineClient,
    observer: Observer,
    gate: GateContext,
    settings: Around,
    file: PathBuf,
    seen: Option<Seen>,
}

/// What has become of what was suspended.
enum Again {
    /// Nothing.
    Rests,
    /// It is an exception now, or no more.
    Passes,
    /// It went on, and was suspended again.
    GoesOn(Box<Violation>),
}

/// A deployment that is no more.
struct Gone {
    id: String,
    time: Option<Timestamp>,
    text: String,
}

impl Watch {
    pub(crate) fn new(
        settings: &KernelSettings,
        data: &Path,
        engine: &EngineClient,
        observer: &Observer,
    ) -> Self {
        let file = data.join("gate.json");
        Self {
            engine: engine.clone(),
            observer: observer.clone(),
            gate: settings.gate.clone(),
            settings: settings.around,
            seen: Seen::load(&file),
            file,
        }
    }

    /// Notes what is there when a kernel first runs on its data directory: that came before there was a gate.
    pub(crate) async fn begin(&mut self) -> Result<(), EngineError> {
        if self.seen.is_some() || self.settings.every.is_zero() {
            return Ok(());
        }
        let newest = DeploymentQuery {
            max_results: Some(1),
            ..DeploymentQuery::default()
        };
        let mut seen = Seen::default();
        for newest in self.engine.deployments(&newest).await? {
            seen.note(&newest.id, newest.deployment_time);
        }
        let from = seen.from(Timestamp::now());
        for deployment in self.unseen(&seen, from).await? {
            seen.note(&deployment.id, deployment.deployment_time);
        }
        for gone in self.gone(&seen, from).await.unwrap_or_default() {
            seen.note(&gone.id, gone.time);
        }
        self.keep(seen);
        Ok(())
    }

    /// Looks again and again, for ever. May be dropped at any moment: what was not done is done by the next.
    pub(crate) async fn run(&mut self) {
        if self.settings.every.is_zero() {
            return std::future::pending().await;
        }
        let mut ticks = interval(self.settings.every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let round = async {
                self.begin().await?;
                self.round().await
            };
            if let Err(error) = round.await {
                tracing::warn!(%error, "cannot look for models that were deployed around the gate; trying again");
            }
        }
    }

    async fn round(&mut self) -> Result<(), EngineError> {
        let mut seen = self.seen.clone().unwrap_or_default();
        if self.settings.suspends {
            self.look_after(&mut seen).await?;
        }
        let from = seen.from(Timestamp::now());
        // Until nothing is new: what is deleted while pages are read moves others to a page that was read already.
        loop {
            let unseen = self.unseen(&seen, from).await?;
            if unseen.is_empty() {
                break;
            }
            for deployment in unseen {
                self.look_at(&mut seen, &deployment).await?;
            }
        }
        match self.gone(&seen, from).await {
            Ok(gone) => {
                for gone in gone {
                    (self.observer)(&Event::Warning(gone.text));
                    seen.note(&gone.id, gone.time);
                }
            }
            Err(error) if error.is_unreachable() => return Err(error),
            Err(error) => tracing::debug!(%error, "cannot ask who made deployments"),
        }
        seen.forget(from);
        self.keep(seen);
        Ok(())
    }

    async fn look_at(&mut self, seen: &mut Seen, deployment: &Deployment) -> Result<(), EngineError> {
        let id = &deployment.id;
        match self.judge(deployment, false).await {
            Ok(None) => {}
            Ok(Some(violation)) => {
                let suspended = violation.definitions.iter().filter(|it| it.suspended);
                let suspended: BTreeSet<String> = suspended.map(|it| it.id.clone()).collect();
                if self.settings.suspends && !suspended.is_empty() {
                    seen.refuse(id, suspended);
                }
                (self.observer)(&Event::AroundGate(violation));
            }
            Err(error) if error.is_not_found() => {
                let name = deployment.name.as_deref().unwrap_or(id);
                let text = format!(
                    "the deployment {id} (`{name}`) was deleted before it could be checked, and what it brought may have run"
                );
                (self.observer)(&Event::Warning(text));
            }
            Err(error) if error.is_unreachable() => return Err(error),
            Err(error) => {
                let text =
                    format!("the deployment {id} cannot be checked, and what it brought may run: {error}");
                (self.observer)(&Event::Warning(text));
            }
        }
        seen.note(id, deployment.deployment_time);
        self.keep(seen.clone());
        Ok(())
    }

    /// Suspends again what was suspended and goes on, unless it is an exception by now.
    async fn look_after(&mut self, seen: &mut Seen) -> Result<(), EngineError> {
        for (id, definitions) in seen.refused().clone() {
            match self.again(&id, &definitions).await {
                Ok(Again::Rests) => {}
                Ok(Again::Passes) => seen.pardon(&id),
                Ok(Again::GoesOn(violation)) => (self.observer)(&Event::AroundGate(*violation)),
                Err(error) if error.is_not_found() => seen.pardon(&id),
                Err(error) if error.is_unreachable() => return Err(error),
                Err(error) => {
                    tracing::warn!(deployment_id = id, %error, "cannot see whether what was suspended goes on");
                }
            }
        }
        Ok(())
    }

    async fn again(&self, id: &str, definitions: &BTreeSet<String>) -> Result<Again, EngineError> {
        match self.goes_on(id, definitions).await? {
            None => return Ok(Again::Passes),
            Some(false) => return Ok(Again::Rests),
            Some(true) => {}
        }
        let deployment = self.engine.deployment(id).await?;
        let judged = self.judge(&deployment, true).await?;
        Ok(judged.map_or(Again::Passes, |violation| Again::GoesOn(Box::new(violation))))
    }

    /// The oldest first.
    async fn unseen(&self, seen: &Seen, from: Option<Timestamp>) -> Result<Vec<Deployment>, EngineError> {
        let mut unseen: Vec<Deployment> = Vec::new();
        for page in 0.. {
            let query = DeploymentQuery {
                after: from,
                first_result: Some(page * PAGE),
                max_results: Some(PAGE),
                ..DeploymentQuery::default()
            };
            let found = self.engine.deployments(&query).await?;
            let is_last = found.len() < PAGE;
            unseen.extend(found.into_iter().filter(|it| !seen.holds(&it.id)));
            if is_last {
                break;
            }
        }
        // What is deployed meanwhile moves others to the next page.
        let mut met = BTreeSet::new();
        unseen.retain(|it| met.insert(it.id.clone()));
        unseen.reverse();
        Ok(unseen)
    }

    /// Deployments that came and went between two looks, as far as the engine keeps a record of them.
    async fn gone(&self, seen: &Seen, from: Option<Timestamp>) -> Result<Vec<Gone>, EngineError> {
        let mut gone = Vec::new();
        let from = from.or_else(|| Timestamp::now().checked_sub(LATE).ok());
        for record in self.engine.deployments_made(from).await? {
            let Some(id) = record.deployment_id.filter(|id| !seen.holds(id)) else {
                continue;
            };
            match self.engine.deployment(&id).await {
                // The next look finds it.
                Ok(_) => continue,
                Err(error) if error.is_not_found() => {}
                Err(error) => return Err(error),
            }
            let who = record.user_id.as_deref().unwrap_or("somebody");
            gone.push(Gone {
                text: format!(
                    "the deployment {id}, made by {who}, was deleted before it could be checked, and what it brought may \
                     have run"
                ),
                time: record.timestamp,
                id,
            });
        }
        Ok(gone)
    }

    fn keep(&mut self, seen: Seen) {
        if self.seen.as_ref() == Some(&seen) {
            return;
        }
        if let Err(error) = seen.save(&self.file) {
            tracing::warn!(file = %self.file.display(), %error, "cannot note which deployments were checked");
        }
        self.seen = Some(seen);
    }
}
