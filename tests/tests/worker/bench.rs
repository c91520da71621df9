//! A pool with scripted adapters on the shared engine, and processes made to measure.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use engine_client::{
    DeploymentRequest, EngineClient, ExternalTaskQuery, Incident, InstanceState, Resource, Variables,
};
use tests::{Engine, until};
use worker_api::{Adapter, AdapterDescription, Effect, Outcome, Route, Router, TaskContext, async_trait};
use worker_runtime::{Ended, Event, Observer, PoolSettings, WorkerPool};

pub(crate) const SOON: Duration = Duration::from_secs(20);

type Script = dyn Fn(TaskContext) -> std::pin::Pin<Box<dyn Future<Output = Outcome> + Send>> + Send + Sync;

struct Scripted(Box<Script>, Effect);

#[async_trait]
impl Adapter for Scripted {
    fn description(&self) -> AdapterDescription {
        AdapterDescription::new("scripted", "Does what a test says")
    }

    fn effect(&self, _: &TaskContext) -> Effect {
        self.1
    }

    async fn execute(&self, context: TaskContext) -> Outcome {
        (self.0)(context).await
    }
}

/// One topic, served by a closure.
pub(crate) struct OneTopic {
    topic: String,
    route: Route,
}

impl Router for OneTopic {
    fn topics(&self) -> Vec<String> {
        vec![self.topic.clone()]
    }

    fn route(&self, topic: &str) -> Option<&Route> {
        (topic == self.topic).then_some(&self.route)
    }
}

/// Everything that a pool has told.
#[derive(Default)]
pub(crate) struct Heard(Mutex<Vec<Ended>>);

impl Observer for Heard {
    fn observe(&self, _pool: &str, event: Event<'_>) {
        if let Event::Finished { ended, .. } = event {
            self.0.lock().unwrap().push(ended);
        }
    }
}

impl Heard {
    pub(crate) fn ends(&self) -> Vec<Ended> {
        self.0.lock().unwrap().clone()
    }
}

/// A test's own process key and topic, with the kernel's client.
pub(crate) struct Bench {
    pub(crate) key: String,
    pub(crate) engine: EngineClient,
}

impl Bench {
    pub(crate) fn new(name: &str) -> Self {
        let key = format!("{name}-{}", uuid::Uuid::new_v4().simple());
        Self {
            key,
            engine: Engine::shared().client(),
        }
    }

    /// A pool for the test's topic. Its handler is a closure; its settings can be changed.
    pub(crate) fn pool<F>(
        &self,
        change: impl FnOnce(&mut PoolSettings),
        handler: impl Fn(TaskContext) -> F + Send + Sync + 'static,
    ) -> (WorkerPool, Arc<Heard>)
    where
        F: Future<Output = Outcome> + Send + 'static,
    {
        self.pool_of(self.router(handler), change)
    }

    /// A pool for the test's topic, whose handler does what must not be done twice.
    pub(crate) fn pool_once(
        &self,
        handler: impl Fn() -> Outcome + Send + Sync + 'static,
    ) -> (WorkerPool, Arc<Heard>) {
        let handler = move |_| -> std::pin::Pin<Box<dyn Future<Output = Outcome> + Send>> {
            Box::pin(std::future::ready(handler()))
        };
        let adapter = Scripted(Box::new(handler), Effect::Once);
        self.pool_of(self.router_of(adapter), |_| {})
    }

    /// Routes the test's topic to a closure.
    pub(crate) fn router<F>(
        &self,
        handler: impl Fn(TaskContext) -> F + Send + Sync + 'static,
    ) -> Arc<dyn Router>
    where
        F: Future<Output = Outcome> + Send + 'static,
    {
        let handler = Box::new(
            move |context| -> std::pin::Pin<Box<dyn Future<Output = Outcome> + Send>> {
                Box::pin(handler(context))
            },
        );
        self.router_of(Scripted(handler, Effect::Repeatable))
    }

    fn router_of(&self, adapter: Scripted) -> Arc<dyn Router> {
        Arc::new(OneTopic {
            topic: self.key.clone(),
            route: Route::new("scripted", Arc::new(adapter), self.key.clone()),
        })
    }

    /// A pool for the test's topic with a router that serves it.
    pub(crate) fn pool_of(
        &self,
        router: Arc<dyn Router>,
        change: impl FnOnce(&mut PoolSettings),
    ) -> (WorkerPool, Arc<Heard>) {
        let mut settings = PoolSettings::new("test", [&self.key]);
        change(&mut settings);
        let heard = Arc::new(Heard::default());
        let worker = Engine::shared().client_as("worker");
        let pool = WorkerPool::start(worker, settings, router, heard.clone(), None).unwrap();
        (pool, heard)
    }

    /// Deploys processes; `KEY` and `TOPIC` in them become the test's own.
    pub(crate) async fn deploy(&self, body: &str) {
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

    /// A process of one external task, `work`, whose inside is given.
    pub(crate) async fn deploy_task(&self, inside: &str, beside: &str) {
        self.deploy(&task_process(inside, beside)).await;
    }

    pub(crate) async fn start(&self) -> String {
        self.start_with(&Variables::new()).await
    }

    pub(crate) async fn start_with(&self, variables: &Variables) -> String {
        self.engine
            .start_instance(&self.key, None, None, variables)
            .await
            .unwrap()
            .id
    }

    /// How many tasks of the test's topic are locked, by whichever of a pool's worker ids.
    pub(crate) async fn locked(&self) -> usize {
        let query = ExternalTaskQuery {
            topic_name: Some(&self.key),
            locked: true,
            ..ExternalTaskQuery::default()
        };
        self.engine.find_external_tasks(&query).await.unwrap().len()
    }

    pub(crate) async fn completed(&self, instance: &str) {
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
    pub(crate) async fn rescued(&self, instance: &str) {
        self.completed(instance).await;
        let steps = self.engine.activity_records(instance).await.unwrap();
        assert!(
            steps.iter().any(|step| step.activity_id == "rescued"),
            "{steps:?}"
        );
    }

    pub(crate) async fn incident(&self, instance: &str) -> Incident {
        until("there is an incident", SOON, async || {
            let incidents = self.engine.incidents(Some(instance)).await.unwrap();
            incidents.into_iter().next().ok_or("none yet")
        })
        .await
    }

    /// What the instance's process variables were in the end, without the tasks' own.
    pub(crate) async fn process_variables(&self, instance: &str) -> BTreeMap<String, serde_json::Value> {
        let records = self.engine.variable_records(instance).await.unwrap();
        let of_the_process = records
            .into_iter()
            .filter(|record| record.activity_instance_id == instance);
        of_the_process
            .map(|record| (record.name, record.value.to_json()))
            .collect()
    }

    /// The last failure's details.
    pub(crate) async fn details(&self, instance: &str) -> String {
        let task = self.engine.external_tasks(instance).await.unwrap().remove(0);
        self.engine.error_details(&task.id).await.unwrap()
    }
}

pub(crate) fn task_process(inside: &str, beside: &str) -> String {
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
pub(crate) fn boundary(code: &str) -> String {
    format!(
        r#"<boundaryEvent id="caught" attachedToRef="work"><outgoing>f3</outgoing>
    <errorEventDefinition errorRef="error"/></boundaryEvent>
  <sequenceFlow id="f3" sourceRef="caught" targetRef="rescued"/><endEvent id="rescued"/>
</process><error id="error" errorCode="{code}"/><process id="KEY-unused" isExecutable="false">"#
    )
}

pub(crate) fn extension(inside: &str) -> String {
    format!("<extensionElements>{inside}</extensionElements>")
}

pub(crate) fn property(name: &str, value: &str) -> String {
    extension(&format!(
        r#"<camunda:properties><camunda:property name="{name}" value="{value}"/></camunda:properties>"#
    ))
}
