//! The decision on single tasks, over the fake engine and a chain with an adapter that counts.

use std::sync::atomic::{AtomicUsize, Ordering};

use engine_client::fake::{FakeEngine, Fault, LinearProcess, TaskStep};
use worker_api::{Adapter, AdapterDescription, Answer, Effect, Failure, Outcome, Retry, Task, TaskError};

use super::*;
use crate::Chain;

/// Counts its runs, and answers the level that it was given.
#[derive(Default)]
struct Counts(AtomicUsize);

#[async_trait]
impl Adapter for Counts {
    fn description(&self) -> AdapterDescription {
        AdapterDescription::new("counts", "Counts its runs")
    }

    fn effect(&self, _: &TaskContext) -> Effect {
        Effect::Repeatable
    }

    async fn execute(&self, context: TaskContext) -> Outcome {
        self.0.fetch_add(1, Ordering::SeqCst);
        let level = context.sandbox_level.map_or("any", SandboxLevel::as_str);
        let classified = context
            .security
            .is_some_and(|security| security.data_classification.is_some());
        Ok(Answer::new().with("level", level).with("classified", classified))
    }
}

/// An engine with a process `order` that says this.
struct Bed {
    fake: FakeEngine,
    definition: String,
    defaults: PolicyDefaults,
    counts: Counts,
}

impl Bed {
    fn new(extensions: &str) -> Self {
        let fake = FakeEngine::new();
        let process = LinearProcess::new("order").extensions(extensions);
        let definition = fake.deploy(process.then(TaskStep::new("pay", "a")));
        Self {
            fake,
            definition,
            defaults: PolicyDefaults::default(),
            counts: Counts::default(),
        }
    }

    fn allowing(tasks: &str) -> Self {
        Self::new(&format!(
            "<p:security xmlns:p=\"{}\"><p:allowedTasks>{tasks}</p:allowedTasks></p:security>",
            bpmn::security::NAMESPACE
        ))
    }

    async fn run(&self, topic: &str, sandboxed: bool) -> Outcome {
        let policy = ModelPolicy::new(Definitions::new(self.fake.client())).defaults(self.defaults.clone());
        let task = Task {
            topic: topic.into(),
            activity_id: "pay".into(),
            process_definition_key: "order".into(),
            process_definition_id: self.definition.clone(),
            ..Task::default()
        };
        let mut context = TaskContext::new(task, Duration::from_secs(10));
        context.adapter = "counts".into();
        context.sandboxed = sandboxed;
        Chain::builder()
            .policy(policy)
            .build()
            .run(context, &self.counts)
            .await
    }

    async fn level(&self, topic: &str, sandboxed: bool) -> String {
        let answer = self.run(topic, sandboxed).await.unwrap();
        answer.fields()["level"].to_json().as_str().unwrap().to_owned()
    }

    /// The failure of a task that must not have run.
    async fn failure(&self, topic: &str, sandboxed: bool) -> Failure {
        let outcome = self.run(topic, sandboxed).await;
        assert_eq!(self.counts.0.load(Ordering::SeqCst), 0, "it has run");
        match outcome {
            Err(TaskError::Failure(failure)) => failure,
            other => panic!("{other:?}"),
        }
    }

    async fn refusal(&self, topic: &str, sandboxed: bool, parts: &[&str]) {
        let failure = self.failure(topic, sandboxed).await;
        assert_eq!(failure.retry, Retry::Never);
        for part in ["`procos:security` refuses pay", "`order`"].iter().chain(parts) {
            assert!(failure.message.contains(part), "no {part} in: {failure}");
        }
    }
}

#[tokio::test]
async fn a_topic_outside_the_list_never_runs_and_the_remedy_is_told() {
    let bed = Bed::allowing("<p:task topic=\"a\"/><p:task topic=\"b\"/>");
    bed.refusal(
        "c",
        false,
        &["(topic c)", "<procos:task topic=\"c\"/>", "what they have: a, b"],
    )
    .await;
    // As it is written, letter by letter.
    bed.refusal("A", false, &[]).await;
    assert_eq!(bed.level("b", false).await, "any");
    Bed::allowing("")
        .refusal("a", false, &["what they have: no topic"])
        .await;
}

#[tokio::test]
async fn the_operators_default_counts_where_the_process_does_not_say_it() {
    let mut silent = Bed::new("");
    assert_eq!(silent.level("c", true).await, "any");
    silent.defaults.sandbox_level = Some(SandboxLevel::High);
    assert_eq!(silent.level("c", true).await, "high");
    assert_eq!(silent.level("c", false).await, "any", "it has no sandbox");

    let only = PolicyDefaults {
        allowed_tasks: Some(["a".to_owned()].into()),
        sandbox_level: Some(SandboxLevel::High),
    };
    let mut silent = Bed::new("");
    silent.defaults = only.clone();
    silent
        .refusal(
            "c",
            false,
            &["security.default.allowed_tasks", "`c`", "allowed: a"],
        )
        .await;
    assert_eq!(silent.level("a", true).await, "high");
    // A policy without a list leaves the list to the operator.
    let mut other = Bed::new(&format!(
        "<p:security xmlns:p=\"{}\"><p:dataClassification level=\"internal\"/></p:security>",
        bpmn::security::NAMESPACE
    ));
    other.defaults = only.clone();
    other
        .refusal("c", false, &["security.default.allowed_tasks"])
        .await;
    let answer = other.run("a", false).await.unwrap();
    assert_eq!(
        answer.fields()["classified"],
        worker_api::Value::from(true),
        "layers see the policy"
    );

    let mut lists = Bed::allowing("<p:task topic=\"c\"/><p:task topic=\"d\" sandboxLevel=\"low\"/>");
    lists.defaults = only;
    assert_eq!(
        lists.level("c", true).await,
        "high",
        "a level that is not said is the operator's"
    );
    assert_eq!(lists.level("d", true).await, "low");
}

#[tokio::test]
async fn a_level_fits_the_adapter_or_the_task_does_not_run() {
    let bed = || {
        Bed::allowing(
            "<p:task topic=\"none\" sandboxLevel=\"none\"/><p:task topic=\"low\" sandboxLevel=\"low\"/>\
             <p:task topic=\"medium\" sandboxLevel=\"medium\"/><p:task topic=\"high\" sandboxLevel=\"high\"/>",
        )
    };
    for level in ["low", "medium", "high"] {
        assert_eq!(bed().level(level, true).await, level);
        bed()
            .refusal(
                level,
                false,
                &["adapter `counts`", "sandboxLevel=\"none\"", level],
            )
            .await;
    }
    bed()
        .refusal("none", true, &["adapter `counts`", "low, medium or high"])
        .await;
    assert_eq!(bed().level("none", false).await, "any");
}

#[tokio::test]
async fn a_policy_that_cannot_be_read_allows_nothing_and_names_the_line() {
    let mut bed = Bed::allowing("\n<p:task topic=\"a\" sandboxLevel=\"hihg\"/>");
    bed.defaults.allowed_tasks = Some(["a".to_owned()].into());
    bed.refusal(
        "a",
        false,
        &["cannot be read", "hihg", "line 5", "deploy it again"],
    )
    .await;
    bed.refusal("b", true, &["cannot be read"]).await;
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_is_away_costs_no_attempt_and_one_that_breaks_costs_one() {
    let bed = Bed::allowing("<p:task topic=\"a\"/>");
    bed.fake.inject(Fault::on("/xml").times(3).answer(503, None));
    assert_eq!(bed.level("a", false).await, "any", "a moment is waited out");

    let away = Bed::allowing("<p:task topic=\"a\"/>");
    away.fake
        .inject(Fault::on("/xml").times(usize::MAX).answer(503, None));
    let outcome = away.run("a", false).await;
    assert!(matches!(outcome, Err(TaskError::Postponed(_))), "{outcome:?}");

    let broken = Bed::allowing("<p:task topic=\"a\"/>");
    broken
        .fake
        .inject(Fault::on("/xml").times(usize::MAX).answer(500, Some(0)));
    let failure = broken.failure("a", false).await;
    assert_eq!(failure.retry, Retry::ByPolicy);
    assert!(
        failure.message.contains("cannot show the task's model"),
        "{failure}"
    );

    let forbidden = Bed::allowing("<p:task topic=\"a\"/>");
    forbidden.fake.inject(Fault::on("/xml").answer(403, Some(0)));
    let failure = forbidden.failure("a", false).await;
    assert_eq!(failure.retry, Retry::Never);
    assert!(failure.message.contains("login needs to read"), "{failure}");
}
