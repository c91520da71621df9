//! Process variables: the values, and how they travel.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json, json};

use crate::date;

/// Variables by name.
pub type Variables = BTreeMap<String, Variable>;

/// The longest text that the engine keeps as a String, in characters: a longer one is a database error.
const LONGEST_STRING: usize = 4000;

/// A process variable's value.
#[derive(Clone, Debug, PartialEq)]
pub enum Variable {
    /// No value.
    Null,
    /// Boolean.
    Boolean(bool),
    /// Short, Integer or Long, whichever the value needs.
    Integer(i64),
    /// Double. Only finite numbers can be sent.
    Double(f64),
    /// String. Text of more than 4000 characters is sent as Json, since the engine cannot keep it as a String.
    String(String),
    /// Date, in milliseconds.
    Date(Timestamp),
    /// Json, and an Object that is serialised as JSON.
    Json(Json),
    /// Bytes.
    Bytes(Bytes),
    /// File. The engine leaves the content out of most answers: it is absent then, and read by a call of its own.
    File {
        /// The file's name.
        name: String,
        /// Its media type.
        media_type: Option<String>,
        /// Its character encoding.
        encoding: Option<String>,
        /// Its content, where it came along.
        content: Option<Bytes>,
    },
    /// A value that this client cannot look into: a Java-serialised Object, Xml, or what a later engine knows.
    Opaque(TypedValue),
}

/// A value as it stands in the REST API's JSON.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TypedValue {
    /// The value. Json, Object, Bytes and File values stand as text in it.
    #[serde(default)]
    pub value: Json,
    /// The type's name; absent where the engine is to guess.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// What else belongs to the type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value_info: Option<Map<String, Json>>,
}

/// A value that the engine cannot keep.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("the variable `{name}` is {what}, which the engine cannot keep; give it as text")]
pub struct UnrepresentableValue {
    /// The variable's name.
    pub name: String,
    /// What it is.
    pub what: String,
}

/// The variables as the REST API takes them. Structured values always go as `Json`: untyped ones would become
/// Java-serialised objects.
///
/// # Errors
/// Where a number is not finite.
pub fn encode(variables: &Variables) -> Result<BTreeMap<String, TypedValue>, UnrepresentableValue> {
    variables
        .iter()
        .map(|(name, variable)| Ok((name.clone(), variable.encode(name)?)))
        .collect()
}

impl Variable {
    fn encode(&self, name: &str) -> Result<TypedValue, UnrepresentableValue> {
        let typed = |kind: &str, value: Json| TypedValue {
            value,
            kind: Some(kind.to_owned()),
            value_info: None,
        };
        Ok(match self {
            Self::Null => typed("Null", Json::Null),
            Self::Boolean(value) => typed("Boolean", json!(value)),
            Self::Integer(value) if i32::try_from(*value).is_ok() => typed("Integer", json!(value)),
            Self::Integer(value) => typed("Long", json!(value)),
            Self::Double(value) if value.is_finite() => typed("Double", json!(value)),
            Self::Double(value) => {
                return Err(UnrepresentableValue {
                    name: name.to_owned(),
                    what: format!("the number {value}"),
                });
            }
            Self::String(text) if is_longer_than(text, LONGEST_STRING) => {
                typed("Json", Json::String(Json::from(text.as_str()).to_string()))
            }
            Self::String(text) => typed("String", json!(text)),
            Self::Date(value) => typed("Date", json!(date::format(*value))),
            Self::Json(value) => typed("Json", Json::String(value.to_string())),
            Self::Bytes(value) => typed("Bytes", json!(BASE64.encode(value))),
            Self::File {
                name: file_name,
                media_type,
                encoding,
                content,
            } => {
                let mut info = Map::from_iter([("filename".to_owned(), json!(file_name))]);
                info.extend(
                    media_type
                        .as_ref()
                        .map(|media_type| ("mimeType".to_owned(), json!(media_type))),
                );
                info.extend(
                    encoding
                        .as_ref()
                        .map(|encoding| ("encoding".to_owned(), json!(encoding))),
                );
                let content = content.as_deref().unwrap_or_default();
                let mut file = typed("File", json!(BASE64.encode(content)));
                file.value_info = Some(info);
                file
            }
            Self::Opaque(value) => value.clone(),
        })
    }
}

fn is_longer_than(text: &str, characters: usize) -> bool {
    text.len() > characters && text.chars().count() > characters
}

/// Reads any answer: what does not fit its type's form is kept as it is, so that nothing is lost.
impl From<TypedValue> for Variable {
    fn from(typed: TypedValue) -> Self {
        let kind = typed.kind.as_deref().unwrap_or_default();
        let read = match (kind, &typed.value) {
            ("File", value) => file(&typed, value.as_str()),
            (_, Json::Null) => Some(Self::Null),
            ("Boolean", Json::Bool(value)) => Some(Self::Boolean(*value)),
            ("Short" | "Integer" | "Long", Json::Number(value)) => value.as_i64().map(Self::Integer),
            ("Double" | "Float" | "Number", Json::Number(value)) => value.as_f64().map(Self::Double),
            ("String", Json::String(value)) => Some(Self::String(value.clone())),
            ("Date", Json::String(value)) => date::parse(value).map(Self::Date),
            ("Bytes", Json::String(value)) => {
                BASE64.decode(value).ok().map(|bytes| Self::Bytes(bytes.into()))
            }
            ("Json", Json::String(value)) => serde_json::from_str(value).ok().map(Self::Json),
            ("Object", Json::String(value)) if is_json_object(&typed) => {
                serde_json::from_str(value).ok().map(Self::Json)
            }
            _ => None,
        };
        read.unwrap_or(Self::Opaque(typed))
    }
}

fn info<'a>(typed: &'a TypedValue, key: &str) -> Option<&'a str> {
    typed.value_info.as_ref()?.get(key)?.as_str()
}

fn is_json_object(typed: &TypedValue) -> bool {
    info(typed, "serializationDataFormat").is_some_and(|format| format.starts_with("application/json"))
}

fn file(typed: &TypedValue, content: Option<&str>) -> Option<Variable> {
    Some(Variable::File {
        name: info(typed, "filename")?.to_owned(),
        media_type: info(typed, "mimeType").map(str::to_owned),
        encoding: info(typed, "encoding").map(str::to_owned),
        content: content
            .and_then(|content| BASE64.decode(content).ok())
            .map(Bytes::from),
    })
}

impl<'de> Deserialize<'de> for Variable {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        TypedValue::deserialize(deserializer).map(Self::from)
    }
}

impl Variable {
    /// The value as JSON, for people and for other programs: bytes and files become a note of what they are.
    #[must_use]
    pub fn to_json(&self) -> Json {
        match self {
            Self::Null => Json::Null,
            Self::Boolean(value) => json!(value),
            Self::Integer(value) => json!(value),
            Self::Double(value) => json!(value),
            Self::String(value) => json!(value),
            Self::Date(value) => json!(value.to_string()),
            Self::Json(value) => value.clone(),
            Self::Bytes(value) => json!(format!("({} bytes)", value.len())),
            Self::File { name, .. } => json!(format!("(file {name})")),
            Self::Opaque(typed) => match typed.kind.as_deref() {
                Some("Xml") => typed.value.clone(),
                kind => json!(format!("({})", kind.unwrap_or("unknown type"))),
            },
        }
    }
}

/// JSON scalars become the engine's plain types, so that expressions can use them; objects, lists and numbers
/// that fit none of them stay Json.
impl From<Json> for Variable {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn there_and_back(variable: &Variable) -> Variable {
        let typed = variable.encode("x").unwrap();
        serde_json::from_str(&serde_json::to_string(&typed).unwrap()).unwrap()
    }

    #[test]
    fn every_kind_comes_back_as_it_went() {
        let file = Variable::File {
            name: "a.pdf".into(),
            media_type: Some("application/pdf".into()),
            encoding: None,
            content: Some(Bytes::from_static(b"%PDF")),
        };
        for variable in [
            Variable::Null,
            Variable::Boolean(true),
            Variable::Integer(7),
            Variable::Integer(i64::MAX),
            Variable::Double(0.1),
            Variable::String("ä\n\"".into()),
            Variable::Date("2026-03-01T10:00:00.250Z".parse().unwrap()),
            Variable::Json(json!({"a": [1, null]})),
            Variable::Bytes(Bytes::from_static(&[0, 255])),
            file,
        ] {
            assert_eq!(there_and_back(&variable), variable);
        }
    }

    #[test]
    fn long_text_travels_as_json_and_keeps_every_character() {
        let text = "ä".repeat(4001);
        assert_eq!(
            there_and_back(&Variable::String(text.clone())),
            Variable::Json(json!(text))
        );
        let just_fits = Variable::String("ä".repeat(4000));
        assert_eq!(there_and_back(&just_fits), just_fits);
    }

    #[test]
    fn numbers_that_are_none_are_refused_by_name() {
        let error = encode(&Variables::from([(
            "rate".to_owned(),
            Variable::Double(f64::NAN),
        )]))
        .unwrap_err();
        assert!(error.to_string().contains("`rate`"), "{error}");
    }

    #[test]
    fn an_object_serialised_as_json_is_read_and_a_java_one_is_kept() {
        let object: Variable = serde_json::from_value(json!({
            "type": "Object", "value": "{\"a\":1}",
            "valueInfo": {"objectTypeName": "java.util.LinkedHashMap", "serializationDataFormat": "application/json"}
        }))
        .unwrap();
        assert_eq!(object, Variable::Json(json!({"a": 1})));
        let java: Variable = serde_json::from_value(json!({
            "type": "Object", "value": "rO0AB",
            "valueInfo": {"objectTypeName": "x.Y", "serializationDataFormat": "application/x-java-serialized-object"}
        }))
        .unwrap();
        assert!(matches!(java, Variable::Opaque(_)));
    }

    #[test]
    fn a_value_that_does_not_fit_its_type_is_kept_as_it_is() {
        for odd in [
            json!({"type": "Integer", "value": "seven"}),
            json!({"type": "Json", "value": "{"}),
        ] {
            let variable: Variable = serde_json::from_value(odd).unwrap();
            assert!(matches!(variable, Variable::Opaque(_)), "{variable:?}");
        }
    }
}
