//! What is said to a program, and what its lines mean.

use serde_json::{Map, Value as Json, json};
use worker_api::{Answer, BpmnError, Failure, TaskContext, TaskError, Value, Variables};

use crate::manifest::Language;

/// What runs the program within a cell: it hands the request over, and gives back what was written and how it ended. What the
/// program writes to standard error is the cell's own.
pub(crate) fn driver(language: Language) -> &'static str {
    match language {
        Language::Python => {
            r#"import json, subprocess, sys
def main(inputs):
    ran = subprocess.run([sys.executable, inputs["main"]], input=json.dumps(inputs["request"]) + "\n",
                         stdout=subprocess.PIPE, text=True, encoding="utf-8")
    return {"status": ran.returncode, "written": ran.stdout}
"#
        }
        Language::JavaScript => {
            r#"const {spawnSync} = require("node:child_process");
const ran = spawnSync(process.execPath, [inputs.main], {
  input: JSON.stringify(inputs.request) + "\n", encoding: "utf8", maxBuffer: 1 << 30, stdio: ["pipe", "pipe", "inherit"]});
if (ran.error) throw ran.error;
return {status: ran.status ?? -1, written: ran.stdout};
"#
        }
    }
}

/// The one line that a program gets.
pub(crate) fn request(context: &TaskContext) -> Json {
    let mut inputs: Map<String, Json> = context
        .variables
        .iter()
        .map(|(name, value)| {
            let value = match value {
                // They lie beside the program.
                Value::File(file) => Json::from(file.name.as_str()),
                Value::Bytes(_) => Json::from(name.as_str()),
                value => value.to_json(),
            };
            (name.clone(), value)
        })
        .collect();
    inputs.extend(context.settings.clone());
    let left = context
        .deadline
        .saturating_duration_since(std::time::Instant::now());
    json!({
        "topic": context.operation, "inputs": inputs, "idempotency_key": context.idempotency_key(),
        "process_instance_id": context.task.process_instance_id, "activity_id": context.task.activity_id,
        "seconds_left": left.as_secs_f64(),
    })
}

/// What a program's lines come to; its logs are written on the way.
pub(crate) fn outcome(name: &str, ran: &Json, stderr: &str, files: Variables) -> Result<Answer, TaskError> {
    let written = ran["written"].as_str().unwrap_or_default();
    let wrong =
        |problem: String| TaskError::from(Failure::permanent(problem).with_details(details(written, stderr)));
    let mut outcome = None;
    for line in written.lines().filter(|line| !line.trim().is_empty()) {
        let said: Json = serde_json::from_str(line).map_err(|error| {
            wrong(format!(
                "the program {name} has written a line that is no JSON ({error}); what is not for procos belongs on standard error"
            ))
        })?;
        if let Some(log) = said.get("log") {
            let log = log.as_str().map_or_else(|| log.to_string(), str::to_owned);
            tracing::info!(program = name, log, "a program says");
            continue;
        }
        if outcome.is_some() {
            return Err(wrong(format!(
                "the program {name} has written two answers: one is enough"
            )));
        }
        outcome = Some(said);
    }
    let Some(said) = outcome else {
        return Err(wrong(format!(
            "the program {name} has ended with the status {} and without an answer",
            ran["status"]
        )));
    };
    if let Some(answer) = said.get("answer").and_then(Json::as_object) {
        let fields = answer
            .iter()
            .map(|(name, value)| (name.clone(), Value::from(value.clone())));
        return Ok(fields
            .chain(files)
            .fold(Answer::new(), |answer, (name, value)| answer.with(name, value)));
    }
    let message = |of: &Json| of["message"].as_str().unwrap_or("it does not say why").to_owned();
    if let Some(error) = said.get("error") {
        let code = error["code"].as_str().ok_or_else(|| {
            wrong(format!(
                "the program {name} has written an `error` without a `code`"
            ))
        })?;
        let variables = error["variables"].as_object().cloned().unwrap_or_default();
        let error = BpmnError::new(code, message(error)).with_details(details("", stderr));
        return Err(variables
            .into_iter()
            .fold(error, |error, (name, value)| error.with(name, Value::from(value)))
            .into());
    }
    if let Some(failure) = said.get("failure") {
        let made = match failure["retry"].as_bool() {
            Some(false) => Failure::permanent(message(failure)),
            _ => Failure::retryable(message(failure)),
        };
        return Err(made.with_details(details("", stderr)).into());
    }
    Err(wrong(format!(
        "the program {name} has written a line without `answer`, `error`, `failure` or `log`"
    )))
}

/// What helps whoever looks into it.
fn details(written: &str, stderr: &str) -> String {
    let head = |text: &str| text.chars().take(8000).collect::<String>();
    [("standard output", written), ("standard error", stderr)]
        .into_iter()
        .filter(|(_, text)| !text.trim().is_empty())
        .map(|(name, text)| format!("{name}:\n{}\n", head(text).trim_end()))
        .collect()
}
