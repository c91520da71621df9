//! `response_formatting`: a value into text with a template.

use std::io::Write;

use minijinja::value::Serde;
use minijinja::{Environment, Error, ErrorKind, UndefinedBehavior};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};
use worker_api::{Answer, Failure, Outcome};

/// The topic.
pub(crate) const TOPIC: &str = "response_formatting";

/// A template past this many bytes is a mistake.
const LARGEST_TEMPLATE: usize = 256 * 1024;

/// Bytes of text that a template may give.
const LARGEST_TEXT: usize = 4 * 1024 * 1024;

/// Instructions that one rendering may take: some milliseconds of work, and a page of a few thousand lines.
const FUEL: u64 = 200_000;

/// Levels that a template may nest.
const RECURSION: usize = 100;

/// What the task is given.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Inputs {
    /// The value to format, such as `${order}`. Text that holds a JSON object or list is read as such. The template
    /// sees it as `value` and, where it is an object, its fields by their own names, too.
    #[serde(default, deserialize_with = "worker_api::structured")]
    value: Json,
    /// The template, in the syntax of Jinja, such as `Order {{ id }}: {{ "%.2f"|format(total) }} EUR`. A name that
    /// has no value is an error; write `{{ note|default("none") }}` where it may be missing. Nothing is escaped: for
    /// HTML write `{{ name|escape }}`.
    template: String,
    /// The task's other inputs: the template sees each by its name, and over a field of the value that has the same.
    #[serde(flatten)]
    others: Map<String, Json>,
}

/// The answer.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Formatted {
    /// The text.
    text: String,
}

/// Fills in a template.
pub(crate) fn format(inputs: Inputs) -> Outcome {
    let Inputs {
        value,
        template,
        others,
    } = inputs;
    if template.len() > LARGEST_TEMPLATE {
        return Err(Failure::permanent(format!(
            "the input `template` has {} bytes, {LARGEST_TEMPLATE} are allowed",
            template.len()
        ))
        .into());
    }
    let mut names = match &value {
        Json::Object(fields) => fields.clone(),
        _ => Map::new(),
    };
    names.extend(others);
    names.insert("value".to_owned(), value);

    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_fuel(Some(FUEL));
    environment.set_recursion_limit(RECURSION);
    environment.set_debug(true);
    let mut text = Bounded::default();
    environment
        .template_from_named_str("template", &template)
        .and_then(|compiled| compiled.render_captured_to(Serde(&names), &mut text))
        .map_err(|error| explain(&error, &template, text.full))?;
    let text = String::from_utf8(text.bytes)
        .map_err(|error| Failure::permanent("the template gave bytes that are no text").caused_by(&error))?;
    Ok(Answer::new().with("text", text))
}

/// A text that takes no more than [`LARGEST_TEXT`] bytes.
#[derive(Default)]
struct Bounded {
    bytes: Vec<u8>,
    full: bool,
}

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.bytes.len() + bytes.len() > LARGEST_TEXT {
            self.full = true;
            return Err(std::io::Error::other("the text is too long"));
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// A failure that names the line of the template, what stands there, and what to do.
fn explain(error: &Error, template: &str, full: bool) -> Failure {
    let place = error
        .line()
        .map(|line| format!(" in line {line}"))
        .unwrap_or_default();
    let expression = error
        .range()
        .and_then(|range| template.get(range))
        .filter(|text| text.len() <= 100)
        .map(|text| format!(" `{}`", text.trim()))
        .unwrap_or_default();
    let message = match error.kind() {
        _ if full => {
            format!("the template gives more than {LARGEST_TEXT} bytes of text; give it less to repeat")
        }
        ErrorKind::OutOfFuel => {
            format!("the template{place} takes more than {FUEL} steps; give it less to repeat")
        }
        ErrorKind::UndefinedError => format!(
            "the template{place} uses{expression}, which has no value; set it, or write `|default(\"\")` behind it"
        ),
        kind => {
            let detail = error
                .detail()
                .map(|detail| format!(": {detail}"))
                .unwrap_or_default();
            format!("the template is wrong{place}{expression}: {kind}{detail}")
        }
    };
    Failure::permanent(message).with_details(error.display_debug_info().to_string().trim().to_owned())
}

#[cfg(test)]
#[path = "formatting_tests.rs"]
mod tests;
