//! Fetches, locks and runs the external tasks of an engine of the Camunda 7 family.
//!
//! A [`WorkerPool`] keeps one long poll for many topics open, runs each task by the adapter that its topic is
//! routed to, in as many slots as it has, extends the locks while handlers run and reports every outcome until
//! the engine has taken or refused it.
//!
//! What holds, and where it is decided:
//! - No more tasks are locked than there are free slots (`pool`).
//! - A task runs at most once at a time here, and its handler is cancelled when its lock is lost (`ledger`).
//! - A business error is thrown only where the process catches it, else it is an incident (`definitions`).
//! - Retries and their delays follow the task's policy (`verdict`).
//! - A report is repeated until the engine has taken or refused it (`report`).
//! - What a killed worker had locked is found and unlocked by the next one (`journal`).

mod attempt;
mod backoff;
mod convert;
mod definitions;
mod event;
mod journal;
mod ledger;
mod nudge;
mod pool;
mod report;
mod settings;
mod verdict;

pub use event::{Ended, Event, Observer};
pub use pool::{DrainReport, StartError, WorkerPool};
pub use settings::PoolSettings;
