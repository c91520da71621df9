//! A process of a test's own on the shared engine: what is deployed, started, and what becomes of it.

use std::collections::BTreeMap;
use std::time::Duration;

use engine_client::{
    DeploymentRequest, EngineClient, ExternalTaskQuery, Incident, InstanceState, Resource, Variables,
};

use crate::{Engine, until};

const SOON: Duration = Duration::from_secs(20);

/// A test's own process key, with the kernel's client.
#[derive(Debug)]
pub struct Process {
    /// The key, different from all others.
    pub key: String,
    /// A client with the kernel's login.
    pub engine: EngineClient,
}

impl Process {
    /// A key that begins with `name`. Nothing is deployed yet.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self {
            key: format!("{name}-{}", uuid::Uuid::new_v4().simple()),
            engine: Engine::shared().client(),
        }
    }

    /// Deploys processes; `KEY` and `TOPIC` in them become the test's own.
    ///
    /// # Panics
    /// Where the engine refuses it.
    pub async fn deploy(&self, body: &str) {
        let xml = format!(
            r#"<?xml version="1.0" encoding="UTF-8"?>
<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL" xmlns:camunda="http://camunda.org/schema/1.0/bpmn"
  targetNamespace="urn:test">{}</definitions>"#,
            body.replace("KEY", &self.key).replace("TOPIC", &self.key)
        );
        let resource = Resource {
            name: format!("{}.bpmn", self.key),
            content: xml.into(),
        };
        let request = DeploymentRequest {
            name: &self.key,
            changed_only: true,
            source: "test",
            tenant_id: None,
            resources: vec![resource],
        };
        self.engine.deploy(&request).await.unwrap();
    }

    /// Deploys a process of one external task, `work`, whose inside is given; its topic is the key.
    ///
    /// # Panics
    /// Where the engine refuses it.
    pub async fn deploy_task(&self, inside: &str, beside: &str) {
        self.deploy(&task_process(inside, beside)).await;
    }

    /// Starts an instance, and gives its id.
    ///
    /// # Panics
    /// Where the engine refuses it, like all that follow.
    pub async fn start(&self) -> String {
        self.start_with(&Variables::new()).await
    }

    /// Starts an instance with variables, and gives its id.
    ///
    /// # Panics
    /// Where the engine refuses it.
    pub async fn start_with(&self, variables: &Variables) -> String {
        self.engine
            .start_instance(&self.key, None, None, variables)
            .await
            .unwrap()
            .id
    }

    /// How many tasks of the test's topic are locked, by whichever of a pool's worker ids.
    ///
    /// # Panics
    /// Where the engine refuses it.
    pub async fn locked(&self) -> usize {
        let query = ExternalTaskQuery {
            topic_name: Some(&self.key),
            locked: true,
            ..ExternalTaskQuery::default()
        };
        self.engine.find_external_tasks(&query).await.unwrap().len()
    }

    /// Waits until the instance is completed.
    ///
    /// # Panics
    /// Where that takes too long; the message names its incidents.
    pub async fn completed(&self, instance: &str) {
        until("the instance is completed", SOON, async || {
            match self.engine.instance_record(instance).await.unwrap().state {
                InstanceState::Completed => Ok(()),
                state => Err(format!(
                    "{state:?}, incidents {:?}",
                    self.engine.incidents(Some(instance)).await
                )),
            }
        })
        .await;
    }

    /// The instance is completed, by way of the end event behind a boundary event.
    ///
    /// # Panics
    /// Where the engine refuses it.
    pub async fn rescued(&self, instance: &str) {
        self.completed(instance).await;
        let steps = self.engine.activity_records(instance).await.unwrap();
        assert!(
            steps.iter().any(|step| step.activity_id == "rescued"),
            "{steps:?}"
        );
    }

    /// Waits for an incident of the instance.
    ///
    /// # Panics
    /// Where none comes.
    pub async fn incident(&self, instance: &str) -> Incident {
        until("there is an incident", SOON, async || {
            let incidents = self.engine.incidents(Some(instance)).await.unwrap();
            incidents.into_iter().next().ok_or("none yet")
        })
        .await
    }

    /// What the instance's process variables were in the end, without the tasks' own.
    ///
    /// # Panics
    /// Where the engine refuses it.
    pub async fn process_variables(&self, instance: &str) -> BTreeMap<String, serde_json::Value> {
        let records = self.engine.variable_records(instance).await.unwrap();
        let of_the_process = records
            .into_iter()
            .filter(|record| record.activity_instance_id == instance);
        of_the_process
            .map(|record| (record.name, record.value.to_json()))
            .collect()
    }

    /// The last failure's details.
    ///
    /// # Panics
    /// Where the engine refuses it.
    pub async fn details(&self, instance: &str) -> String {
        let task = self.engine.external_tasks(instance).await.unwrap().remove(0);
        self.engine.error_details(&task.id).await.unwrap()
    }
}

/// A process of one external task, `work`, with this inside of it and that beside it.
#[must_use]
pub fn task_process(inside: &str, beside: &str) -> String {
    format!(
        r#"<process id="KEY" isExecutable="true" camunda:historyTimeToLive="P1D">
  <startEvent id="start"/><sequenceFlow id="f1" sourceRef="start" targetRef="work"/>
  <serviceTask id="work" camunda:type="external" camunda:topic="TOPIC">{inside}</serviceTask>
  <sequenceFlow id="f2" sourceRef="work" targetRef="end"/><endEvent id="end"/>
  {beside}
</process>"#
    )
}

/// An error boundary event on `work` that leads to an end event of its own.
#[must_use]
pub fn boundary(code: &str) -> String {
    format!(
        r#"<boundaryEvent id="caught" attachedToRef="work"><outgoing>f3</outgoing>
    <errorEventDefinition errorRef="error"/></boundaryEvent>
  <sequenceFlow id="f3" sourceRef="caught" targetRef="rescued"/><endEvent id="rescued"/>
</process><error id="error" errorCode="{code}"/><process id="KEY-unused" isExecutable="false">"#
    )
}

/// Extension elements.
#[must_use]
pub fn extension(inside: &str) -> String {
    format!("<extensionElements>{inside}</extensionElements>")
}

/// Extension elements of one property.
#[must_use]
pub fn property(name: &str, value: &str) -> String {
    extension(&format!(
        r#"<camunda:properties><camunda:property name="{name}" value="{value}"/></camunda:properties>"#
    ))
}
