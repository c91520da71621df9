//! What a script task is given, and what it answers.

use std::collections::BTreeMap;

use sandbox::{Language, Tightened};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use crate::config::{self, SandboxConfig};

/// The names that are inputs of the task itself; every other one is an input of the script.
pub(crate) const OWN: [&str; 8] = [
    "script",
    "script_path",
    "language",
    "inputs",
    "image",
    "output_files",
    "outputs",
    "sandbox_config",
];

/// The fields that every answer has.
pub(crate) const FIELDS: [&str; 4] = ["result", "stdout", "stderr", "duration_ms"];

/// What the task is given. Every other input parameter is an input of the script.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(extend("additionalProperties" = true))]
pub(crate) struct Inputs {
    /// The script itself, such as `result = inputs["amount"] * 1.19`. The engine evaluates `${…}` in it, and keeps 4000
    /// characters at the most: what has more, or such signs of its own, goes into a file and `script_path`.
    #[serde(default)]
    #[schemars(extend("contentMediaType" = "text/plain"))]
    pub(crate) script: Option<String>,
    /// A file with the script in place of `script`, such as `price.py`: one that was deployed together with the process,
    /// from the folder of the model on, else one in the operator's `sandbox.script_directories`.
    #[serde(default)]
    pub(crate) script_path: Option<String>,
    /// The language, for routes that give the adapter a topic of their own; each of the adapter's topics has its own.
    #[serde(default, deserialize_with = "worker_api::flexible")]
    pub(crate) language: Option<Language>,
    /// The script's inputs by name, such as `{"amount": 3}`, beside all other input parameters; it wins over one of the
    /// same name.
    #[serde(default, deserialize_with = "worker_api::flexible")]
    pub(crate) inputs: Option<Map<String, Json>>,
    /// The image to run in, by a name of the operator's `sandbox.images` or `sandbox.roots`, such as `science`; absent,
    /// the language's own.
    #[serde(default)]
    pub(crate) image: Option<String>,
    /// Files to bring back: fields of the answer, each with a path in the working directory, such as
    /// `{"plot": "plot.png"}`.
    #[serde(default, deserialize_with = "worker_api::flexible")]
    pub(crate) output_files: Option<BTreeMap<String, String>>,
    /// For Scilab: the variables that make up the result, such as `["x", "residual"]`. Absent, the variable `result`,
    /// else all that the script sets.
    #[serde(default, deserialize_with = "worker_api::flexible")]
    pub(crate) outputs: Option<Names>,
    /// Limits that are tighter than the operator's, such as `{"level": "high", "timeout": "5s"}`. More than the operator
    /// allows is not to be had.
    #[serde(default, deserialize_with = "config::read")]
    #[schemars(with = "Option<SandboxConfig>")]
    pub(crate) sandbox_config: Tightened,
}

/// One name, or several.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "a name, or a list of names")]
pub(crate) enum Names {
    /// Several.
    Several(Vec<String>),
    /// Text: names with commas between.
    Text(String),
}

impl Names {
    /// The names.
    pub(crate) fn into_vec(self) -> Vec<String> {
        match self {
            Self::Several(names) => names,
            Self::Text(text) => text
                .split(',')
                .map(|name| name.trim().to_owned())
                .filter(|name| !name.is_empty())
                .collect(),
        }
    }
}

/// The answer; beside these fields each file of `output_files` under its own name.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct ScriptAnswer {
    /// What the script has come to: Python's `result`, or what a function `main` or the last line gives; what JavaScript
    /// returns or exports by default; what a shell script prints, which has to be JSON; Scilab's variables.
    result: Json,
    /// What it has printed.
    stdout: String,
    /// What it has printed to standard error.
    stderr: String,
    /// How many milliseconds it has run.
    duration_ms: u64,
}
