//! Why something could not be done through a port.

use crate::{Failure, TaskError};

/// Why a [`ProcessPort`](crate::ProcessPort) did not do what it was asked. `action` says what that was, such as
/// "start the process `order`".
///
/// As a [`Failure`] it is retried where [`Self::is_transient`], else it is permanent: also where the outcome is
/// unknown, since to repeat that unasked could do it twice.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PortError {
    /// No port to an engine belongs to this context.
    #[error("cannot {action}: no process engine is connected here")]
    NotConnected {
        /// What was asked.
        action: String,
    },
    /// The worker's login may not do it, or is refused.
    #[error("cannot {action}: the engine does not permit it to this login: {reason}")]
    NotPermitted {
        /// What was asked.
        action: String,
        /// What the engine said.
        reason: String,
    },
    /// No process of this key is deployed.
    #[error("cannot start the process `{key}`{}: none is deployed under this key", of_tenant(.tenant_id))]
    UnknownProcess {
        /// The key.
        key: String,
        /// The tenant asked for.
        tenant_id: Option<String>,
    },
    /// Nothing waits for the message.
    #[error("nothing waits for the message `{message}` {conditions}")]
    NoMatch {
        /// The message's name.
        message: String,
        /// With which keys it was looked for.
        conditions: String,
    },
    /// More than one waits for the message.
    #[error("more than one execution waits for the message `{message}` {conditions}")]
    Ambiguous {
        /// The message's name.
        message: String,
        /// With which keys it was looked for.
        conditions: String,
    },
    /// The topic leads to no adapter.
    #[error("cannot call the topic `{topic}`: it has no route in this worker")]
    NoRoute {
        /// The topic.
        topic: String,
    },
    /// Topics call one another too deeply.
    #[error("cannot call the topic `{topic}`: {depth} topics have called one another already")]
    TooDeep {
        /// The topic.
        topic: String,
        /// How deep the caller is.
        depth: u32,
    },
    /// The engine holds what it was given to be wrong; it has done nothing.
    #[error("cannot {action}: {reason}")]
    Rejected {
        /// What was asked.
        action: String,
        /// What is wrong.
        reason: String,
    },
    /// The engine did nothing, for a reason that may pass.
    #[error("cannot {action} now: {reason}")]
    Unavailable {
        /// What was asked.
        action: String,
        /// Why.
        reason: String,
    },
    /// No answer came: the engine may or may not have done it.
    #[error("it is not known whether the engine did {action}: {reason}")]
    OutcomeUnknown {
        /// What was asked.
        action: String,
        /// Why.
        reason: String,
    },
}

impl PortError {
    /// There is no port.
    pub(crate) fn not_connected(action: String) -> Self {
        Self::NotConnected { action }
    }

    /// Nothing waits for the message; whoever wants that starts a process now.
    #[must_use]
    pub fn is_no_match(&self) -> bool {
        matches!(self, Self::NoMatch { .. })
    }

    /// The login may not do it.
    #[must_use]
    pub fn is_not_permitted(&self) -> bool {
        matches!(self, Self::NotPermitted { .. })
    }

    /// Nothing was done, and the same later may succeed without anybody doing anything.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable { .. })
    }

    /// It may have been done. Repeat it only where twice is as good as once, such as a start with
    /// [`unless_there`](crate::StartProcess::unless_there).
    #[must_use]
    pub fn is_outcome_unknown(&self) -> bool {
        matches!(self, Self::OutcomeUnknown { .. })
    }

    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::NotConnected { .. } => {
                "give the context a port: the worker does; a test uses `TaskContext::with_processes`"
            }
            Self::NotPermitted { .. } => {
                "give procos a login that may start and steer processes: the kernel's, or for an attached engine \
                 the one under `engine.auth`"
            }
            Self::UnknownProcess { .. } => "deploy the process, or correct its key or tenant",
            Self::NoMatch { .. } => {
                "look whether an instance has come to the event that waits for it, and whether the keys are right"
            }
            Self::Ambiguous { .. } => {
                "name a business key or correlation keys that only one instance has, or send it to everyone"
            }
            Self::NoRoute { .. } => "add the topic under `routes`",
            Self::TooDeep { .. } => "look for topics that call one another in a circle",
            Self::Rejected { .. } => "correct what is sent",
            Self::Unavailable { .. } => "try again later",
            Self::OutcomeUnknown { .. } => "look in the engine whether it was done before doing it again",
        }
    }
}

fn of_tenant(tenant: &Option<String>) -> String {
    tenant
        .as_ref()
        .map(|tenant| format!(" of the tenant `{tenant}`"))
        .unwrap_or_default()
}

impl From<PortError> for Failure {
    fn from(error: PortError) -> Self {
        if error.is_transient() {
            Self::retryable(error.to_string())
        } else {
            Self::permanent(format!("{error}; {}", error.remedy()))
        }
    }
}

impl From<PortError> for TaskError {
    fn from(error: PortError) -> Self {
        Self::Failure(error.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Outcome, Retry};

    #[test]
    fn only_what_was_not_done_and_may_pass_is_tried_again() {
        let action = || "start the process `order`".to_owned();
        let reason = || "no".to_owned();
        let unavailable = PortError::Unavailable {
            action: action(),
            reason: reason(),
        };
        assert_eq!(Failure::from(unavailable).retry, Retry::ByPolicy);
        let unknown = PortError::OutcomeUnknown {
            action: action(),
            reason: reason(),
        };
        assert!(unknown.is_outcome_unknown() && !unknown.is_transient());
        let failure = Failure::from(unknown);
        assert_eq!(failure.retry, Retry::Never);
        assert!(failure.message.contains("look in the engine"), "{failure}");
    }

    #[test]
    fn an_adapter_passes_it_on_with_a_question_mark() {
        fn adapter() -> Outcome {
            Err(PortError::NoRoute { topic: "nope".into() })?
        }
        let error = adapter().unwrap_err().to_string();
        assert!(error.contains("`nope`") && error.contains("`routes`"), "{error}");
    }
}
