//! What is done about a deployment that the gate refuses.

use std::collections::BTreeSet;

use deploy::{Bundle, FileKind, Model, Report, Severity};
use engine_client::{
    DefinitionQuery, DefinitionRef, Deployment, EngineError, InstanceQuery, ProcessDefinition, RecordQuery,
};

use super::{Intruder, Violation, Watch};

impl Watch {
    pub(super) async fn judge(
        &self,
        deployment: &Deployment,
        again: bool,
    ) -> Result<Option<Violation>, EngineError> {
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
            again,
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
        // A decision or a case cannot be suspended, but the processes that came with it to use it can.
        let others: Vec<&&str> = wrong
            .iter()
            .filter(|it| FileKind::of(it, b"") != FileKind::Bpmn)
            .collect();
        if others.is_empty() {
            definitions.retain(|it| it.resource.as_deref().is_none_or(|file| wrong.contains(file)));
        }
        let mut failures = Vec::new();
        if self.settings.suspends {
            failures.extend(others.into_iter().map(|file| {
                format!("{file} cannot be suspended, and can be used from elsewhere: delete the deployment in Cockpit")
            }));
        }
        for definition in &mut definitions {
            // Also one that is suspended: it may be so only until a date that was given with it, or have an instance
            // that is not.
            if self.settings.suspends {
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

    /// Whether any of these definitions is active, or has an instance that is; nothing where none of them is there any
    /// more.
    pub(super) async fn goes_on(
        &self,
        deployment: &str,
        ids: &BTreeSet<String>,
    ) -> Result<Option<bool>, EngineError> {
        let query = DefinitionQuery {
            deployment_id: Some(deployment),
            ..DefinitionQuery::default()
        };
        let mut definitions = self.engine.find_definitions(&query).await?;
        definitions.retain(|it| ids.contains(&it.id));
        if definitions.is_empty() {
            return Ok(None);
        }
        for definition in definitions {
            let active = InstanceQuery {
                process_definition_id: Some(&definition.id),
                active: true,
                ..InstanceQuery::default()
            };
            if !definition.suspended || self.engine.count_instances(&active).await? > 0 {
                return Ok(Some(true));
            }
        }
        Ok(Some(false))
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
