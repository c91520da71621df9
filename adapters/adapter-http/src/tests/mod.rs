//! The adapter from its front door against real servers on this machine.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use secrets::SecretStore;
use serde_json::{Map, Value as Json, json};
use tokio::net::TcpListener;
use worker_api::{
    Adapter, Answer, BpmnError, Failure, Outcome, Task, TaskContext, TaskError, Value, async_trait,
};

use crate::{ConnectionSettings, HttpAdapter, TOPIC};
use http_client::Resolve;

mod answers;
mod effects;
mod files;
mod lists;
mod logins;
mod requests;
mod safety;
mod settings;
mod tls;

/// A server on a free port that lives as long as the test's runtime.
async fn serve(router: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

/// A resolver that knows some names, and no others.
struct Names(HashMap<&'static str, Vec<SocketAddr>>);

#[async_trait]
impl Resolve for Names {
    async fn resolve(&self, host: &str, _port: u16) -> std::io::Result<Vec<SocketAddr>> {
        self.0
            .get(host)
            .cloned()
            .ok_or_else(|| std::io::Error::other("no such name"))
    }
}

fn connections(settings: Json) -> BTreeMap<String, ConnectionSettings> {
    serde_json::from_value(settings).unwrap()
}

fn no_secrets() -> SecretStore {
    SecretStore::new("PROCOS_HTTP_TEST_", [])
}

fn adapter(settings: Json) -> HttpAdapter {
    HttpAdapter::new(connections(settings), no_secrets()).unwrap()
}

/// An adapter whose default connection may reach this machine.
fn local() -> HttpAdapter {
    adapter(json!({"default": {"allow": ["127.0.0.1"]}}))
}

fn with_names(settings: Json, names: &[(&'static str, Vec<SocketAddr>)]) -> HttpAdapter {
    let names = Names(names.iter().cloned().collect());
    HttpAdapter::with_resolver(connections(settings), no_secrets(), Arc::new(names)).unwrap()
}

fn context(inputs: Json) -> TaskContext {
    let inputs: Map<String, Json> = serde_json::from_value(inputs).unwrap();
    let task = Task {
        activity_id: "fetch".into(),
        topic: TOPIC.into(),
        ..Task::default()
    };
    let variables = inputs.into_iter().map(|(name, value)| (name, value.into()));
    TaskContext::new(task, Duration::from_secs(60)).with_variables(variables.collect())
}

async fn run(adapter: &HttpAdapter, inputs: Json) -> Outcome {
    adapter.execute(context(inputs)).await
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

/// The answer's body as JSON.
fn body(answer: &Answer) -> Json {
    match &answer.fields()["body"] {
        Value::Json(json) => json.clone(),
        other => panic!("no JSON: {other:?}"),
    }
}
