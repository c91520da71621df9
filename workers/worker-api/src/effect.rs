//! What a task does outside, and what is known of it after its worker has died.
//!
//! A worker can die between any two of its steps. Where a task only reads or computes it is simply run again. Where it
//! sends what must not be sent twice, the worker writes down in the engine that it is about to ([`Ledger::intend`]), and
//! afterwards what came of it ([`Ledger::receive`]). A task that is found with a receipt completes with it; one that is
//! found with an intent and no receipt raises [`OUTCOME_UNKNOWN`].

use std::fmt::Debug;

use async_trait::async_trait;
use serde::Serialize;

use crate::{Answer, Failure};

/// The BPMN error of a task that may or may not have done what must not be done twice. Where the process does not catch
/// it, it is an incident; giving the task a new attempt there is the operator's word that it be done (again).
pub const OUTCOME_UNKNOWN: &str = "OUTCOME_UNKNOWN";

/// What happens outside where a task is run: whether an attempt whose end nobody knows may be repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Nothing that matters where it happens twice: reading, computing, writing the same once more, or sending to a
    /// service that knows the [idempotency key](crate::TaskContext::idempotency_key) again.
    Repeatable,
    /// Something that must not happen twice in silence: an email, a payment, a message.
    Once,
}

/// What a service says when it is asked what came of an attempt.
#[derive(Clone, Debug, PartialEq)]
pub enum Inquiry {
    /// It cannot be asked, or does not know.
    Unknown,
    /// Nothing was done: the task may be run.
    NotDone,
    /// It was done, with this answer.
    Done(Answer),
}

/// What was written down of an effect when the task was fetched.
#[derive(Clone, Debug, PartialEq)]
pub enum Noted {
    /// Nothing, or that it may be done again.
    Nothing,
    /// That it was about to happen: when, by which worker.
    Intent {
        /// The moment, as RFC 3339 text.
        at: String,
        /// The worker's id.
        worker: String,
    },
    /// What came of it.
    Receipt(Answer),
}

/// Where the effects of one task are written down: in the engine, where every worker sees them. Effects are told apart
/// by their idempotency keys. For who writes a worker or a middleware; adapters have nothing to do with it.
#[async_trait]
pub trait Ledger: Debug + Send + Sync + 'static {
    /// What was written down when the task was fetched.
    ///
    /// # Errors
    /// Where that cannot be found out: the effect must not happen then.
    async fn noted(&self, key: &str) -> Result<Noted, Failure>;

    /// Writes down that the effect is about to happen. Returns when the engine has it.
    ///
    /// # Errors
    /// Where it cannot be written down: the effect must not happen then.
    async fn intend(&self, key: &str) -> Result<(), Failure>;

    /// Writes down what came of it. That this fails is no reason to hold the answer back: it is told in the log.
    async fn receive(&self, key: &str, answer: &Answer);

    /// Writes down that nothing has happened after all: for what goes on without a report to the engine.
    async fn forget(&self, key: &str);

    /// Nothing has happened after all. Where the task fails that is written down together with the failure, so that a worker that
    /// dies before leaves the intent.
    fn undo(&self, key: &str);

    /// The outcome of this effect is unknown. Where the task ends as an incident, or is tried again because its model
    /// says so, that is written down together with it, and the next attempt may do it.
    fn lose(&self, key: &str);
}

/// A ledger that keeps nothing: for tests of adapters and for topics that have no task in an engine.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoLedger;

#[async_trait]
impl Ledger for NoLedger {
    async fn noted(&self, _: &str) -> Result<Noted, Failure> {
        Ok(Noted::Nothing)
    }

    async fn intend(&self, _: &str) -> Result<(), Failure> {
        Ok(())
    }

    async fn receive(&self, _: &str, _: &Answer) {}

    async fn forget(&self, _: &str) {}

    fn undo(&self, _: &str) {}

    fn lose(&self, _: &str) {}
}
