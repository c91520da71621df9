//! From merged values to typed settings, with errors that say which key is meant and which are known.

use std::collections::BTreeMap;
use std::fmt::Display;

use config::{Value, ValueKind};
use serde::de::value::{MapAccessDeserializer, MapDeserializer, SeqDeserializer};
use serde::de::{Deserializer, Error, Expected, IntoDeserializer, Unexpected, Visitor};
use serde::forward_to_deserialize_any;

use super::model::Settings;
use super::{ConfigError, mask};

/// Reads the settings; `places` says where each key stands.
pub(super) fn settings(merged: &Value, places: &BTreeMap<String, String>) -> Result<Settings, ConfigError> {
    serde_path_to_error::deserialize(Node(merged)).map_err(|error| {
        let key = error.path().to_string();
        let name = |key: &str| key.rsplit('.').next().unwrap_or(key).to_owned();
        match error.into_inner() {
            Mistake::UnknownKey(name, known) => {
                ConfigError::unknown(places, &key, &name, known, &format!("key `{key}`"))
            }
            Mistake::UnknownName(name, known) => {
                ConfigError::unknown(places, &key, &name, known, &format!("value `{name}` of `{key}`"))
            }
            Mistake::Missing(field) => {
                ConfigError::at(places, &key, format!("`{key}` needs the key `{field}`: add it"))
            }
            Mistake::Wrong { expected, found } if mask::is_secret(&name(&key)) => {
                let kind = found.split(" `").next().unwrap_or_default();
                ConfigError::at(places, &key, format!("`{key}` must be {expected}, not {kind}"))
            }
            Mistake::Wrong { expected, found } => {
                ConfigError::at(places, &key, format!("`{key}` must be {expected}, not {found}"))
            }
            Mistake::Other(message) => ConfigError::at(places, &key, format!("`{key}`: {message}")),
        }
    })
}

/// What is wrong with a value.
#[derive(Debug, thiserror::Error)]
enum Mistake {
    #[error("unknown key {0}")]
    UnknownKey(String, &'static [&'static str]),
    #[error("unknown name {0}")]
    UnknownName(String, &'static [&'static str]),
    #[error("missing key {0}")]
    Missing(&'static str),
    #[error("{expected} expected, not {found}")]
    Wrong { expected: String, found: String },
    #[error("{0}")]
    Other(String),
}

impl Error for Mistake {
    fn custom<T: Display>(message: T) -> Self {
        Self::Other(message.to_string())
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        Self::UnknownKey(field.to_owned(), expected)
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        Self::UnknownName(variant.to_owned(), expected)
    }

    fn missing_field(field: &'static str) -> Self {
        Self::Missing(field)
    }

    fn invalid_type(unexpected: Unexpected, expected: &dyn Expected) -> Self {
        Self::wrong(unexpected, expected)
    }

    fn invalid_value(unexpected: Unexpected, expected: &dyn Expected) -> Self {
        Self::wrong(unexpected, expected)
    }
}

impl Mistake {
    fn wrong(unexpected: Unexpected, expected: &dyn Expected) -> Self {
        let found = match unexpected {
            Unexpected::Bool(value) => format!("the truth value `{value}`"),
            Unexpected::Unsigned(value) => format!("the number `{value}`"),
            Unexpected::Signed(value) => format!("the number `{value}`"),
            Unexpected::Float(value) => format!("the number `{value}`"),
            Unexpected::Str(value) => format!("the text `{value}`"),
            Unexpected::Unit | Unexpected::Option => "nothing".to_owned(),
            Unexpected::Seq => "a list".to_owned(),
            Unexpected::Map => "a section".to_owned(),
            other => other.to_string(),
        };
        let expected = match expected.to_string().as_str() {
            "a string" => "text (put it in quotes)".to_owned(),
            "a boolean" => "true or false".to_owned(),
            "u16" => "a whole number from 0 to 65535".to_owned(),
            "u32" => "a whole number from 0 to 4294967295".to_owned(),
            "f64" => "a number such as 0.5".to_owned(),
            "path string" => "a path such as ./data".to_owned(),
            "a sequence" => "a list such as [a, b]".to_owned(),
            "a map" => "a section of keys".to_owned(),
            other if other.starts_with("struct ") => "a section of keys".to_owned(),
            other if other.starts_with("enum ") => "a name, or a section with one key".to_owned(),
            other => other.to_owned(),
        };
        Self::Wrong { expected, found }
    }
}

/// A merged value as serde reads it: nothing is converted, so that `yes` is no truth value and 8 no text.
#[derive(Clone, Copy)]
struct Node<'a>(&'a Value);

impl<'de> IntoDeserializer<'de, Mistake> for Node<'_> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for Node<'_> {
    type Error = Mistake;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        match &self.0.kind {
            ValueKind::Nil => visitor.visit_unit(),
            ValueKind::Boolean(value) => visitor.visit_bool(*value),
            ValueKind::I64(value) => visitor.visit_i64(*value),
            ValueKind::I128(value) => visitor.visit_i128(*value),
            ValueKind::U64(value) => visitor.visit_u64(*value),
            ValueKind::U128(value) => visitor.visit_u128(*value),
            ValueKind::Float(value) => visitor.visit_f64(*value),
            ValueKind::String(value) => visitor.visit_str(value),
            ValueKind::Array(items) => visitor.visit_seq(SeqDeserializer::new(items.iter().map(Node))),
            ValueKind::Table(fields) => visitor.visit_map(MapDeserializer::new(
                fields.iter().map(|(key, value)| (key.as_str(), Node(value))),
            )),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        match self.0.kind {
            ValueKind::Nil => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    /// A key without a value counts as not set.
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mistake> {
        let ValueKind::Table(fields) = &self.0.kind else {
            return self.deserialize_any(visitor);
        };
        let set = fields
            .iter()
            .filter(|(_, value)| !matches!(value.kind, ValueKind::Nil));
        visitor.visit_map(MapDeserializer::new(
            set.map(|(key, value)| (key.as_str(), Node(value))),
        ))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mistake> {
        match &self.0.kind {
            ValueKind::String(name) => visitor.visit_enum(name.as_str().into_deserializer()),
            ValueKind::Table(fields) if fields.len() == 1 => {
                let fields = fields.iter().map(|(key, value)| (key.as_str(), Node(value)));
                visitor.visit_enum(MapAccessDeserializer::new(MapDeserializer::new(fields)))
            }
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Mistake> {
        visitor.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq
        tuple tuple_struct map identifier ignored_any
    }
}
