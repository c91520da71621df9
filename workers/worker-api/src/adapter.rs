//! The interface of an adapter, and what it says about itself.

use async_trait::async_trait;
use schemars::{JsonSchema, Schema, schema_for};
use serde::Serialize;

use crate::{Effect, Inquiry, Outcome, TaskContext};

/// Connects topics to something outside the engine. One instance serves all tasks of its topics at once, so it
/// holds no state of a single task.
#[async_trait]
pub trait Adapter: Send + Sync + 'static {
    /// What the adapter says about itself: the source of `procos adapters`, of element templates and of docs.
    fn description(&self) -> AdapterDescription;

    /// What running this task does outside, asked before it is run. Deliberately without a default: whoever writes an
    /// adapter has to answer. Where the inputs make no sense, either will do: [`execute`](Self::execute) is what says so.
    fn effect(&self, context: &TaskContext) -> Effect;

    /// Asks the service what came of an attempt whose end nobody knows, by the task's
    /// [idempotency key](TaskContext::idempotency_key). Called for [`Effect::Once`] alone; has the same time as a task.
    async fn inquire(&self, _context: &TaskContext) -> Inquiry {
        Inquiry::Unknown
    }

    /// Runs one attempt at a task.
    ///
    /// Of an effect that is to happen [once](Effect::Once), an answer says that it has happened, and a BPMN error that
    /// the service has refused it. A failure leaves open whether it has, and the task becomes
    /// [`OUTCOME_UNKNOWN`](crate::OUTCOME_UNKNOWN), unless the failure says that
    /// [nothing was done](crate::Failure::nothing_done).
    ///
    /// Cancellation: the future is dropped where the attempt's lock is lost, its time has run out or the worker
    /// stops and its drain deadline has passed; nothing of it is reported then.
    async fn execute(&self, context: TaskContext) -> Outcome;

    /// Whether the adapter can do its work now. An error says what is wrong and what to do.
    async fn health(&self) -> Result<(), String> {
        Ok(())
    }
}

/// An adapter's self-description.
#[derive(Clone, Debug, Serialize)]
pub struct AdapterDescription {
    /// The name that routes and `services` sections of the configuration use.
    pub name: String,
    /// One line: what it is for.
    pub summary: String,
    /// The topics it serves.
    pub topics: Vec<TopicDescription>,
}

/// One topic of an adapter.
#[derive(Clone, Debug, Serialize)]
pub struct TopicDescription {
    /// The topic's name.
    pub topic: String,
    /// One line: what a task of this topic does.
    pub summary: String,
    /// JSON Schema of the inputs.
    pub inputs: Schema,
    /// JSON Schema of the answer.
    pub answer: Schema,
    /// The BPMN errors that a task may raise.
    pub errors: Vec<ErrorCode>,
    /// The inputs that most tasks set, in the order in which a form asks for them; it offers all others behind these.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub asks: Vec<String>,
    /// The fields of the answer that most processes keep: what a task made from a template has as output parameters.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub keeps: Vec<String>,
    /// Counts the changes to inputs and answer that whoever has modelled a task needs to look at: Modeler offers such
    /// tasks the newer template.
    pub version: u32,
    /// An input that says which of the adapter's topics is meant: a route that names none and fixes this one leads here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chosen_by: Option<Choice>,
    /// Whether a task of this topic runs code that its model or its users bring. Such code runs in a sandbox that is
    /// as strict as [`TaskContext::sandbox_level`] asks for at least; an adapter without one must not run any.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub sandboxed: bool,
}

/// An input with a value that stands for a topic.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Choice {
    /// The input's name.
    pub input: String,
    /// Its value.
    pub value: String,
}

/// A BPMN error that a topic may raise.
#[derive(Clone, Debug, Serialize)]
pub struct ErrorCode {
    /// The code, in `UPPER_SNAKE`.
    pub code: String,
    /// When it is raised.
    pub meaning: String,
}

impl AdapterDescription {
    /// A description without topics.
    #[must_use]
    pub fn new(name: &str, summary: &str) -> Self {
        Self {
            name: name.to_owned(),
            summary: summary.to_owned(),
            topics: Vec::new(),
        }
    }

    /// Adds a topic.
    #[must_use]
    pub fn topic(mut self, topic: TopicDescription) -> Self {
        self.topics.push(topic);
        self
    }
}

impl TopicDescription {
    /// A topic whose inputs and answer have the given types; their documentation becomes the schemas' help.
    #[must_use]
    pub fn new<Inputs: JsonSchema, Answer: JsonSchema>(topic: &str, summary: &str) -> Self {
        Self {
            topic: topic.to_owned(),
            summary: summary.to_owned(),
            inputs: schema_for!(Inputs),
            answer: schema_for!(Answer),
            errors: Vec::new(),
            asks: Vec::new(),
            keeps: Vec::new(),
            version: 1,
            chosen_by: None,
            sandboxed: false,
        }
    }

    /// Lets a route mean this topic by fixing an input: `{adapter: script, with: {language: python}}`.
    #[must_use]
    pub fn chosen_by(mut self, input: &str, value: &str) -> Self {
        self.chosen_by = Some(Choice {
            input: input.to_owned(),
            value: value.to_owned(),
        });
        self
    }

    /// Says that tasks of this topic run code of users, in a sandbox that heeds [`TaskContext::sandbox_level`].
    #[must_use]
    pub fn sandboxed(mut self) -> Self {
        self.sandboxed = true;
        self
    }

    /// Names the inputs that most tasks set, in the order in which a form asks for them.
    #[must_use]
    pub fn asks<const N: usize>(mut self, inputs: [&str; N]) -> Self {
        self.asks = inputs.map(str::to_owned).into();
        self
    }

    /// Names the fields of the answer that most processes keep.
    #[must_use]
    pub fn keeps<const N: usize>(mut self, fields: [&str; N]) -> Self {
        self.keeps = fields.map(str::to_owned).into();
        self
    }

    /// Sets the version of inputs and answer, which is 1 unless said.
    #[must_use]
    pub fn version(mut self, version: u32) -> Self {
        self.version = version;
        self
    }

    /// Adds a BPMN error that a task may raise.
    #[must_use]
    pub fn error(mut self, code: &str, meaning: &str) -> Self {
        self.errors.push(ErrorCode {
            code: code.to_owned(),
            meaning: meaning.to_owned(),
        });
        self
    }
}
