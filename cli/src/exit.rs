//! How a command ends: the exit status that scripts rely on, and what a person reads.

use std::fmt;
use std::process::ExitCode;

use engine_client::{EngineError, Refusal};

/// The exit status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    /// Done.
    Done = 0,
    /// It ran and the answer is no.
    No = 1,
    /// Wrong usage or configuration, a file that is not there, a login refused.
    Usage = 2,
    /// The engine cannot be reached, or does not boot.
    Unreachable = 3,
}

impl From<Status> for ExitCode {
    fn from(status: Status) -> Self {
        Self::from(status as u8)
    }
}

/// Why a command did not do what it was asked to: said on stderr, with `--json` also on stdout as
/// `{"error": …}`. A command whose answer is a no that it has already told returns [`Status::No`] instead.
#[derive(Debug)]
pub(crate) struct Trouble {
    /// The exit status it leads to.
    pub status: Status,
    /// What is wrong, where, and what to do about it. May have several lines.
    pub message: String,
}

impl Trouble {
    /// The answer is no: status 1.
    pub(crate) fn no(message: impl Into<String>) -> Self {
        Self::new(Status::No, message)
    }

    /// Wrong usage or configuration: status 2.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Status::Usage, message)
    }

    /// No engine: status 3.
    pub(crate) fn unreachable(message: impl Into<String>) -> Self {
        Self::new(Status::Unreachable, message)
    }

    fn new(status: Status, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl std::error::Error for Trouble {}

impl From<EngineError> for Trouble {
    fn from(error: EngineError) -> Self {
        if error.is_unauthorized() {
            return Self::usage(format!(
                "{error}; the login comes from the data directory (--data-dir) of the `procos up` that runs, \
                 or from engine.auth"
            ));
        }
        if let EngineError::TimedOut { .. } = error {
            return Self::unreachable(format!(
                "{error}; it may be busy and still do what it was asked to: look with `procos status` and \
                 `procos ps` before you try again"
            ));
        }
        if error.is_unreachable() {
            return Self::unreachable(format!("{error}; start it with `procos up`, or set engine.url"));
        }
        match error {
            EngineError::Refused(refusal) if is_not_an_engine(&refusal) => Self::unreachable(format!(
                "{refusal}, and not in the way of an engine: something else may answer at that address; check engine.url"
            )),
            EngineError::Setup { .. } => Self::usage(error.to_string()),
            EngineError::Unexpected { .. } => Self::unreachable(error.to_string()),
            _ => Self::no(error.to_string()),
        }
    }
}

/// An engine names the type of each of its errors. One that cannot even read the call's path gives a bare 400.
fn is_not_an_engine(refusal: &Refusal) -> bool {
    refusal.kind.is_empty() && refusal.status.as_u16() != 400
}

impl From<crate::config::ConfigError> for Trouble {
    fn from(error: crate::config::ConfigError) -> Self {
        Self::usage(error.to_string())
    }
}

impl From<secrets::SecretError> for Trouble {
    fn from(error: secrets::SecretError) -> Self {
        Self::usage(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_engine_that_is_slow_is_not_taken_for_one_that_is_away() {
        let error = EngineError::TimedOut {
            url: "http://e/engine-rest/deployment/create".to_owned(),
            after: std::time::Duration::from_secs(30),
        };
        let trouble = Trouble::from(error);
        assert_eq!(trouble.status, Status::Unreachable);
        assert!(trouble.message.contains("may be busy"), "{trouble}");
        assert!(!trouble.message.contains("procos up"), "{trouble}");
    }
}
