//! Which tasks may run at all.

use std::fmt;

use async_trait::async_trait;

use crate::TaskContext;

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
    async fn check(&self, context: &TaskContext) -> Result<(), PolicyError>;
}

/// Why a policy does not let a task run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// It may not: an incident with this reason, without another attempt. The reason says what to do.
    #[error("{0}")]
    Refused(String),
    /// It cannot be told now, such as where the model cannot be read: tried again as the task's retry policy says.
    #[error("{0}")]
    Undecided(String),
}

/// The policy that lets everything run.
#[derive(Clone, Copy, Debug, Default)]
pub struct AllowAll;

#[async_trait]
impl Policy for AllowAll {
    fn name(&self) -> &'static str {
        "allow all"
    }

    async fn check(&self, _context: &TaskContext) -> Result<(), PolicyError> {
        Ok(())
    }
}
