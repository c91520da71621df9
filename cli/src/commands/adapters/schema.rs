//! A JSON Schema of an object, as a list of fields for people.

use serde_json::Value as Json;

/// One property of an object.
#[derive(Debug, PartialEq)]
pub(super) struct Field {
    pub(super) name: String,
    pub(super) kind: String,
    pub(super) required: bool,
    pub(super) default: Option<Json>,
    pub(super) help: String,
}

/// The properties: first those of `asked`, in its order, then required ones, then all others.
pub(super) fn fields(schema: &Json, asked: &[String]) -> Vec<Field> {
    let properties = schema.get("properties").and_then(Json::as_object);
    let required: Vec<&str> = strings(schema.get("required")).collect();
    let mut fields: Vec<_> = properties
        .into_iter()
        .flatten()
        .map(|(name, property)| {
            let default = property.get("default").filter(|default| !default.is_null());
            Field {
                name: name.clone(),
                kind: kind(property, schema),
                required: required.contains(&name.as_str()) && default.is_none(),
                default: default.cloned(),
                help: help(property, schema),
            }
        })
        .collect();
    let place = |name: &String| asked.iter().position(|it| it == name).unwrap_or(usize::MAX);
    fields.sort_by_key(|field| (place(&field.name), !field.required));
    fields
}

fn strings(list: Option<&Json>) -> impl Iterator<Item = &str> {
    list.and_then(Json::as_array)
        .into_iter()
        .flatten()
        .filter_map(Json::as_str)
}

/// What the schema says of a property, on one line.
pub(super) fn help(property: &Json, root: &Json) -> String {
    let own = |schema: &Json| {
        schema
            .get("description")
            .and_then(Json::as_str)
            .map(str::to_owned)
    };
    let text = own(property)
        .or_else(|| own(resolve(property, root)))
        .unwrap_or_default();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What `$ref` refers to within the same schema.
pub(super) fn resolve<'s>(property: &'s Json, root: &'s Json) -> &'s Json {
    let pointer = property
        .get("$ref")
        .and_then(Json::as_str)
        .and_then(|it| it.strip_prefix('#'));
    pointer
        .and_then(|pointer| root.pointer(pointer))
        .unwrap_or(property)
}

fn kind(property: &Json, root: &Json) -> String {
    let property = resolve(property, root);
    let values: Vec<_> = choices(property).collect();
    if !values.is_empty() {
        return values.join("|");
    }
    let kinds: Vec<&str> = match property.get("type") {
        Some(Json::String(kind)) => vec![kind.as_str()],
        kinds => strings(kinds).collect(),
    };
    let kinds: Vec<String> = kinds
        .into_iter()
        .filter(|kind| *kind != "null")
        .map(|kind| match (kind, property.get("items")) {
            ("array", Some(items)) => format!("list of {}", self::kind(items, root)),
            ("array", None) => "list".to_owned(),
            (kind, _) => kind.to_owned(),
        })
        .collect();
    if !kinds.is_empty() {
        return kinds.join("|");
    }
    let mut variants: Vec<String> = ["anyOf", "oneOf"]
        .iter()
        .filter_map(|word| property.get(word)?.as_array())
        .flatten()
        .filter(|variant| variant.get("type").and_then(Json::as_str) != Some("null"))
        .map(|variant| kind(variant, root))
        .collect();
    variants.dedup();
    if variants.is_empty() {
        "any".to_owned()
    } else {
        variants.join("|")
    }
}

/// The values that are allowed, where they are counted: `enum`, or `const` in each variant.
fn choices(property: &Json) -> impl Iterator<Item = String> {
    let listed = property
        .get("enum")
        .and_then(Json::as_array)
        .into_iter()
        .flatten();
    let constants = property
        .get("oneOf")
        .and_then(Json::as_array)
        .into_iter()
        .flatten()
        .filter_map(|it| it.get("const"));
    let text = |value: &Json| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    listed.chain(constants).filter(|value| !value.is_null()).map(text)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn types_are_told_in_words() {
        let root = json!({"$defs": {"Mode": {"oneOf": [{"const": "a"}, {"const": "b"}]}}});
        let told = |schema: Json| kind(&schema, &root);
        assert_eq!(told(json!({"type": ["string", "null"]})), "string");
        assert_eq!(
            told(json!({"type": "array", "items": {"type": "integer"}})),
            "list of integer"
        );
        assert_eq!(told(json!({"$ref": "#/$defs/Mode"})), "a|b");
        assert_eq!(
            told(json!({"anyOf": [{"$ref": "#/$defs/Mode"}, {"type": "null"}]})),
            "a|b"
        );
        assert_eq!(told(json!(true)), "any");
    }
}
