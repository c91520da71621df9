//! A worker and its settings, and what a worker gets over, on the fake engine.

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use engine_client::fake::{FakeEngine, Fault, LinearProcess, TaskStep};
use engine_client::{InstanceState, Variables};
use tokio::sync::Semaphore;
use worker_api::{
    AdapterDescription, Answer, Content, ContentSource, ContentStream, Effect, Failure, File, Outcome,
    TaskContext, TopicDescription, async_trait,
};

use super::*;
use crate::{HandlerResult, journal};

struct Printer(&'static [&'static str]);

#[async_trait]
impl Adapter for Printer {
    fn description(&self) -> AdapterDescription {
        let described = |topic: &&str| TopicDescription::new::<Json, Json>(topic, "Prints");
        let description = AdapterDescription::new("printer", "Prints");
        self.0
            .iter()
            .map(described)
            .fold(description, AdapterDescription::topic)
    }

    fn effect(&self, _: &TaskContext) -> Effect {
        Effect::Repeatable
    }

    async fn execute(&self, _: TaskContext) -> Outcome {
        Ok(Answer::new())
    }
}

async fn nothing(_: Json) -> HandlerResult<()> {
    Ok(())
}

/// For an engine that is not there, which a worker waits for.
fn builder() -> WorkerBuilder {
    let nowhere = "http://127.0.0.1:9/engine-rest".parse().unwrap();
    Worker::builder(EngineClient::new(nowhere, engine_client::Login::None).unwrap())
}

fn refusal(builder: WorkerBuilder) -> String {
    builder.start().unwrap_err().to_string()
}

#[test]
fn a_worker_needs_a_runtime() {
    let text = refusal(builder().topic("a", nothing));
    assert!(text.contains("tokio::main"), "{text}");
}

#[tokio::test]
async fn what_would_do_nothing_or_half_of_it_is_refused() {
    let text = refusal(builder());
    assert!(text.contains("no topics"), "{text}");
    let text = refusal(builder().topic("a", nothing).adapter(Printer(&[])));
    assert!(
        text.contains("the adapter `printer` describes no topics"),
        "{text}"
    );
    let text = refusal(builder().topic("a", nothing).adapter(Printer(&["b", "a"])));
    assert!(
        text.contains("`a` is served twice, by `a` and by `printer`"),
        "{text}"
    );
    let text = refusal(builder().topic("a", nothing).capacity(0));
    assert!(text.contains("capacity is 0"), "{text}");
}

#[tokio::test]
async fn polls_that_would_spin_or_be_refused_are_refused() {
    for long_poll in [Duration::ZERO, Duration::from_secs(3600)] {
        let topic = builder().topic("a", nothing);
        let text = refusal(topic.settings(move |settings| settings.long_poll = long_poll));
        assert!(text.contains("long poll"), "{text}");
    }
}

struct Broken;

impl Observer for Broken {
    fn observe(&self, _: &str, _: crate::Event<'_>) {
        panic!("on purpose");
    }
}

#[tokio::test]
async fn it_stops_when_it_is_told_to() {
    let worker = builder()
        .name("printers")
        .adapter(Printer(&["a", "b"]))
        .drain(Duration::from_secs(1))
        .start()
        .unwrap();
    assert!(worker.pool().worker_id().starts_with("printers"));
    assert_eq!(worker.run_until(async {}).await, DrainReport::default());
}

#[test]
fn a_topics_own_settings_go_into_its_route() {
    let topic = Topic::new("a", nothing)
        .timeout(Duration::from_secs(5))
        .retry(RetryPolicy::cycle(2, Duration::ZERO))
        .with("unit", "EUR")
        .limit(4);
    assert_eq!(topic.subscription.limit, Some(4));
    let route = topic.route;
    assert_eq!(route.timeout, Some(Duration::from_secs(5)));
    assert_eq!(route.retry, Some(RetryPolicy::cycle(2, Duration::ZERO)));
    assert_eq!(route.with["unit"], "EUR");
    assert_eq!(route.operation, "a");
}

/// An engine with a process of one task, which is not tried again.
fn engine() -> FakeEngine {
    engine_with(TaskStep::new("work", "a"))
}

/// The same, where the engine wants `x` of the task's answer.
fn engine_that_wants_x() -> FakeEngine {
    engine_with(TaskStep::new("work", "a").output("x", "${x}"))
}

fn engine_with(work: TaskStep) -> FakeEngine {
    let fake = FakeEngine::new();
    fake.deploy(LinearProcess::new("p").then(work.property("retry", "R1/PT0S")));
    fake
}

fn serving<Arguments: 'static>(fake: &FakeEngine, handler: impl Handler<Arguments>) -> WorkerBuilder {
    Worker::builder(fake.client()).topic("a", handler)
}

async fn start(fake: &FakeEngine) -> String {
    let variables = Variables::new();
    let started = fake.client().start_instance("p", None, None, &variables).await;
    started.unwrap().id
}

/// What stays out for an hour never comes. It passes at once on a paused clock.
async fn in_time<T>(event: impl Future<Output = T>) -> T {
    let event = tokio::time::timeout(Duration::from_secs(3600), event).await;
    event.expect("it comes within an hour")
}

/// Starts an instance and waits for its end.
async fn completes_one(fake: &FakeEngine) {
    let instance = start(fake).await;
    let ended = in_time(fake.ended(&instance)).await;
    assert_eq!(ended, Some(InstanceState::Completed));
}

/// Starts an instance and waits for the incident that it comes to.
async fn incident(fake: &FakeEngine) -> String {
    let instance = start(fake).await;
    let incident = in_time(fake.has_incident(&instance)).await;
    incident.unwrap().incident_message.unwrap()
}

#[tokio::test(start_paused = true)]
async fn an_observer_that_panics_costs_no_task() {
    let fake = engine();
    let worker = serving(&fake, nothing)
        .observer(Arc::new(Broken))
        .start()
        .unwrap();
    for _ in 0..3 {
        completes_one(&fake).await;
    }
    worker.stop().await;
}

/// A handler, and how often it has run.
fn counted() -> (impl Handler<(Json,)>, Arc<AtomicU32>) {
    let runs = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&runs);
    let handler = move |inputs| {
        counted.fetch_add(1, Ordering::SeqCst);
        nothing(inputs)
    };
    (handler, runs)
}

#[tokio::test(start_paused = true)]
async fn a_gateways_own_404_is_no_answer_of_the_engine() {
    let fake = engine();
    fake.inject(Fault::on("/complete").times(3).gateway_answer(404));
    let (handler, runs) = counted();
    let worker = serving(&fake, handler).start().unwrap();
    completes_one(&fake).await;
    assert_eq!(fake.calls("/complete"), 4, "its report was repeated");
    assert_eq!(runs.load(Ordering::SeqCst), 1);
    worker.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_report_that_a_gateway_never_lets_through_is_an_incident_that_says_so() {
    let fake = engine();
    fake.inject(Fault::on("/complete").times(usize::MAX).gateway_answer(413));
    let worker = serving(&fake, nothing).start().unwrap();
    let message = incident(&fake).await;
    assert!(message.contains("413"), "{message}");
    assert_eq!(fake.calls("/complete"), 1, "the next would be refused, too");
    worker.stop().await;
}

/// Such as while the rules of its firewall are wrong: nothing of that is the report's fault.
#[tokio::test(start_paused = true)]
async fn a_report_is_kept_while_a_gateway_lets_nothing_through() {
    let fake = engine();
    for path in ["/complete", "/extendLock"] {
        fake.inject(Fault::on(path).times(3).gateway_answer(403));
    }
    let (handler, runs) = counted();
    let worker = serving(&fake, handler).start().unwrap();
    completes_one(&fake).await;
    assert_eq!(runs.load(Ordering::SeqCst), 1);
    worker.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_cannot_show_the_model_holds_no_task_for_ever() {
    let fake = engine_that_wants_x();
    fake.inject(Fault::on("/xml").times(usize::MAX).answer(500, Some(0)));
    let worker = serving(&fake, async |_: Json| Ok(serde_json::json!({"x": 1})));
    let worker = worker.start().unwrap();
    let message = incident(&fake).await;
    assert!(message.contains("cannot show the task's model"), "{message}");
    worker.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_was_away_for_long_may_still_break_once_at_the_model() {
    let fake = engine_that_wants_x();
    fake.inject(Fault::on("/xml").times(40).answer(503, None));
    fake.inject(Fault::on("/xml").answer(500, Some(0)));
    let worker = serving(&fake, async |_: Json| Ok(serde_json::json!({"x": 1})));
    let worker = worker.start().unwrap();
    completes_one(&fake).await;
    worker.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_worker_heeds_what_the_process_allows_without_being_told_to() {
    let (handler, runs) = counted();
    let fake = FakeEngine::new();
    let nothing_allowed = format!(
        "<p:security xmlns:p=\"{}\"><p:allowedTasks/></p:security>",
        bpmn::security::NAMESPACE
    );
    let process = LinearProcess::new("p").extensions(nothing_allowed);
    let hides = TaskStep::new("work", "a").property("errorMap", "* -> HIDDEN at once");
    fake.deploy(process.then(hides.catches("HIDDEN", "hidden")));
    let worker = serving(&fake, handler).start().unwrap();
    let message = incident(&fake).await;
    assert!(message.contains("`procos:security` refuses work"), "{message}");
    incident(&fake).await;
    assert_eq!(runs.load(Ordering::SeqCst), 0);
    assert_eq!(
        fake.calls("/xml"),
        1,
        "the second task is decided from what is known"
    );
    worker.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_extension_property_left_empty_is_none() {
    let fake = FakeEngine::new();
    let names = [
        "retry",
        "timeout",
        "errorMap",
        "resultVariable",
        "concurrencyKey",
        "concurrencyLimit",
    ];
    let step = names
        .into_iter()
        .fold(TaskStep::new("work", "a"), |step, name| step.property(name, " "));
    fake.deploy(LinearProcess::new("p").then(step));
    let (handler, runs) = counted();
    let worker = serving(&fake, handler).start().unwrap();
    completes_one(&fake).await;
    assert_eq!(runs.load(Ordering::SeqCst), 1);
    worker.stop().await;
}

/// Content that never comes, or breaks.
struct Elsewhere {
    breaks: bool,
}

#[async_trait]
impl ContentSource for Elsewhere {
    async fn open(&self) -> Result<ContentStream, Failure> {
        assert!(!self.breaks, "a loose wire");
        std::future::pending().await
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_whose_files_never_arrive_or_break_costs_its_own_task_alone() {
    for (breaks, said) in [(false, "did not arrive within 300s"), (true, "a loose wire")] {
        let fake = engine_that_wants_x();
        let answers = move |_: TaskContext| async move {
            let file = File {
                name: "a".into(),
                media_type: None,
                encoding: None,
                content: Content::elsewhere(Arc::new(Elsewhere { breaks })),
            };
            HandlerResult::Ok(Answer::new().with("x", file))
        };
        let worker = serving(&fake, answers).start().unwrap();
        let message = incident(&fake).await;
        assert!(message.contains(said), "{message}");
        worker.stop().await;
    }
}

/// The worker ids that nobody holds any more.
fn dead(directory: &Path, fake: &FakeEngine) -> usize {
    journal::dead(directory, &fake.client()).unwrap().len()
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_was_dropped_works_on_and_is_not_taken_for_dead() {
    let (fake, directory) = (engine(), tempfile::tempdir().unwrap());
    let worker = serving(&fake, nothing).journal(directory.path()).start();
    drop(worker.unwrap());
    completes_one(&fake).await;
    assert_eq!(dead(directory.path(), &fake), 0);
}

/// The engine may serve a poll on for which nobody waits any more, and lock a task for it.
#[tokio::test(start_paused = true)]
async fn a_stop_that_cuts_a_poll_off_leaves_the_worker_id_for_the_next_start_to_look_after() {
    let (fake, directory) = (engine(), tempfile::tempdir().unwrap());
    let worker = serving(&fake, nothing).journal(directory.path()).start();
    completes_one(&fake).await;
    worker.unwrap().stop().await;
    assert_eq!(dead(directory.path(), &fake), 1);
}

#[tokio::test(start_paused = true)]
async fn a_stop_while_no_poll_waits_leaves_nothing_behind() {
    let (fake, directory) = (engine(), tempfile::tempdir().unwrap());
    let (began, gate) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let handler = {
        let (began, gate) = (Arc::clone(&began), Arc::clone(&gate));
        move |_: Json| {
            let (began, gate) = (Arc::clone(&began), Arc::clone(&gate));
            async move {
                began.add_permits(1);
                gate.acquire().await?.forget();
                HandlerResult::Ok(())
            }
        }
    };
    // With its one slot taken, it does not poll.
    let worker = serving(&fake, handler)
        .capacity(1)
        .settings(|settings| settings.prefetch = Some(0))
        .journal(directory.path())
        .start()
        .unwrap();
    start(&fake).await;
    in_time(began.acquire()).await.unwrap().forget();
    let (report, ()) = tokio::join!(worker.stop(), async { gate.add_permits(1) });
    assert_eq!(report.finished, 1);
    let left = std::fs::read_dir(directory.path()).unwrap();
    assert_eq!(left.count(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_time_to_drain_without_end_is_no_reason_to_panic() {
    let worker = serving(&engine(), nothing).drain(Duration::MAX).start();
    assert_eq!(worker.unwrap().stop().await, DrainReport::default());
}
