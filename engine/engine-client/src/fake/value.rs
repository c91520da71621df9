//! Variables as the engine keeps them: what it takes, what it refuses, and what it shows.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use serde_json::{Map, Value as Json, json};

use super::answer::Refused;
use crate::{TypedValue, date};

/// Variables of one scope.
pub(super) type Scope = BTreeMap<String, Value>;

/// The longest text of type String, in characters.
const LONGEST_STRING: usize = 4000;

/// One variable's value.
#[derive(Clone, Debug)]
pub(super) struct Value {
    kind: &'static str,
    /// As it stands in an answer; null for a File.
    json: Json,
    info: Map<String, Json>,
    /// What a File or Bytes value holds.
    content: Option<Bytes>,
    /// Gone when the call that brings it is over.
    pub(super) transient: bool,
}

impl Value {
    /// A text, as an input parameter without an expression gives.
    pub(super) fn text(text: &str) -> Self {
        Self::plain("String", json!(text))
    }

    fn plain(kind: &'static str, json: Json) -> Self {
        Self {
            kind,
            json,
            info: Map::new(),
            content: None,
            transient: false,
        }
    }

    /// As the answers about what runs have it.
    pub(super) fn render(&self) -> Json {
        json!({ "type": self.kind, "value": self.json, "valueInfo": self.info })
    }

    /// As the history has it: without the content of bytes.
    pub(super) fn render_record(&self) -> Map<String, Json> {
        let value = if self.content.is_some() {
            Json::Null
        } else {
            self.json.clone()
        };
        Map::from_iter([
            ("type".to_owned(), json!(self.kind)),
            ("value".to_owned(), value),
            ("valueInfo".to_owned(), json!(self.info)),
        ])
    }

    /// The content of a File or Bytes value.
    pub(super) fn content(&self) -> Option<Bytes> {
        self.content.clone()
    }

    /// The media type with which the content comes.
    pub(super) fn media_type(&self) -> String {
        let told = |key: &str| self.info.get(key).and_then(Json::as_str);
        let kind = told("mimeType").unwrap_or("application/octet-stream");
        match told("encoding") {
            Some(encoding) => format!("{kind};charset={encoding}"),
            None => kind.to_owned(),
        }
    }

    /// Whether it equals a raw JSON value.
    pub(super) fn equals(&self, raw: &Json) -> bool {
        self.json == *raw
    }

    /// What an expression that names a variable gives: a file comes as its bytes, no value as Null.
    pub(super) fn evaluated(&self) -> Self {
        let mut value = self.clone();
        value.transient = false;
        if let ("File", Some(content)) = (self.kind, &self.content) {
            value.kind = "Bytes";
            value.json = json!(BASE64.encode(content));
            value.info.clear();
        } else if value.json.is_null() {
            value = Self::plain("Null", Json::Null);
        }
        value
    }
}

/// Variables out of a request's body, all or none.
pub(super) fn accept_all(variables: BTreeMap<String, TypedValue>) -> Result<Scope, Refused> {
    let accepted = variables.into_iter().map(|(name, typed)| {
        let value = accept(&name, typed)?;
        Ok((name, value))
    });
    accepted.collect()
}

/// The value of a request, if the engine takes it.
pub(super) fn accept(name: &str, typed: TypedValue) -> Result<Value, Refused> {
    let TypedValue {
        value: json,
        kind,
        value_info,
    } = typed;
    let info = value_info.unwrap_or_default();
    let transient = info.get("transient") == Some(&Json::Bool(true));
    let mut value = match kind {
        Some(kind) => of_kind(&kind, json, info)?,
        None => guessed(json),
    };
    value.transient = transient;
    let too_long = matches!((value.kind, &value.json), ("String", Json::String(text))
        if text.len() > LONGEST_STRING && text.chars().count() > LONGEST_STRING);
    if too_long && !transient {
        return Err(Refused::too_long(name));
    }
    Ok(value)
}

fn of_kind(given: &str, json: Json, info: Map<String, Json>) -> Result<Value, Refused> {
    // The engine makes the first letter small before it looks the type up.
    let mut letters = given.chars();
    let kind: String = (letters.next().into_iter().map(|first| first.to_ascii_uppercase()))
        .chain(letters)
        .collect();
    let wrong = || {
        let shown = json.as_str().map_or_else(|| json.to_string(), str::to_owned);
        Refused::invalid(format!("Cannot convert value '{shown}' of type '{given}'"))
    };
    match kind.as_str() {
        "Null" if json.is_null() => Ok(Value::plain("Null", json)),
        "Null" => Err(wrong()),
        "Boolean" => {
            let read = |json: &Json| json.as_bool().or_else(|| json.as_str()?.parse().ok());
            scalar("Boolean", &json, read).ok_or_else(wrong)
        }
        "Short" => scalar("Short", &json, |it| i16::try_from(whole(it)?).ok()).ok_or_else(wrong),
        "Integer" => scalar("Integer", &json, |it| i32::try_from(whole(it)?).ok()).ok_or_else(wrong),
        "Long" => scalar("Long", &json, whole).ok_or_else(wrong),
        "Double" => {
            let read = |json: &Json| json.as_f64().or_else(|| json.as_str()?.parse().ok());
            scalar("Double", &json, read).ok_or_else(wrong)
        }
        "String" => {
            let read = |json: &Json| match json {
                Json::String(text) => Some(text.clone()),
                Json::Number(_) | Json::Bool(_) => Some(json.to_string()),
                _ => None,
            };
            scalar("String", &json, read).ok_or_else(wrong)
        }
        "Date" => {
            let read = |json: &Json| strict_date(json.as_str()?);
            scalar("Date", &json, read).ok_or_else(wrong)
        }
        "Bytes" if json.is_null() => Ok(Value::plain("Bytes", json)),
        "Bytes" => {
            let content = json.as_str().and_then(|text| BASE64.decode(text).ok());
            let content = content.ok_or_else(wrong)?;
            let mut value = Value::plain("Bytes", json);
            value.content = Some(content.into());
            Ok(value)
        }
        "File" => file(&json, info),
        "Json" if json.is_null() || json.is_string() => Ok(Value::plain("Json", json)),
        "Json" => Err(Refused::invalid(
            "Must provide 'null' or String value for value of SerializableValue type 'Json'.",
        )),
        "Object" => object(json, info),
        "Xml" => Err(Refused::internal(
            "Cannot find serializer for value 'Value 'null' of type 'xml''.",
        )),
        _ => Err(Refused::invalid(format!("Unsupported value type '{given}'"))),
    }
}

/// Null of any type stays null of that type.
fn scalar<T: Into<Json>>(
    kind: &'static str,
    json: &Json,
    read: impl Fn(&Json) -> Option<T>,
) -> Option<Value> {
    if json.is_null() {
        return Some(Value::plain(kind, Json::Null));
    }
    Some(Value::plain(kind, read(json)?.into()))
}

fn whole(json: &Json) -> Option<i64> {
    json.as_i64().or_else(|| json.as_str()?.parse().ok())
}

/// `yyyy-MM-dd'T'HH:mm:ss.SSSZ` and nothing else, as the engine shows it.
fn strict_date(text: &str) -> Option<String> {
    let parsed = date::parse(text)?;
    // Milliseconds and an offset without a colon are a must, which the reader here does not insist on.
    let (_, time) = text.split_once('T')?;
    let (clock, offset) = time.split_at_checked(12)?;
    let is_strict = clock.as_bytes().get(8) == Some(&b'.')
        && offset.len() == 5
        && offset.starts_with(['+', '-'])
        && offset[1..].bytes().all(|it| it.is_ascii_digit());
    is_strict.then(|| date::format(parsed))
}

fn file(json: &Json, mut info: Map<String, Json>) -> Result<Value, Refused> {
    let broken = |message: &str| Refused::internal(message);
    if !info.get("filename").is_some_and(Json::is_string) {
        return Err(broken("Cannot create file without valueInfo."));
    }
    let content = json.as_str().and_then(|text| BASE64.decode(text).ok());
    let content =
        content.ok_or_else(|| broken("Provided value is not of File, InputStream or byte[] type."))?;
    info.remove("transient");
    let mut value = Value::plain("File", Json::Null);
    value.info = info;
    value.content = Some(content.into());
    Ok(value)
}

/// Only what is serialised as JSON: that is what a closed engine takes.
fn object(json: Json, mut info: Map<String, Json>) -> Result<Value, Refused> {
    let format = info.get("serializationDataFormat").and_then(Json::as_str);
    let is_json = format.is_some_and(|format| format.starts_with("application/json"));
    if !is_json || !(json.is_string() || json.is_null()) {
        return Err(Refused::internal(
            "Cannot find serializer for value 'ObjectValue'.",
        ));
    }
    info.remove("transient");
    let mut value = Value::plain("Object", json);
    value.info = info;
    Ok(value)
}

/// Without a type: an object or array becomes an Object of whatever class Java finds for it.
fn guessed(json: Json) -> Value {
    match &json {
        Json::Null => Value::plain("Null", json),
        Json::Bool(_) => Value::plain("Boolean", json),
        Json::String(_) => Value::plain("String", json),
        Json::Number(number) => match number.as_i64() {
            Some(whole) if i32::try_from(whole).is_ok() => Value::plain("Integer", json),
            Some(_) => Value::plain("Long", json),
            None => Value::plain("Double", json),
        },
        Json::Array(_) | Json::Object(_) => {
            let class = if json.is_array() {
                "java.util.ArrayList"
            } else {
                "java.util.LinkedHashMap"
            };
            let mut value = Value::plain("Object", json!(json.to_string()));
            value.info = Map::from_iter([
                ("objectTypeName".to_owned(), json!(class)),
                ("serializationDataFormat".to_owned(), json!("application/json")),
            ]);
            value
        }
    }
}
