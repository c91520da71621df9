//! A `procos up` whose engine all tests of this binary share, and processes made to measure.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;

use engine_client::{
    DeploymentRequest, EngineClient, Incident, InstanceState, Resource, Variable, Variables,
};
use serde_json::{Value, json};
use tests::{Engine, Procos, Running, Scratch, free_port, until, workspace};

pub(crate) const SOON: Duration = Duration::from_secs(60);

/// A running `procos up` with its configuration.
pub(crate) struct System {
    pub(crate) scratch: Scratch,
    pub(crate) up: Running,
}

impl System {
    /// The one that serves all topics.
    pub(crate) fn shared() -> &'static Self {
        static SHARED: OnceLock<System> = OnceLock::new();
        SHARED.get_or_init(|| {
            let roots = ["science", "scilab"].map(|name| (name, root(name)));
            let roots = roots.iter().filter(|(_, root)| root.is_dir());
            let roots = json!(
                roots
                    .map(|(name, root)| (*name, root))
                    .collect::<BTreeMap<_, _>>()
            );
            let own = format!(
                "routes:
  data_processing: {{adapter: script, with: {{language: python, rate: 2}}}}
sandbox: {{backend: bubblewrap, script_directories: [scripts], memory: 512Mi, cpus: 1, roots: {roots}}}
workers: {{retry: R2/PT1S}}
"
            );
            let scratch = configured("scripts", &own);
            std::fs::create_dir(scratch.path().join("scripts")).unwrap();
            std::fs::write(
                scratch.path().join("scripts/operators.py"),
                "result = 'of the operator'",
            )
            .unwrap();
            let up = Procos::new(scratch.path()).args(["up"]).spawn_for_all();
            up.wait_for_line("Ctrl-C stops everything", Duration::from_secs(120));
            System { scratch, up }
        })
    }
}

/// The unpacked system of this name, which `script/test` makes.
fn root(name: &str) -> PathBuf {
    workspace().join("target/images/roots").join(name)
}

/// Whether scripts can run in the unpacked system of this name; says where a test is left out because they cannot.
pub(crate) fn has_root(test: &str, name: &str) -> bool {
    let root = root(name);
    if !root.is_dir() {
        tests::skip(test, format!("no {}; script/test makes it", root.display()));
    }
    root.is_dir()
}

/// A folder with a configuration for the engine that is there.
pub(crate) fn configured(name: &str, own: &str) -> Scratch {
    let engine = Engine::shared();
    let scratch = Scratch::new(name);
    let login = json!({"basic": {"username": "kernel", "password": engine.password("kernel")}});
    let configuration = format!(
        "engine: {{kind: attached, url: \"{}\", auth: {login}}}\nhttp: {{listen: \"127.0.0.1:{}\"}}\n{own}",
        engine.rest_url(),
        free_port(),
    );
    std::fs::write(scratch.path().join("procos.yml"), configuration).unwrap();
    scratch
}

/// A test's own process of one script task, `price`.
pub(crate) struct Bench {
    pub(crate) key: String,
    pub(crate) engine: EngineClient,
    topic: String,
    inputs: String,
    outputs: String,
    properties: String,
    caught: Option<String>,
    keeps: bool,
    files: Vec<(String, String)>,
}

impl Bench {
    /// A process whose task has this topic, served by the system that is shared.
    pub(crate) fn new(topic: &str) -> Self {
        System::shared();
        Self::elsewhere(topic)
    }

    /// A process whose task has this topic.
    pub(crate) fn elsewhere(topic: &str) -> Self {
        Self {
            key: format!("script-{}", uuid::Uuid::new_v4().simple()),
            engine: Engine::shared().client(),
            topic: topic.to_owned(),
            inputs: String::new(),
            outputs: String::new(),
            properties: String::new(),
            caught: None,
            keeps: false,
            files: Vec::new(),
        }
    }

    pub(crate) fn input(mut self, name: &str, text: &str) -> Self {
        let text = text
            .replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('>', "&gt;");
        self.inputs += &format!(r#"<camunda:inputParameter name="{name}">{text}</camunda:inputParameter>"#);
        self
    }

    pub(crate) fn output(mut self, name: &str, expression: &str) -> Self {
        self.outputs +=
            &format!(r#"<camunda:outputParameter name="{name}">{expression}</camunda:outputParameter>"#);
        self
    }

    pub(crate) fn property(mut self, name: &str, value: &str) -> Self {
        let value = value.replace('>', "&gt;");
        self.properties += &format!(r#"<camunda:property name="{name}" value="{value}"/>"#);
        self
    }

    /// An error boundary event with this code.
    pub(crate) fn catching(mut self, code: &str) -> Self {
        self.caught = Some(code.to_owned());
        self
    }

    /// A file in the deployment.
    pub(crate) fn file(mut self, name: &str, content: &str) -> Self {
        self.files.push((name.to_owned(), content.to_owned()));
        self
    }

    /// A user task behind the script, where an instance waits.
    pub(crate) fn keeping(mut self) -> Self {
        self.keeps = true;
        self
    }

    /// Waits until the instance has come to its user task.
    pub(crate) async fn waits(&self, instance: &str) {
        until("the instance waits", SOON, async || {
            let steps = self.engine.activity_records(instance).await.unwrap();
            match steps.iter().any(|step| step.activity_id == "wait") {
                true => Ok(()),
                false => Err(format!(
                    "incidents {:?}",
                    self.engine.incidents(Some(instance)).await
                )),
            }
        })
        .await;
    }

    /// The model, as a file would hold it.
    pub(crate) fn text(&self) -> String {
        let last = if self.keeps {
            r#"<userTask id="wait"/><sequenceFlow id="f4" sourceRef="wait" targetRef="end"/>"#
        } else {
            ""
        };
        let next = if self.keeps { "wait" } else { "end" };
        let (boundary, error) = match &self.caught {
            None => (String::new(), String::new()),
            Some(code) => (
                r#"<boundaryEvent id="caught" attachedToRef="price"><outgoing>f3</outgoing>
    <errorEventDefinition errorRef="error" camunda:errorMessageVariable="reason"/></boundaryEvent>
  <sequenceFlow id="f3" sourceRef="caught" targetRef="rescued"/><endEvent id="rescued"/>"#
                    .to_owned(),
                format!(r#"<error id="error" errorCode="{code}"/>"#),
            ),
        };
        format!(
            r#"<?xml version="1.0" encoding="UTF-8"?>
<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL" xmlns:camunda="http://camunda.org/schema/1.0/bpmn"
  targetNamespace="urn:test"><process id="{}" isExecutable="true" camunda:historyTimeToLive="P1D">
  <startEvent id="start"/><sequenceFlow id="f1" sourceRef="start" targetRef="price"/>
  <serviceTask id="price" camunda:type="external" camunda:topic="{}"><extensionElements>
    <camunda:inputOutput>{}{}</camunda:inputOutput>
    <camunda:properties><camunda:property name="resultVariable" value="answer"/>{}</camunda:properties>
  </extensionElements></serviceTask>
  <sequenceFlow id="f2" sourceRef="price" targetRef="{next}"/><endEvent id="end"/>
  {last}{boundary}
</process>{error}</definitions>"#,
            self.key, self.topic, self.inputs, self.outputs, self.properties
        )
    }

    /// Deploys the process with its files, and starts it.
    pub(crate) async fn start(&self, variables: &Variables) -> String {
        let model = (format!("{}.bpmn", self.key), self.text());
        let resources = self.files.iter().cloned().chain([model]);
        let request = DeploymentRequest {
            name: &self.key,
            changed_only: false,
            source: "test",
            tenant_id: None,
            resources: resources
                .map(|(name, content)| Resource {
                    name,
                    content: content.into(),
                })
                .collect(),
        };
        self.engine.deploy(&request).await.unwrap();
        let started = self.engine.start_instance(&self.key, None, None, variables).await;
        started.unwrap().id
    }

    /// Runs it to its end, and gives the task's answer.
    pub(crate) async fn answer(&self) -> Value {
        self.answer_to(&Variables::new()).await
    }

    pub(crate) async fn answer_to(&self, variables: &Variables) -> Value {
        let instance = self.start(variables).await;
        self.completed(&instance).await;
        self.variable(&instance, "answer").await
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

    /// What a process variable was in the end.
    pub(crate) async fn variable(&self, instance: &str, name: &str) -> Value {
        let records = self.engine.variable_records(instance).await.unwrap();
        let mut of_the_process = records
            .into_iter()
            .filter(|record| record.activity_instance_id == instance);
        let record = of_the_process.find(|record| record.name == name);
        record
            .unwrap_or_else(|| panic!("no variable {name}"))
            .value
            .to_json()
    }

    /// Runs it until it is stuck, and gives the incident with the details of the last failure.
    pub(crate) async fn incident(&self) -> (Incident, String) {
        self.incident_of(&Variables::new()).await
    }

    pub(crate) async fn incident_of(&self, variables: &Variables) -> (Incident, String) {
        let instance = self.start(variables).await;
        let incident = until("there is an incident", SOON, async || {
            let incidents = self.engine.incidents(Some(&instance)).await.unwrap();
            incidents.into_iter().next().ok_or("none yet")
        })
        .await;
        let task = self.engine.external_tasks(&instance).await.unwrap().remove(0);
        let details = self.engine.error_details(&task.id).await.unwrap();
        (incident, details)
    }

    /// The incident's message, which has these parts.
    #[track_caller]
    pub(crate) fn told(incident: &Incident, parts: &[&str]) {
        let message = incident.incident_message.as_deref().unwrap_or_default();
        assert!(parts.iter().all(|part| message.contains(part)), "{message}");
    }
}

pub(crate) fn variables(values: &[(&str, Variable)]) -> Variables {
    values
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.clone()))
        .collect()
}
