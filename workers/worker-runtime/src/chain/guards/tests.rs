//! The guards by a paused clock.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;
use worker_api::{
    Adapter, AdapterDescription, Answer, BpmnError, Effect, Failure, OUTCOME_UNKNOWN, Outcome, Postponed,
    Route, Task, TaskContext, TaskError, Value, async_trait,
};

use super::*;
use crate::Chain;

/// Says one outcome after the other, and after them that it is done.
struct Scripted {
    outcomes: Mutex<Vec<Outcome>>,
    effect: Effect,
    runs: AtomicUsize,
}

#[async_trait]
impl Adapter for Scripted {
    fn description(&self) -> AdapterDescription {
        AdapterDescription::new("scripted", "Does what a test says")
    }

    fn effect(&self, _: &TaskContext) -> Effect {
        self.effect
    }

    async fn execute(&self, _: TaskContext) -> Outcome {
        let run = self.runs.fetch_add(1, Ordering::Relaxed);
        let mut outcomes = self.outcomes.lock().unwrap();
        match outcomes.is_empty() {
            true => Ok(Answer::new().with("run", i64::try_from(run).unwrap())),
            false => outcomes.remove(0),
        }
    }
}

struct Routes(BTreeMap<String, Route>);

impl Router for Routes {
    fn topics(&self) -> Vec<String> {
        self.0.keys().cloned().collect()
    }

    fn route(&self, topic: &str) -> Option<&Route> {
        self.0.get(topic)
    }
}

/// The chain before an adapter, with these guards at the topic `guarded` and none at `free`.
struct Guarded {
    chain: Chain,
    adapter: Arc<Scripted>,
}

impl Guarded {
    fn new(guards: Guards, effect: Effect, outcomes: Vec<Outcome>) -> Self {
        let adapter = Arc::new(Scripted {
            outcomes: Mutex::new(outcomes),
            effect,
            runs: AtomicUsize::new(0),
        });
        let route = |guards: Guards| Route {
            guards,
            ..Route::new("scripted", Arc::clone(&adapter) as _, "scripted")
        };
        let routes = BTreeMap::from([
            ("guarded".to_owned(), route(guards)),
            ("free".to_owned(), route(Guards::default())),
        ]);
        Self {
            chain: Chain::builder().routes(&(Arc::new(Routes(routes)) as _)).build(),
            adapter,
        }
    }

    async fn run(&self, context: TaskContext) -> Outcome {
        self.chain.run(context, self.adapter.as_ref()).await
    }

    fn runs(&self) -> usize {
        self.adapter.runs.load(Ordering::Relaxed)
    }
}

fn context(topic: &str, inputs: &[(&str, Value)]) -> TaskContext {
    let task = Task {
        id: "task-1".into(),
        topic: topic.into(),
        ..Task::default()
    };
    let inputs = inputs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.clone()));
    TaskContext::new(task, Duration::from_secs(10)).with_variables(inputs.collect())
}

fn postponed(outcome: Outcome) -> Postponed {
    match outcome {
        Err(TaskError::Postponed(postponed)) => postponed,
        other => panic!("not postponed: {other:?}"),
    }
}

fn failure() -> Outcome {
    Err(Failure::retryable("away").into())
}

fn guards(settings: serde_json::Value) -> Guards {
    let part = |name: &str| settings.get(name).cloned().unwrap_or_default();
    Guards {
        rate: serde_json::from_value(part("rate")).unwrap(),
        breaker: serde_json::from_value(part("breaker")).unwrap(),
        cache: serde_json::from_value(part("cache")).unwrap(),
    }
}

#[tokio::test(start_paused = true)]
async fn no_more_tasks_run_than_the_rate_allows_and_the_others_return_one_after_the_other() {
    let guarded = Guarded::new(guards(json!({"rate": "2/h"})), Effect::Repeatable, Vec::new());
    for _ in 0..2 {
        guarded.run(context("guarded", &[])).await.unwrap();
    }
    let first = postponed(guarded.run(context("guarded", &[])).await);
    let second = postponed(guarded.run(context("guarded", &[])).await);
    assert!(first.reason.contains("2/h"), "{first}");
    let half = Duration::from_secs(1800);
    assert!(
        first.after > half - Duration::from_secs(60) && first.after <= half,
        "{first}"
    );
    assert!(second.after > first.after, "{second}");
    guarded.run(context("free", &[])).await.unwrap();
    assert_eq!(guarded.runs(), 3);
}

#[tokio::test]
async fn a_task_that_has_to_wait_shortly_waits_in_its_slot() {
    let guarded = Guarded::new(guards(json!({"rate": "20/s"})), Effect::Repeatable, Vec::new());
    let begun = std::time::Instant::now();
    for _ in 0..25 {
        guarded.run(context("guarded", &[])).await.unwrap();
    }
    // Twenty at once, and five that come every 50 ms: less would be no limit.
    assert!(
        begun.elapsed() >= Duration::from_millis(200),
        "{:?}",
        begun.elapsed()
    );
}

#[tokio::test(start_paused = true)]
async fn a_service_that_fails_is_left_alone_and_tried_by_one_task() {
    let settings = json!({"breaker": {"failures": 2, "pause": "30s"}});
    let unknown = Err(BpmnError::new(OUTCOME_UNKNOWN, "nobody knows").into());
    let refused = Err(BpmnError::new("NO", "no").into());
    let outcomes = vec![failure(), refused, failure(), unknown, failure()];
    let guarded = Guarded::new(guards(settings), Effect::Repeatable, outcomes);
    let run = async || guarded.run(context("guarded", &[])).await;
    for _ in 0..4 {
        // A no is an answer: it counts anew.
        assert!(!matches!(run().await, Err(TaskError::Postponed(_))));
    }
    let left_alone = postponed(run().await);
    assert_eq!(left_alone.after, Duration::from_secs(30));
    assert!(left_alone.reason.contains("`guarded`"), "{left_alone}");
    tokio::time::advance(Duration::from_secs(31)).await;
    // The one that is tried fails, so that it is left alone at once.
    assert!(matches!(run().await, Err(TaskError::Failure(_))));
    assert_eq!(postponed(run().await).after, Duration::from_secs(30));
    tokio::time::advance(Duration::from_secs(31)).await;
    run().await.unwrap();
    run().await.unwrap();
    assert_eq!(guarded.runs(), 7);
}

#[tokio::test(start_paused = true)]
async fn what_is_wrong_with_a_task_says_nothing_of_the_service() {
    let settings = json!({"breaker": {"failures": 1}});
    let outcomes = (0..3)
        .map(|_| Err(Failure::permanent("a wrong input").into()))
        .collect();
    let guarded = Guarded::new(guards(settings), Effect::Repeatable, outcomes);
    for _ in 0..3 {
        assert!(matches!(
            guarded.run(context("guarded", &[])).await,
            Err(TaskError::Failure(_))
        ));
    }
    guarded.run(context("guarded", &[])).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn one_task_is_tried_and_another_where_it_is_given_up() {
    let settings = json!({"breaker": {"failures": 1, "pause": "1s"}});
    let guarded = Guarded::new(guards(settings), Effect::Repeatable, vec![failure()]);
    let breakers = breaker::Breakers::new(Arc::new(Routes(BTreeMap::from([(
        "guarded".to_owned(),
        Route {
            guards: guards(json!({"breaker": {"failures": 1, "pause": "1s"}})),
            ..Route::new("scripted", Arc::clone(&guarded.adapter) as _, "scripted")
        },
    )]))));
    /// Never ends.
    struct Stuck;
    #[async_trait]
    impl Adapter for Stuck {
        fn description(&self) -> AdapterDescription {
            AdapterDescription::new("stuck", "Never ends")
        }
        fn effect(&self, _: &TaskContext) -> Effect {
            Effect::Repeatable
        }
        async fn execute(&self, _: TaskContext) -> Outcome {
            std::future::pending().await
        }
    }
    let next = |adapter| worker_api::Next::new(&[], adapter);
    let fails = breakers
        .handle(context("guarded", &[]), next(guarded.adapter.as_ref()))
        .await;
    assert!(fails.is_err());
    tokio::time::advance(Duration::from_secs(2)).await;
    {
        let mut stuck = Box::pin(breakers.handle(context("guarded", &[]), next(&Stuck)));
        assert!(futures::poll!(&mut stuck).is_pending());
        let waits = breakers
            .handle(context("guarded", &[]), next(guarded.adapter.as_ref()))
            .await;
        assert_eq!(postponed(waits).after, Duration::from_secs(1));
    }
    breakers
        .handle(context("guarded", &[]), next(guarded.adapter.as_ref()))
        .await
        .unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_given_again_to_tasks_that_agree_until_its_time_is_over() {
    let settings = json!({"cache": {"for": "10m", "by": ["url"]}});
    let guarded = Guarded::new(guards(settings.clone()), Effect::Repeatable, vec![failure()]);
    let run = async |url: &str, more: &str, tenant: Option<&str>| {
        let mut context = context("guarded", &[("url", url.into()), ("more", more.into())]);
        context.task.tenant_id = tenant.map(str::to_owned);
        guarded
            .run(context)
            .await
            .map(|answer| answer.fields()["run"].to_json())
    };
    // Failures are not kept.
    run("a", "", None).await.unwrap_err();
    assert_eq!(run("a", "", None).await.unwrap(), 1);
    assert_eq!(run("a", "other", None).await.unwrap(), 1);
    assert_eq!(run("b", "", None).await.unwrap(), 2);
    assert_eq!(
        run("a", "", Some("shop")).await.unwrap(),
        3,
        "tenants share nothing"
    );
    tokio::time::advance(Duration::from_secs(601)).await;
    assert_eq!(run("a", "", None).await.unwrap(), 4);
    let file = context(
        "guarded",
        &[("url", Value::Bytes(bytes::Bytes::from_static(b"a")))],
    );
    for _ in 0..2 {
        guarded.run(file.clone()).await.unwrap();
    }
    assert_eq!(guarded.runs(), 7, "what a file says is not known");
    // What changes something is done each time.
    let once = Guarded::new(guards(settings), Effect::Once, Vec::new());
    for _ in 0..2 {
        once.run(context("guarded", &[("url", "a".into())]))
            .await
            .unwrap();
    }
    assert_eq!(once.runs(), 2);
}

#[tokio::test]
async fn answers_that_are_large_or_hold_files_are_not_kept() {
    let settings = json!({"cache": {"for": "10m", "by": ["url"]}});
    let large = Answer::new().with("text", "a".repeat(70_000));
    let file = Answer::new().with("file", Value::Bytes(bytes::Bytes::from_static(b"a")));
    let guarded = Guarded::new(guards(settings), Effect::Repeatable, vec![Ok(large), Ok(file)]);
    for _ in 0..4 {
        guarded.run(context("guarded", &[])).await.unwrap();
    }
    assert_eq!(guarded.runs(), 3);
}

#[test]
fn layers_stand_only_where_a_route_asks_for_them() {
    let named = |settings| {
        let guarded = Guarded::new(guards(settings), Effect::Repeatable, Vec::new());
        let names: Vec<&str> = guarded.chain.names().collect();
        names.join(" ")
    };
    assert!(!named(json!({})).contains("rate"));
    let all = json!({"rate": "1/s", "breaker": {}, "cache": {"for": "1m", "by": ["a"]}});
    assert!(named(all).contains("cache breaker rate concurrency"));
}
