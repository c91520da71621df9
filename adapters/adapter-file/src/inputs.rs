//! What file tasks are given, and what they answer.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

/// What `file_read` is given.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct ReadInputs {
    /// The folder of the operator's configuration.
    #[serde(default = "default_folder")]
    pub(crate) folder: String,
    /// The file's path below the folder, such as `2026/order.csv`.
    pub(crate) path: String,
    /// As what the content is answered: `file` (a File variable), `text` (UTF-8), `json` or `bytes`.
    #[serde(default, rename = "as")]
    pub(crate) form: Form,
}

/// As what content is answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Form {
    /// A File variable, with its name and media type.
    #[default]
    File,
    /// Text.
    Text,
    /// The JSON in it.
    Json,
    /// Bytes.
    Bytes,
}

/// What `file_write` is given.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct WriteInputs {
    /// The folder of the operator's configuration, one that may be written to.
    #[serde(default = "default_folder")]
    pub(crate) folder: String,
    /// The file's path below the folder, such as `2026/order.csv`. Folders on the way are made.
    pub(crate) path: String,
    /// What is written: text as UTF-8, a file or bytes as they are, objects and lists as JSON.
    #[serde(default)]
    pub(crate) content: Json,
    /// What becomes of a file that is there: `replace` it, `append` to it, or `create` one that must not be there yet.
    #[serde(default)]
    pub(crate) mode: Mode,
}

/// What becomes of a file that is there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Mode {
    /// It is replaced as a whole: whoever reads it sees the old or the new one.
    #[default]
    Replace,
    /// It must not be there.
    Create,
    /// The content is added to its end.
    Append,
}

/// As much of the inputs as says whether writing may be done twice.
#[derive(Debug, Deserialize)]
pub(crate) struct Kind {
    #[serde(default)]
    pub(crate) mode: Mode,
}

/// What `file_list` is given.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct ListInputs {
    /// The folder of the operator's configuration.
    #[serde(default = "default_folder")]
    pub(crate) folder: String,
    /// The path below the folder to look in; the folder itself unless said.
    #[serde(default = "here")]
    pub(crate) path: String,
    /// Which files, by their paths from there on, such as `*.csv` or `**/order-*.json`; all unless said.
    #[serde(default)]
    pub(crate) pattern: Option<String>,
}

/// The answer of `file_read`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Read {
    /// The file's path below the folder.
    path: String,
    /// Its size in bytes.
    size: u64,
    /// When it was last written.
    modified: String,
    /// Its content.
    content: Json,
}

/// The answer of `file_write`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Written {
    /// The file's path below the folder.
    path: String,
    /// The size of what was written, in bytes.
    size: u64,
}

/// The answer of `file_list`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Listed {
    /// The files, sorted by path: `[{"path": "2026/order.csv", "name": "order.csv", "size": 118, "modified": "…"}]`.
    pub(crate) files: Vec<Entry>,
}

/// A file in a list.
#[derive(Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct Entry {
    /// Its path below the folder, as other tasks take it.
    pub(crate) path: String,
    /// Its name.
    pub(crate) name: String,
    /// Its size in bytes.
    pub(crate) size: u64,
    /// When it was last written, as RFC 3339 text.
    pub(crate) modified: String,
}

fn default_folder() -> String {
    "default".to_owned()
}

fn here() -> String {
    ".".to_owned()
}
