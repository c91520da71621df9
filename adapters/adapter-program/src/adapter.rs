//! The adapter itself: its programs, and one task from end to end.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use worker_api::{
    Adapter, AdapterDescription, Effect, Failure, Outcome, SettingsError, TaskContext, TaskError, Value,
    async_trait,
};

use crate::manifest::{Language, Program};
use crate::talk::{driver, outcome, request};

/// The adapter's name in routes and under `services`.
pub const NAME: &str = "program";

/// The settings of one program: what stands under `services.program.NAME`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ProgramSettings {
    /// The folder with its `adapter.json` and its files, which are read when procos starts.
    pub directory: PathBuf,
}

/// The adapter of all topics that programs bring.
pub struct ProgramAdapter {
    settings: BTreeMap<String, ProgramSettings>,
    programs: BTreeMap<String, Program>,
    scripts: Arc<dyn Adapter>,
}

impl ProgramAdapter {
    /// The adapter with its programs, which are read here; `scripts` is the adapter that runs scripts.
    ///
    /// # Errors
    /// Where a program cannot be read, or two have the same topic.
    pub fn new(
        settings: BTreeMap<String, ProgramSettings>,
        scripts: Arc<dyn Adapter>,
    ) -> Result<Self, SettingsError> {
        let mut programs = BTreeMap::<String, Program>::new();
        for (name, one) in &settings {
            let wrong = |problem: String| SettingsError {
                key: format!("{name}.directory"),
                problem,
            };
            let program = Program::read(&one.directory).map_err(wrong)?;
            for (topic, _) in &program.topics {
                let topic = &topic.topic;
                let taken = programs
                    .iter()
                    .find(|(_, other)| other.topics.iter().any(|(own, _)| own.topic == *topic));
                if let Some((other, _)) = taken {
                    return Err(wrong(format!(
                        "its topic `{topic}` is the program {other}'s, too: give one of the two another name"
                    )));
                }
            }
            programs.insert(name.clone(), program);
        }
        Ok(Self {
            settings,
            programs,
            scripts,
        })
    }

    /// The programs' settings as they are in force, by name.
    #[must_use]
    pub fn settings(&self) -> &BTreeMap<String, ProgramSettings> {
        &self.settings
    }

    async fn run(
        &self,
        name: &str,
        program: &Program,
        files: &BTreeMap<String, String>,
        context: TaskContext,
    ) -> Outcome {
        let mut variables = program.files.clone();
        let own = context.variables.iter();
        // A script's own inputs are the driver's; the operator's limits and the task's hold all the same.
        variables.extend(
            own.filter(|(name, value)| {
                *name == "sandbox_config" || matches!(value, Value::File(_) | Value::Bytes(_))
            })
            .map(|(name, value)| (name.clone(), value.clone())),
        );
        let told = [
            ("script", Value::from(driver(program.language))),
            ("main", Value::from(program.main.as_str())),
            ("request", Value::from(request(&context))),
        ];
        variables.extend(told.map(|(name, value)| (name.to_owned(), value)));
        if let Some(image) = &program.image {
            variables.insert("image".to_owned(), Value::from(image.as_str()));
        }
        if !files.is_empty() {
            let files: Json = files
                .iter()
                .map(|(field, path)| (field.clone(), Json::from(path.as_str())))
                .collect();
            variables.insert("output_files".to_owned(), Value::from(files));
        }
        let mut inner = context.with_variables(variables);
        inner.settings.clear();
        inner.operation = match program.language {
            Language::Python => "python_script",
            Language::JavaScript => "javascript_script",
        }
        .to_owned();
        let ran = match self.scripts.execute(inner).await {
            Ok(ran) => ran,
            // The driver is ours: whatever breaks it is no error of the model's.
            Err(TaskError::Bpmn(error)) => {
                let failure =
                    Failure::permanent(format!("the program {name} could not be run: {}", error.message));
                return Err(failure.with_details(error.details.unwrap_or_default()).into());
            }
            Err(error) => return Err(error),
        };
        let mut fields = ran.into_fields();
        let result = fields
            .remove("result")
            .map(|value| value.to_json())
            .unwrap_or_default();
        let stderr = fields.remove("stderr").map(|value| value.to_json());
        let stderr = stderr.as_ref().and_then(Json::as_str).unwrap_or_default();
        fields.retain(|field, _| files.contains_key(field));
        outcome(name, &result, stderr, fields)
    }
}

#[async_trait]
impl Adapter for ProgramAdapter {
    fn description(&self) -> AdapterDescription {
        let topics = self.programs.values().flat_map(|program| &program.topics);
        topics.fold(
            AdapterDescription::new(
                NAME,
                "Runs programs of your own, each in a sandbox without network",
            ),
            |description, (topic, _)| description.topic(topic.clone()),
        )
    }

    /// It has no network and keeps nothing.
    fn effect(&self, _: &TaskContext) -> Effect {
        Effect::Repeatable
    }

    async fn execute(&self, context: TaskContext) -> Outcome {
        let operation = context.operation.clone();
        let found = self.programs.iter().find_map(|(name, program)| {
            let (_, files) = program
                .topics
                .iter()
                .find(|(topic, _)| topic.topic == operation)?;
            Some((name, program, files))
        });
        match found {
            Some((name, program, files)) => self.run(name, program, files, context).await,
            None => {
                let known = self.programs.values().flat_map(|program| &program.topics);
                let known: Vec<&str> = known.map(|(topic, _)| topic.topic.as_str()).collect();
                Err(Failure::permanent(format!(
                    "the adapter {NAME} has no topic `{operation}`; there are: {}",
                    known.join(", ")
                ))
                .nothing_done()
                .into())
            }
        }
    }

    /// Whether a sandbox can be used, where there is a program.
    async fn health(&self) -> Result<(), String> {
        match self.programs.is_empty() {
            true => Ok(()),
            false => self.scripts.health().await,
        }
    }
}
