//! What SQL tasks are given, and what they answer.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

/// What `sql_query` is given.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Inputs {
    /// The connection of the operator's configuration.
    #[serde(default = "default_connection")]
    pub(crate) connection: String,
    /// One statement that reads or changes rows, with `$1`, `$2`, … where values go. Never put values into its text.
    pub(crate) sql: String,
    /// The values for `$1`, `$2`, … in their order, such as `["A-1", 3]`. Objects go into columns of JSON, dates and times as
    /// text such as `2026-11-26T09:00:00Z`, bytes as base64.
    #[serde(default, deserialize_with = "worker_api::flexible")]
    pub(crate) parameters: Vec<Json>,
    /// Rows that the answer may have, where that is fewer than the connection allows.
    #[serde(default, deserialize_with = "worker_api::flexible")]
    pub(crate) max_rows: Option<u64>,
    /// What happens where there are more rows: an `error`, or `truncate` the answer.
    #[serde(default)]
    pub(crate) on_more: OnMore,
    /// Whether it changes something that its words do not show, such as a SELECT of a function that writes.
    #[serde(default, deserialize_with = "worker_api::flexible")]
    pub(crate) writes: bool,
    /// Whether a statement that changes rows may be run again after a failure that leaves open whether it was done: where
    /// doing it twice is as good as once.
    #[serde(default, deserialize_with = "worker_api::flexible")]
    #[expect(dead_code, reason = "an input, which `Kind` reads")]
    pub(crate) repeatable: bool,
}

/// What happens where there are more rows than the answer may have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum OnMore {
    /// The error `SQL_TOO_LARGE`.
    #[default]
    Error,
    /// The answer has the first ones, and says so.
    Truncate,
}

/// As much of the inputs as says whether a task may be done twice.
#[derive(Debug, Deserialize)]
pub(crate) struct Kind {
    #[serde(default = "default_connection")]
    pub(crate) connection: String,
    pub(crate) sql: String,
    #[serde(default, deserialize_with = "worker_api::flexible")]
    pub(crate) writes: bool,
    #[serde(default, deserialize_with = "worker_api::flexible")]
    pub(crate) repeatable: bool,
}

/// The answer of `sql_query`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
pub(crate) struct Answered {
    /// The rows, each an object of its columns. Numbers of arbitrary precision, dates and times are text; bytes are base64.
    pub(crate) rows: Vec<Map<String, Json>>,
    /// The first row; null where there is none.
    pub(crate) row: Option<Map<String, Json>>,
    /// How many rows the answer has.
    pub(crate) row_count: u64,
    /// How many rows the statement has changed; 0 where it reads.
    pub(crate) rows_affected: u64,
    /// Whether there were more rows.
    pub(crate) truncated: bool,
}

fn default_connection() -> String {
    "default".to_owned()
}
