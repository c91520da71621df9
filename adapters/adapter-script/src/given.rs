//! What a script gets: its inputs by name, and files in its working directory.

use sandbox::{InputFile, Limits};
use serde_json::{Map, Value as Json};
use worker_api::{Failure, TaskContext, Value};

use crate::inputs::OWN;

/// The inputs and files of a script.
#[derive(Debug, Default)]
pub(crate) struct Given {
    pub(crate) inputs: Map<String, Json>,
    pub(crate) files: Vec<InputFile>,
}

/// Everything that the task has beside its own inputs, with `inputs` over it, and over that what the route fixes. Bytes
/// and files become files in the working directory; as inputs they are the names of these.
pub(crate) async fn collect(
    context: &TaskContext,
    inputs: Option<Map<String, Json>>,
    limits: &Limits,
) -> Result<Given, Failure> {
    let mut given = Given::default();
    let inputs = inputs.unwrap_or_default();
    let is_own = |name: &String| OWN.contains(&name.as_str());
    let mut room = limits.tmpfs;
    for (name, value) in context.variables.iter().filter(|(name, _)| !is_own(name)) {
        if inputs.contains_key(name) || context.settings.contains_key(name) {
            continue;
        }
        let (file, content) = match value {
            Value::File(file) => {
                let limit = usize::try_from(room).unwrap_or(usize::MAX);
                let content = file.content.bytes_within(limit).await.map_err(|failure| Failure {
                    message: format!(
                        "the file variable `{name}` cannot be handed to the script, whose working directory may hold {} \
                         bytes: {failure}",
                        limits.tmpfs
                    ),
                    ..failure
                })?;
                (file.name.as_str(), content)
            }
            Value::Bytes(bytes) => (name.as_str(), bytes.clone()),
            value => {
                given.inputs.insert(name.clone(), value.to_json());
                continue;
            }
        };
        check_name(name, file, &given.files)?;
        room = room.checked_sub(content.len() as u64).ok_or_else(|| {
            Failure::permanent(format!(
                "the file variables of the task are larger than the script's working directory, which may hold {} bytes \
                 (at `{name}`); hand it fewer or smaller ones, or have sandbox.tmpfs raised",
                limits.tmpfs
            ))
        })?;
        given.inputs.insert(name.clone(), Json::from(file));
        given.files.push(InputFile {
            name: file.to_owned(),
            content: content.into(),
        });
    }
    given.inputs.extend(inputs);
    let fixed = context.settings.iter().filter(|(name, _)| !is_own(name));
    given
        .inputs
        .extend(fixed.map(|(name, value)| (name.clone(), value.clone())));
    Ok(given)
}

/// Whether a variable's content can lie under this name.
fn check_name(variable: &str, file: &str, others: &[InputFile]) -> Result<(), Failure> {
    let problem =
        if file.contains('/') || file.chars().any(char::is_control) || matches!(file, "" | "." | "..") {
            "cannot be a file's name in the script's working directory"
        } else if others.iter().any(|other| other.name == file) {
            "is the name of another variable's file, too"
        } else {
            return Ok(());
        };
    Err(Failure::permanent(format!(
        "the file of the variable `{variable}` is called `{file}`, which {problem}; give it another name"
    )))
}
