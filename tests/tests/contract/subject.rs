//! An engine under test: one of the real ones or the fake, through the same calls.

use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use engine_client::fake::{FakeEngine, LinearProcess, TaskStep};
use engine_client::{Deployed, DeploymentRequest, EngineClient, InProcess, Resource};
use http::Method;
use serde_json::{Value as Json, json};
use tests::{Engine, Operaton, until};
use tokio::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock};

/// How long anything may take that happens at once.
pub(crate) const SOON: Duration = Duration::from_secs(20);

/// An engine with a process key, which is the topic, too, of one case's own.
pub(crate) struct Subject {
    kind: Kind,
    pub(crate) key: String,
    _turn: Turn,
}

#[derive(Clone)]
enum Kind {
    Camunda(reqwest::Client),
    Operaton(reqwest::Client),
    Fake(FakeEngine),
}

/// Whatever is inserted, unlocked or polled wakes every pending poll of an engine: cases that measure when a poll is
/// woken have the engine for themselves.
enum Turn {
    Shared { _guard: OwnedRwLockReadGuard<()> },
    Alone { _guard: OwnedRwLockWriteGuard<()> },
    Own,
}

/// An answer, whatever its status.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) bytes: Bytes,
}

impl Answer {
    /// The body as JSON; null where there is none.
    pub(crate) fn json(&self) -> Json {
        serde_json::from_slice(&self.bytes).unwrap_or_default()
    }

    /// Of an answer that is a list: its items.
    #[track_caller]
    pub(crate) fn items(&self) -> Vec<Json> {
        match self.json() {
            Json::Array(items) if self.status == 200 => items,
            other => panic!("no list but {}: {other}", self.status),
        }
    }

    /// Status and code, which are what code may go by.
    #[track_caller]
    pub(crate) fn refuses_with(&self, status: u16, code: impl Into<Json>) {
        assert_eq!(
            (self.status, &self.json()["code"]),
            (status, &code.into()),
            "{}",
            self.json()
        );
    }

    #[track_caller]
    pub(crate) fn is_done(&self) {
        assert_eq!(self.status, 204, "{}", self.json());
    }
}

impl Subject {
    pub(crate) async fn camunda(alone: bool) -> Self {
        static TURNS: OnceLock<Arc<RwLock<()>>> = OnceLock::new();
        boot_both();
        let kind = Kind::Camunda(reqwest_client());
        Self::new(kind, Turn::take(&TURNS, alone).await)
    }

    pub(crate) async fn operaton(alone: bool, test: &str) -> Option<Self> {
        static TURNS: OnceLock<Arc<RwLock<()>>> = OnceLock::new();
        boot_both();
        if Operaton::shared().is_none() {
            tests::skip(
                test,
                "Operaton is not built (mvn -f tests/operaton package, or script/test java)",
            );
            return None;
        }
        let kind = Kind::Operaton(reqwest_client());
        Some(Self::new(kind, Turn::take(&TURNS, alone).await))
    }

    pub(crate) fn fake() -> Self {
        Self::new(Kind::Fake(FakeEngine::new()), Turn::Own)
    }

    fn new(kind: Kind, turn: Turn) -> Self {
        Self {
            kind,
            key: format!("k{}", uuid::Uuid::new_v4().simple()),
            _turn: turn,
        }
    }

    /// Whether an uncaught BPMN error is an error of the call: the project's engine enables that, others do not.
    pub(crate) fn refuses_uncaught_errors(&self) -> bool {
        !self.is_operaton()
    }

    /// Makes the fake one of those that end an instance at an uncaught BPMN error.
    pub(crate) fn with_silent_bpmn_errors(mut self) -> Self {
        if let Kind::Fake(engine) = self.kind {
            self.kind = Kind::Fake(engine.with_silent_bpmn_errors());
        }
        self
    }

    pub(crate) fn client(&self) -> EngineClient {
        match &self.kind {
            Kind::Camunda(_) => Engine::shared().client(),
            Kind::Operaton(_) => Operaton::shared().expect("booted").client(),
            Kind::Fake(engine) => engine.client(),
        }
    }

    /// A client that may do everything.
    pub(crate) fn admin(&self) -> EngineClient {
        match &self.kind {
            Kind::Camunda(_) => Engine::shared().client_as("admin"),
            _ => self.client(),
        }
    }

    pub(crate) fn is_operaton(&self) -> bool {
        matches!(self.kind, Kind::Operaton(_))
    }

    /// Any call, as it is.
    pub(crate) async fn call(&self, method: Method, path: &str, body: Json) -> Answer {
        self.calling(method, path, body).await
    }

    /// The same as a future that can be spawned.
    pub(crate) fn calling(
        &self,
        method: Method,
        path: &str,
        body: Json,
    ) -> Pin<Box<dyn Future<Output = Answer> + Send>> {
        let (kind, path) = (self.kind.clone(), path.to_owned());
        let body = if body.is_null() {
            Bytes::new()
        } else {
            body.to_string().into()
        };
        Box::pin(async move {
            let (http, url) = match kind {
                Kind::Camunda(http) => (http, Engine::shared().rest_url()),
                Kind::Operaton(http) => (http, Operaton::shared().expect("booted").rest_url()),
                Kind::Fake(engine) => {
                    let request = http::Request::builder()
                        .method(method)
                        .uri(format!("/engine-rest{path}"))
                        .body(body)
                        .unwrap();
                    let answer = engine.call(request).await;
                    let status = answer.status().as_u16();
                    let bytes = answer.into_body();
                    return Answer { status, bytes };
                }
            };
            let answer = http
                .request(method, format!("{url}{path}"))
                .basic_auth("kernel", Some(Engine::shared().password("kernel")))
                .header("content-type", "application/json")
                .body(body)
                .send()
                .await
                .unwrap();
            let status = answer.status().as_u16();
            let bytes = answer.bytes().await.unwrap();
            Answer { status, bytes }
        })
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.call(Method::GET, path, Json::Null).await
    }

    pub(crate) async fn post(&self, path: &str, body: Json) -> Answer {
        self.call(Method::POST, path, body).await
    }

    pub(crate) async fn put(&self, path: &str, body: Json) -> Answer {
        self.call(Method::PUT, path, body).await
    }

    pub(crate) async fn deploy(&self, process: LinearProcess) {
        if let Kind::Fake(engine) = &self.kind {
            engine.deploy(process);
            return;
        }
        self.deploy_as(process.key(), process.tenant_id(), process.to_bpmn())
            .await;
    }

    /// Deploys a model of the case's key to a real engine: see [`crate::models`].
    pub(crate) async fn deploy_model(&self, bpmn: String) -> Deployed {
        self.deploy_as(&self.key, None, bpmn).await
    }

    pub(crate) async fn deploy_as(&self, name: &str, tenant_id: Option<&str>, bpmn: String) -> Deployed {
        let request = DeploymentRequest {
            name,
            source: "test",
            tenant_id,
            resources: vec![Resource {
                name: format!("{name}.bpmn"),
                content: bpmn.into(),
            }],
            changed_only: true,
        };
        self.client().deploy(&request).await.unwrap()
    }

    /// A process of one task, `work`, whose topic and key are the case's own.
    pub(crate) async fn deploy_task(&self, change: impl FnOnce(TaskStep) -> TaskStep) {
        let work = change(TaskStep::new("work", &self.key));
        self.deploy(LinearProcess::new(&self.key).then(work)).await;
    }

    /// Starts an instance of the case's process and gives its id.
    pub(crate) async fn start(&self, variables: Json) -> String {
        self.start_with(json!({ "variables": variables })).await
    }

    pub(crate) async fn start_with(&self, body: Json) -> String {
        let path = format!("/process-definition/key/{}/start", self.key);
        let answer = self.post(&path, body).await;
        assert_eq!(answer.status, 200, "{}", answer.json());
        answer.json()["id"].as_str().unwrap().to_owned()
    }

    /// Deploys a plain task, starts an instance and locks its task for worker `w`: instance and task.
    pub(crate) async fn locked_task(&self) -> (String, String) {
        self.deploy_task(|work| work).await;
        let instance = self.start(json!({})).await;
        (
            instance,
            self.fetch_one().await["id"].as_str().unwrap().to_owned(),
        )
    }

    /// The body of a fetch by worker `w` of the case's topic, locked for a minute.
    pub(crate) fn fetch_body(&self) -> Json {
        json!({
            "workerId": "w",
            "maxTasks": 10,
            "topics": [{ "topicName": self.key, "lockDuration": 60_000 }],
        })
    }

    pub(crate) async fn fetch_with(&self, body: Json) -> Answer {
        self.post("/external-task/fetchAndLock", body).await
    }

    /// Fetches with a change to the topic of the body.
    pub(crate) async fn fetch_topic(&self, change: Json) -> Vec<Json> {
        let mut body = self.fetch_body();
        for (key, value) in change.as_object().unwrap() {
            body["topics"][0][key] = value.clone();
        }
        self.fetch_with(body).await.items()
    }

    pub(crate) async fn fetch(&self) -> Vec<Json> {
        self.fetch_topic(json!({})).await
    }

    #[track_caller]
    pub(crate) fn fetch_one(&self) -> Pin<Box<dyn Future<Output = Json> + Send + '_>> {
        Box::pin(async move {
            let mut tasks = self.fetch().await;
            assert_eq!(tasks.len(), 1, "{tasks:?}");
            tasks.remove(0)
        })
    }

    /// A poll by `worker` of the case's topic, held for `hold`, as a future that can be spawned.
    pub(crate) fn poll(&self, worker: &str, hold: Duration) -> Pin<Box<dyn Future<Output = Answer> + Send>> {
        let mut body = self.fetch_body();
        body["workerId"] = worker.into();
        body["asyncResponseTimeout"] = u64::try_from(hold.as_millis()).unwrap().into();
        self.calling(Method::POST, "/external-task/fetchAndLock", body)
    }

    /// A call on a task, by worker `w` where the body names none.
    pub(crate) async fn report(&self, task: &str, what: &str, mut body: Json) -> Answer {
        if body.get("workerId").is_none() {
            body["workerId"] = "w".into();
        }
        self.post(&format!("/external-task/{task}/{what}"), body).await
    }

    pub(crate) async fn unlock(&self, task: &str) {
        let answer = self
            .post(&format!("/external-task/{task}/unlock"), Json::Null)
            .await;
        answer.is_done();
    }

    pub(crate) async fn task(&self, task: &str) -> Json {
        let answer = self.get(&format!("/external-task/{task}")).await;
        assert_eq!(answer.status, 200, "{}", answer.json());
        answer.json()
    }

    /// Waits until a task's lock or retry timeout has run out.
    pub(crate) async fn lock_ended(&self, task: &str) {
        let list = format!("/external-task?externalTaskId={task}&notLocked=true");
        until("the lock has run out", SOON, async || {
            match self.get(&list).await.items().len() {
                1 => Ok(()),
                count => Err(format!("{count} unlocked tasks")),
            }
        })
        .await;
    }

    pub(crate) async fn state(&self, instance: &str) -> String {
        let record = self.get(&format!("/history/process-instance/{instance}")).await;
        record.json()["state"].as_str().unwrap_or_default().to_owned()
    }

    /// A variable of the process itself, also of one that has ended: `(type, value)`.
    pub(crate) async fn variable(&self, instance: &str, name: &str) -> Option<(String, Json)> {
        let path = format!("/history/variable-instance?processInstanceId={instance}&deserializeValues=false");
        let records = self.get(&path).await.items();
        let found = records
            .into_iter()
            .find(|record| record["name"] == name && record["activityInstanceId"] == instance)?;
        Some((found["type"].as_str()?.to_owned(), found["value"].clone()))
    }

    pub(crate) async fn incidents(&self, instance: &str) -> Vec<Json> {
        let path = format!("/incident?processInstanceId={instance}");
        self.get(&path).await.items()
    }

    /// The elements that an instance has visited, in order.
    pub(crate) async fn visited(&self, instance: &str) -> Vec<String> {
        let path = format!(
            "/history/activity-instance?processInstanceId={instance}&sortBy=occurrence&sortOrder=asc"
        );
        let steps = self.get(&path).await.items();
        steps
            .iter()
            .map(|step| step["activityId"].as_str().unwrap().to_owned())
            .collect()
    }
}

impl Turn {
    async fn take(turns: &OnceLock<Arc<RwLock<()>>>, alone: bool) -> Self {
        let turns = turns.get_or_init(Arc::default).clone();
        if alone {
            let _guard = turns.write_owned().await;
            Self::Alone { _guard }
        } else {
            let _guard = turns.read_owned().await;
            Self::Shared { _guard }
        }
    }
}

/// Boots the two engines beside one another, once.
fn boot_both() {
    static BOOTED: OnceLock<()> = OnceLock::new();
    BOOTED.get_or_init(|| {
        std::thread::scope(|scope| {
            scope.spawn(Operaton::shared);
            Engine::shared();
        });
    });
}

fn reqwest_client() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .no_proxy()
        .tls_certs_only([])
        .build()
        .unwrap()
}
