//! The examples' programs and processes, on the shared engine.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use engine_client::{
    DeploymentRequest, EngineClient, Incident, InstanceState, Resource, Variable, Variables,
};
use serde_json::Value as Json;
use tests::{Engine, Running, example_binary, stock_binary, until, workspace};

pub(crate) const SOON: Duration = Duration::from_secs(30);

/// An example's program with the login of `user`, started.
pub(crate) fn program(package: &str, name: &str, user: &str, arguments: &[&str]) -> Running {
    start(&example_binary(package, name), name, user, arguments)
}

/// The worker of the example adapter, started.
pub(crate) fn stock() -> Running {
    start(&stock_binary(), "stock", "worker", &[])
}

fn start(binary: &Path, name: &str, user: &str, arguments: &[&str]) -> Running {
    let engine = Engine::shared();
    let mut command = Command::new(binary);
    command
        .args(arguments)
        .env("ENGINE_URL", engine.rest_url())
        .env("ENGINE_USERNAME", user)
        .env("ENGINE_PASSWORD", engine.password(user))
        .env("RUST_LOG", "info")
        .env("NO_COLOR", "1");
    Running::start(name, &mut command)
}

/// An example's process, as a file.
pub(crate) fn model(name: &str) -> PathBuf {
    let folder = match name {
        "stock.bpmn" => "examples/adapters/stock",
        _ => "workers/worker-runtime/examples",
    };
    workspace().join(folder).join(name)
}

/// A process of the shared engine.
pub(crate) struct Process {
    pub(crate) key: String,
    pub(crate) engine: EngineClient,
}

impl Process {
    /// The example's process, deployed. One test alone works with each of them.
    pub(crate) async fn example(key: &str) -> Self {
        let source = std::fs::read_to_string(model(&format!("{key}.bpmn"))).unwrap();
        Self::deployed(key.to_owned(), source).await
    }

    /// A process of the test's own with one external task, `work`; its key is its topic.
    pub(crate) async fn of_one_task(name: &str, inside: &str) -> Self {
        let key = format!("{name}-{}", uuid::Uuid::new_v4().simple());
        let source = format!(
            r#"<?xml version="1.0" encoding="UTF-8"?>
<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL" xmlns:camunda="http://camunda.org/schema/1.0/bpmn"
  targetNamespace="urn:test"><process id="{key}" isExecutable="true" camunda:historyTimeToLive="P1D">
  <startEvent id="start"/><sequenceFlow id="f1" sourceRef="start" targetRef="work"/>
  <serviceTask id="work" camunda:type="external" camunda:topic="{key}"><extensionElements>{inside}</extensionElements></serviceTask>
  <sequenceFlow id="f2" sourceRef="work" targetRef="end"/><endEvent id="end"/></process></definitions>"#
        );
        Self::deployed(key, source).await
    }

    async fn deployed(key: String, source: String) -> Self {
        let engine = Engine::shared().client();
        let resource = Resource {
            name: format!("{key}.bpmn"),
            content: source.into(),
        };
        let request = DeploymentRequest {
            name: &key,
            source: "test",
            tenant_id: None,
            resources: vec![resource],
            changed_only: true,
        };
        engine.deploy(&request).await.unwrap();
        Self { key, engine }
    }

    pub(crate) async fn start(&self, variables: Json) -> String {
        let Json::Object(variables) = variables else {
            panic!("{variables}")
        };
        let variables: Variables = variables
            .into_iter()
            .map(|(name, value)| (name, Variable::from(value)))
            .collect();
        let started = self
            .engine
            .start_instance(&self.key, None, None, &variables)
            .await;
        started.unwrap().id
    }

    /// The process's variables at the instance's end.
    pub(crate) async fn completed(&self, instance: &str) -> BTreeMap<String, Json> {
        until("the instance is completed", SOON, async || {
            match self.engine.instance_record(instance).await.unwrap().state {
                InstanceState::Completed => Ok(()),
                state => Err(format!(
                    "{state:?}, {:?}",
                    self.engine.incidents(Some(instance)).await
                )),
            }
        })
        .await;
        let records = self.engine.variable_records(instance).await.unwrap();
        let of_the_process = records
            .into_iter()
            .filter(|record| record.activity_instance_id == instance);
        of_the_process
            .map(|record| (record.name, record.value.to_json()))
            .collect()
    }

    pub(crate) async fn incident(&self, instance: &str) -> Incident {
        until("there is an incident", SOON, async || {
            let incidents = self.engine.incidents(Some(instance)).await.unwrap();
            incidents.into_iter().next().ok_or("none yet")
        })
        .await
    }
}
