//! `input_validation`: a value against a JSON Schema.

use jsonschema::error::ValidationErrorKind;
use jsonschema::paths::{Location, LocationSegment};
use jsonschema::{PatternOptions, ValidationError, Validator};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use worker_api::{Answer, BpmnError, Failure, Outcome};

use crate::expansion::{Expansion, expand};

/// The topic.
pub(crate) const TOPIC: &str = "input_validation";

/// The BPMN error of a value that does not fit.
pub(crate) const ERROR: &str = "VALIDATION_FAILED";

/// A schema past this many bytes of JSON is a mistake, and slow to compile.
const LARGEST_SCHEMA: usize = 256 * 1024;

/// Steps that one match of one pattern may go back, so that a pattern such as `(a+)+$` ends.
const BACKTRACKING: usize = 100_000;

/// Bytes that one compiled pattern may take, so that `(a{1000}){1000}` is refused and not built.
const PATTERN_SIZE: usize = 1024 * 1024;

/// Findings listed in an answer or error; nobody reads more, and a list of a million wrong items has as many.
const MOST_FINDINGS: usize = 100;

/// Findings told in an error's message; the rest are in its variable `errors`.
const FINDINGS_TOLD: usize = 3;

/// A value that nests deeper than this is deep.
const DEEP: usize = 8;

/// A value longer than this is not repeated in a message.
const LONGEST_VALUE: usize = 60;

/// What the task is given.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Inputs {
    /// The value to check, such as `${order}`. Text that holds a JSON object or list is read as such. A value that
    /// is missing is checked as null.
    #[serde(default, deserialize_with = "worker_api::structured")]
    value: Json,
    /// The JSON Schema to check it against, such as
    /// `{"type": "object", "required": ["item"], "properties": {"amount": {"type": "integer", "minimum": 1}}}`;
    /// an object or its JSON text. It stands for itself: a `$ref` may lead to a place inside it, never to another
    /// address.
    #[serde(deserialize_with = "worker_api::structured")]
    schema: Json,
    /// What a value that does not fit leads to: `error` throws the BPMN error VALIDATION_FAILED, `report` completes
    /// the task and answers what is wrong, such as for a form that is shown again.
    #[serde(default)]
    on_invalid: OnInvalid,
}

/// What a value that does not fit leads to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum OnInvalid {
    /// The BPMN error VALIDATION_FAILED.
    #[default]
    Error,
    /// An answer that says what is wrong.
    Report,
}

/// The answer.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Validity {
    /// Whether the value fits the schema.
    valid: bool,
    /// What is wrong, the first hundred findings; empty where the value fits. Only with `on_invalid: report`.
    errors: Vec<Finding>,
}

/// One thing that is wrong.
#[derive(Debug, PartialEq, Eq, Serialize, JsonSchema)]
struct Finding {
    /// Where it is wrong, such as `order.items[0].price`; empty for the value as a whole.
    path: String,
    /// What is wrong there, such as `is missing` or `"two" is not of type "integer"`.
    message: String,
}

/// Checks a value.
pub(crate) fn validate(inputs: Inputs) -> Outcome {
    let (validator, expansion) = compile(inputs.schema)?;
    let mut findings = Vec::new();
    for error in errors(&validator, &inputs.value, &expansion) {
        if let ValidationErrorKind::BacktrackLimitExceeded { .. }
        | ValidationErrorKind::RegexEngineFailure { .. } = error.kind()
        {
            return Err(Failure::permanent(format!(
                "the schema's pattern at `{}` takes too long on the value at `{}`: write it without nested repetition",
                error.schema_path(),
                dotted(error.instance_path()),
            ))
            .caused_by(&error.to_owned())
            .into());
        }
        findings.extend(explain(&error));
    }
    findings.truncate(MOST_FINDINGS);
    match inputs.on_invalid {
        OnInvalid::Report => Ok(Answer::new()
            .with("valid", findings.is_empty())
            .with("errors", Json::from_iter(findings.into_iter().map(Json::from)))),
        OnInvalid::Error if findings.is_empty() => Ok(Answer::new().with("valid", true)),
        OnInvalid::Error => Err(BpmnError::new(ERROR, told(&findings))
            .with("errors", Json::from_iter(findings.into_iter().map(Json::from)))
            .into()),
    }
}

/// What is wrong with a value. To find everything takes time that doubles with each level, where a schema refers
/// to itself twice: there, for a value that nests deeply, it is the first finding alone.
fn errors<'a>(validator: &'a Validator, value: &'a Json, expansion: &Expansion) -> Vec<ValidationError<'a>> {
    if validator.is_valid(value) {
        Vec::new()
    } else if expansion.recursive && nests_deeper_than(DEEP, value) {
        validator.validate(value).err().into_iter().collect()
    } else {
        validator.iter_errors(value).take(MOST_FINDINGS).collect()
    }
}

fn nests_deeper_than(depth: usize, value: &Json) -> bool {
    match (value, depth.checked_sub(1)) {
        (Json::Object(_) | Json::Array(_), None) => true,
        (Json::Object(fields), Some(rest)) => fields.values().any(|field| nests_deeper_than(rest, field)),
        (Json::Array(items), Some(rest)) => items.iter().any(|item| nests_deeper_than(rest, item)),
        _ => false,
    }
}

fn compile(schema: Json) -> Result<(Validator, Expansion), Failure> {
    let schema = match schema {
        Json::String(text) => serde_json::from_str(&text)
            .map_err(|error| Failure::permanent(format!("the input `schema` is not JSON: {error}")))?,
        schema => schema,
    };
    let size = schema.to_string().len();
    if size > LARGEST_SCHEMA {
        return Err(Failure::permanent(format!(
            "the input `schema` has {size} bytes, {LARGEST_SCHEMA} are allowed: check parts of the value in tasks of their own"
        )));
    }
    let expansion = expand(&schema)
        .map_err(|error| Failure::permanent(format!("the input `schema` cannot be used: {error}")))?;
    let patterns = PatternOptions::fancy_regex()
        .backtrack_limit(BACKTRACKING)
        .size_limit(PATTERN_SIZE)
        .dfa_size_limit(PATTERN_SIZE);
    let validator = jsonschema::options()
        .offline()
        .should_validate_formats(true)
        .with_pattern_options(patterns)
        .build(&schema)
        .map_err(|error| match error.kind() {
            ValidationErrorKind::Referencing(cause) => {
                Failure::permanent(format!("the input `schema` cannot be used: {cause}"))
            }
            _ => Failure::permanent(format!(
                "the input `schema` is no valid JSON Schema at `{}`: {}",
                at(error.instance_path()),
                shortened(&error),
            )),
        })?;
    Ok((validator, expansion))
}

/// Where in a schema: a JSON pointer, as schemas themselves use.
fn at(location: &Location) -> &str {
    match location.as_str() {
        "" => "/",
        pointer => pointer,
    }
}

/// What one error of the validator means: one finding, or one for each property that should not be there.
fn explain(error: &ValidationError<'_>) -> Vec<Finding> {
    let path = dotted(error.instance_path());
    let property = |name: &str| match path.as_str() {
        "" => name.to_owned(),
        parent => format!("{parent}.{name}"),
    };
    match error.kind() {
        ValidationErrorKind::Required {
            property: Json::String(name),
        } => {
            vec![Finding {
                path: property(name),
                message: "is missing".to_owned(),
            }]
        }
        ValidationErrorKind::AdditionalProperties { unexpected }
        | ValidationErrorKind::UnevaluatedProperties { unexpected } => unexpected
            .iter()
            .map(|name| Finding {
                path: property(name),
                message: "is not expected".to_owned(),
            })
            .collect(),
        _ => vec![Finding {
            path,
            message: shortened(error),
        }],
    }
}

/// The validator's message with the value in it, where that is short.
fn shortened(error: &ValidationError<'_>) -> String {
    let value = error.instance();
    match value.as_ref() {
        Json::Object(_) => error.masked_with("the object").to_string(),
        Json::Array(_) => error.masked_with("the list").to_string(),
        scalar if scalar.to_string().len() > LONGEST_VALUE => error.masked_with("the value").to_string(),
        _ => error.to_string(),
    }
}

/// A path as people write it: `items[0].price`.
fn dotted(location: &Location) -> String {
    let mut path = String::new();
    for segment in location {
        match segment {
            LocationSegment::Index(index) => path.push_str(&format!("[{index}]")),
            LocationSegment::Property(name) => {
                if !path.is_empty() {
                    path.push('.');
                }
                path.push_str(&name);
            }
        }
    }
    path
}

/// The first findings in one line.
fn told(findings: &[Finding]) -> String {
    let place = |finding: &Finding| match finding.path.as_str() {
        "" => format!("the value: {}", finding.message),
        path if finding.message.starts_with("is ") => format!("{path} {}", finding.message),
        path => format!("{path}: {}", finding.message),
    };
    let told: Vec<String> = findings.iter().take(FINDINGS_TOLD).map(place).collect();
    match findings.len().saturating_sub(FINDINGS_TOLD) {
        0 => told.join("; "),
        more => format!("{}; and {more} more", told.join("; ")),
    }
}

impl From<Finding> for Json {
    fn from(finding: Finding) -> Self {
        serde_json::json!({"path": finding.path, "message": finding.message})
    }
}

#[cfg(test)]
#[path = "validation_tests.rs"]
mod tests;
