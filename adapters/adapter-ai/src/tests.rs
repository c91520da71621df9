#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "test code")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use secrets::SecretStore;
use serde_json::{Value as Json, json};
use tests::{ModelServer, Turn};
use worker_api::{
    Adapter, Answer, BpmnError, Ended, Failure, File, Hit, Message, Outcome, PortError, ProcessPort, Signal,
    StartProcess, Started, Task, TaskContext, TaskError, TopicCall, TopicDescription, Value, Variables,
    async_trait,
};

use crate::AiAdapter;

mod money;
mod others;
mod wires;
mod work;

/// The four ways of speaking, by the names of their providers.
const APIS: [(&str, &str, &str); 4] = [
    ("responses", "openai_responses", "/v1"),
    ("chat", "openai_chat", "/v1"),
    ("anthropic", "anthropic", ""),
    ("ollama", "ollama", ""),
];

/// The settings of a provider that is the stand-in.
fn provider(server: &ModelServer, api: &str, more: Json) -> Json {
    let (_, _, path) = APIS.into_iter().find(|(_, one, _)| *one == api).unwrap();
    let mut settings = json!({
        "api": api, "base_url": format!("{}{path}", server.address()), "api_key": server.key(),
        "default_model": "small",
    });
    settings
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    settings
}

fn adapter(providers: Json) -> AiAdapter {
    AiAdapter::new(serde_json::from_value(providers).unwrap(), SecretStore::default()).unwrap()
}

/// One provider, called `it`.
fn only(server: &ModelServer, api: &str, more: Json) -> AiAdapter {
    adapter(json!({"it": provider(server, api, more)}))
}

fn context(inputs: Json) -> TaskContext {
    let task = Task {
        id: "task-1".into(),
        activity_id: "ask".into(),
        topic: "ai_query".into(),
        process_instance_id: "instance-1".into(),
        ..Task::default()
    };
    let inputs = inputs.as_object().unwrap().clone();
    let variables = inputs.into_iter().map(|(name, value)| (name, value.into()));
    TaskContext::new(task, Duration::from_secs(60))
        .with_variables(variables.collect())
        .with_processes(Arc::new(Port::default()))
}

async fn ask(adapter: &AiAdapter, inputs: Json) -> Outcome {
    adapter.execute(context(inputs)).await
}

/// The answer's fields, the transcript as its JSON.
async fn fields(outcome: Outcome) -> Json {
    let answer = outcome.unwrap();
    let mut fields = serde_json::Map::new();
    for (name, value) in answer.into_fields() {
        let value = match value {
            Value::File(file) => serde_json::from_slice(&file.content.bytes().await.unwrap()).unwrap(),
            other => other.to_json(),
        };
        fields.insert(name, value);
    }
    Json::Object(fields)
}

fn failure(outcome: Outcome) -> Failure {
    match outcome {
        Err(TaskError::Failure(failure)) => failure,
        other => panic!("no failure: {other:?}"),
    }
}

fn bpmn(outcome: Outcome) -> BpmnError {
    match outcome {
        Err(TaskError::Bpmn(error)) => error,
        other => panic!("no BPMN error: {other:?}"),
    }
}

/// A port with a worker's core topics, a topic `look_up`, one that loses track, one that the policy refuses, and a process
/// `check_credit` that ends at the second look. It remembers what it was asked.
#[derive(Debug, Default)]
struct Port {
    calls: Mutex<Vec<(String, Json)>>,
    started: Mutex<BTreeSet<String>>,
    looks: Mutex<u32>,
}

#[derive(schemars::JsonSchema)]
#[allow(dead_code, reason = "its schema is what counts")]
struct LookUp {
    /// The order's number.
    number: String,
    /// Where it is looked up.
    connection: Option<String>,
}

#[async_trait]
impl ProcessPort for Port {
    async fn start(&self, process: StartProcess) -> Result<Started, PortError> {
        if process.key != "check_credit" {
            return Err(PortError::UnknownProcess {
                key: process.key,
                tenant_id: None,
            });
        }
        let inputs = as_json(process.variables);
        self.calls.lock().unwrap().push((process.key, inputs));
        let new = self.started.lock().unwrap().insert(process.business_key.unwrap());
        Ok(Started {
            process_instance_id: "p-1".to_owned(),
            new,
        })
    }

    async fn correlate(&self, _: Message) -> Result<Vec<Hit>, PortError> {
        unreachable!("models correlate nothing")
    }

    async fn signal(&self, _: Signal) -> Result<(), PortError> {
        unreachable!("models throw no signals")
    }

    async fn call_topic(&self, caller: &TaskContext, call: TopicCall) -> Result<Outcome, PortError> {
        let called = caller.called(call, std::time::Instant::now());
        if called.task.topic == "input_validation" {
            return Ok(adapter_core::CoreAdapter::new().execute(called).await);
        }
        let inputs = as_json(called.variables.clone());
        self.calls
            .lock()
            .unwrap()
            .push((called.idempotency_key().to_owned(), inputs.clone()));
        Ok(match called.task.topic.as_str() {
            "look_up" if inputs["number"] == "A-1" => Ok(Answer::new().with("state", "sent")),
            "look_up" => Err(BpmnError::new("NO_ORDER", "there is no such order").into()),
            "lost" => Err(BpmnError::new("OUTCOME_UNKNOWN", "nobody knows").into()),
            _ => Err(Failure::permanent("the policy refuses it")
                .with_code("POLICY_REFUSED")
                .into()),
        })
    }

    async fn resource(&self, _: &TaskContext, path: &str) -> Result<Option<Bytes>, PortError> {
        Ok((path == "prompts/triage.md").then(|| Bytes::from_static(b"Is it urgent?")))
    }

    async fn ended(&self, id: &str) -> Result<Option<Ended>, PortError> {
        assert_eq!(id, "p-1");
        let mut looks = self.looks.lock().unwrap();
        *looks += 1;
        Ok((*looks > 1).then(|| Ended {
            completed: true,
            variables: Variables::from([("score".to_owned(), Value::Integer(7))]),
        }))
    }

    fn topic(&self, topic: &str) -> Option<TopicDescription> {
        ["look_up", "lost", "forbidden"]
            .contains(&topic)
            .then(|| TopicDescription::new::<LookUp, Json>(topic, "Looks an order up"))
    }
}

fn as_json(variables: Variables) -> Json {
    variables
        .into_iter()
        .map(|(name, value)| (name, value.to_json()))
        .collect::<BTreeMap<_, _>>()
        .into_iter()
        .collect::<serde_json::Map<_, _>>()
        .into()
}

fn file(name: &str, media_type: &str, content: &'static [u8]) -> Value {
    Value::File(File {
        name: name.to_owned(),
        media_type: Some(media_type.to_owned()),
        encoding: None,
        content: Bytes::from_static(content).into(),
    })
}

/// A server that says this.
fn server(turns: impl IntoIterator<Item = Turn>) -> ModelServer {
    ModelServer::start(turns)
}
