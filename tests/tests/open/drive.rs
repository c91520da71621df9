//! Brings a model to an open engine and leads an instance through it, until something is seen or nothing is left.

use reqwest::Client;
use reqwest::multipart::{Form, Part};
use serde_json::{Value as Json, json};
use tests::{OpenEngine, Receiver};

/// What a model calls: a process, a decision and a case.
const LEAF: &str = r#"<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL" xmlns:camunda="http://camunda.org/schema/1.0/bpmn" targetNamespace="urn:test"><process id="leaf" isExecutable="true" camunda:historyTimeToLive="1"><startEvent id="s"/></process></definitions>"#;
const TABLE: &str = r#"<definitions xmlns="https://www.omg.org/spec/DMN/20191111/MODEL/" xmlns:camunda="http://camunda.org/schema/1.0/dmn" id="d" name="d" namespace="urn:test"><decision id="table" name="t" camunda:historyTimeToLive="1"><decisionTable id="t"><output id="o" name="r" typeRef="string"/><rule id="r"><outputEntry id="e"><text>"call"</text></outputEntry></rule></decisionTable></decision></definitions>"#;
const CASE: &str = r#"<definitions xmlns="http://www.omg.org/spec/CMMN/20151109/MODEL" xmlns:camunda="http://camunda.org/schema/1.0/cmmn" id="d" targetNamespace="urn:test"><case id="case" camunda:historyTimeToLive="1"><casePlanModel id="plan"><extensionElements><camunda:caseExecutionListener event="create" expression="${x.y()}"/></extensionElements><planItem id="item" definitionRef="task"/><humanTask id="task"/></casePlanModel></case></definitions>"#;

/// How often what waits is moved on.
const ROUNDS: usize = 4;

/// What was seen of a model.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// Whether the engine has taken the model.
    pub(crate) deployed: bool,
    /// What its code did.
    pub(crate) witnessed: Vec<String>,
    /// Whether an address in it was fetched.
    pub(crate) fetched: bool,
    /// What the engine said: its errors, and variables as `NAME = VALUE`.
    pub(crate) said: Vec<String>,
}

/// Leads instances on an open engine, one at a time: what is witnessed is whose turn it is.
pub(crate) struct Driver {
    http: Client,
    rest: String,
    witness: String,
    receiver: Receiver,
}

impl Driver {
    /// Deploys what models call.
    pub(crate) async fn new(engine: &OpenEngine) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = Client::builder().no_proxy().tls_certs_only([]).build().unwrap();
        let driver = Self {
            http,
            rest: engine.rest_url(),
            witness: engine.witness_url(),
            receiver: Receiver::start(),
        };
        let files = [("leaf.bpmn", LEAF), ("table.dmn", TABLE), ("case.cmmn", CASE)];
        driver.deploy(&files).await.unwrap();
        driver.witnessed().await;
        driver
    }

    /// What a model does whose instance begins before an element, or at its start form.
    pub(crate) async fn drive(&self, model: &str, begin: Option<&str>) -> Seen {
        let mut seen = Seen::default();
        let fetched = self.receiver.runs().len();
        let schema = format!("{}/run/schema", self.receiver.address());
        let model = model
            .replace("http://x/y.xsd", &schema)
            .replace("DC.xsd", &schema);
        let deployed = self.deploy(&[("a.bpmn", &model), ("x.js", "x.y()")]).await;
        match &deployed {
            Ok(deployment) => {
                seen.deployed = true;
                let definitions = deployment["deployedProcessDefinitions"].as_object().unwrap();
                let main = definitions.values().find(|it| it["key"] == "main").unwrap();
                self.lead(main["id"].as_str().unwrap(), begin, &mut seen).await;
                let id = deployment["id"].as_str().unwrap();
                let flags = "cascade=true&skipCustomListeners=true&skipIoMappings=true";
                let request = self.http.delete(format!("{}/deployment/{id}?{flags}", self.rest));
                assert!(request.send().await.unwrap().status().is_success());
            }
            Err(said) => seen.said.push(said.clone()),
        }
        let late = self.witnessed().await;
        if seen.witnessed.is_empty() && deployed.is_err() {
            seen.witnessed = late;
        }
        seen.fetched = self.receiver.runs().len() > fetched;
        seen
    }

    async fn lead(&self, definition: &str, begin: Option<&str>, seen: &mut Seen) {
        seen.witnessed = self.witnessed().await;
        if !seen.witnessed.is_empty() {
            return;
        }
        let path = format!("/process-definition/{definition}");
        let started = match begin {
            Some(element) => {
                let instruction = json!({"type": "startBeforeActivity", "activityId": element});
                let body = json!({"variables": variables(), "startInstructions": [instruction]});
                self.post(&format!("{path}/start"), body).await
            }
            None => {
                for form in ["startForm", "rendered-form", "form-variables"] {
                    let _ = self.get(&format!("{path}/{form}")).await;
                }
                self.post(&format!("{path}/submit-form"), json!({"variables": variables()}))
                    .await
            }
        };
        seen.witnessed = self.witnessed().await;
        let instance = match started {
            Ok(instance) => instance["id"].as_str().unwrap().to_owned(),
            Err(said) => return seen.said.push(said),
        };
        for _ in 0..ROUNDS {
            if !seen.witnessed.is_empty() {
                return;
            }
            self.note(&instance, seen).await;
            if !self.step(&instance, seen).await {
                return;
            }
            seen.witnessed = self.witnessed().await;
        }
    }

    /// Moves on whatever waits; false where nothing does.
    async fn step(&self, instance: &str, seen: &mut Seen) -> bool {
        let mut any = false;
        let mut said = Vec::new();
        let mut done = |answer: Result<Json, String>| match answer {
            Ok(_) => any = true,
            Err(refusal) => said.push(refusal),
        };
        for task in self
            .list(&format!("/external-task?processInstanceId={instance}"))
            .await
        {
            seen.said.push(format!("topic = {}", task["topicName"]));
            let path = format!("/external-task/{}", task["id"].as_str().unwrap());
            let lock = json!({"workerId": "w", "lockDuration": 60_000});
            done(self.post(&format!("{path}/lock"), lock).await);
            let body = json!({"workerId": "w", "variables": {"body": {"value": "{\"status\": \"1\"}"}}});
            done(self.post(&format!("{path}/complete"), body).await);
        }
        for job in self.list(&format!("/job?processInstanceId={instance}")).await {
            let path = format!("/job/{}/execute", job["id"].as_str().unwrap());
            done(self.post(&path, json!({})).await);
        }
        for task in self.list(&format!("/task?processInstanceId={instance}")).await {
            let path = format!("/task/{}", task["id"].as_str().unwrap());
            for form in ["", "/form", "/rendered-form", "/deployed-form"] {
                let _ = self.get(&format!("{path}{form}")).await;
            }
            done(self.post(&format!("{path}/complete"), json!({})).await);
        }
        seen.said.extend(said);
        any
    }

    /// What there is to see in an instance beside errors.
    async fn note(&self, instance: &str, seen: &mut Seen) {
        let path = format!("/history/variable-instance?processInstanceId={instance}&deserializeValues=false");
        for variable in self.list(&path).await {
            let line = format!("{} = {}", variable["name"].as_str().unwrap(), variable["value"]);
            seen.said.push(line);
        }
    }

    async fn witnessed(&self) -> Vec<String> {
        let text = self
            .http
            .get(&self.witness)
            .send()
            .await
            .unwrap()
            .text()
            .await
            .unwrap();
        text.lines().map(str::to_owned).collect()
    }

    async fn deploy(&self, files: &[(&str, &str)]) -> Result<Json, String> {
        let mut form = Form::new().text("deployment-name", "a test");
        for (name, content) in files {
            let part = Part::text((*content).to_owned()).file_name((*name).to_owned());
            form = form.part((*name).to_owned(), part);
        }
        let request = self
            .http
            .post(format!("{}/deployment/create", self.rest))
            .multipart(form);
        answer(request).await
    }

    async fn post(&self, path: &str, body: Json) -> Result<Json, String> {
        answer(self.http.post(format!("{}{path}", self.rest)).json(&body)).await
    }

    async fn get(&self, path: &str) -> Result<Json, String> {
        answer(self.http.get(format!("{}{path}", self.rest))).await
    }

    async fn list(&self, path: &str) -> Vec<Json> {
        serde_json::from_value(self.get(path).await.unwrap()).unwrap()
    }
}

/// What the clean model reads.
fn variables() -> Json {
    let plain = [
        ("who", "anna"),
        ("amount", "1"),
        ("two", "2"),
        ("a", "k"),
        ("b", "v"),
        ("boss", "bert"),
        ("group", "clerks"),
        ("form", "f"),
        ("table", "table"),
        ("child", "leaf"),
        ("version", "1"),
        ("r", "call"),
        ("reason", "none"),
        ("delay", "PT0S"),
        ("name", "n"),
        ("body", "{\"status\": \"1\"}"),
        ("y", "secret"),
        ("code", "injected"),
    ];
    let mut all: serde_json::Map<String, Json> = plain
        .iter()
        .map(|(name, value)| ((*name).to_owned(), json!({"value": value})))
        .collect();
    for name in ["urgency", "count"] {
        all.insert(name.to_owned(), json!({"value": 1}));
    }
    for (name, class, value) in [
        (
            "order",
            "java.util.HashMap",
            r#"{"id": "1", "title": "t", "lines": [1]}"#,
        ),
        ("customer", "java.util.HashMap", r#"{"name": "n"}"#),
        ("orders", "java.util.ArrayList", "[1, 2]"),
    ] {
        let info = json!({"objectTypeName": class, "serializationDataFormat": "application/json"});
        all.insert(
            name.to_owned(),
            json!({"value": value, "type": "Object", "valueInfo": info}),
        );
    }
    all.into()
}

/// What the engine answers, or the message of its refusal.
async fn answer(request: reqwest::RequestBuilder) -> Result<Json, String> {
    let answer = request.send().await.unwrap();
    let is_success = answer.status().is_success();
    let text = answer.text().await.unwrap();
    let json: Json = serde_json::from_str(&text).unwrap_or_default();
    if is_success {
        return Ok(json);
    }
    Err(json["message"].as_str().map_or(text, str::to_owned))
}
