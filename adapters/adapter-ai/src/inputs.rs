//! What an `ai_query` task is given, and what it answers.

use std::num::NonZeroU32;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

/// What `ai_query` is given.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Inputs {
    /// The provider of the operator's configuration, such as `openai`. Where only one is configured it is that one.
    #[serde(default)]
    pub(crate) provider: Option<String>,
    /// The model, such as `gpt-5-mini`; absent, the provider's default.
    #[serde(default)]
    pub(crate) model: Option<String>,
    /// What the model is asked.
    #[serde(default)]
    #[schemars(extend("contentMediaType" = "text/plain"))]
    pub(crate) prompt: Option<String>,
    /// A file with the prompt in place of `prompt`, deployed together with the process, such as `prompts/triage.md`: for what
    /// is longer than the 4000 characters that the engine keeps of a text.
    #[serde(default)]
    pub(crate) prompt_path: Option<String>,
    /// Who the model is and by which rules it works, apart from what it is asked.
    #[serde(default)]
    #[schemars(extend("contentMediaType" = "text/plain"))]
    pub(crate) system: Option<String>,
    /// What the model should know, such as `${order}`: a text, an object whose fields become sections, or a list of sections.
    /// The most important goes first.
    #[serde(default, deserialize_with = "worker_api::structured")]
    pub(crate) context: Json,
    /// Tokens that the context may have (estimated: one for three bytes); what has no room is left out, and named in
    /// `context_left_out`.
    #[serde(default = "context_tokens", deserialize_with = "worker_api::flexible")]
    pub(crate) context_tokens: usize,
    /// The images, PDFs and texts that go along: the names of the task's inputs that hold them, such as `["invoice"]`.
    #[serde(default, deserialize_with = "worker_api::flexible")]
    pub(crate) files: Vec<String>,
    /// The JSON Schema that the answer has to fit, such as
    /// `{"type": "object", "required": ["urgent"], "properties": {"urgent": {"type": "boolean"}}}`; `ai_response` is a value
    /// then and no text. An answer that does not fit is sent back to be mended, twice.
    #[serde(default, deserialize_with = "worker_api::structured")]
    pub(crate) output_schema: Json,
    /// What the model may do: topics, such as `["sql_query"]`, with more said as in
    /// `[{"topic": "http_request", "description": "Looks up an order", "with": {"connection": "orders"}}]`, and processes:
    /// `[{"process": "check_credit", "description": "…", "inputs": {"type": "object", …}}]`. What stands in `with` the model
    /// neither sees nor changes.
    #[serde(default, deserialize_with = "worker_api::flexible")]
    pub(crate) tools: Vec<ToolInput>,
    /// How often the model may call tools.
    #[serde(default = "max_tool_calls", deserialize_with = "worker_api::flexible")]
    pub(crate) max_tool_calls: usize,
    /// What this task may cost, in the currency of the operator's prices, such as `0.05`. It can only tighten the operator's own
    /// budgets.
    #[serde(default, deserialize_with = "worker_api::flexible")]
    pub(crate) budget: Option<f64>,
    /// Tokens that one answer may have, such as `1000`.
    #[serde(default, deserialize_with = "worker_api::flexible")]
    pub(crate) max_output_tokens: Option<NonZeroU32>,
    /// How freely the model chooses its words, from 0 to 2. Some models take none.
    #[serde(default, deserialize_with = "worker_api::flexible")]
    pub(crate) temperature: Option<f64>,
    /// Has the model say how sure it is, from 0 to 1, and sets `needs_review` where it is less sure than this, such as `0.8`: a
    /// gateway leads to a person then.
    #[serde(default, deserialize_with = "worker_api::flexible")]
    pub(crate) review_below: Option<f64>,
}

/// A tool: a topic's name, or more said about it.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(
    untagged,
    expecting = "the name of a topic, or an object with `topic` or `process`"
)]
pub(crate) enum ToolInput {
    /// A topic with nothing fixed.
    Topic(String),
    /// More said about it.
    Said(SaidTool),
}

/// A tool with what the model is told of it.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SaidTool {
    /// The topic that is called.
    #[serde(default)]
    pub(crate) topic: Option<String>,
    /// The process that is started, by its key; its variables at its end are the result.
    #[serde(default)]
    pub(crate) process: Option<String>,
    /// Its name for the model, where it is not that of the topic or process.
    #[serde(default)]
    pub(crate) name: Option<String>,
    /// What it is for, as the model reads it.
    #[serde(default)]
    pub(crate) description: Option<String>,
    /// The JSON Schema of what the model gives it, where it is not the topic's own.
    #[serde(default)]
    pub(crate) inputs: Option<Json>,
    /// Inputs that are fixed.
    #[serde(default)]
    pub(crate) with: Map<String, Json>,
}

/// The answer of `ai_query`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Answered {
    /// What the model has said: a text, or with `output_schema` a value that fits it.
    ai_response: Json,
    /// Tokens that were used in all.
    tokens_used: u64,
    /// Those that the model was given.
    input_tokens: u64,
    /// Those that it gave.
    output_tokens: u64,
    /// The model that has answered, as it calls itself.
    model_used: String,
    /// The provider that has answered.
    provider_used: String,
    /// What it cost, in the currency of the operator's prices; null where the model has no price.
    cost: Option<f64>,
    /// False where the answer was cut off at `max_output_tokens`.
    complete: bool,
    /// How often tools were called.
    tool_calls: u64,
    /// The sections of the context that had no room.
    context_left_out: Vec<String>,
    /// How sure the model says it is; with `review_below` alone.
    confidence: Option<f64>,
    /// Whether it is less sure than `review_below`.
    needs_review: bool,
    /// All that was said, as a JSON file.
    transcript: String,
}

fn context_tokens() -> usize {
    32_000
}

fn max_tool_calls() -> usize {
    20
}
