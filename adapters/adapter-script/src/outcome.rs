//! What becomes of a run.

use std::time::Duration;

use sandbox::{Ending, Limit, LimitHit, OutputFile, Report, SandboxError, Script, ScriptError};
use worker_api::{Answer, BpmnError, Failure, File, Outcome, TaskError, Value};

/// The code of a script's own errors.
pub(crate) const ERROR: &str = "SCRIPT_ERROR";

/// So many bytes of what a script has printed are told where it failed.
const HEAD: usize = 8 * 1024;

/// The outcome of a run. `files` are the answer's fields with the paths of their files, in the order of the report's.
pub(crate) fn of(report: Report, script: &Script, files: &[(String, String)]) -> Outcome {
    match &report.ending {
        Ending::Result(_) => answer(report, script, files),
        Ending::Error(error) => Err(script_error(error, &report, script).into()),
        Ending::Limit(hit) => Err(limit(hit, &report, script).into()),
        Ending::Gone(how) => {
            let failure = Failure::retryable(format!(
                "the script {} has ended without a result: {how}",
                script.name
            ));
            Err(failure.with_details(printed(&report)).into())
        }
    }
}

/// What it means for a task that the sandbox could not run its script.
pub(crate) fn not_run(error: &SandboxError) -> TaskError {
    let message = error.to_string();
    match error {
        SandboxError::Refused(_) | SandboxError::Order(_) => Failure::permanent(message).into(),
        SandboxError::Start { .. } | SandboxError::Lost { .. } => Failure::retryable(message).into(),
    }
}

fn answer(report: Report, script: &Script, files: &[(String, String)]) -> Outcome {
    let missing = files
        .iter()
        .find(|(_, path)| !report.files.iter().any(|file| file.name == *path));
    if let Some((field, path)) = missing {
        let error = ScriptError {
            kind: "MissingFile".to_owned(),
            message: format!(
                "it has not written `{path}`, which `output_files` names for the field `{field}`"
            ),
            ..ScriptError::default()
        };
        return Err(script_error(&error, &report, script).into());
    }
    let Report {
        ending,
        stdout,
        stderr,
        files: written,
        duration,
    } = report;
    let result = match ending {
        Ending::Result(result) => Value::from(result),
        _ => Value::Null,
    };
    let mut answer = Answer::new()
        .with("result", result)
        .with("stdout", stdout)
        .with("stderr", stderr)
        .with(
            "duration_ms",
            i64::try_from(duration.as_millis()).unwrap_or(i64::MAX),
        );
    for (field, path) in files {
        if let Some(file) = written.iter().find(|file| file.name == *path) {
            answer = answer.with(field, as_value(file));
        }
    }
    Ok(answer)
}

fn as_value(file: &OutputFile) -> Value {
    let media_type = mime_guess::from_path(&file.name).first();
    let is_text = media_type.as_ref().is_some_and(|media_type| {
        media_type.type_() == mime_guess::mime::TEXT && std::str::from_utf8(&file.content).is_ok()
    });
    Value::File(File {
        name: file.name.rsplit('/').next().unwrap_or(&file.name).to_owned(),
        media_type: media_type.map(|media_type| media_type.essence_str().to_owned()),
        encoding: is_text.then(|| "UTF-8".to_owned()),
        content: file.content.clone().into(),
    })
}

fn script_error(error: &ScriptError, report: &Report, script: &Script) -> BpmnError {
    let mut said = match error.line {
        Some(line) => format!("{}:{line}: ", script.name),
        None => format!("{}: ", script.name),
    };
    let message = error.message.trim();
    let first_line = message.lines().next().unwrap_or_default();
    said += &match (error.kind.as_str(), first_line) {
        ("", "") => "the script failed".to_owned(),
        (kind, "") => kind.to_owned(),
        // Ours and not the language's: a person reads what is wrong, and needs no name for it.
        ("" | "exit" | "result" | "MissingFile", message) => message.to_owned(),
        (kind, message) => format!("{kind}: {message}"),
    };
    let mut told = match error.traceback.trim_end() {
        "" => said.clone(),
        traceback => traceback.to_owned(),
    };
    if message.lines().count() > 1 && !told.contains(message) {
        told = format!("{told}\n{message}");
    }
    BpmnError::new(ERROR, said)
        .with("kind", error.kind.as_str())
        .with(
            "line",
            error.line.map_or(Value::Null, |line| Value::Integer(line.into())),
        )
        .with("traceback", error.traceback.as_str())
        .with("stdout", head(&report.stdout))
        .with("stderr", head(&report.stderr))
        .with_details(format!("{told}{}", printed(report)))
}

fn limit(hit: &LimitHit, report: &Report, script: &Script) -> Failure {
    let message = format!(
        "the script {} was stopped at its {} limit: {}",
        script.name, hit.limit, hit.said
    );
    // With less to do beside it a run may be done in time; all other limits are hit again.
    let failure = match hit.limit {
        Limit::Time => Failure::retryable(message),
        Limit::Cpu | Limit::Memory | Limit::Processes | Limit::Output => Failure::permanent(message),
    };
    failure.with_code(hit.limit.code()).with_details(format!(
        "After {} ms the script {} was stopped: {}. The operator sets limits under `sandbox`, a model tightens them in \
         `sandbox_config` and by the sandboxLevel of its `procos:security`.{}",
        report.duration.as_millis(),
        script.name,
        hit.said,
        printed(report)
    ))
}

/// What the script has printed, for people.
fn printed(report: &Report) -> String {
    [
        ("standard output", &report.stdout),
        ("standard error", &report.stderr),
    ]
    .into_iter()
    .filter(|(_, text)| !text.trim().is_empty())
    .map(|(name, text)| format!("\n\n{name}:\n{}", head(text).trim_end()))
    .collect()
}

fn head(text: &str) -> String {
    if text.len() <= HEAD {
        return text.to_owned();
    }
    let end = text.floor_char_boundary(HEAD);
    format!("{}\n… ({} bytes left out)", &text[..end], text.len() - end)
}

/// Says of a run that was out of time that it was the task's own time: more of the sandbox's would not have helped.
pub(crate) fn name_the_tasks_time(outcome: &mut Outcome, task_timeout: Duration) {
    if let Err(TaskError::Failure(failure)) = outcome
        && failure.codes.iter().any(|code| code == Limit::Time.code())
    {
        failure.message.push_str(&format!(
            "; the task itself may take {} s: raise its `timeout`",
            task_timeout.as_secs_f64()
        ));
    }
}
