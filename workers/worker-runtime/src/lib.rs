#![doc = include_str!("../README.md")]

// Where what holds is decided:
// - No more tasks are locked than there are slots and a stated number ahead of them; limits of topics hold, and a topic
//   with a long queue starves no other (`protocol`).
// - Tasks come by polls of the engine, or by offers (`offered`).
// - A task runs at most once at a time here, and its handler is cancelled when its lock is lost (`protocol`).
// - A task runs only where its process's own policy allows it, in the sandbox that it asks for (`chain/model_policy`).
// - A business error is thrown only where the process catches it, else it is an incident (`definitions`).
// - Retries and their delays follow the task's policy (`verdict`).
// - A report is repeated until the engine has taken or refused it, as many at once as the engine takes best
//   (`protocol`, `throttle`).
// - What a killed worker had locked is found and unlocked by the next one (`journal`).

mod attempt;
mod backoff;
mod chain;
mod clock;
mod convert;
mod definitions;
mod details;
mod drive;
mod event;
mod handler;
mod inbound;
mod journal;
mod ledger;
mod nudge;
mod offered;
mod pool;
mod port;
mod prepare;
mod protocol;
mod report;
mod settings;
mod throttle;
mod verdict;
mod worker;

// What a program with a worker needs of the crates below, so that it can do with this one.
pub use engine_client::{EngineClient, EngineError, Login};
pub use worker_api::{
    Adapter, AdapterDescription, Answer, BpmnError, Effect, ErrorCode, Failure, File, Inquiry,
    OUTCOME_UNKNOWN, Outcome, Postponed, Retry, RetryPolicy, Task, TaskContext, TaskError, TopicDescription,
    Value, Variables, async_trait, flexible, structured,
};

pub use chain::{Chain, ChainBuilder, Concurrency, ModelPolicy, PolicyDefaults};
pub use definitions::Definitions;
pub use event::{Ended, Event, Observer};
pub use handler::{Handler, HandlerError, HandlerResult};
pub use inbound::{InboundHealth, InboundState, Inbounds};
pub use ledger::{EFFECT_VARIABLE, is_effect_note};
pub use pool::{DrainReport, StartError, WorkerPool};
pub use port::EnginePort;
pub use settings::{PoolSettings, Subscription};
pub use worker::{Topic, Worker, WorkerBuilder, WorkerError};

/// The snippets of the guides are compiled and run, too.
#[cfg(doctest)]
mod guides {
    #[doc = include_str!("../../../docs/rust-worker.md")]
    struct WriteAWorker;

    #[doc = include_str!("../../../docs/rust-adapter.md")]
    struct TestAnAdapter;
}
