//! Reading inputs that a model gives as text.

use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer};
use serde_json::Value as Json;

/// Reads a value that may stand as itself or as text that holds it as JSON: what a person types into an input
/// parameter of Camunda Modeler always arrives as text, `30` and `{"a": 1}` too. Text that is no JSON, or JSON
/// of another kind, is taken as the text it is.
///
/// For use in `#[serde(deserialize_with = "worker_api::flexible")]`.
///
/// # Errors
/// Where neither the value nor the JSON in it fits `T`; the error speaks of the value as it was given.
pub fn flexible<'de, D: Deserializer<'de>, T: DeserializeOwned>(deserializer: D) -> Result<T, D::Error> {
    let given = Json::deserialize(deserializer)?;
    if let Json::String(text) = &given
        && let Ok(parsed) = serde_json::from_str::<Json>(text)
        && let Ok(value) = T::deserialize(parsed)
    {
        return Ok(value);
    }
    T::deserialize(given).map_err(D::Error::custom)
}

/// Reads any value, where text that holds a JSON object or list counts as that object or list. Text that merely
/// looks like a number or a truth value stays text: `007` is a part number.
///
/// For use in `#[serde(deserialize_with = "worker_api::structured")]`.
///
/// # Errors
/// None of its own; those of the source.
pub fn structured<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Json, D::Error> {
    let given = Json::deserialize(deserializer)?;
    if let Json::String(text) = &given
        && let Ok(parsed @ (Json::Object(_) | Json::Array(_))) = serde_json::from_str(text)
    {
        return Ok(parsed);
    }
    Ok(given)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[derive(Deserialize)]
    struct Inputs {
        #[serde(deserialize_with = "flexible")]
        headers: BTreeMap<String, String>,
        #[serde(default, deserialize_with = "flexible")]
        limit: Option<u32>,
        #[serde(default, deserialize_with = "flexible")]
        text: String,
    }

    #[test]
    fn text_and_values_are_read_alike() {
        let typed: Inputs =
            serde_json::from_value(serde_json::json!({"headers": {"a": "b"}, "limit": 3, "text": "x"}))
                .unwrap();
        let texts: Inputs = serde_json::from_value(
            serde_json::json!({"headers": "{\"a\":\"b\"}", "limit": "3", "text": "x"}),
        )
        .unwrap();
        assert_eq!(typed.headers, texts.headers);
        assert_eq!((typed.limit, typed.text), (texts.limit, texts.text));
    }

    #[test]
    fn text_that_looks_like_a_number_stays_text_where_text_is_wanted() {
        let inputs: Inputs =
            serde_json::from_value(serde_json::json!({"headers": {}, "text": "4711"})).unwrap();
        assert_eq!(inputs.text, "4711");
    }

    #[test]
    fn text_that_holds_an_object_or_a_list_is_one_and_other_text_stays() {
        for (given, read) in [
            (serde_json::json!("{\"a\": 1}"), serde_json::json!({"a": 1})),
            (serde_json::json!(" [1] "), serde_json::json!([1])),
            (serde_json::json!("4711"), serde_json::json!("4711")),
            (serde_json::json!("{broken"), serde_json::json!("{broken")),
            (serde_json::json!(7), serde_json::json!(7)),
        ] {
            assert_eq!(structured(given).unwrap(), read);
        }
    }

    #[test]
    fn what_fits_in_no_way_is_an_error() {
        let inputs: Result<Inputs, _> = serde_json::from_value(serde_json::json!({"headers": "no json"}));
        assert!(inputs.is_err());
    }
}
