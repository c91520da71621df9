//! Which tasks may run at all.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use crate::{ProcessSecurity, SandboxLevel, TaskContext};

/// Decides for each attempt at a task whether it may run, before its adapter sees it. Topics that a task calls are
/// asked for, too.
#[async_trait]
pub trait Policy: fmt::Debug + Send + Sync + 'static {
    /// Its name, for the incident of a task that it refuses.
    fn name(&self) -> &str;

    /// Whether the task may run. On the hot path: what has to be read for it is to be kept.
    ///
    /// # Errors
    /// [`PolicyError`] where it may not, or where that cannot be told now. The task does not run then.
    async fn check(&self, context: &TaskContext) -> Result<Grant, PolicyError>;
}

/// On which terms a task may run. What is here is in the task's context from the policy on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grant {
    /// The sandbox has to be this strict at least: [`TaskContext::sandbox_level`].
    pub sandbox_level: Option<SandboxLevel>,
    /// What the process says about itself: [`TaskContext::security`].
    pub security: Option<Arc<ProcessSecurity>>,
}

/// The code of the [`Failure`](crate::Failure) that a refusal is. It is an incident whatever the model's error map
/// says: a model must not be able to hide that it has tried what it may not.
pub const POLICY_REFUSED: &str = "POLICY_REFUSED";

/// Why a policy does not let a task run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// It may not: an incident with this reason, without another attempt. The reason says what to do.
    #[error("{0}")]
    Refused(String),
    /// It cannot be told now, such as where the model cannot be read: tried again as the task's retry policy says.
    #[error("{0}")]
    Undecided(String),
    /// Whom it has to ask is not there: the task is given back and offered again, which counts as no attempt.
    #[error("{0}")]
    Unavailable(String),
}

/// The policy that lets everything run.
#[derive(Clone, Copy, Debug, Default)]
pub struct AllowAll;

#[async_trait]
impl Policy for AllowAll {
    fn name(&self) -> &'static str {
        "allow all"
    }

    async fn check(&self, _context: &TaskContext) -> Result<Grant, PolicyError> {
        Ok(Grant::default())
    }
}
