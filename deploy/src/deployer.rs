//! From a bundle to definitions in the engine.

use std::collections::{BTreeMap, BTreeSet};

use bpmn::GateContext;
use diagnostics::{Diagnostic, Report};
use engine_client::{
    DeploymentQuery, DeploymentRequest, EngineClient, EngineError, ProcessDefinition, Resource,
};
use serde::Serialize;

use crate::Bundle;
use crate::refused::explain;

/// What a deployment brought.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    /// The deployment's id: an earlier one's where nothing had changed.
    pub deployment_id: String,
    /// The process definitions of the bundle, new and unchanged ones, by key.
    pub definitions: Vec<DeployedDefinition>,
    /// What is worth knowing all the same: warnings of the check and of the engine.
    pub diagnostics: Vec<Diagnostic>,
}

/// A process definition in the engine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DeployedDefinition {
    /// Its key: the process's id in the model.
    pub key: String,
    /// Its version, from 1.
    pub version: u32,
    /// Its id in the engine.
    pub id: String,
    /// Whether this deployment made it.
    pub new: bool,
}

/// A bundle that is not on the engine now. Nothing of it is.
#[derive(Debug, thiserror::Error)]
pub enum DeployError {
    /// The check found errors; nothing was sent.
    #[error("not deployed: {} in the models", errors(.0))]
    Findings(Report),
    /// The engine refused the models.
    #[error("not deployed: the engine refuses the models ({})", errors(.0))]
    Refused(Report),
    /// The engine could not be asked, or its answer is none.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

impl DeployError {
    /// The findings that say why, where the models are the reason.
    #[must_use]
    pub fn report(&self) -> Option<&Report> {
        match self {
            Self::Findings(report) | Self::Refused(report) => Some(report),
            Self::Engine(_) => None,
        }
    }
}

fn errors(report: &Report) -> String {
    match report.errors {
        1 => "1 error".to_owned(),
        several => format!("{several} errors"),
    }
}

/// Checks a bundle and deploys it in one transaction, under its own name where none is given. May be repeated: what
/// has not changed since the last deployment of that name stays as it is. Each exception that `gate` makes is logged.
///
/// Cancellation: whether the engine deploys what it was sent is unknown then; never half of it.
///
/// # Errors
/// Where the check or the engine finds errors in the models, and where the engine cannot be asked.
pub async fn deploy(
    engine: &EngineClient,
    bundle: &Bundle,
    name: Option<&str>,
    tenant: Option<&str>,
    gate: &GateContext,
) -> Result<Outcome, DeployError> {
    let judgement = bundle.judge(gate);
    if judgement.report.has_errors() {
        return Err(DeployError::Findings(judgement.report));
    }
    let name = name.unwrap_or(bundle.name());
    let resources = bundle.models().iter().map(|model| Resource {
        name: model.resource.clone(),
        content: model.content.clone(),
    });
    let request = DeploymentRequest {
        name,
        source: "procos",
        tenant_id: tenant,
        resources: resources.collect(),
        changed_only: !bundle.holds_together(),
    };
    let deployed = engine
        .deploy(&request)
        .await
        .map_err(|error| explain(bundle, error))?;
    judgement.log(name);
    let mut outcome = Outcome {
        deployment_id: deployed.id,
        definitions: Vec::new(),
        diagnostics: judgement.report.diagnostics,
    };
    let mut keys = bundle.keys();
    for definition in deployed.deployed_process_definitions.into_values() {
        keys.remove(&definition.key);
        outcome.definitions.push(DeployedDefinition::of(definition, true));
    }
    if !keys.is_empty() {
        unchanged(engine, &keys, name, tenant, &mut outcome).await?;
    }
    outcome.definitions.sort_by(|one, other| one.key.cmp(&other.key));
    Ok(outcome)
}

/// Adds what was there already, and a warning where something else has been deployed over it: the engine compares
/// with deployments of the same name alone, and would go on running the other.
async fn unchanged(
    engine: &EngineClient,
    keys: &BTreeMap<String, String>,
    name: &str,
    tenant: Option<&str>,
    outcome: &mut Outcome,
) -> Result<(), EngineError> {
    let of_this_name = DeploymentQuery {
        name: Some(name),
        ..DeploymentQuery::default()
    };
    let ours: BTreeSet<_> = engine
        .deployments(&of_this_name)
        .await?
        .into_iter()
        .map(|it| it.id)
        .collect();
    for definition in engine.latest_definitions(None).await? {
        let Some(file) = keys
            .get(&definition.key)
            .filter(|_| definition.tenant_id.as_deref() == tenant)
        else {
            continue;
        };
        if !definition
            .deployment_id
            .as_ref()
            .is_some_and(|id| ours.contains(id))
        {
            let (key, version) = (&definition.key, definition.version);
            let message = format!(
                "`{key}` has not changed since it was deployed as `{name}`, but version {version} in force comes from another deployment"
            );
            outcome.diagnostics.push(
                Diagnostic::warning("not-in-force", file, message)
                    .help("delete that deployment, or change the model to have it deployed anew"),
            );
        }
        outcome
            .definitions
            .push(DeployedDefinition::of(definition, false));
    }
    Ok(())
}

impl DeployedDefinition {
    fn of(definition: ProcessDefinition, new: bool) -> Self {
        Self {
            key: definition.key,
            version: definition.version,
            id: definition.id,
            new,
        }
    }
}
