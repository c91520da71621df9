//! What an adapter sees of ProcOS: the task it is given, the answer it gives, and nothing of the engine.
//!
//! An adapter implements [`Adapter`]. The worker hands it a [`TaskContext`] for each external task of a topic
//! that is routed to it and reports the [`Outcome`] to the engine: an [`Answer`] completes the task, a
//! [`BpmnError`] is thrown in the process, a [`Failure`] is retried or becomes an incident. What an adapter does that must
//! not be done twice ([`Effect::Once`]) is written down in the engine before and after it.
//!
//! By its [`ProcessPort`] a task starts processes, correlates messages and calls other topics. An [`Inbound`] does so
//! for what comes from outside. [`Middleware`] and [`Policy`] stand around every task.
//!
//! ```
//! use worker_api::{Adapter, AdapterDescription, Answer, Effect, Outcome, TaskContext, TopicDescription, async_trait};
//!
//! /// Greets people.
//! struct Greeter;
//!
//! /// What the task is given.
//! #[derive(serde::Deserialize, schemars::JsonSchema)]
//! struct Greeting {
//!     /// Whom to greet.
//!     name: String,
//! }
//!
//! #[async_trait]
//! impl Adapter for Greeter {
//!     fn description(&self) -> AdapterDescription {
//!         AdapterDescription::new("greeter", "Greets people")
//!             .topic(TopicDescription::new::<Greeting, serde_json::Value>("greet", "Greets a person by name"))
//!     }
//!
//!     fn effect(&self, _: &TaskContext) -> Effect {
//!         Effect::Repeatable
//!     }
//!
//!     async fn execute(&self, context: TaskContext) -> Outcome {
//!         let greeting: Greeting = context.inputs()?;
//!         Ok(Answer::new().with("text", format!("Hello {}", greeting.name)))
//!     }
//! }
//! ```

mod adapter;
mod connections;
mod content;
mod context;
mod dispatch;
pub mod duration;
mod effect;
mod error_map;
mod flexible;
mod guards;
mod inbound;
mod middleware;
mod outcome;
mod policy;
mod port;
mod port_error;
mod retry;
mod route;
mod security;
pub mod size;
mod trace;
mod value;

pub use adapter::{Adapter, AdapterDescription, Choice, ErrorCode, TopicDescription};
pub use async_trait::async_trait;
pub use connections::{Connections, SettingsError};
pub use content::{Content, ContentSource, ContentStream};
pub use context::{Task, TaskContext};
pub use dispatch::{Dispatch, EventSink, Lead, Offer, ProcessEvent};
pub use effect::{Effect, Inquiry, Ledger, NoLedger, Noted, OUTCOME_UNKNOWN};
pub use error_map::{Becomes, ErrorMap, InvalidErrorMap};
pub use flexible::{flexible, structured};
pub use guards::{Breaker, Cache, Guards, Rate};
pub use inbound::{Inbound, InboundContext};
pub use middleware::{Middleware, Next};
pub use outcome::{Answer, BpmnError, Failure, Outcome, Postponed, Retry, TaskError};
pub use policy::{AllowAll, Grant, POLICY_REFUSED, Policy, PolicyError};
pub use port::{Ended, Hit, Message, NoProcesses, ProcessPort, Signal, StartProcess, Started, TopicCall};
pub use port_error::PortError;
pub use retry::{InvalidRetryPolicy, RetryPolicy, parse_duration};
pub use route::{Route, Router};
pub use security::{DataClassification, ProcessSecurity, SandboxLevel};
pub use size::parse_size;
pub use trace::TraceContext;
pub use value::{File, Value, Variables};
