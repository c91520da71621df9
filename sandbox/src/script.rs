//! What is run, and what comes of it.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use crate::{Language, Limit};

/// A script with what it is given.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Script {
    /// Its language.
    pub language: Language,
    /// The image, by its name in the settings; absent, the language's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// What tracebacks call it, such as `price.py`.
    pub name: String,
    /// Its source text.
    pub source: String,
    /// Its inputs by name.
    #[serde(default)]
    pub inputs: Map<String, Json>,
    /// Files that lie in its working directory when it starts.
    #[serde(default)]
    pub files: Vec<InputFile>,
    /// Files to bring back, by their paths in the working directory.
    #[serde(default)]
    pub output_files: Vec<String>,
    /// The variables that make up the result, for languages without a way to return one (Scilab). Empty: the variable
    /// `result` where the script sets it, else all that it sets.
    #[serde(default)]
    pub result_variables: Vec<String>,
}

/// A file for a script.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputFile {
    /// Its name; it holds neither `/` nor control characters.
    pub name: String,
    /// Its content.
    #[serde(with = "crate::protocol::base64_bytes")]
    pub content: Vec<u8>,
}

/// What came of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// How it ended.
    pub ending: Ending,
    /// What it wrote to standard output; what is not UTF-8 is replaced.
    pub stdout: String,
    /// What it wrote to standard error.
    pub stderr: String,
    /// The files that were asked for and are there, in the order asked for.
    pub files: Vec<OutputFile>,
    /// From when the script was handed over to its answer.
    pub duration: Duration,
}

/// A file that a script has left.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputFile {
    /// Its path, as it was asked for.
    pub name: String,
    /// Its content.
    #[serde(with = "crate::protocol::base64_bytes")]
    pub content: Vec<u8>,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// With this result.
    Result(Json),
    /// The script is wrong, or says that something is.
    Error(ScriptError),
    /// A limit was hit.
    Limit(LimitHit),
    /// It was gone without an answer, in the way that is told.
    Gone(String),
}

/// An error of the script's own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScriptError {
    /// The kind in the language's own words, such as `KeyError`; empty where it has none.
    #[serde(default)]
    pub kind: String,
    /// What it says.
    pub message: String,
    /// The line of the script, from 1, where it is known.
    #[serde(default)]
    pub line: Option<u32>,
    /// The traceback, with the script's own frames alone.
    #[serde(default)]
    pub traceback: String,
}

/// A limit that was hit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LimitHit {
    /// Which.
    pub limit: Limit,
    /// In words: how much is allowed, and of what.
    pub said: String,
}
