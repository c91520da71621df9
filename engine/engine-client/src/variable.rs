//! Process variables: the values, and how they travel.

use std::collections::BTreeMap;

use base64::Engine;
use base64::display::Base64Display;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value as Json, json};

use crate::limits::UnrepresentableValue;
use crate::{date, limits};

/// Variables by name.
pub type Variables = BTreeMap<String, Variable>;

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
    /// String. Text that the engine cannot keep as a String travels as Json, and is a String again when it comes back.
    String(String),
    /// Date, in milliseconds; from the year 1 on.
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

/// Variables in the form in which the REST API takes them. What they hold is written where it is serialised to,
/// without copies in between.
#[derive(Clone, Copy, Debug)]
pub struct Encoded<'a>(&'a Variables);

/// The variables as the REST API takes them. Structured values always go as `Json`: untyped ones would become
/// Java-serialised objects. Text that the engine cannot keep as a String goes as `Json`, too: more than 4000
/// characters, or with the zero character in it.
///
/// # Errors
/// Where the engine cannot keep a value: see [`limits`].
pub fn encode(variables: &Variables) -> Result<Encoded<'_>, UnrepresentableValue> {
    limits::check(variables)?;
    Ok(Encoded(variables))
}

impl Serialize for Encoded<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, variable)| (name, Wire(variable))))
    }
}

/// A value as the REST API takes it.
struct Wire<'a>(&'a Variable);

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Typed<'a, T: Serialize> {
    value: T,
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    value_info: Option<FileInfo<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct FileInfo<'a> {
    filename: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    mime_type: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    encoding: Option<&'a str>,
}

/// Written as base64 text.
struct Base64<'a>(&'a [u8]);

impl Serialize for Base64<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&Base64Display::new(self.0, &BASE64))
    }
}

impl Serialize for Wire<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        fn typed<T: Serialize, S: Serializer>(
            kind: &'static str,
            value: T,
            serializer: S,
        ) -> Result<S::Ok, S::Error> {
            let value_info = None;
            Typed {
                value,
                kind,
                value_info,
            }
            .serialize(serializer)
        }
        match self.0 {
            Variable::Null => typed("Null", (), serializer),
            Variable::Boolean(value) => typed("Boolean", value, serializer),
            Variable::Integer(value) if i32::try_from(*value).is_ok() => typed("Integer", value, serializer),
            Variable::Integer(value) => typed("Long", value, serializer),
            Variable::Double(value) => typed("Double", value, serializer),
            Variable::String(text) if limits::fits_string(text) => typed("String", text, serializer),
            Variable::String(text) => typed("Json", Json::from(text.as_str()).to_string(), serializer),
            Variable::Date(value) => typed("Date", date::format(*value), serializer),
            Variable::Json(value) => typed("Json", value.to_string(), serializer),
            Variable::Bytes(value) => typed("Bytes", Base64(value), serializer),
            Variable::File {
                name,
                media_type,
                encoding,
                content,
            } => {
                let info = FileInfo {
                    filename: name,
                    mime_type: media_type.as_deref(),
                    encoding: encoding.as_deref(),
                };
                let file = Typed {
                    value: Base64(content.as_deref().unwrap_or_default()),
                    kind: "File",
                    value_info: Some(info),
                };
                file.serialize(serializer)
            }
            Variable::Opaque(value) => value.serialize(serializer),
        }
    }
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
            ("Json", Json::String(value)) => serde_json::from_str(value).ok().map(json_value),
            ("Object", Json::String(value)) if is_json_object(&typed) => {
                serde_json::from_str(value).ok().map(Self::Json)
            }
            _ => None,
        };
        read.unwrap_or(Self::Opaque(typed))
    }
}

/// Text that is Json only because the engine cannot keep it as a String is text again.
fn json_value(value: Json) -> Variable {
    match value {
        Json::String(text) if !limits::fits_string(&text) => Variable::String(text),
        value => Variable::Json(value),
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
    use proptest::prelude::*;

    use super::*;

    fn there_and_back(variable: &Variable) -> Variable {
        let variables = Variables::from([("x".to_owned(), variable.clone())]);
        let sent = serde_json::to_string(&encode(&variables).unwrap()).unwrap();
        let mut read: Variables = serde_json::from_str(&sent).unwrap();
        read.remove("x").unwrap()
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
    fn text_that_no_string_can_hold_travels_as_json_and_is_text_again() {
        let sent = |text: &str| {
            let variables = Variables::from([("x".to_owned(), Variable::String(text.to_owned()))]);
            serde_json::to_value(encode(&variables).unwrap()).unwrap()["x"]["type"].clone()
        };
        for (text, kind) in [
            ("ä".repeat(4000), "String"),
            ("ä".repeat(4001), "Json"),
            ("\u{1F600}".repeat(2001), "Json"),
            ("a\0b".to_owned(), "Json"),
        ] {
            assert_eq!(sent(&text), kind);
            assert_eq!(
                there_and_back(&Variable::String(text.clone())),
                Variable::String(text)
            );
        }
    }

    proptest! {
        #[test]
        fn every_value_comes_back_as_it_went(variable in variables()) {
            prop_assert_eq!(there_and_back(&variable), variable);
        }
    }

    fn json_values() -> impl Strategy<Value = Json> {
        let leaf = prop_oneof![
            Just(Json::Null),
            any::<bool>().prop_map(Json::from),
            any::<i64>().prop_map(Json::from),
            any::<u64>().prop_map(Json::from),
            any::<f64>().prop_map(Json::from),
            any::<String>().prop_map(Json::from),
        ];
        leaf.prop_recursive(4, 32, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Json::from),
                proptest::collection::vec((any::<String>(), inner), 0..4).prop_map(Json::from_iter),
            ]
        })
    }

    fn variables() -> impl Strategy<Value = Variable> {
        let bytes = || proptest::collection::vec(any::<u8>(), 0..64).prop_map(Bytes::from);
        let milliseconds = -62_135_596_800_000..253_402_207_200_000_i64;
        prop_oneof![
            Just(Variable::Null),
            any::<bool>().prop_map(Variable::Boolean),
            any::<i64>().prop_map(Variable::Integer),
            any::<f64>()
                .prop_filter("finite", |it| it.is_finite())
                .prop_map(Variable::Double),
            "(?s).{0,40}".prop_map(Variable::String),
            milliseconds.prop_map(|at| Variable::Date(Timestamp::from_millisecond(at).unwrap())),
            json_values().prop_map(Variable::Json),
            bytes().prop_map(Variable::Bytes),
            (
                "[^\0]{0,20}",
                proptest::option::of("[a-z]{1,8}/[a-z]{1,8}"),
                proptest::option::of("[A-Z0-9-]{1,8}"),
                bytes()
            )
                .prop_map(|(name, media_type, encoding, content)| Variable::File {
                    name,
                    media_type,
                    encoding,
                    content: Some(content),
                }),
        ]
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
