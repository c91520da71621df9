//! The values that travel between a process and an adapter.

use std::collections::BTreeMap;

use bytes::Bytes;
use jiff::Timestamp;
use serde_json::Value as Json;

use crate::Content;

/// Variables by name.
pub type Variables = BTreeMap<String, Value>;

/// A process variable's value, by the kinds that an engine of the Camunda 7 family keeps.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// No value.
    Null,
    /// A truth value.
    Boolean(bool),
    /// A whole number: the engine's Short, Integer and Long.
    Integer(i64),
    /// A floating point number. Not finite ones cannot be stored by every engine and are refused when reported.
    Double(f64),
    /// Text.
    String(String),
    /// A point in time; the engine keeps milliseconds.
    Date(Timestamp),
    /// A structured value: the engine's Json, and its Object where that is serialised as JSON.
    Json(Json),
    /// Raw bytes.
    Bytes(Bytes),
    /// A file with its name and media type.
    File(File),
}

/// A file value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// The file's name, as a user sees it.
    pub name: String,
    /// Its media type, where known.
    pub media_type: Option<String>,
    /// Its character encoding, where it is text and the encoding is known.
    pub encoding: Option<String>,
    /// Its content; a task's files are read from the engine when it is.
    pub content: Content,
}

impl Value {
    /// The value as JSON: dates as RFC 3339 text, bytes and a file's content as lists of numbers are of no use
    /// to anybody, so these become a note of their size.
    #[must_use]
    pub fn to_json(&self) -> Json {
        match self {
            Self::Null => Json::Null,
            Self::Boolean(value) => Json::Bool(*value),
            Self::Integer(value) => Json::from(*value),
            Self::Double(value) => Json::from(*value),
            Self::String(value) => Json::String(value.clone()),
            Self::Date(value) => Json::String(value.to_string()),
            Self::Json(value) => value.clone(),
            Self::Bytes(value) => Json::String(format!("({} bytes)", value.len())),
            Self::File(File { name, content, .. }) => Json::String(match content.known_len() {
                Some(bytes) => format!("(file {name}, {bytes} bytes)"),
                None => format!("(file {name})"),
            }),
        }
    }
}

/// JSON scalars become the engine's plain types, so that expressions in a model can use them; objects, lists
/// and numbers that fit none of them stay JSON.
impl From<Json> for Value {
    fn from(json: Json) -> Self {
        match json {
            Json::Null => Self::Null,
            Json::Bool(value) => Self::Boolean(value),
            Json::String(value) => Self::String(value),
            Json::Number(number) => match (number.as_i64(), number.as_f64()) {
                (Some(whole), _) => Self::Integer(whole),
                (None, Some(double)) if !number.is_u64() => Self::Double(double),
                _ => Self::Json(Json::Number(number)),
            },
            structured => Self::Json(structured),
        }
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Boolean(value)
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Integer(value)
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Self::Double(value)
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::String(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::String(value.to_owned())
    }
}

impl From<Timestamp> for Value {
    fn from(value: Timestamp) -> Self {
        Self::Date(value)
    }
}

impl From<Bytes> for Value {
    fn from(value: Bytes) -> Self {
        Self::Bytes(value)
    }
}

impl From<File> for Value {
    fn from(value: File) -> Self {
        Self::File(value)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn json_scalars_become_plain_values() {
        assert_eq!(Value::from(json!(null)), Value::Null);
        assert_eq!(Value::from(json!(7)), Value::Integer(7));
        assert_eq!(Value::from(json!(1.5)), Value::Double(1.5));
        assert_eq!(Value::from(json!("a")), Value::String("a".into()));
        assert_eq!(Value::from(json!([1])), Value::Json(json!([1])));
    }

    #[test]
    fn a_number_past_i64_keeps_every_digit() {
        assert_eq!(Value::from(json!(u64::MAX)), Value::Json(json!(u64::MAX)));
        assert_eq!(Value::from(json!(u64::MAX)).to_json(), json!(u64::MAX));
    }
}
