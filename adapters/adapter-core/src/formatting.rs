//! `response_formatting`: a value into text with a template.

use std::fmt::{self, Write};

use minijinja::value::Serde;
use minijinja::{AutoEscape, Error, ErrorKind, Value};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};
use worker_api::{Answer, Failure, Outcome};

use crate::rendering::render;

/// The topic.
pub(crate) const TOPIC: &str = "response_formatting";

/// A template past this many bytes is a mistake.
const LARGEST_TEMPLATE: usize = 256 * 1024;

/// Bytes of text that a template may give.
const LARGEST_TEXT: usize = 4 * 1024 * 1024;

/// Bytes that the details of a failure may have.
const LARGEST_DETAILS: usize = 16 * 1024;

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
    /// has no value is an error; write `{{ note|default("none") }}` where it may be missing. All steps together may make 32 MiB of text and lists, however they repeat; the
    /// filter `pprint` and the function `debug` are not there, `tojson` shows a value.
    #[schemars(extend("contentMediaType" = "text/plain"))]
    template: String,
    /// What is done to the values that the template fills in: `none`, or `html`, so that none can be taken for a tag.
    #[serde(default)]
    escape: Escape,
    /// The task's other inputs: the template sees each by its name, and over a field of the value that has the same.
    #[serde(flatten)]
    others: Map<String, Json>,
}

/// What is done to values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Escape {
    /// They stand as they are.
    #[default]
    None,
    /// As HTML writes them.
    Html,
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
        escape,
        others,
    } = inputs;
    let escape = match escape {
        Escape::None => AutoEscape::None,
        Escape::Html => AutoEscape::Html,
    };
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

    let text = render(&template, Value::from(Serde(&names)), escape, FUEL, RECURSION)
        .map_err(|error| explain(&error, &template))?;
    if text.len() > LARGEST_TEXT {
        return Err(Failure::permanent(format!(
            "the template gives more than {LARGEST_TEXT} bytes of text; give it less to repeat"
        ))
        .into());
    }
    Ok(Answer::new().with("text", text))
}

/// A failure that names the line of the template, what stands there, and what to do.
fn explain(error: &Error, template: &str) -> Failure {
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
    // The values that the template sees stand there, too, and may be large.
    let mut details = Beginning(String::new());
    let _cut = write!(details, "{}", error.display_debug_info());
    Failure::permanent(message).with_details(details.0.trim().to_owned())
}

/// The first [`LARGEST_DETAILS`] bytes of a text, or some less.
struct Beginning(String);

impl Write for Beginning {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let left = LARGEST_DETAILS - self.0.len();
        self.0.push_str(&text[..text.floor_char_boundary(left)]);
        if text.len() > left {
            Err(fmt::Error)
        } else {
            Ok(())
        }
    }
}

#[cfg(test)]
#[path = "formatting_tests.rs"]
mod tests;
