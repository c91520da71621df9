//! What a worker and the launcher say to each other, as JSON.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::{Limits, SandboxError, Script, SelfTest};

/// Where runs are asked for.
pub(super) const RUNS: &str = "/runs";

/// What a request may be at most, in bytes: a script with its inputs and files.
pub(super) const MOST: usize = 64 << 20;

/// What the launcher is.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Welcome {
    /// Its version.
    pub(super) version: Cow<'static, str>,
    /// What its backend has stopped.
    pub(super) self_test: SelfTest,
    /// What a run may use at most.
    pub(super) limits: Limits,
}

/// A run that is asked for: a script and its limits, and nothing that says how it is kept in.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RunRequest {
    pub(super) script: Script,
    pub(super) limits: Limits,
}

/// The same, without taking them.
#[derive(Debug, Serialize)]
pub(super) struct RunRequestRef<'a> {
    pub(super) script: &'a Script,
    pub(super) limits: &'a Limits,
}

/// Why there is no report.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "error", rename_all = "snake_case")]
pub(super) enum Failure {
    /// The request is none that is answered.
    Request { said: String },
    /// [`SandboxError::Order`].
    Order { said: String },
    /// [`SandboxError::Start`].
    Start {
        backend: String,
        what: String,
        said: String,
    },
    /// [`SandboxError::Lost`].
    Lost { backend: String, said: String },
    /// [`SandboxError::Refused`].
    Refused { said: String },
}

impl From<SandboxError> for Failure {
    fn from(error: SandboxError) -> Self {
        match error {
            SandboxError::Order(said) => Self::Order { said },
            SandboxError::Start { backend, what, said } => Self::Start {
                backend: backend.to_owned(),
                what,
                said,
            },
            SandboxError::Lost { backend, said } => Self::Lost {
                backend: backend.to_owned(),
                said,
            },
            SandboxError::Refused(said) => Self::Refused { said },
        }
    }
}

impl From<Failure> for SandboxError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Request { said } => {
                Self::Refused(format!("the launcher does not take the request: {said}"))
            }
            Failure::Order { said } => Self::Order(said),
            Failure::Start { backend, what, said } => Self::Start {
                backend: known(&backend),
                what,
                said,
            },
            Failure::Lost { backend, said } => Self::Lost {
                backend: known(&backend),
                said,
            },
            Failure::Refused { said } => Self::Refused(said),
        }
    }
}

/// The backend's name, where it is one that we know.
fn known(backend: &str) -> &'static str {
    // By its name: not every system has the backend itself.
    let known = ["bubblewrap", crate::docker::NAME];
    known.into_iter().find(|name| *name == backend).unwrap_or(NAME)
}

/// What stands for a backend that only the launcher knows.
pub(super) const NAME: &str = "launcher";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_arrive_as_they_were() {
        for error in [
            SandboxError::Order("o".to_owned()),
            SandboxError::Start {
                backend: "docker",
                what: "w".to_owned(),
                said: "s".to_owned(),
            },
            SandboxError::Lost {
                backend: "bubblewrap",
                said: "s".to_owned(),
            },
            SandboxError::Refused("r".to_owned()),
        ] {
            let json = serde_json::to_string(&Failure::from(error.clone())).unwrap();
            let failure: Failure = serde_json::from_str(&json).unwrap();
            assert_eq!(SandboxError::from(failure), error, "{json}");
        }
    }
}
