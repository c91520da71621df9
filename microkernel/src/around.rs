//! Models that were deployed around the gate: by Camunda Modeler, or whoever else speaks to the engine directly.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use deploy::{Bundle, FileKind, GateContext, Model, Report, Severity};
use engine_client::{
    DefinitionQuery, DefinitionRef, Deployment, DeploymentQuery, EngineClient, EngineError,
    ProcessDefinition, RecordQuery,
};
use tokio::time::{MissedTickBehavior, interval};

use crate::seen::Seen;
use crate::settings::{Around, KernelSettings};
use crate::{Event, Observer};

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
        for deployment in self.unseen(&seen).await? {
            seen.note(&deployment.id, deployment.deployment_time);
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
        for deployment in self.unseen(&seen).await? {
            match self.judge(&deployment).await {
                Ok(None) => {}
                Ok(Some(violation)) => (self.observer)(&Event::AroundGate(violation)),
                // It has been deleted meanwhile.
                Err(error) if error.is_not_found() => {}
                Err(error) if error.is_unreachable() => return Err(error),
                Err(error) => {
                    let id = &deployment.id;
                    let text = format!(
                        "the deployment {id} cannot be checked, and what it brought may run: {error}"
                    );
                    (self.observer)(&Event::Warning(text));
                }
            }
            seen.note(&deployment.id, deployment.deployment_time);
            self.keep(seen.clone());
        }
        Ok(())
    }

    /// The oldest first.
    async fn unseen(&self, seen: &Seen) -> Result<Vec<Deployment>, EngineError> {
        let mut unseen: Vec<Deployment> = Vec::new();
        for page in 0.. {
            let query = DeploymentQuery {
                after: seen.from(),
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

    fn keep(&mut self, seen: Seen) {
        if let Err(error) = seen.save(&self.file) {
            tracing::warn!(file = %self.file.display(), %error, "cannot note which deployments were checked");
        }
        self.seen = Some(seen);
    }

    async fn judge(&self, deployment: &Deployment) -> Result<Option<Violation>, EngineError> {
        let judgement = self.bundle(deployment).await?.judge(&self.gate);
        judgement.log(deployment.name.as_deref().unwrap_or(&deployment.id));
        let mut findings = judgement.report.diagnostics;
        findings.retain(|it| it.severity == Severity::Error);
        if findings.is_empty() {
            return Ok(None);
        }
        let mut violation = Violation {
            deployment_id: deployment.id.clone(),
            name: deployment.name.clone(),
            source: deployment.source.clone(),
            report: Report::new(findings),
            definitions: Vec::new(),
            failures: Vec::new(),
        };
        self.act(&mut violation).await?;
        Ok(Some(violation))
    }

    /// The files that the engine takes for models.
    async fn bundle(&self, deployment: &Deployment) -> Result<Bundle, EngineError> {
        let mut models = Vec::new();
        for resource in self.engine.deployment_resources(&deployment.id).await? {
            if FileKind::of(&resource.name, b"") == FileKind::Other {
                continue;
            }
            let limit = deploy::MAX_BYTES as u64;
            let download = self
                .engine
                .deployment_resource(&deployment.id, &resource.id, limit)
                .await;
            let content = match download {
                Ok(download) => download.whole().await,
                Err(error) => Err(error),
            };
            let content = match content {
                // The gate shall refuse it as it refuses whatever is so large.
                Err(EngineError::TooLarge { .. }) => vec![b' '; deploy::MAX_BYTES + 1].into(),
                content => content?,
            };
            models.push(Model {
                file: resource.name.clone(),
                resource: resource.name,
                content,
            });
        }
        Ok(Bundle::new(deployment.id.clone(), models))
    }

    /// Suspends, where that is asked for, before it counts: what was started until then is all that ever runs.
    async fn act(&self, violation: &mut Violation) -> Result<(), EngineError> {
        let query = DefinitionQuery {
            deployment_id: Some(&violation.deployment_id),
            ..DefinitionQuery::default()
        };
        let findings = violation.report.diagnostics.iter();
        let wrong: BTreeSet<&str> = findings.map(|it| it.file.as_str()).collect();
        let mut definitions = self.engine.find_definitions(&query).await?;
        definitions.retain(|it| it.resource.as_deref().is_none_or(|file| wrong.contains(file)));
        let mut failures = Vec::new();
        for definition in &mut definitions {
            if self.settings.suspends && !definition.suspended {
                let id = DefinitionRef::Id(&definition.id);
                match self.engine.suspend_definition(id, true, true).await {
                    Ok(()) => definition.suspended = true,
                    Err(error) if error.is_unreachable() => return Err(error),
                    Err(error) => failures.push(format!(
                        "{} version {} cannot be suspended: {error}",
                        definition.key, definition.version
                    )),
                }
            }
        }
        violation.failures = failures;
        for definition in definitions {
            violation.definitions.push(self.count(definition).await);
        }
        Ok(())
    }

    async fn count(&self, definition: ProcessDefinition) -> Intruder {
        let all = RecordQuery {
            process_definition_id: Some(&definition.id),
            ..RecordQuery::default()
        };
        let ended = RecordQuery {
            finished: true,
            ..all.clone()
        };
        Intruder {
            // Not every login may read the history, and not every engine keeps one.
            started: self.engine.count_instance_records(&all).await.ok(),
            finished: self.engine.count_instance_records(&ended).await.ok(),
            suspended: definition.suspended,
            version: definition.version,
            key: definition.key,
            id: definition.id,
        }
    }
}
