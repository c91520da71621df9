//! Fields of an answer that a task takes out of its body.

use std::collections::BTreeMap;

use json_path::JsonPath;
use serde_json::Value as Json;
use worker_api::{Answer, Failure, TaskContext, TaskError, TopicCall, Value};

/// The answer's own fields.
const OWN: [&str; 5] = ["status", "headers", "body", "url", "pages"];

/// What a field is made of.
#[derive(Debug)]
enum Source {
    /// What is at a place in the body.
    Path(JsonPath),
    /// A template that sees the body.
    Template(String),
}

/// The fields that a task wants.
#[derive(Debug, Default)]
pub(crate) struct Mapping(Vec<(String, Source)>);

impl Mapping {
    /// Reads the input `map`.
    ///
    /// # Errors
    /// Where a field has the name of one of the answer's own, or is neither a path nor a template.
    pub(crate) fn read(given: Option<&BTreeMap<String, String>>) -> Result<Self, Failure> {
        let one = |(name, text): (&String, &String)| {
            let wrong = |problem: String| Failure::permanent(format!("the input `map`: `{name}`: {problem}"));
            if OWN.contains(&name.as_str()) {
                return Err(wrong(
                    "the answer has a field of that name; choose another".to_owned(),
                ));
            }
            let source = if text.contains("{{") || text.contains("{%") {
                Source::Template(text.clone())
            } else {
                Source::Path(text.parse().map_err(wrong)?)
            };
            Ok((name.clone(), source))
        };
        given
            .into_iter()
            .flatten()
            .map(one)
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Adds the fields to an answer. A path that leads nowhere gives null.
    ///
    /// # Errors
    /// Where a template cannot be filled in.
    pub(crate) async fn add(self, answer: Answer, context: &TaskContext) -> Result<Answer, TaskError> {
        if self.0.is_empty() {
            return Ok(answer);
        }
        let body = answer.fields().get("body").map_or(Json::Null, Value::to_json);
        let mut answer = answer;
        for (name, source) in self.0 {
            let value = match source {
                Source::Path(path) => path.first(&body).cloned().unwrap_or_default().into(),
                Source::Template(template) => fill(&name, template, &body, context).await?,
            };
            answer = answer.with(name, value);
        }
        Ok(answer)
    }
}

/// Fills in a template as the task `response_formatting` does.
async fn fill(name: &str, template: String, body: &Json, context: &TaskContext) -> Result<Value, TaskError> {
    let inputs = [
        ("value".to_owned(), body.clone().into()),
        ("template".to_owned(), template.into()),
    ];
    let call = TopicCall::new("response_formatting", format!("map-{name}")).inputs(inputs.into());
    let filled = context
        .processes()
        .call_topic(context, call)
        .await
        .map_err(Failure::from)?;
    let text = filled?.into_fields().remove("text");
    Ok(text.unwrap_or(Value::Null))
}
