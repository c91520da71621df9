#![doc = include_str!("../README.md")]

mod call;
mod client;
mod count;
mod date;
mod download;
mod environment;
mod error;
mod external_task;
#[cfg(feature = "fake")]
pub mod fake;
mod fetch;
mod history;
mod in_process;
mod instance;
pub mod limits;
mod login;
mod message;
mod report;
mod repository;
mod settings;
mod tls;
mod token;
mod transport;
mod trouble;
mod variable;

pub use client::EngineClient;
pub use download::Download;
pub use error::{EngineError, ModelProblem, Refusal, TokenError};
pub use external_task::{ExternalTask, ExternalTaskQuery};
pub use fetch::{FetchOrder, FetchRequest, FetchTopic, LockedTask};
pub use history::{
    ActivityRecord, ExternalTaskRecord, InstanceRecord, InstanceState, RecordQuery, VariableRecord,
};
pub use in_process::InProcess;
pub use instance::{InstanceQuery, ProcessInstance, TokenMove};
pub use limits::UnrepresentableValue;
pub use login::{Login, OAuth2};
pub use message::{CorrelationHit, MessageCorrelation};
pub use report::{BpmnErrorReport, Completion, FailureReport};
pub use repository::{Deployed, Deployment, DeploymentRequest, ProcessDefinition, Resource};
pub use settings::ClientSettings;
pub use tls::Tls;
pub use trouble::{EventSubscription, Incident, Job};
pub use variable::{Encoded, TypedValue, Variable, Variables, encode};
