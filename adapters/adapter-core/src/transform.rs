//! `json_transform`: a value into another by a filter in the language of jq.
//!
//! A filter may run for ever and take all memory there is, and nothing within a process can stop it. So each runs in a process of
//! its own: this program once more, which limits itself before it reads anything ([`serve`]).

mod evaluate;
mod process;

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use worker_api::{Answer, BpmnError, Failure, Outcome};

pub(crate) use process::Transformer;
pub use process::serve;

/// The topic.
pub(crate) const TOPIC: &str = "json_transform";

/// The BPMN error of a filter that fails on this value.
pub(crate) const ERROR: &str = "TRANSFORM_FAILED";

/// Bytes that the filter's process may read, and those that it may answer.
const LARGEST: usize = 8 << 20;

/// What the task is given.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
pub(crate) struct Inputs {
    /// The value: JSON. Text that is JSON is read as such.
    #[serde(default, deserialize_with = "worker_api::structured")]
    value: Json,
    /// The filter, in the language of jq (as jaq speaks it), such as `.lines | map(.price * .amount) | add`.
    #[schemars(extend("contentMediaType" = "text/plain"))]
    filter: String,
    /// Values for the filter, by name: `{"rate": 1.17}` is `$rate` there.
    #[serde(default, deserialize_with = "worker_api::flexible")]
    arguments: BTreeMap<String, Json>,
    /// Whether the answer is a list of all results; otherwise the filter has to give one.
    #[serde(default, deserialize_with = "worker_api::flexible")]
    many: bool,
}

/// The answer.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Transformed {
    /// What the filter gives.
    result: Json,
}

/// What the filter's process says.
#[derive(Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
enum Reply {
    /// What the filter gives.
    Result(Json),
    /// The filter is no filter.
    Wrong(String),
    /// The filter fails on this value: what it says, and the value of `error(…)`.
    Failed { message: String, value: Json },
}

/// Transforms a value.
pub(crate) async fn transform(inputs: &Inputs, transformer: &Transformer) -> Outcome {
    let given = serde_json::to_vec(inputs)
        .map_err(|error| Failure::permanent(format!("the inputs cannot be written as JSON: {error}")))?;
    if given.len() > LARGEST {
        return Err(Failure::permanent(format!(
            "value, filter and arguments have {} bytes, and {LARGEST} are the most that are transformed",
            given.len()
        ))
        .into());
    }
    match transformer.ask(given).await? {
        Reply::Result(result) => Ok(Answer::new().with("result", result)),
        Reply::Wrong(problem) => Err(Failure::permanent(format!("the input `filter`: {problem}")).into()),
        Reply::Failed { message, value } => Err(BpmnError::new(ERROR, message).with("value", value).into()),
    }
}

/// This program, as it runs: it may have been replaced on the disk since it was started.
pub(crate) fn this_program() -> PathBuf {
    PathBuf::from("/proc/self/exe")
}
