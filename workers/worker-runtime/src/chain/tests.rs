//! The chain by a paused clock.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::future::{BoxFuture, join_all};
use tokio::time::{Instant, sleep};
use worker_api::{
    AdapterDescription, Answer, Effect, Grant, PolicyError, Retry, Task, TaskError, Value, async_trait,
};

use super::*;

struct Scripted(Box<dyn Fn(TaskContext) -> BoxFuture<'static, Outcome> + Send + Sync>);

#[async_trait]
impl Adapter for Scripted {
    fn description(&self) -> AdapterDescription {
        AdapterDescription::new("scripted", "Does what a test says")
    }

    fn effect(&self, _: &TaskContext) -> Effect {
        Effect::Repeatable
    }

    async fn execute(&self, context: TaskContext) -> Outcome {
        (self.0)(context).await
    }
}

fn adapter<F>(script: impl Fn(TaskContext) -> F + Send + Sync + 'static) -> Scripted
where
    F: Future<Output = Outcome> + Send + 'static,
{
    Scripted(Box::new(move |context| Box::pin(script(context))))
}

fn context(properties: &[(&str, &str)]) -> TaskContext {
    let task = Task {
        id: "task-1".into(),
        topic: "greet".into(),
        activity_id: "say_hello".into(),
        ..Task::default()
    };
    let mut context = TaskContext::new(task, Duration::from_secs(10));
    context.adapter = "greeter".into();
    context.properties = properties
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect::<BTreeMap<_, _>>();
    context
}

fn failure(outcome: Outcome) -> Failure {
    match outcome {
        Err(TaskError::Failure(failure)) => failure,
        other => panic!("no failure: {other:?}"),
    }
}

/// Writes down when it is passed, waits, or panics.
struct Layer {
    name: &'static str,
    waits: Duration,
    breaks: bool,
    passed: Arc<Mutex<Vec<String>>>,
}

impl Layer {
    fn new(name: &'static str, passed: &Arc<Mutex<Vec<String>>>) -> Self {
        Self {
            name,
            waits: Duration::ZERO,
            breaks: false,
            passed: Arc::clone(passed),
        }
    }
}

#[async_trait]
impl Middleware for Layer {
    fn name(&self) -> &str {
        self.name
    }

    async fn handle(&self, context: TaskContext, next: Next<'_>) -> Outcome {
        self.passed.lock().unwrap().push(format!("into {}", self.name));
        sleep(self.waits).await;
        assert!(!self.breaks, "a loose screw");
        let outcome = next.run(context).await;
        self.passed.lock().unwrap().push(format!("out of {}", self.name));
        outcome
    }
}

#[derive(Debug)]
struct Strict(fn(&str) -> Result<Grant, PolicyError>);

#[async_trait]
impl Policy for Strict {
    fn name(&self) -> &'static str {
        "strict"
    }

    async fn check(&self, context: &TaskContext) -> Result<Grant, PolicyError> {
        (self.0)(&context.task.topic)
    }
}

#[tokio::test(start_paused = true)]
async fn own_layers_stand_between_policy_and_turns_in_the_order_given() {
    let passed = Arc::default();
    let chain = Chain::builder()
        .middleware(Layer::new("a", &passed))
        .middleware(Layer::new("b", &passed))
        .build();
    assert_eq!(
        format!("{chain:?}"),
        "tracing > policy (allow all) > a > b > concurrency > effects > timeout"
    );
    let greets = adapter({
        let passed = Arc::clone(&passed);
        move |_| {
            passed.lock().unwrap().push("adapter".into());
            async { Ok(Answer::new().with("said", "hello")) }
        }
    });
    let answer = chain.run(context(&[]), &greets).await.unwrap();
    assert_eq!(answer.fields()["said"], Value::from("hello"));
    assert_eq!(
        *passed.lock().unwrap(),
        ["into a", "into b", "adapter", "out of b", "out of a"]
    );
}

#[tokio::test(start_paused = true)]
async fn what_a_policy_refuses_never_runs() {
    let runs = Arc::new(AtomicUsize::new(0));
    let counts = adapter({
        let runs = Arc::clone(&runs);
        move |_| {
            runs.fetch_add(1, Ordering::SeqCst);
            async { Ok(Answer::new()) }
        }
    });
    let passed = Arc::default();
    let chain = |policy| {
        let layer = Layer::new("own", &passed);
        Chain::builder().policy(Strict(policy)).middleware(layer).build()
    };
    let refusing = chain(|topic| {
        Err(PolicyError::Refused(format!(
            "{topic} is not in the list; add it"
        )))
    });
    let refused = failure(refusing.run(context(&[]), &counts).await);
    assert_eq!(refused.retry, Retry::Never);
    assert_eq!(
        refused.message,
        "the policy `strict` refuses say_hello (topic greet): greet is not in the list; add it"
    );
    let unsure = chain(|_| Err(PolicyError::Undecided("the model cannot be read".into())));
    assert_eq!(
        failure(unsure.run(context(&[]), &counts).await).retry,
        Retry::ByPolicy
    );
    assert_eq!(runs.load(Ordering::SeqCst), 0);
    assert!(
        passed.lock().unwrap().is_empty(),
        "no layer behind the policy has seen it"
    );
}

#[tokio::test(start_paused = true)]
async fn the_adapters_time_runs_from_when_it_gets_the_task() {
    let mut slow = Layer::new("slow", &Arc::default());
    slow.waits = Duration::from_secs(30);
    let chain = Chain::builder().middleware(slow).build();
    let began = Instant::now();
    let looks = adapter(|context| async move {
        let left = context.deadline - Instant::now().into_std();
        sleep(left - Duration::from_millis(1)).await;
        Ok(Answer::new().with("left", i64::try_from(left.as_secs()).unwrap()))
    });
    let answer = chain.run(context(&[]), &looks).await.unwrap();
    assert_eq!(answer.fields()["left"], Value::Integer(10));
    assert!(began.elapsed() > Duration::from_secs(39));
    let hangs = adapter(|_| std::future::pending());
    let late = failure(chain.run(context(&[]), &hangs).await);
    assert!(
        late.message.contains("10s") && late.message.contains("routes.greet.timeout"),
        "{late}"
    );
    assert_eq!(late.retry, Retry::ByPolicy);
}

#[tokio::test(start_paused = true)]
async fn a_panic_or_a_hang_of_adapter_or_layer_is_a_failure_that_names_who_it_was() {
    let plain = Chain::default();
    let breaks = adapter(|_| async { panic!("{} of range", "out") });
    let broken = failure(plain.run(context(&[]), &breaks).await);
    assert!(
        broken.message.contains("adapter `greeter` broke: out of range"),
        "{broken}"
    );

    let greets = adapter(|_| async { Ok(Answer::new()) });
    let mut layer = Layer::new("shaky", &Arc::default());
    layer.breaks = true;
    let chain = Chain::builder().middleware(layer).build();
    let broken = failure(chain.run(context(&[]), &greets).await);
    assert!(
        broken.message.contains("middleware") && broken.message.contains("a loose screw"),
        "{broken}"
    );

    let mut layer = Layer::new("stuck", &Arc::default());
    layer.waits = Duration::from_secs(86_400);
    let chain = Chain::builder().middleware(layer).build();
    let began = Instant::now();
    let stuck = failure(chain.run(context(&[]), &greets).await);
    assert!(stuck.message.contains("> stuck >"), "{stuck}");
    assert_eq!(
        began.elapsed(),
        Duration::from_secs(70),
        "the adapter's 10 s and a minute"
    );
}

#[tokio::test(start_paused = true)]
async fn an_absurd_timeout_is_no_panic() {
    let mut context = context(&[]);
    context.timeout = Duration::MAX;
    let greets = adapter(|_| async { Ok(Answer::new()) });
    Chain::default().run(context, &greets).await.unwrap();
}

/// Counts how many run at once, each for a while, and how many did at most.
#[derive(Default)]
struct Busy {
    now: AtomicUsize,
    most: AtomicUsize,
}

impl Busy {
    fn adapter(self: &Arc<Self>, each: Duration) -> Scripted {
        let busy = Arc::clone(self);
        adapter(move |_| {
            let busy = Arc::clone(&busy);
            async move {
                let now = busy.now.fetch_add(1, Ordering::SeqCst) + 1;
                busy.most.fetch_max(now, Ordering::SeqCst);
                sleep(each).await;
                busy.now.fetch_sub(1, Ordering::SeqCst);
                Ok(Answer::new())
            }
        })
    }

    fn most(&self) -> usize {
        self.most.load(Ordering::SeqCst)
    }
}

fn postponed(outcome: &Outcome) -> Option<Duration> {
    match outcome {
        Err(TaskError::Postponed(postponed)) => Some(postponed.after),
        Ok(_) => None,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn of_one_key_as_many_run_as_may_and_wait_as_may_run() {
    let chain = Chain::default();
    let busy = Arc::new(Busy::default());
    let works = busy.adapter(Duration::from_secs(1));
    let limited = [("concurrencyKey", "billing"), ("concurrencyLimit", "2")];
    let ten = join_all((0..10).map(|_| chain.run(context(&limited), &works))).await;
    assert_eq!(busy.most(), 2);
    let away: Vec<Duration> = ten.iter().filter_map(postponed).collect();
    assert_eq!(away.len(), 6, "two run, two wait in their slots");
    assert!(away.windows(2).all(|two| two[0] < two[1]), "{away:?}");
    assert!(away[0] >= Duration::from_secs(1));

    // Those without the key, or with another, have nothing to do with it.
    let others = [("concurrencyKey", "shipping")];
    let busy = Arc::new(Busy::default());
    let works = busy.adapter(Duration::from_secs(1));
    let none = join_all((0..10).map(|_| chain.run(context(&[]), &works)));
    let (none, one) = tokio::join!(none, chain.run(context(&others), &works));
    assert!(none.iter().chain([&one]).all(Result::is_ok));
    assert_eq!(busy.most(), 11);
}

#[tokio::test(start_paused = true)]
async fn an_operators_limit_counts_before_the_models_and_nonsense_is_an_incident() {
    let chain = Chain::builder()
        .concurrency(Concurrency::default().limit("billing", 3))
        .build();
    let busy = Arc::new(Busy::default());
    let works = busy.adapter(Duration::from_secs(1));
    let limited = [("concurrencyKey", "billing"), ("concurrencyLimit", "100")];
    join_all((0..20).map(|_| chain.run(context(&limited), &works))).await;
    assert_eq!(busy.most(), 3);
    for nonsense in ["0", "-1", "many", "99999999999999999999", ""] {
        let limited = [("concurrencyKey", "other"), ("concurrencyLimit", nonsense)];
        let wrong = failure(chain.run(context(&limited), &works).await);
        assert!(
            wrong.message.contains("`concurrencyLimit` of say_hello"),
            "{wrong}"
        );
        assert_eq!(wrong.retry, Retry::Never);
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_waits_for_too_long_is_given_back_and_a_dropped_one_leaves_room() {
    let chain = Chain::default();
    let key = [("concurrencyKey", "billing")];
    let busy = Arc::new(Busy::default());
    let slow = busy.adapter(Duration::from_secs(3600));
    let mut long = context(&key);
    long.timeout = Duration::from_secs(7200);
    let mut running = Box::pin(chain.run(long.clone(), &slow));
    let began = Instant::now();
    tokio::select! {
        // The first has its turn first.
        biased;
        _ = &mut running => panic!("an hour is not over"),
        waited = chain.run(context(&key), &slow) => assert!(postponed(&waited).is_some()),
    }
    assert_eq!(began.elapsed(), Duration::from_secs(10));
    drop(running);
    let quick = busy.adapter(Duration::ZERO);
    assert!(
        chain.run(context(&key), &quick).await.is_ok(),
        "a cancelled task frees its turn"
    );
}

#[tokio::test(start_paused = true)]
async fn tasks_that_are_sent_back_return_about_as_fast_as_they_are_done() {
    // An engine of nothing but time: what is given back comes again when its time is over.
    let chain = Chain::default();
    let busy = Arc::new(Busy::default());
    let works = busy.adapter(Duration::from_millis(100));
    let key = [("concurrencyKey", "billing")];
    let (tries, began) = (AtomicUsize::new(0), Instant::now());
    join_all((0..300).map(async |_| {
        while let Some(after) = {
            tries.fetch_add(1, Ordering::SeqCst);
            postponed(&chain.run(context(&key), &works).await)
        } {
            sleep(after).await;
        }
    }))
    .await;
    assert_eq!(busy.most(), 1);
    let (tries, took) = (tries.into_inner(), began.elapsed());
    // 300 tasks of a tenth of a second are 30 s of work for one at a time.
    assert!(took < Duration::from_secs(90), "{took:?} in {tries} tries");
    assert!(tries < 2000, "{tries} tries in {took:?}");
}
