//! JSON paths (RFC 9535) in settings and inputs: read once, with an error that says what is wrong, and looked up as often
//! as it takes.

use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value as Json;

/// How long a path may be, in bytes: one that a person writes is far shorter.
const LONGEST: usize = 1_000;

/// How many filters and parentheses a path may have: the parser calls itself for each that stands in another, with twice
/// the work each time. All are counted, those in quotes and side by side included, since that needs no reading of our own.
const MOST_NESTED: usize = 8;

/// A JSON path such as `$.order.items[*].name`.
///
/// ```
/// use serde_json::json;
/// let path: json_path::JsonPath = "$.items[*].name".parse()?;
/// let order = json!({"items": [{"name": "desk"}, {"name": "lamp"}]});
/// assert_eq!(path.first(&order), Some(&json!("desk")));
/// assert_eq!(path.all(&order).len(), 2);
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct JsonPath(serde_json_path::JsonPath);

impl JsonPath {
    /// The first value at this path.
    #[must_use]
    pub fn first<'a>(&self, value: &'a Json) -> Option<&'a Json> {
        self.all(value).into_iter().next()
    }

    /// All values at this path, in the order of the document.
    #[must_use]
    pub fn all<'a>(&self, value: &'a Json) -> Vec<&'a Json> {
        self.0.query(value).all()
    }
}

impl FromStr for JsonPath {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.len() > LONGEST {
            return Err(format!(
                "it has more than {LONGEST} bytes, the most that a JSON path may have"
            ));
        }
        if text.bytes().filter(|byte| matches!(byte, b'?' | b'(')).count() > MOST_NESTED {
            return Err(format!(
                "it has more than {MOST_NESTED} filters and parentheses, the most that a JSON path may have"
            ));
        }
        serde_json_path::JsonPath::parse(text).map(Self).map_err(|error| {
            format!("`{text}` is no JSON path: write one such as $.order.items[0].name ({error})")
        })
    }
}

impl fmt::Display for JsonPath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, formatter)
    }
}

impl fmt::Debug for JsonPath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, formatter)
    }
}

impl<'de> Deserialize<'de> for JsonPath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl Serialize for JsonPath {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl JsonSchema for JsonPath {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "JsonPath".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string"})
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_found_in_their_order() {
        let document = json!({"a": [{"b": 1}, {"b": 2, "c": "x"}], "d e": null});
        for (path, found) in [
            ("$", vec![document.clone()]),
            ("$.a[*].b", vec![json!(1), json!(2)]),
            ("$.a[?@.c == 'x'].b", vec![json!(2)]),
            ("$['d e']", vec![Json::Null]),
            ("$.a[-1:].c", vec![json!("x")]),
            ("$.nothing.at.all", vec![]),
        ] {
            let path: JsonPath = path.parse().unwrap();
            let all: Vec<Json> = path.all(&document).into_iter().cloned().collect();
            assert_eq!(all, found, "{path}");
        }
    }

    #[test]
    fn what_is_no_path_says_so() {
        for text in ["", "order", "$.", "$[", "$[?", "$.a b"] {
            let error = text.parse::<JsonPath>().unwrap_err();
            assert!(
                error.contains("is no JSON path") && error.contains("$.order"),
                "{text}: {error}"
            );
        }
        let long = format!("$.{}", "a".repeat(1_000));
        assert!(long.parse::<JsonPath>().unwrap_err().contains("1000 bytes"));
    }

    #[test]
    fn filters_may_not_stand_in_one_another_without_end() {
        for (open, close) in [("[?@", "]"), ("[?(@.a ", ")]"), ("[?!(", ")]"), ("[?@[']']", "")] {
            for times in [9, 100, 140] {
                let deep = format!("${}{}", open.repeat(times), close.repeat(times));
                let error = deep.parse::<JsonPath>().unwrap_err();
                assert!(
                    error.contains("more than 8") || error.contains("1000 bytes"),
                    "{open} {times}: {error}"
                );
            }
        }
        // As deep as may be: read at once, without trying each reading at each level again.
        let filters = format!("${}.a{}", "[?@".repeat(8), "]".repeat(8));
        assert_eq!(filters.parse::<JsonPath>().unwrap().all(&json!([1])).len(), 0);
        let deep = format!("$[?{}@.a == 1{}]", "(".repeat(7), ")".repeat(7));
        assert_eq!(
            deep.parse::<JsonPath>().unwrap().first(&json!([{"a": 1}])),
            Some(&json!({"a": 1}))
        );
        let side_by_side = format!("${}", "[0]".repeat(100));
        assert!(side_by_side.parse::<JsonPath>().is_ok());
    }
}
