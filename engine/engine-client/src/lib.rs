#![doc = include_str!("../README.md")]

mod call;
mod client;
mod count;
mod date;
mod definition;
mod deployment;
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
mod job;
pub mod limits;
mod login;
mod message;
mod metrics;
mod report;
mod scope;
mod settings;
mod start;
mod tenant;
mod tls;
mod token;
mod transport;
mod trouble;
mod variable;

pub use client::EngineClient;
pub use definition::{DefinitionQuery, ProcessDefinition, Statistics};
pub use deployment::{
    Deployed, DeployedResource, Deployment, DeploymentMade, DeploymentQuery, DeploymentRequest, Resource,
};
pub use download::Download;
pub use error::{EngineError, ModelProblem, Refusal, TokenError};
pub use external_task::{ExternalTask, ExternalTaskQuery};
pub use fetch::{FetchOrder, FetchRequest, FetchTopic, LockedTask};
pub use history::{
    ActivityRecord, ExternalTaskRecord, InstanceRecord, InstanceState, RecordQuery, VariableRecord,
};
pub use in_process::InProcess;
pub use instance::{InstanceQuery, ProcessInstance, TokenMove};
pub use job::{Job, JobQuery};
pub use limits::UnrepresentableValue;
pub use login::{Login, OAuth2};
pub use message::{CorrelationHit, MessageCorrelation, WaitingExecution};
pub use metrics::{MetricInterval, MetricQuery};
pub use report::{BpmnErrorReport, Completion, FailureReport};
pub use scope::{Scope, Upload};
pub use settings::ClientSettings;
pub use start::{DefinitionRef, StartInstruction, StartRequest, StartedInstance};
pub use tenant::Tenant;
pub use tls::Tls;
pub use trouble::{EventSubscription, Incident};
pub use variable::{Encoded, TypedValue, Variable, Variables, encode};
