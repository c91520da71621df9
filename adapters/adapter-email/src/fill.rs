//! Templates: a file that was deployed with the process, and texts that are filled in.

use serde_json::Value as Json;
use worker_api::{Failure, TaskContext, TaskError, TopicCall, Value};

use crate::inputs::Inputs;

/// Puts the deployed file in the place of the HTML, and fills in what is to be filled in.
///
/// # Errors
/// Where there is no such file, or a template cannot be filled in.
pub(crate) async fn fill(inputs: &mut Inputs, context: &TaskContext) -> Result<(), TaskError> {
    if let Some(path) = &inputs.template {
        if inputs.html.is_some() {
            return Err(wrong(
                "the inputs `html` and `template` both say what the HTML is; leave one of the two out",
            )
            .into());
        }
        let found = context
            .processes()
            .resource(context, path)
            .await
            .map_err(|error| Failure::from(error).nothing_done())?;
        let bytes = found.ok_or_else(|| {
            wrong(&format!(
                "the input `template`: no file {path} was deployed with the process; deploy it in the model's folder"
            ))
        })?;
        let text = String::from_utf8(bytes.into())
            .map_err(|_| wrong(&format!("the input `template`: {path} is no text in UTF-8")))?;
        inputs.html = Some(text);
    }
    if inputs.values.is_null() {
        return Ok(());
    }
    inputs.subject = filled("subject", &inputs.subject, "none", &inputs.values, context).await?;
    if let Some(body) = &inputs.body {
        inputs.body = Some(filled("body", body, "none", &inputs.values, context).await?);
    }
    if let Some(html) = &inputs.html {
        inputs.html = Some(filled("html", html, "html", &inputs.values, context).await?);
    }
    Ok(())
}

/// Fills in a template as the task `response_formatting` does.
async fn filled(
    name: &str,
    template: &str,
    escape: &str,
    values: &Json,
    context: &TaskContext,
) -> Result<String, TaskError> {
    let inputs = [
        ("value".to_owned(), values.clone().into()),
        ("template".to_owned(), template.into()),
        ("escape".to_owned(), escape.into()),
    ];
    let call = TopicCall::new("response_formatting", name).inputs(inputs.into());
    let outcome = context
        .processes()
        .call_topic(context, call)
        .await
        .map_err(|error| Failure::from(error).nothing_done())?;
    let named = |failure: Failure| Failure {
        message: format!("the input `{name}`: {}", failure.message),
        ..failure
    };
    match outcome {
        Ok(answer) => match answer.into_fields().remove("text") {
            Some(Value::String(text)) => Ok(text),
            _ => Err(wrong(&format!("the input `{name}` gives no text")).into()),
        },
        Err(TaskError::Failure(failure)) => Err(named(failure).nothing_done().into()),
        Err(other) => Err(other),
    }
}

fn wrong(message: &str) -> Failure {
    Failure::permanent(message).nothing_done()
}
