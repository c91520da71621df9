//! Tools: topics and processes that a model may call.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::{Map, Value as Json, json};
use sha2::{Digest, Sha256};
use worker_api::{
    Ended, Failure, OUTCOME_UNKNOWN, POLICY_REFUSED, StartProcess, TaskContext, TaskError, TopicCall, Value,
    Variables,
};

use crate::conversation::{Call, CallResult, ToolDescription};
use crate::inputs::{SaidTool, ToolInput};

/// Bytes of a result that a model gets to see.
const LONGEST_RESULT: usize = 60_000;

/// A tool's name has at most this many characters with every provider.
const LONGEST_NAME: usize = 64;

/// So much of the task's time is left when the wait for a process ends.
const MARGIN: Duration = Duration::from_secs(10);

/// How often it is looked whether a process has ended: first, and at the longest.
const LOOKS: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(3));

/// The tools of a task.
#[derive(Debug)]
pub(crate) struct Tools {
    targets: Vec<(Target, Map<String, Json>)>,
    pub(crate) descriptions: Vec<ToolDescription>,
    /// How often each call was made, by the hash of its name and inputs.
    made: BTreeMap<String, u32>,
    pub(crate) calls: usize,
}

#[derive(Debug)]
enum Target {
    Topic(String),
    Process(String),
}

impl Tools {
    /// Reads what the task says about its tools.
    ///
    /// # Errors
    /// Where one is not a tool, is not there, or has the name of another.
    pub(crate) fn read(inputs: &[ToolInput], context: &TaskContext) -> Result<Self, Failure> {
        let mut tools = Self {
            targets: Vec::new(),
            descriptions: Vec::new(),
            made: BTreeMap::new(),
            calls: 0,
        };
        for input in inputs {
            let said = match input {
                ToolInput::Topic(topic) => SaidTool {
                    topic: Some(topic.clone()),
                    ..SaidTool::default()
                },
                ToolInput::Said(said) => said.clone(),
            };
            let (target, description) = describe(&said, context)?;
            let is_taken = |other: &ToolDescription| other.name == description.name;
            if tools.descriptions.iter().any(is_taken) {
                return Err(wrong(format!(
                    "two are called `{}`; give one another `name`",
                    description.name
                )));
            }
            tools.targets.push((target, said.with));
            tools.descriptions.push(description);
        }
        Ok(tools)
    }

    /// Does what a model wishes. What goes wrong is a result, too: the model may know what to do.
    ///
    /// # Errors
    /// What no model can mend: the policy refuses the tool, or nobody knows whether it has done its work.
    pub(crate) async fn call(&mut self, call: &Call, context: &TaskContext) -> Result<CallResult, TaskError> {
        self.calls += 1;
        let result = |text: String, is_error| CallResult {
            id: call.id.clone(),
            name: call.name.clone(),
            text: shortened(text),
            is_error,
        };
        let found = self.descriptions.iter().position(|tool| tool.name == call.name);
        let Some(index) = found else {
            let names: Vec<&str> = self.descriptions.iter().map(|tool| tool.name.as_str()).collect();
            return Ok(result(
                format!(
                    "there is no tool `{}`; there are: {}",
                    call.name,
                    names.join(", ")
                ),
                true,
            ));
        };
        let given = match &call.inputs {
            Ok(Json::Object(given)) => given.clone(),
            Ok(other) => return Ok(result(format!("the inputs are no object: {other}"), true)),
            Err(text) => return Ok(result(format!("the inputs are no JSON: {text}"), true)),
        };
        let key = self.key(&call.name, &given);
        let (target, fixed) = &self.targets[index];
        let inputs = given
            .into_iter()
            .chain(fixed.clone())
            .map(|(name, value)| (name, Value::from(value)))
            .collect();
        let outcome = match target {
            Target::Topic(topic) => call_topic(topic, key, inputs, context).await?,
            Target::Process(process) => run_process(process, key, inputs, context).await?,
        };
        Ok(match outcome {
            Ok(text) => result(text, false),
            Err(text) => result(text, true),
        })
    }

    /// The same for the same call in a later attempt, whatever the model does before it.
    fn key(&mut self, name: &str, inputs: &Map<String, Json>) -> String {
        let digest = Sha256::digest(format!("{name}\n{}", Json::from(inputs.clone())));
        let digest: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        let times = self.made.entry(digest.clone()).or_default();
        *times += 1;
        format!("{name}-{digest}-{times}")
    }
}

/// What a call has come to, as text; or what is wrong.
type Said = Result<String, String>;

async fn call_topic(
    topic: &str,
    key: String,
    inputs: Variables,
    context: &TaskContext,
) -> Result<Said, TaskError> {
    let call = TopicCall::new(topic, key).inputs(inputs);
    let outcome = context.processes().call_topic(context, call).await;
    match outcome.map_err(Failure::from)? {
        Ok(answer) => Ok(Ok(shown(answer.into_fields()))),
        Err(TaskError::Bpmn(error)) if error.code == OUTCOME_UNKNOWN => Err(error.into()),
        Err(TaskError::Bpmn(error)) => {
            let details = shown(error.variables);
            Ok(Err(format!("{}: {} {details}", error.code, error.message)))
        }
        Err(TaskError::Failure(failure)) if failure.codes.iter().any(|code| code == POLICY_REFUSED) => {
            Err(failure.into())
        }
        Err(TaskError::Failure(failure)) => Ok(Err(failure.message)),
        Err(postponed @ TaskError::Postponed(_)) => Err(postponed),
    }
}

/// Starts a process and waits for its end, as long as the task has time.
async fn run_process(
    process: &str,
    key: String,
    inputs: Variables,
    context: &TaskContext,
) -> Result<Said, TaskError> {
    let business_key = format!("{}/{key}", context.idempotency_key());
    let mut start = StartProcess::new(process)
        .once_per(business_key)
        .variables(inputs);
    start.tenant_id.clone_from(&context.task.tenant_id);
    let ports = context.processes();
    let started = ports.start(start).await.map_err(Failure::from)?;
    let id = started.process_instance_id;
    let mut pause = LOOKS.0;
    loop {
        match ports.ended(&id).await.map_err(Failure::from)? {
            Some(Ended {
                completed: true,
                variables,
            }) => return Ok(Ok(shown(variables))),
            Some(_) => return Ok(Err(format!("the process {process} was cancelled"))),
            None => {}
        }
        if Instant::now() + pause + MARGIN > context.deadline {
            return Ok(Ok(format!(
                "the process {process} has been started (instance {id}) and is not over yet"
            )));
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LOOKS.1);
    }
}

fn describe(said: &SaidTool, context: &TaskContext) -> Result<(Target, ToolDescription), Failure> {
    let (target, summary, inputs) = match (&said.topic, &said.process) {
        (Some(topic), None) => {
            let known = context.processes().topic(topic).ok_or_else(|| {
                wrong(format!(
                    "this worker has no topic `{topic}`; `procos adapters` lists them"
                ))
            })?;
            (
                Target::Topic(topic.clone()),
                known.summary,
                known.inputs.to_value(),
            )
        }
        (None, Some(process)) => (
            Target::Process(process.clone()),
            format!("Runs the process {process}"),
            json!({"type": "object"}),
        ),
        _ => {
            return Err(wrong(
                "each is a topic's name, or an object with `topic` or `process`, one of the two".to_owned(),
            ));
        }
    };
    let target_name = match &target {
        Target::Topic(name) | Target::Process(name) => name,
    };
    let name = said.name.as_ref().unwrap_or(target_name);
    let name: String = name
        .chars()
        .map(|char| {
            let fits = char.is_ascii_alphanumeric() || matches!(char, '_' | '-');
            if fits { char } else { '_' }
        })
        .take(LONGEST_NAME)
        .collect();
    let inputs = said.inputs.clone().unwrap_or(inputs);
    let description = ToolDescription {
        name,
        description: said.description.clone().unwrap_or(summary),
        inputs: without_fixed(inputs, &said.with),
    };
    Ok((target, description))
}

/// A schema without the inputs that are fixed, nor what providers do not take.
fn without_fixed(mut schema: Json, fixed: &Map<String, Json>) -> Json {
    if let Some(schema) = schema.as_object_mut() {
        schema.remove("$schema");
        schema.remove("title");
        schema.insert("type".to_owned(), "object".into());
        if let Some(properties) = schema.get_mut("properties").and_then(Json::as_object_mut) {
            properties.retain(|name, _| !fixed.contains_key(name));
        } else {
            schema.insert("properties".to_owned(), json!({}));
        }
        if let Some(required) = schema.get_mut("required").and_then(Json::as_array_mut) {
            required.retain(|name| name.as_str().is_none_or(|name| !fixed.contains_key(name)));
        }
    }
    schema
}

fn shown(fields: Variables) -> String {
    let fields: Map<String, Json> = fields
        .into_iter()
        .map(|(name, value)| (name, value.to_json()))
        .collect();
    Json::Object(fields).to_string()
}

fn shortened(mut text: String) -> String {
    if text.len() > LONGEST_RESULT {
        let all = text.len();
        text.truncate(text.floor_char_boundary(LONGEST_RESULT));
        text.push_str(&format!(" … ({all} bytes in all; ask for less)"));
    }
    text
}

fn wrong(problem: String) -> Failure {
    Failure::permanent(format!("the input `tools`: {problem}"))
}
