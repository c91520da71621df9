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
mod handler;
mod journal;
mod ledger;
mod nudge;
mod pool;
mod report;
mod settings;
mod verdict;
mod worker;

// What a program with a worker needs of the crates below, so that it can do with this one.
pub use engine_client::{EngineClient, EngineError, Login};
pub use worker_api::{
    Adapter, AdapterDescription, Answer, BpmnError, ErrorCode, Failure, File, Outcome, Postponed, Retry, RetryPolicy,
    Task, TaskContext, TaskError, TopicDescription, Value, Variables, async_trait, flexible, structured,
};

pub use event::{Ended, Event, Observer};
pub use handler::{Handler, HandlerError, HandlerResult};
pub use pool::{DrainReport, StartError, WorkerPool};
pub use settings::PoolSettings;
pub use worker::{Topic, Worker, WorkerBuilder, WorkerError};
