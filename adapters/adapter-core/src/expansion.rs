//! How much work a schema can make: a few references that lead to each other multiply.

use std::collections::HashMap;

use percent_encoding::percent_decode_str;
use serde_json::Value as Json;

/// Places that a schema may have once every reference is followed.
const MOST_PLACES: u64 = 50_000;

/// The keywords that refer to another place.
const REFERENCES: [&str; 3] = ["$ref", "$dynamicRef", "$recursiveRef"];

/// What following a schema's references comes to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Expansion {
    /// Whether a place leads back to itself, so that the work depends on the depth of the value.
    pub(crate) recursive: bool,
}

/// Follows the references of a schema.
///
/// # Errors
/// Says what is too much or cannot be followed.
pub(crate) fn expand(schema: &Json) -> Result<Expansion, String> {
    let mut walk = Walk {
        schema,
        known: HashMap::new(),
        recursive: false,
    };
    match walk.places(schema)? {
        places if places > MOST_PLACES => Err(format!(
            "its references multiply to {places} places, {MOST_PLACES} are allowed; let each part refer to the next once"
        )),
        _ => Ok(Expansion {
            recursive: walk.recursive,
        }),
    }
}

struct Walk<'a> {
    schema: &'a Json,
    /// The places of what has been walked, by address; `None` while it is being walked.
    known: HashMap<*const Json, Option<u64>>,
    recursive: bool,
}

impl<'a> Walk<'a> {
    fn places(&mut self, node: &'a Json) -> Result<u64, String> {
        match self.known.get(&std::ptr::from_ref(node)) {
            Some(Some(places)) => return Ok(*places),
            Some(None) => {
                self.recursive = true;
                return Ok(1);
            }
            None => self.known.insert(node, None),
        };
        let mut places = 1_u64;
        match node {
            Json::Array(items) => {
                for item in items {
                    places = places.saturating_add(self.places(item)?);
                }
            }
            Json::Object(fields) => {
                for (name, field) in fields {
                    let below = match field {
                        Json::String(reference) if REFERENCES.contains(&name.as_str()) => self
                            .target(reference)?
                            .map_or(Ok(1), |target| self.places(target))?,
                        Json::String(id) if is_embedded(name, id) && !std::ptr::eq(node, self.schema) => {
                            return Err(format!(
                                "the part with the `{name}` `{id}` is a schema of its own; move it under `$defs` without"
                            ));
                        }
                        _ => self.places(field)?,
                    };
                    places = places.saturating_add(below);
                }
            }
            _ => {}
        }
        self.known.insert(node, Some(places));
        Ok(places)
    }

    /// The place meant; none where it is one of JSON Schema's own documents, which are built in.
    fn target(&mut self, reference: &str) -> Result<Option<&'a Json>, String> {
        let own = ["$id", "id"]
            .iter()
            .find_map(|name| self.schema.get(name)?.as_str());
        let own = own.map_or("", |id| id.split('#').next().unwrap_or_default());
        let fragment = match reference.split_once('#') {
            Some((address, fragment)) if address.is_empty() || address == own => fragment,
            None if !own.is_empty() && reference == own => "",
            _ if is_built_in(reference) => {
                self.recursive = true;
                return Ok(None);
            }
            _ => {
                return Err(format!(
                    "`{reference}` is outside of it; put what it refers to under `$defs`"
                ));
            }
        };
        let found = match fragment.strip_prefix('/') {
            Some(_) => {
                let pointer = percent_decode_str(fragment).decode_utf8_lossy();
                self.schema.pointer(&pointer)
            }
            None if fragment.is_empty() => Some(self.schema),
            None => anchored(self.schema, fragment),
        };
        found
            .map(Some)
            .ok_or_else(|| format!("`{reference}` leads nowhere"))
    }
}

fn is_embedded(name: &str, id: &str) -> bool {
    (name == "$id" || name == "id") && !id.starts_with('#')
}

fn is_built_in(reference: &str) -> bool {
    ["http://json-schema.org/", "https://json-schema.org/"]
        .iter()
        .any(|start| reference.starts_with(start))
}

fn anchored<'a>(node: &'a Json, name: &str) -> Option<&'a Json> {
    let is_it = |fields: &serde_json::Map<String, Json>| {
        let named = |key: &str| fields.get(key).and_then(Json::as_str);
        [named("$anchor"), named("$dynamicAnchor")].contains(&Some(name))
            || [named("$id"), named("id")]
                .iter()
                .flatten()
                .any(|id| id.strip_prefix('#') == Some(name))
    };
    match node {
        Json::Object(fields) if is_it(fields) => Some(node),
        Json::Object(fields) => fields.values().find_map(|field| anchored(field, name)),
        Json::Array(items) => items.iter().find_map(|item| anchored(item, name)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn references_that_multiply_are_refused() {
        let mut defs = serde_json::Map::new();
        for level in 0..40 {
            let next = json!({"$ref": format!("#/$defs/l{}", level + 1)});
            defs.insert(format!("l{level}"), json!({"allOf": [next, next]}));
        }
        defs.insert("l40".into(), json!(true));
        let error = expand(&json!({"$ref": "#/$defs/l0", "$defs": defs})).unwrap_err();
        assert!(error.contains("multiply"), "{error}");
    }

    #[test]
    fn references_of_every_form_are_followed() {
        for schema in [
            json!({"$ref": "#/$defs/a%20b", "$defs": {"a b": true}}),
            json!({"$ref": "#a", "$defs": {"x": {"$anchor": "a"}}}),
            json!({"$ref": "#a", "definitions": {"x": {"$id": "#a"}}}),
            json!({"$id": "https://example.com/o.json", "$ref": "https://example.com/o.json#/$defs/a", "$defs": {"a": true}}),
        ] {
            assert_eq!(expand(&schema), Ok(Expansion { recursive: false }), "{schema}");
        }
        for schema in [
            json!({"properties": {"a": {"$ref": "#"}}}),
            json!({"$ref": "https://json-schema.org/draft/2020-12/schema"}),
            json!({"$dynamicAnchor": "a", "items": {"$dynamicRef": "#a"}}),
        ] {
            assert_eq!(expand(&schema), Ok(Expansion { recursive: true }), "{schema}");
        }
    }

    #[test]
    fn references_that_lead_out_or_nowhere_are_refused() {
        for (reference, part) in [
            ("other.json", "outside"),
            ("http://a/b", "outside"),
            ("#/a/b", "nowhere"),
            ("#b", "nowhere"),
            ("#/%", "nowhere"),
        ] {
            let error = expand(&json!({ "$ref": reference })).unwrap_err();
            assert!(error.contains(part), "{error}");
        }
        let error = expand(&json!({"$defs": {"a": {"$id": "https://b"}}})).unwrap_err();
        assert!(error.contains("of its own"), "{error}");
    }
}
