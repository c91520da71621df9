//! What a task or an inbound may ask of the process engine and of its own worker.

use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;

use crate::{Outcome, PortError, TaskContext, TopicDescription, Variables};

/// Starts processes, correlates messages, throws signals, and calls topics of the same worker.
///
/// The worker implements it; a task has it as [`TaskContext::processes`], an inbound as
/// [`InboundContext::processes`](crate::InboundContext). It is shared by all of them, so it holds no state of a
/// single one.
///
/// Cancellation: dropping a call's future does not take back what the engine has been sent; whether it was carried
/// out is unknown then.
#[async_trait]
pub trait ProcessPort: fmt::Debug + Send + Sync + 'static {
    /// Starts an instance of the latest version of a process. Returns when the engine has stored it, and the
    /// instance has come to its first wait state.
    ///
    /// # Errors
    /// [`PortError::UnknownProcess`] where nothing of this key is deployed; otherwise see [`PortError`].
    async fn start(&self, process: StartProcess) -> Result<Started, PortError>;

    /// Correlates a message: resumes what waits for it, or starts what begins with it. Hits nothing where it has reached
    /// somebody before: see [`Message::once_per`].
    ///
    /// # Errors
    /// [`PortError::NoMatch`] where nothing waits for it, [`PortError::Ambiguous`] where more than one thing does
    /// and [`Message::everyone`] is not set; nothing has happened then. Otherwise see [`PortError`].
    async fn correlate(&self, message: Message) -> Result<Vec<Hit>, PortError>;

    /// Throws a signal at everything that waits for it; that nothing does is no error.
    ///
    /// # Errors
    /// See [`PortError`].
    async fn signal(&self, signal: Signal) -> Result<(), PortError>;

    /// Runs the adapter that a topic is routed to, in this worker and within the calling task: no external task of
    /// the engine is made. It passes the same middleware as a task of its own would, ends with the caller's
    /// deadline or its route's timeout, whichever is first, and is cancelled with the caller. Nothing of its answer
    /// is written to the process.
    ///
    /// # Errors
    /// [`PortError::NoRoute`] and [`PortError::TooDeep`]: the call could not be made. What went wrong in a call that
    /// was made is its [`Outcome`].
    async fn call_topic(&self, caller: &TaskContext, call: TopicCall) -> Result<Outcome, PortError>;

    /// A file that was deployed together with the process that the calling task belongs to, such as a script: by its
    /// path, first from the folder of the model's own file, then from the deployment's root. None where the deployment has
    /// no such file. It never changes for a task: a new version of it comes with a new version of the process.
    ///
    /// # Errors
    /// [`PortError::Rejected`] where it is too large to be read whole; otherwise see [`PortError`].
    async fn resource(&self, caller: &TaskContext, path: &str) -> Result<Option<Bytes>, PortError>;

    /// How a process instance has ended; none while it has not. The engine tells it from its history, so at level `none` never.
    ///
    /// # Errors
    /// [`PortError::Rejected`] where the engine knows no such instance; otherwise see [`PortError`].
    async fn ended(&self, process_instance_id: &str) -> Result<Option<Ended>, PortError> {
        Err(PortError::not_connected(format!(
            "look at the process instance {process_instance_id}"
        )))
    }

    /// What a topic that can be called does, with the schemas of its inputs and its answer; none where it has no
    /// route.
    fn topic(&self, topic: &str) -> Option<TopicDescription>;
}

/// A process to be started.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StartProcess {
    /// The process definition's key.
    pub key: String,
    /// The tenant whose definition is meant; without one, the definition that belongs to none.
    pub tenant_id: Option<String>,
    /// The business key of the new instance.
    pub business_key: Option<String>,
    /// Its variables.
    pub variables: Variables,
    /// Whether an instance of this process with this business key, running or over, is found instead of starting
    /// another. One who may have to start again after an error, such as an inbound that did not hear whether the
    /// engine took a message, sets it. The engine has no such constraint of its own: two workers that start the same
    /// key in the same moment can both succeed.
    pub unless_there: bool,
}

impl StartProcess {
    /// An instance of the process of this key.
    #[must_use]
    pub fn new(key: impl Into<String>) -> Self {
        Self {
            key: key.into(),
            ..Self::default()
        }
    }

    /// Sets the business key.
    #[must_use]
    pub fn business_key(mut self, key: impl Into<String>) -> Self {
        self.business_key = Some(key.into());
        self
    }

    /// Sets the business key, and that an instance which has it is found instead.
    #[must_use]
    pub fn once_per(self, business_key: impl Into<String>) -> Self {
        let mut start = self.business_key(business_key);
        start.unless_there = true;
        start
    }

    /// Adds variables.
    #[must_use]
    pub fn variables(mut self, variables: Variables) -> Self {
        self.variables.extend(variables);
        self
    }
}

/// A started process instance, or one that was there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Started {
    /// The process instance's id.
    pub process_instance_id: String,
    /// Whether it is new. Otherwise an instance with the business key was there, and got none of the variables.
    pub new: bool,
}

/// A process instance that has ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Ended {
    /// Whether it has come to its end; else it was ended before, from outside or by its model.
    pub completed: bool,
    /// Its process variables at the end. Files are without their content.
    pub variables: Variables,
}

/// A message to be correlated.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Message {
    /// The message's name.
    pub name: String,
    /// Only an instance with this business key; for a message start, the key of the new instance.
    pub business_key: Option<String>,
    /// Only an instance of this tenant.
    pub tenant_id: Option<String>,
    /// Only this process instance. Nothing is started then.
    pub process_instance_id: Option<String>,
    /// Only an instance whose process variables have these values. Plain values: text, whole numbers, doubles,
    /// booleans, dates and null.
    pub correlation_keys: Variables,
    /// Process variables for the instance that is hit.
    pub variables: Variables,
    /// Whether everyone who waits for it gets it; else it is an error where more than one does.
    pub everyone: bool,
    /// The id under which its sender sends it, also where it sends it again: what has reached an instance with this id
    /// before reaches none again. The engine keeps it with the instance, as long as it keeps the instance's history. Two
    /// workers that take the same message in the same moment can both give it to somebody.
    pub once_per: Option<String>,
}

impl Message {
    /// A message of this name, for the one that waits for it.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            ..Self::default()
        }
    }

    /// Only for an instance with this business key.
    #[must_use]
    pub fn business_key(mut self, key: impl Into<String>) -> Self {
        self.business_key = Some(key.into());
        self
    }

    /// Sets the id by which it is known where it comes again.
    #[must_use]
    pub fn once_per(mut self, id: impl Into<String>) -> Self {
        self.once_per = Some(id.into());
        self
    }

    /// Adds variables.
    #[must_use]
    pub fn variables(mut self, variables: Variables) -> Self {
        self.variables.extend(variables);
        self
    }
}

/// What a message hit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hit {
    /// An execution of this process instance waited for it, and goes on.
    Resumed {
        /// The process instance's id.
        process_instance_id: String,
    },
    /// A message start: this instance was started.
    Started {
        /// The new process instance's id.
        process_instance_id: String,
    },
}

impl Hit {
    /// The instance that was hit or started.
    #[must_use]
    pub fn process_instance_id(&self) -> &str {
        match self {
            Self::Resumed { process_instance_id } | Self::Started { process_instance_id } => {
                process_instance_id
            }
        }
    }
}

/// A signal to be thrown.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Signal {
    /// The signal's name.
    pub name: String,
    /// Only for those of this tenant.
    pub tenant_id: Option<String>,
    /// Process variables for every instance that is hit.
    pub variables: Variables,
}

/// A topic that a task calls.
#[derive(Clone, Debug, PartialEq)]
pub struct TopicCall {
    /// The topic.
    pub topic: String,
    /// Names this call among those of its task, such as `tool-3`. It is part of the call's
    /// [idempotency key](TaskContext::idempotency_key), so the same call of a later attempt has the same.
    pub key: String,
    /// The inputs, in place of a model's input parameters. What the route fixes wins over them.
    pub inputs: Variables,
}

impl TopicCall {
    /// A call without inputs.
    #[must_use]
    pub fn new(topic: impl Into<String>, key: impl Into<String>) -> Self {
        Self {
            topic: topic.into(),
            key: key.into(),
            inputs: Variables::new(),
        }
    }

    /// Adds inputs.
    #[must_use]
    pub fn inputs(mut self, inputs: Variables) -> Self {
        self.inputs.extend(inputs);
        self
    }
}

/// A port that leads nowhere and says so: what a [`TaskContext`] has until it is given one.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoProcesses;

#[async_trait]
impl ProcessPort for NoProcesses {
    async fn start(&self, process: StartProcess) -> Result<Started, PortError> {
        Err(PortError::not_connected(format!(
            "start the process `{}`",
            process.key
        )))
    }

    async fn correlate(&self, message: Message) -> Result<Vec<Hit>, PortError> {
        Err(PortError::not_connected(format!(
            "correlate the message `{}`",
            message.name
        )))
    }

    async fn signal(&self, signal: Signal) -> Result<(), PortError> {
        Err(PortError::not_connected(format!(
            "throw the signal `{}`",
            signal.name
        )))
    }

    async fn call_topic(&self, _caller: &TaskContext, call: TopicCall) -> Result<Outcome, PortError> {
        Err(PortError::not_connected(format!(
            "call the topic `{}`",
            call.topic
        )))
    }

    async fn resource(&self, _caller: &TaskContext, path: &str) -> Result<Option<Bytes>, PortError> {
        Err(PortError::not_connected(format!(
            "read the file `{path}` of the process's deployment"
        )))
    }

    fn topic(&self, _topic: &str) -> Option<TopicDescription> {
        None
    }
}
