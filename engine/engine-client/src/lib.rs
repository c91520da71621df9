//! A typed client of the REST API that the engines of the Camunda 7 family share (Camunda 7, Operaton, CIB
//! seven).
//!
//! [`EngineClient`] is cheap to clone and keeps its connections alive; build one and share it. Every call says
//! in its documentation whether it may be repeated after an error that leaves open whether the engine has
//! carried it out. Errors answer predicates ([`EngineError::is_not_found`] and the like) read from the status
//! and the code of the answer, never from its text: the engines word their messages differently.
//!
//! ```no_run
//! # async fn example() -> Result<(), engine_client::EngineError> {
//! use engine_client::{EngineClient, Login, Variable, Variables};
//!
//! let engine = EngineClient::new("http://127.0.0.1:8080/engine-rest".parse().unwrap(), Login::None)?;
//! let variables = Variables::from([("amount".to_owned(), Variable::Integer(2))]);
//! let instance = engine.start_instance("order-check", None, Some("4711"), &variables).await?;
//! println!("{}", instance.id);
//! # Ok(())
//! # }
//! ```

mod call;
mod client;
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
pub use external_task::{BpmnErrorReport, Completion, ExternalTask, FailureReport};
pub use fetch::{FetchRequest, FetchTopic, LockedTask};
pub use history::{
    ActivityRecord, ExternalTaskRecord, InstanceRecord, InstanceState, RecordQuery, VariableRecord,
};
pub use in_process::InProcess;
pub use instance::{InstanceQuery, ProcessInstance, TokenMove};
pub use limits::UnrepresentableValue;
pub use login::{Login, OAuth2};
pub use message::{CorrelationHit, MessageCorrelation};
pub use repository::{Deployed, Deployment, DeploymentRequest, ProcessDefinition, Resource};
pub use settings::ClientSettings;
pub use tls::Tls;
pub use trouble::{EventSubscription, Incident, Job};
pub use variable::{Encoded, TypedValue, Variable, Variables, encode};
