//! Calls of topics by a paused clock, and what becomes of an engine's errors. The rest is tried on real engines.

use std::collections::BTreeMap;
use std::sync::Mutex as StdMutex;
use std::time::Duration;

use engine_client::Login;
use futures::future::BoxFuture;
use serde_json::{Map, json};
use tokio::time::{Instant, sleep};
use worker_api::{Adapter, AdapterDescription, Answer, Effect, Route, Task, TaskError, Value, Variables};

use super::*;

struct Scripted(Box<dyn Fn(TaskContext) -> BoxFuture<'static, Outcome> + Send + Sync>);

#[async_trait]
impl Adapter for Scripted {
    fn description(&self) -> AdapterDescription {
        AdapterDescription::new("scripted", "Does what a test says").topic(TopicDescription::new::<
            Map<String, serde_json::Value>,
            Map<String, serde_json::Value>,
        >("own_name", "For tools"))
    }

    fn effect(&self, _: &TaskContext) -> Effect {
        Effect::Repeatable
    }

    async fn execute(&self, context: TaskContext) -> Outcome {
        (self.0)(context).await
    }
}

#[derive(Default)]
struct Routes(BTreeMap<String, Route>);

impl Router for Routes {
    fn topics(&self) -> Vec<String> {
        self.0.keys().cloned().collect()
    }

    fn route(&self, topic: &str) -> Option<&Route> {
        self.0.get(topic)
    }
}

impl Routes {
    fn with<F>(
        mut self,
        topic: &str,
        timeout: Option<Duration>,
        script: impl Fn(TaskContext) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Outcome> + Send + 'static,
    {
        let adapter = Scripted(Box::new(move |context| Box::pin(script(context))));
        let mut route = Route::new("scripted", Arc::new(adapter), "own_name");
        route.with = Map::from_iter([("fixed".to_owned(), json!(true))]);
        route.timeout = timeout;
        self.0.insert(topic.to_owned(), route);
        self
    }
}

/// A client of an address where nobody listens.
fn nowhere() -> EngineClient {
    let closed = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    EngineClient::new(
        format!("http://{closed}/engine-rest").parse().unwrap(),
        Login::None,
    )
    .unwrap()
}

fn caller(routes: Routes) -> TaskContext {
    let port = EnginePort::new(nowhere()).with_topics(Arc::new(routes), Chain::default());
    let task = Task {
        id: "task-1".into(),
        topic: "ai_query".into(),
        ..Task::default()
    };
    let mut context = TaskContext::new(task, Duration::from_secs(10)).with_processes(Arc::new(port));
    context.start_clock(Instant::now().into_std());
    context
}

async fn call(caller: &TaskContext, topic: &str) -> Result<Outcome, PortError> {
    let inputs = Variables::from([("a".to_owned(), Value::Integer(1))]);
    let call = TopicCall::new(topic, "tool-1").inputs(inputs);
    caller.processes().call_topic(caller, call).await
}

#[tokio::test]
async fn a_called_topic_passes_the_policy_of_the_calling_tasks_process() {
    let fake = engine_client::fake::FakeEngine::new();
    let allowed = format!(
        "<p:security xmlns:p=\"{}\"><p:allowedTasks><p:task topic=\"ai_query\"/><p:task topic=\"lookup\"/>\
         </p:allowedTasks></p:security>",
        bpmn::security::NAMESPACE
    );
    let definition = fake.deploy(engine_client::fake::LinearProcess::new("p").extensions(allowed));
    let policy = crate::ModelPolicy::new(crate::Definitions::new(fake.client()));
    let chain = Chain::builder().policy(policy).build();
    let routes = Routes::default()
        .with("lookup", None, async |_| Ok(Answer::new()))
        .with("shell_script", None, async |_| panic!("it may not run"));
    let port = EnginePort::new(fake.client()).with_topics(Arc::new(routes), chain);
    let task = Task {
        topic: "ai_query".into(),
        process_definition_key: "p".into(),
        process_definition_id: definition,
        ..Task::default()
    };
    let mut caller = TaskContext::new(task, Duration::from_secs(10)).with_processes(Arc::new(port));
    caller.start_clock(Instant::now().into_std());
    assert!(call(&caller, "lookup").await.unwrap().is_ok());
    let refused = match call(&caller, "shell_script").await.unwrap() {
        Err(TaskError::Failure(failure)) => failure,
        other => panic!("{other:?}"),
    };
    assert_eq!(refused.codes, [worker_api::POLICY_REFUSED]);
    assert!(refused.message.contains("shell_script"), "{refused}");
}

#[tokio::test(start_paused = true)]
async fn a_called_topic_gets_its_inputs_and_what_its_route_fixes() {
    let caller = caller(
        Routes::default().with("lookup", None, async |context: TaskContext| {
            let inputs: serde_json::Value = context.inputs()?;
            assert_eq!(inputs, json!({"a": 1, "fixed": true}));
            assert_eq!(
                (context.operation.as_str(), context.adapter.as_str()),
                ("own_name", "scripted")
            );
            Ok(Answer::new().with("key", context.idempotency_key()))
        }),
    );
    let answer = call(&caller, "lookup").await.unwrap().unwrap();
    assert_eq!(answer.fields()["key"], Value::from("task-1/tool-1"));
    let described = caller.processes().topic("lookup").unwrap();
    assert_eq!(described.summary, "For tools");
    assert!(caller.processes().topic("nothing").is_none());
    assert_eq!(
        call(&caller, "nothing").await.unwrap_err(),
        PortError::NoRoute {
            topic: "nothing".into()
        }
    );
}

#[tokio::test(start_paused = true)]
async fn it_ends_with_its_route_or_its_caller_whichever_is_first_and_costs_the_caller_nothing_else() {
    let hang = |_| std::future::pending();
    let routes = Routes::default()
        .with("short", Some(Duration::from_secs(2)), hang)
        .with("long", Some(Duration::from_secs(3600)), hang)
        .with("broken", None, async |_| panic!("no teeth"));
    let caller = caller(routes);
    for (topic, after) in [("short", 2), ("long", 10)] {
        let outcome = call(&caller, topic).await.unwrap();
        assert!(outcome.unwrap_err().to_string().contains("no outcome within"));
        let left = caller
            .deadline
            .saturating_duration_since(Instant::now().into_std());
        assert_eq!(left, Duration::from_secs(10 - after), "{topic}");
    }
    let outcome = call(&caller, "broken").await.unwrap();
    assert!(outcome.unwrap_err().to_string().contains("no teeth"));
}

#[tokio::test(start_paused = true)]
async fn it_is_cancelled_with_its_caller_and_so_is_what_it_has_spawned() {
    let spawned = Arc::new(StdMutex::new(None));
    let caller = caller(Routes::default().with("slow", None, {
        let spawned = Arc::clone(&spawned);
        move |context: TaskContext| {
            *spawned.lock().unwrap() = Some(context.cancelled.clone());
            async {
                sleep(Duration::from_secs(5)).await;
                Ok(Answer::new())
            }
        }
    }));
    let given_up = caller.cancelled.clone();
    let began = Instant::now();
    let (outcome, ()) = tokio::join!(call(&caller, "slow"), async {
        sleep(Duration::from_secs(1)).await;
        given_up.cancel();
    });
    assert!(outcome.unwrap().unwrap_err().to_string().contains("given up"));
    assert_eq!(began.elapsed(), Duration::from_secs(1));
    assert!(spawned.lock().unwrap().as_ref().unwrap().is_cancelled());
}

#[tokio::test(start_paused = true)]
async fn topics_that_call_one_another_in_a_circle_come_to_an_end() {
    let caller = caller(
        Routes::default().with("circle", None, async |context: TaskContext| {
            let depth = context.depth();
            match call(&context, "circle").await {
                Err(error @ PortError::TooDeep { .. }) => {
                    assert_eq!(depth, DEEPEST_CALL);
                    Err(error.into())
                }
                outcome => outcome?,
            }
        }),
    );
    let error = call(&caller, "circle").await.unwrap().unwrap_err();
    assert!(
        matches!(&error, TaskError::Failure(failure) if failure.message.contains("circle")),
        "{error}"
    );
}

#[tokio::test(start_paused = true)]
async fn without_topics_there_is_nothing_to_call() {
    let context = TaskContext::new(Task::default(), Duration::from_secs(1));
    let port = EnginePort::new(nowhere());
    let error = port
        .call_topic(&context, TopicCall::new("t", "k"))
        .await
        .unwrap_err();
    assert!(matches!(error, PortError::NoRoute { .. }));
    let error = call(&context, "t").await.unwrap_err();
    assert!(matches!(error, PortError::NotConnected { .. }), "{error}");
}

#[tokio::test]
async fn an_engine_that_is_away_has_done_nothing() {
    let port = EnginePort::new(nowhere());
    for start in [
        StartProcess::new("order"),
        StartProcess::new("order").once_per("4711"),
    ] {
        let error = port.start(start).await.unwrap_err();
        assert!(error.is_transient() && !error.is_outcome_unknown(), "{error:?}");
    }
    let error = port.correlate(Message::new("paid")).await.unwrap_err();
    assert!(error.is_transient(), "{error:?}");
    let error = port.signal(Signal::default()).await.unwrap_err();
    assert!(error.is_transient(), "{error:?}");
    let mut keyless = StartProcess::new("order");
    keyless.unless_there = true;
    let error = port.start(keyless).await.unwrap_err();
    assert!(matches!(error, PortError::Rejected { .. }), "{error:?}");
}

#[tokio::test]
async fn an_answer_that_gets_lost_leaves_the_outcome_unknown_and_a_lost_question_does_not() {
    // Takes every call and hangs up without an answer.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 1024];
            let _ = tokio::io::AsyncReadExt::read(&mut stream, &mut request).await;
        }
    });
    let url = format!("http://{address}/engine-rest").parse().unwrap();
    let port = EnginePort::new(EngineClient::new(url, Login::None).unwrap());
    let error = port.start(StartProcess::new("order")).await.unwrap_err();
    assert!(error.is_outcome_unknown(), "{error:?}");
    let error = port
        .start(StartProcess::new("order").once_per("4711"))
        .await
        .unwrap_err();
    assert!(error.is_transient(), "nothing but a question was sent: {error:?}");
}
