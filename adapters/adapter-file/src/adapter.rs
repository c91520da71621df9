//! The adapter itself: one task from end to end.

use std::collections::BTreeMap;
use std::io;

use bytes::Bytes;
use cap_std::fs::Dir;
use globset::{GlobBuilder, GlobMatcher};
use serde_json::Value as Json;
use worker_api::{
    Adapter, AdapterDescription, Answer, Connections, Effect, Failure, File, Inquiry, Outcome, SettingsError,
    TaskContext, TaskError, TopicDescription, Value, async_trait,
};

use crate::inputs::{Form, Kind, ListInputs, Listed, Mode, Read, ReadInputs, WriteInputs, Written};
use crate::problem::{self, EXISTS, NOT_FOUND, TOO_LARGE};
use crate::root::{self, Found, MOST_LISTED};
use crate::settings::FolderSettings;

/// The adapter's name in routes and under `services`.
pub const NAME: &str = "file";

const READ: &str = "file_read";
const WRITE: &str = "file_write";
const LIST: &str = "file_list";

/// The adapter of the topics `file_read`, `file_write` and `file_list`.
#[derive(Debug)]
pub struct FileAdapter {
    folders: Connections<FolderSettings>,
}

/// What a task wants written.
struct Writing {
    folder: String,
    settings: FolderSettings,
    path: String,
    content: Bytes,
    mode: Mode,
}

impl FileAdapter {
    /// The adapter with its named folders. Nothing is opened yet.
    ///
    /// # Errors
    /// Where a folder's path is not absolute: what it is relative to would depend on where the worker was started.
    pub fn new(folders: BTreeMap<String, FolderSettings>) -> Result<Self, SettingsError> {
        let make = |_: &str, folder: FolderSettings| match folder.path.is_absolute() {
            true => Ok(folder),
            false => Err((
                "path".to_owned(),
                format!(
                    "`{}` is not absolute; write the whole path, such as /srv/orders",
                    folder.path.display()
                ),
            )),
        };
        let folders = Connections::build("folder", NAME, folders, make)?;
        Ok(Self { folders })
    }

    /// The folders' settings as they are in force, by name.
    pub fn folders(&self) -> impl Iterator<Item = (&str, &FolderSettings)> {
        self.folders.iter()
    }

    fn folder(&self, name: &str) -> Result<FolderSettings, Failure> {
        self.folders.get(name).cloned()
    }

    async fn read(&self, context: &TaskContext) -> Outcome {
        let ReadInputs { folder, path, form } = context.inputs()?;
        let settings = self.folder(&folder)?;
        let most = settings.max_bytes;
        let found = inside(settings, &folder, &path, move |dir, path| {
            root::read(dir, path, most)
        })
        .await?;
        let Found { content, modified } = found.ok_or_else(|| problem::too_large(&folder, &path, most))?;
        let size = i64::try_from(content.len()).unwrap_or(i64::MAX);
        let answer = Answer::new()
            .with("path", path.as_str())
            .with("size", size)
            .with("modified", modified.map_or(Value::Null, Value::Date));
        Ok(answer.with("content", said(content, form, &folder, &path)?))
    }

    async fn writing(&self, context: &TaskContext) -> Result<Writing, TaskError> {
        let inputs: WriteInputs = context.inputs()?;
        let settings = self.folder(&inputs.folder)?;
        if !settings.write {
            return Err(Failure::permanent(format!(
                "the folder `{folder}` is for reading; where tasks may write there, set services.file.{folder}.write: true",
                folder = inputs.folder
            ))
            .nothing_done()
            .into());
        }
        let given = context.variables.get("content");
        let content = match given.filter(|_| !context.settings.contains_key("content")) {
            Some(Value::Bytes(bytes)) => bytes.clone(),
            Some(Value::File(file)) => {
                let most = usize::try_from(settings.max_bytes).unwrap_or(usize::MAX);
                file.content
                    .bytes_within(most)
                    .await
                    .map_err(Failure::nothing_done)?
            }
            _ => match inputs.content {
                Json::Null => Bytes::new(),
                Json::String(text) => text.into(),
                other => other.to_string().into(),
            },
        };
        if content.len() as u64 > settings.max_bytes {
            return Err(problem::too_large(
                &inputs.folder,
                &inputs.path,
                settings.max_bytes,
            ));
        }
        Ok(Writing {
            folder: inputs.folder,
            settings,
            path: inputs.path,
            content,
            mode: inputs.mode,
        })
    }

    async fn write(&self, context: &TaskContext) -> Outcome {
        let Writing {
            folder,
            settings,
            path,
            content,
            mode,
        } = self.writing(context).await?;
        let answer = written(&path, content.len());
        inside(settings, &folder, &path, move |dir, path| {
            root::write(dir, path, &content, mode)
        })
        .await?;
        Ok(answer)
    }

    async fn list(&self, context: &TaskContext) -> Outcome {
        let ListInputs {
            folder,
            path,
            pattern,
        } = context.inputs()?;
        let settings = self.folder(&folder)?;
        let pattern = pattern.as_deref().map(matcher).transpose()?;
        let files = inside(settings, &folder, &path, move |dir, path| {
            root::list(dir, path, pattern.as_ref())
        })
        .await?;
        let files = files.ok_or_else(|| {
            Failure::permanent(format!(
                "{path} in the folder `{folder}` has more than {MOST_LISTED} files, the most that a list has: give a \
                 pattern, or a path further down"
            ))
        })?;
        let files = serde_json::to_value(files).unwrap_or_default();
        Ok(Answer::new().with("files", Value::Json(files)))
    }
}

#[async_trait]
impl Adapter for FileAdapter {
    fn description(&self) -> AdapterDescription {
        AdapterDescription::new(
            NAME,
            "Reads, writes and lists files in folders that the operator names",
        )
        .topic(
            TopicDescription::new::<ReadInputs, Read>(READ, "Reads a file")
                .asks(["folder", "path", "as"])
                .keeps(["content"])
                .error(NOT_FOUND, "There is no such file")
                .error(TOO_LARGE, "It has more bytes than the folder allows"),
        )
        .topic(
            TopicDescription::new::<WriteInputs, Written>(WRITE, "Writes a file")
                .asks(["folder", "path", "content", "mode"])
                .keeps(["path"])
                .error(EXISTS, "There is such a file, and mode is create")
                .error(TOO_LARGE, "The content has more bytes than the folder allows"),
        )
        .topic(
            TopicDescription::new::<ListInputs, Listed>(LIST, "Lists files")
                .asks(["folder", "path", "pattern"])
                .keeps(["files"])
                .error(NOT_FOUND, "There is no such folder below the folder"),
        )
    }

    /// What is appended twice stands there twice, and a file that was created is one that must not be there yet.
    fn effect(&self, context: &TaskContext) -> Effect {
        let mode = context
            .inputs_named::<Kind>(&["mode"])
            .map_or(Mode::Replace, |kind| kind.mode);
        match (context.operation.as_str(), mode) {
            (WRITE, Mode::Create | Mode::Append) => Effect::Once,
            _ => Effect::Repeatable,
        }
    }

    /// A file that was to be created is there with its content or not at all.
    async fn inquire(&self, context: &TaskContext) -> Inquiry {
        let Ok(writing) = self.writing(context).await else {
            return Inquiry::Unknown;
        };
        if writing.mode != Mode::Create {
            return Inquiry::Unknown;
        }
        let most = writing.settings.max_bytes;
        let found = inside(
            writing.settings,
            &writing.folder,
            &writing.path,
            move |dir, path| match root::read(dir, path, most) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Some(None)),
                found => Ok(found?.map(Some)),
            },
        )
        .await;
        match found {
            Ok(Some(None)) => Inquiry::NotDone,
            Ok(Some(Some(found))) if found.content == writing.content => {
                Inquiry::Done(written(&writing.path, writing.content.len()))
            }
            _ => Inquiry::Unknown,
        }
    }

    async fn execute(&self, context: TaskContext) -> Outcome {
        match context.operation.as_str() {
            READ => self.read(&context).await,
            WRITE => self.write(&context).await,
            LIST => self.list(&context).await,
            other => Err(Failure::permanent(format!(
                "the adapter {NAME} has no topic `{other}`: use {READ}, {WRITE} or {LIST}"
            ))
            .nothing_done()
            .into()),
        }
    }

    /// Whether every folder can be opened.
    async fn health(&self) -> Result<(), String> {
        for (name, settings) in self.folders.iter() {
            let settings = settings.clone();
            let path = settings.path.display().to_string();
            let opened = tokio::task::spawn_blocking(move || root::open(&settings).map(drop));
            let opened = opened.await.map_err(|error| error.to_string())?;
            opened.map_err(|error| {
                format!("services.file.{name}.path: {path}: {error}; make that folder, or name another")
            })?;
        }
        Ok(())
    }
}

/// Does something in a folder, beside the runtime.
async fn inside<T: Send + 'static>(
    settings: FolderSettings,
    folder: &str,
    path: &str,
    work: impl FnOnce(&Dir, &str) -> io::Result<T> + Send + 'static,
) -> Result<T, TaskError> {
    let place = path.to_owned();
    let shown = settings.path.display().to_string();
    let done = tokio::task::spawn_blocking(move || match root::open(&settings) {
        Ok(dir) => Ok(work(&dir, &place)),
        Err(error) => Err(error),
    })
    .await
    .map_err(|error| Failure::retryable(format!("the task's work broke off: {error}")))?;
    match done {
        Ok(done) => done.map_err(|error| problem::of(&error, folder, path)),
        Err(error) => Err(Failure::retryable(format!(
            "the folder `{folder}` cannot be opened: {shown}: {error}; see services.file.{folder}.path"
        ))
        .nothing_done()
        .into()),
    }
}

fn written(path: &str, size: usize) -> Answer {
    Answer::new()
        .with("path", path)
        .with("size", i64::try_from(size).unwrap_or(i64::MAX))
}

fn said(content: Bytes, form: Form, folder: &str, path: &str) -> Result<Value, Failure> {
    let no = |what: &str, why: String| {
        Failure::permanent(format!(
            "{path} in the folder `{folder}` is no {what}: {why}; read it as a `file`"
        ))
    };
    Ok(match form {
        Form::Bytes => Value::Bytes(content),
        Form::Text => Value::String(
            String::from_utf8(content.into()).map_err(|error| no("text in UTF-8", error.to_string()))?,
        ),
        Form::Json => serde_json::from_slice::<Json>(&content)
            .map_err(|error| no("JSON", error.to_string()))?
            .into(),
        Form::File => Value::File(File {
            name: path.rsplit('/').next().unwrap_or(path).to_owned(),
            media_type: mime_guess::from_path(path).first().map(|guess| guess.to_string()),
            encoding: None,
            content: content.into(),
        }),
    })
}

fn matcher(pattern: &str) -> Result<GlobMatcher, Failure> {
    GlobBuilder::new(pattern)
        .literal_separator(true)
        .build()
        .map(|glob| glob.compile_matcher())
        .map_err(|error| {
            Failure::permanent(format!(
                "the input `pattern` is none: {error}; write one such as *.csv"
            ))
        })
}
