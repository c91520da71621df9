//! Where a script's source comes from.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use sandbox::Language;
use tokio::io::AsyncReadExt;
use worker_api::{Failure, PortError, TaskContext, Value};

use crate::inputs::Inputs;

/// A script of more bytes is not read.
const LARGEST: u64 = 4 * 1024 * 1024;

/// How scripts are run.
#[derive(Clone, Debug)]
pub struct ScriptSettings {
    /// In which sandbox.
    pub sandbox: sandbox::Settings,
    /// Where the files of `script_path` are looked for, after the deployment of the task's process.
    pub directories: Vec<PathBuf>,
}

impl ScriptSettings {
    /// The usual ones, with the sandbox's notes in this folder.
    #[must_use]
    pub fn new(state_dir: impl Into<PathBuf>) -> Self {
        Self {
            sandbox: sandbox::Settings::new(state_dir),
            directories: Vec::new(),
        }
    }
}

/// A script's source, and what tracebacks call it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Source {
    pub(crate) name: String,
    pub(crate) text: String,
}

/// The source that the task means.
pub(crate) async fn find(
    context: &TaskContext,
    inputs: &Inputs,
    language: Language,
    directories: &[PathBuf],
) -> Result<Source, Failure> {
    let path = inputs
        .script_path
        .as_deref()
        .filter(|path| !path.trim().is_empty());
    match (&inputs.script, path) {
        (Some(text), None) => inline(context, text, language).await,
        (None, Some(path)) => file(context, path.trim(), directories).await,
        (Some(_), Some(_)) => Err(wrong(
            context,
            "gives both `script` and `script_path`: leave one out",
        )),
        (None, None) => Err(wrong(
            context,
            "gives no script: put its text into the input parameter `script`, or the name of a file into `script_path`",
        )),
    }
}

fn wrong(context: &TaskContext, what: &str) -> Failure {
    Failure::permanent(format!(
        "the task {} ({}) {what}",
        context.task.activity_id, context.task.topic
    ))
}

async fn inline(context: &TaskContext, text: &str, language: Language) -> Result<Source, Failure> {
    let own_name = || format!("{}.{}", context.task.activity_id, language.extension());
    // A file that a person has uploaded is as good as text.
    let (name, content) = match context.variables.get("script") {
        Some(Value::File(file)) if !context.settings.contains_key("script") => {
            let size = usize::try_from(LARGEST).unwrap_or(usize::MAX);
            (file.name.clone(), file.content.bytes_within(size).await?)
        }
        Some(Value::Bytes(bytes)) if !context.settings.contains_key("script") => (own_name(), bytes.clone()),
        _ => (own_name(), text.to_owned().into()),
    };
    read(name, content, context)
}

fn read(name: String, content: Bytes, context: &TaskContext) -> Result<Source, Failure> {
    match String::from_utf8(content.into()) {
        Ok(text) if text.trim().is_empty() => Err(wrong(context, &format!("gives an empty script ({name})"))),
        // Editors on Windows begin files so.
        Ok(text) => Ok(Source {
            text: text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text),
            name,
        }),
        Err(_) => Err(wrong(
            context,
            &format!("gives a script that is no text in UTF-8 ({name}); save it as such"),
        )),
    }
}

async fn file(context: &TaskContext, path: &str, directories: &[PathBuf]) -> Result<Source, Failure> {
    if let Some(problem) = is_wrong(path) {
        let what = format!(
            "names the script `{path}`, which {problem}: `script_path` is relative to the model's folder in its deployment, \
             or to one of sandbox.script_directories"
        );
        return Err(wrong(context, &what));
    }
    let name = path.rsplit('/').next().unwrap_or(path).to_owned();
    let deployed = match context.processes().resource(context, path).await {
        Ok(Some(content)) => return read(name, content, context),
        Ok(None) => None,
        // A worker without an engine's port, or whose login may not look, has its directories still.
        Err(error @ (PortError::NotConnected { .. } | PortError::NotPermitted { .. })) => Some(error),
        Err(error) => return Err(error.into()),
    };
    for directory in directories {
        if let Some(content) = look(directory, path).await? {
            return read(name, content, context);
        }
    }
    if let Some(error) = deployed {
        return Err(error.into());
    }
    let places = match directories {
        [] => "and no sandbox.script_directories are configured".to_owned(),
        several => format!(
            "and neither do {}",
            several
                .iter()
                .map(|one| one.display().to_string())
                .collect::<Vec<_>>()
                .join(", ")
        ),
    };
    let what = format!(
        "names the script `{path}`, which is not there: the deployment of the process `{}` does not hold it, {places}; \
         deploy it together with the model, as in `procos deploy order.bpmn {path}`",
        context.task.process_definition_key
    );
    Err(wrong(context, &what))
}

/// Why a path cannot be meant.
fn is_wrong(path: &str) -> Option<&'static str> {
    if path.starts_with('/') {
        return Some("is absolute");
    }
    if path.chars().any(|one| one.is_control() || one == '\\') {
        return Some("holds `\\` or a control character");
    }
    path.split('/')
        .any(|part| matches!(part, "" | "." | ".."))
        .then_some("holds `..`, `.` or an empty part")
}

/// A file in a directory of the operator's; a link that leads out of it is none.
async fn look(directory: &Path, path: &str) -> Result<Option<Bytes>, Failure> {
    let file = directory.join(path);
    let unreadable = |error: std::io::Error| {
        Failure::retryable(format!("the script {} cannot be read: {error}", file.display()))
    };
    let (real, root) = match (
        tokio::fs::canonicalize(&file).await,
        tokio::fs::canonicalize(directory).await,
    ) {
        (Ok(real), Ok(root)) => (real, root),
        (Err(error), _) | (_, Err(error)) => {
            return match error.kind() {
                ErrorKind::NotFound | ErrorKind::NotADirectory => Ok(None),
                _ => Err(unreadable(error)),
            };
        }
    };
    if !real.starts_with(&root) {
        return Err(Failure::permanent(format!(
            "the script {} is a link that leads out of {}, where scripts have to lie; copy it there",
            file.display(),
            directory.display()
        )));
    }
    if !tokio::fs::metadata(&real).await.map_err(unreadable)?.is_file() {
        return Ok(None);
    }
    let open = tokio::fs::File::open(&real).await.map_err(unreadable)?;
    let mut content = Vec::new();
    open.take(LARGEST + 1)
        .read_to_end(&mut content)
        .await
        .map_err(unreadable)?;
    if content.len() as u64 > LARGEST {
        return Err(Failure::permanent(format!(
            "the script {} has more than {LARGEST} bytes; give what is large as a file variable",
            file.display()
        )));
    }
    Ok(Some(content.into()))
}
