//! `procos:security` of the process that a task comes from, on the real engine with the worker's own login.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tests::Engine;
use worker_api::{Answer, Value};
use worker_runtime::{Chain, Definitions, DrainReport, Ended, ModelPolicy, PoolSettings};

use crate::bench::{Bench, SOON, extension, property, task_process};

/// The policy of the models, as `procos` has it.
fn heeding_models(settings: &mut PoolSettings) {
    let definitions = Definitions::new(Engine::shared().client_as("worker"));
    let policy = ModelPolicy::new(definitions.clone());
    settings.chain = Chain::builder().policy(policy).build();
    settings.definitions = Some(definitions);
}

/// A process of one task, which the error map tries to keep from becoming an incident; with this inside of its
/// `procos:security`.
fn secured(inside: &str) -> String {
    let security = extension(&format!(
        "<procos:security xmlns:procos=\"urn:procos:bpmn:1.0\">{inside}</procos:security>"
    ));
    let process = task_process(&property("errorMap", "* -> retry"), "");
    process.replacen("<startEvent", &format!("{security}<startEvent"), 1)
}

fn allowing(topic: &str) -> String {
    secured(&format!(
        "<procos:allowedTasks><procos:task topic=\"{topic}\" sandboxLevel=\"none\"/></procos:allowedTasks>\n\
         <procos:dataClassification level=\"confidential\"/>"
    ))
}

/// The incident's message of a task that must not have run.
async fn refused(process: &str, name: &str) -> (Bench, String) {
    let bench = Bench::new(name);
    bench.deploy(process).await;
    let runs = Arc::new(AtomicUsize::new(0));
    let (pool, heard) = bench.pool(heeding_models, {
        let runs = Arc::clone(&runs);
        move |_| {
            runs.fetch_add(1, Ordering::SeqCst);
            async { Ok(Answer::new()) }
        }
    });
    let instance = bench.start().await;
    let message = bench.incident(&instance).await.incident_message.unwrap();
    let report = pool.stop(SOON).await;
    assert_eq!(report, DrainReport::default(), "nothing was left to do");
    assert_eq!(heard.ends(), [Ended::Incident], "at once");
    assert_eq!(runs.load(Ordering::SeqCst), 0);
    (bench, message)
}

#[tokio::test]
async fn what_the_process_allows_runs_and_sees_its_policy() {
    let bench = Bench::new("policy-allowed");
    let process = allowing("TOPIC")
        .replace("errorMap", "resultVariable")
        .replace("* -> retry", "result");
    bench.deploy(&process).await;
    let (pool, _) = bench.pool(heeding_models, async |context| {
        let level = context.security.and_then(|security| security.data_classification);
        Ok(Answer::new().with("level", Value::from(serde_json::to_value(level).unwrap())))
    });
    let instance = bench.start().await;
    bench.completed(&instance).await;
    assert_eq!(
        bench.process_variables(&instance).await["result"]["level"],
        "confidential"
    );
    pool.stop(SOON).await;
}

#[tokio::test]
async fn a_process_without_a_policy_runs_as_ever() {
    let bench = Bench::new("policy-none");
    bench.deploy_task("", "").await;
    let (pool, _) = bench.pool(heeding_models, async |_| Ok(Answer::new()));
    let instance = bench.start().await;
    bench.completed(&instance).await;
    pool.stop(SOON).await;
}

#[tokio::test]
async fn a_topic_outside_the_list_is_an_incident_that_names_it_and_what_is_allowed() {
    let (bench, message) = refused(&allowing("something_else"), "policy-refused").await;
    let key = &bench.key;
    for part in [
        format!("refuses work (topic {key})"),
        format!("of the process `{key}`"),
        format!("<procos:task topic=\"{key}\"/>"),
        "what they have: something_else".to_owned(),
    ] {
        assert!(message.contains(&part), "no {part} in: {message}");
    }
}

#[tokio::test]
async fn a_policy_that_cannot_be_read_is_an_incident_with_its_line() {
    // The engine passes the extension over, so that nothing but the worker stands in the way.
    let process = allowing("TOPIC").replace("level=\"confidential\"", "level=\"secret\"");
    let (_, message) = refused(&process, "policy-unreadable").await;
    for part in [
        "cannot be read",
        "line 5",
        "`secret`",
        "confidential",
        "deploy it again",
    ] {
        assert!(message.contains(part), "no {part} in: {message}");
    }
}
