//! With what a form asks for one input, as its JSON Schema says.

use serde_json::Value as Json;

use super::schema::{help, resolve};

/// A control of a form.
#[derive(Debug, PartialEq)]
pub(super) enum Control {
    /// One line of text.
    Line,
    /// Several lines: objects and lists as JSON, scripts, templates.
    Lines,
    /// One of a few values.
    Choice(Vec<Choice>),
}

/// One of the values that a choice has.
#[derive(Debug, PartialEq)]
pub(super) struct Choice {
    pub(super) value: String,
    /// What it means, where the schema says so.
    pub(super) help: String,
}

/// The control for a property of the schema `root`.
pub(super) fn control(property: &Json, root: &Json) -> Control {
    let mut found = Found::default();
    found.look(property, root);
    if !found.choices.is_empty() {
        return Control::Choice(found.choices);
    }
    match (found.has_lines, found.has_truth, found.has_line) {
        (false, true, false) => Control::Choice(["true", "false"].map(Choice::without_help).into()),
        (false, _, true) => Control::Line,
        _ => Control::Lines,
    }
}

impl Choice {
    fn without_help(value: &str) -> Self {
        Self {
            value: value.to_owned(),
            help: String::new(),
        }
    }
}

/// What a property may be, all its variants together.
#[derive(Default)]
struct Found {
    choices: Vec<Choice>,
    has_line: bool,
    has_truth: bool,
    has_lines: bool,
}

impl Found {
    fn look(&mut self, property: &Json, root: &Json) {
        let at = resolve(property, root);
        // Media are documents of their own, and so is whatever may be anything.
        if property.get("contentMediaType").is_some() {
            self.has_lines = true;
        }
        if let Some(value) = at.get("const") {
            self.choice(value, help(at, root));
            return;
        }
        if let Some(values) = at.get("enum").and_then(Json::as_array) {
            for value in values {
                self.choice(value, String::new());
            }
            return;
        }
        let variants: Vec<&Json> = ["anyOf", "oneOf"]
            .iter()
            .filter_map(|word| at.get(word)?.as_array())
            .flatten()
            .collect();
        for variant in &variants {
            self.look(variant, root);
        }
        let kinds: Vec<&str> = match at.get("type") {
            Some(Json::String(kind)) => vec![kind],
            Some(Json::Array(kinds)) => kinds.iter().filter_map(Json::as_str).collect(),
            _ if variants.is_empty() => vec!["object"],
            _ => Vec::new(),
        };
        for kind in kinds {
            match kind {
                "string" | "number" | "integer" => self.has_line = true,
                "boolean" => self.has_truth = true,
                "object" => self.has_lines = true,
                // A list beside text may be written as text; one alone has neither and is written as JSON.
                _ => {}
            }
        }
    }

    fn choice(&mut self, value: &Json, help: String) {
        if value.is_null() {
            return;
        }
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        self.choices.push(Choice { value, help });
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_kind_of_value_has_its_control() {
        let root = json!({"$defs": {
            "Mode": {"oneOf": [{"const": "a", "description": "The\nfirst."}, {"const": "b"}]},
            "Scalar": {"anyOf": [{"type": "string"}, {"type": "number"}, {"type": "boolean"}]},
        }});
        let asked = |schema: Json| control(&schema, &root);
        let choices = |values: &[(&str, &str)]| {
            let choice = |(value, help): &(&str, &str)| Choice {
                value: (*value).to_owned(),
                help: (*help).to_owned(),
            };
            Control::Choice(values.iter().map(choice).collect())
        };
        assert_eq!(asked(json!({"type": ["string", "null"]})), Control::Line);
        assert_eq!(asked(json!({"type": "integer"})), Control::Line);
        assert_eq!(
            asked(json!({"anyOf": [{"$ref": "#/$defs/Scalar"}, {"type": "null"}]})),
            Control::Line
        );
        assert_eq!(
            asked(json!({"anyOf": [{"type": "string"}, {"type": "array"}]})),
            Control::Line
        );
        assert_eq!(asked(json!({"type": "array"})), Control::Lines);
        assert_eq!(asked(json!({"type": ["object", "null"]})), Control::Lines);
        assert_eq!(asked(json!({"description": "Anything."})), Control::Lines);
        assert_eq!(asked(json!(true)), Control::Lines);
        assert_eq!(
            asked(json!({"type": "string", "contentMediaType": "text/plain"})),
            Control::Lines
        );
        let truth = choices(&[("true", ""), ("false", "")]);
        assert_eq!(asked(json!({"type": ["boolean", "null"]})), truth);
        let mode = choices(&[("a", "The first."), ("b", "")]);
        assert_eq!(asked(json!({"$ref": "#/$defs/Mode"})), mode);
        assert_eq!(
            asked(json!({"anyOf": [{"$ref": "#/$defs/Mode"}, {"type": "null"}]})),
            mode
        );
        assert_eq!(asked(json!({"enum": [1, null]})), choices(&[("1", "")]));
    }
}
