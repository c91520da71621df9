//! The adapter itself: one task from end to end.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use sandbox::{Language, Level, Limits, SandboxError, Script, SelfTest, Tightened};
use worker_api::{
    Adapter, AdapterDescription, Effect, Failure, Outcome, SandboxLevel, TaskContext, TopicDescription,
    async_trait,
};

use crate::config::nearest;
use crate::inputs::{FIELDS, Inputs, Names, ScriptAnswer};
use crate::opening::Opening;
use crate::source::ScriptSettings;
use crate::{given, outcome, source};

/// The adapter's name in routes.
pub const NAME: &str = "script";

/// The adapter's topics, each with its language.
pub const TOPICS: [(&str, Language); 4] = [
    ("python_script", Language::Python),
    ("javascript_script", Language::JavaScript),
    ("shell_script", Language::Shell),
    ("scilab_compute", Language::Scilab),
];

/// So long before a task's own time is up its script is stopped, so that there is time left to tell of it.
const MARGIN: Duration = Duration::from_millis(500);

/// The adapter of the script topics.
pub struct ScriptAdapter {
    opening: Opening,
    directories: Vec<std::path::PathBuf>,
}

impl ScriptAdapter {
    /// The adapter. Nothing is opened yet.
    #[must_use]
    pub fn new(settings: ScriptSettings) -> Self {
        Self {
            opening: Opening::new(settings.sandbox),
            directories: settings.directories,
        }
    }

    /// Opens the sandbox, which has to pass its self-test, and says what that has shown. Else the first task does. Who
    /// calls it while it is being opened waits for that; where it is open it stays so.
    ///
    /// # Errors
    /// Where no sandbox can be used: why. That is remembered for a minute, in which tasks are refused with it.
    pub async fn open(&self) -> Result<SelfTest, SandboxError> {
        let sandbox = self.opening.sandbox().await?;
        Ok(sandbox.self_test().clone())
    }

    /// Closes the sandbox for good: cells that wait are removed, and tasks that still come are refused.
    pub async fn close(&self) {
        self.opening.close().await;
    }

    fn check_image(&self, image: &str) -> Result<(), Failure> {
        let settings = self.opening.settings();
        let mut known: Vec<&str> = settings
            .images
            .keys()
            .chain(settings.roots.keys())
            .map(String::as_str)
            .collect();
        if known.contains(&image) {
            return Ok(());
        }
        known.sort_unstable();
        known.dedup();
        let near = nearest(image, known.iter().copied());
        Err(Failure::permanent(format!(
            "there is no image `{image}` under sandbox.images or sandbox.roots;{} there are: {}",
            near.map(|near| format!(" did you mean `{near}`?"))
                .unwrap_or_default(),
            known.join(", ")
        )))
    }
}

#[async_trait]
impl Adapter for ScriptAdapter {
    fn description(&self) -> AdapterDescription {
        let description = AdapterDescription::new(NAME, "Runs scripts, each in a sandbox without network");
        TOPICS
            .into_iter()
            .fold(description, |description, (topic, language)| {
                let summary = match language {
                    Language::Python => "Runs a Python script",
                    Language::JavaScript => "Runs a JavaScript script",
                    Language::Shell => "Runs a shell script",
                    Language::Scilab => "Computes with Scilab",
                };
                description.topic(
                    TopicDescription::new::<Inputs, ScriptAnswer>(topic, summary)
                        .chosen_by("language", language.as_str())
                        .sandboxed()
                        .asks(["script", "script_path", "inputs"])
                        .keeps(["result"])
                        .error(
                            outcome::ERROR,
                            "The script has failed, or has no result that can be passed on",
                        ),
                )
            })
    }

    fn effect(&self, _: &TaskContext) -> Effect {
        Effect::Repeatable
    }

    async fn execute(&self, context: TaskContext) -> Outcome {
        let inputs: Inputs = context.inputs()?;
        let language = language(&context, &inputs)?;
        if let Some(image) = &inputs.image {
            self.check_image(image)?;
        }
        let files = output_files(inputs.output_files.as_ref())?;
        let source = source::find(&context, &inputs, language, &self.directories).await?;
        let sandbox = self
            .opening
            .sandbox()
            .await
            .map_err(|error| outcome::not_run(&error))?;
        let most = most(*sandbox.limits(), &inputs, &context)?;
        let given = given::collect(&context, inputs.inputs.clone(), &most).await?;
        // By now part of the task's time is over.
        let limits = in_time(most, &context);
        let script = Script {
            language,
            image: inputs.image,
            name: source.name,
            source: source.text,
            inputs: given.inputs,
            files: given.files,
            output_files: files.iter().map(|(_, path)| path.clone()).collect(),
            result_variables: inputs.outputs.map(Names::into_vec).unwrap_or_default(),
        };
        let report = sandbox
            .run(&script, &limits)
            .await
            .map_err(|error| outcome::not_run(&error))?;
        tracing::debug!(
            task.id = context.task.id,
            script = script.name,
            duration_ms = report.duration.as_millis(),
            "a script has run"
        );
        let mut outcome = outcome::of(report, &script, &files);
        if limits.timeout < most.timeout {
            outcome::name_the_tasks_time(&mut outcome, context.timeout);
        }
        outcome
    }

    /// Whether a sandbox can be used. It is opened where it is not.
    async fn health(&self) -> Result<(), String> {
        self.open().await.map(drop).map_err(|error| error.to_string())
    }
}

/// What a run may use at most: no more than the operator, the policy of the task's process and its element allow.
pub(crate) fn most(pool: Limits, inputs: &Inputs, context: &TaskContext) -> Result<Limits, Failure> {
    let level = match context.sandbox_level {
        None => None,
        Some(SandboxLevel::Low) => Some(Level::Low),
        Some(SandboxLevel::Medium) => Some(Level::Medium),
        Some(SandboxLevel::High) => Some(Level::High),
        // A policy that has let this through has taken the topic for another.
        Some(SandboxLevel::None) => {
            return Err(Failure::permanent(format!(
                "the task {} asks for the sandbox level none, and its topic {} runs a script, which needs a sandbox: \
                 ask for low, medium or high",
                context.task.activity_id, context.task.topic
            )));
        }
    };
    let policy = Tightened {
        level,
        ..Tightened::default()
    };
    Ok(pool.tightened(&policy).tightened(&inputs.sandbox_config))
}

/// The same within what is left of the task's own time.
fn in_time(most: Limits, context: &TaskContext) -> Limits {
    let left = context.deadline.saturating_duration_since(Instant::now());
    let timeout = most.timeout.min(left.saturating_sub(MARGIN.min(left / 2)));
    Limits { timeout, ..most }
}

/// The language of the task's topic.
fn language(context: &TaskContext, inputs: &Inputs) -> Result<Language, Failure> {
    let operation = context.operation.as_str();
    let own = TOPICS.into_iter().find(|(topic, _)| *topic == operation);
    let (_, language) = own.ok_or_else(|| {
        let topics = TOPICS.map(|(topic, _)| topic).join(", ");
        Failure::permanent(format!(
            "the adapter {NAME} has no topic `{operation}`: use {topics}"
        ))
    })?;
    match inputs.language {
        Some(asked) if asked != language => {
            let topic = TOPICS
                .into_iter()
                .find(|(_, one)| *one == asked)
                .map_or("", |(topic, _)| topic);
            Err(Failure::permanent(format!(
                "the task {} asks for the language {asked}, and its topic {} runs {language}: use the topic {topic}, or \
                 leave `language` out",
                context.task.activity_id, context.task.topic
            )))
        }
        _ => Ok(language),
    }
}

/// The answer's fields with the paths of their files.
fn output_files(asked: Option<&BTreeMap<String, String>>) -> Result<Vec<(String, String)>, Failure> {
    let mut files: Vec<(String, String)> = Vec::new();
    for (field, path) in asked.into_iter().flatten() {
        let wrong = |problem: &str| {
            Err(Failure::permanent(format!(
                "`output_files` names `{path}` for the field `{field}`, {problem}"
            )))
        };
        if FIELDS.contains(&field.as_str()) {
            return wrong("which every answer has already: give the file's field another name");
        }
        let is_inside =
            !path.starts_with('/') && !path.split('/').any(|part| matches!(part, "" | "." | ".."));
        if !is_inside || path.chars().any(char::is_control) {
            return wrong("which is no path in the working directory: write one such as `plot.png`");
        }
        if files.iter().any(|(_, other)| other == path) {
            return wrong("and for another field, too: one is enough");
        }
        files.push((field.clone(), path.clone()));
    }
    Ok(files)
}
