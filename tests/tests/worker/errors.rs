//! Failures, retries, BPMN errors, incidents.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;
use worker_api::{Answer, BpmnError, Failure};
use worker_runtime::Ended;

use crate::bench::{Bench, SOON, boundary, extension, property, task_process};

#[tokio::test]
async fn a_failure_is_retried_on_time_and_then_becomes_an_incident() {
    let bench = Bench::new("retries");
    bench.deploy_task(&property("retry", "R3/PT1S"), "").await;
    let attempts = Arc::new(AtomicUsize::new(0));
    // The engine looks for itself only every 30 s: without a nudge at each retry time this would take a minute.
    let slow = |settings: &mut worker_runtime::PoolSettings| {
        settings.lock_duration = Duration::from_secs(600);
        settings.long_poll = Duration::from_secs(120);
    };
    let (pool, heard) = bench.pool(slow, {
        let attempts = attempts.clone();
        move |context| {
            let counted = attempts.fetch_add(1, Ordering::SeqCst) + 1;
            async move {
                assert_eq!(context.task.attempt as usize, counted);
                Err(Failure::retryable(format!("no luck at attempt {counted}"))
                    .with_details("why\nand where")
                    .into())
            }
        }
    });
    let instance = bench.start().await;
    let incident = bench.incident(&instance).await;
    assert_eq!(attempts.load(Ordering::SeqCst), 3);
    assert_eq!(incident.incident_message.as_deref(), Some("no luck at attempt 3"));
    let details = bench.details(&instance).await;
    assert!(
        details.starts_with("why\nand where\n\nattempt 3 of 3, topic "),
        "{details}"
    );
    pool.stop(SOON).await;
    assert_eq!(heard.ends(), [Ended::Failed, Ended::Failed, Ended::Incident]);
}

#[tokio::test]
async fn a_permanent_failure_is_an_incident_at_once() {
    let bench = Bench::new("permanent");
    bench.deploy_task("", "").await;
    let (pool, heard) = bench.pool(
        |_| {},
        async |_| Err(Failure::permanent("cannot ever work").into()),
    );
    let instance = bench.start().await;
    bench.incident(&instance).await;
    pool.stop(SOON).await;
    assert_eq!(heard.ends(), [Ended::Incident]);
}

#[tokio::test]
async fn a_caught_bpmn_error_takes_the_models_way() {
    let bench = Bench::new("caught");
    bench
        .deploy_task(&property("resultVariable", "problem"), &boundary("OUT_OF_STOCK"))
        .await;
    let (pool, heard) = bench.pool(
        |_| {},
        async |_| {
            Err(BpmnError::new("OUT_OF_STOCK", "no desks left")
                .with("left", 0_i64)
                .into())
        },
    );
    let instance = bench.start().await;
    bench.rescued(&instance).await;
    let problem = &bench.process_variables(&instance).await["problem"];
    assert_eq!(
        problem,
        &json!({"code": "OUT_OF_STOCK", "message": "no desks left", "left": 0})
    );
    pool.stop(SOON).await;
    assert_eq!(heard.ends(), [Ended::BpmnError]);
}

#[tokio::test]
async fn a_general_code_is_thrown_where_only_it_is_caught() {
    let bench = Bench::new("general");
    bench.deploy_task("", &boundary("HTTP_4XX")).await;
    let (pool, _) = bench.pool(
        |_| {},
        async |_| Err(BpmnError::new("HTTP_404", "not there").or("HTTP_4XX").into()),
    );
    let instance = bench.start().await;
    bench.rescued(&instance).await;
    pool.stop(SOON).await;
}

#[tokio::test]
async fn an_uncaught_bpmn_error_is_an_incident_that_names_the_code() {
    let bench = Bench::new("uncaught");
    bench.deploy_task("", &boundary("SOMETHING_ELSE")).await;
    let (pool, heard) = bench.pool(
        |_| {},
        async |_| Err(BpmnError::new("OUT_OF_STOCK", "no desks left").into()),
    );
    let instance = bench.start().await;
    let incident = bench.incident(&instance).await;
    let message = incident.incident_message.unwrap();
    assert!(
        message.contains("OUT_OF_STOCK") && message.contains("no desks left"),
        "{message}"
    );
    assert!(bench.details(&instance).await.contains("boundary event"));
    pool.stop(SOON).await;
    assert_eq!(heard.ends(), [Ended::Incident]);
}

#[tokio::test]
async fn the_engine_itself_refuses_an_uncaught_bpmn_error() {
    let bench = Bench::new("engine-uncaught");
    bench.deploy_task("", "").await;
    let instance = bench.start().await;
    let task = bench.engine.external_tasks(&instance).await.unwrap().remove(0);
    let locked = fetch_one(&bench).await;
    assert_eq!(locked, task.id);
    let report = engine_client::BpmnErrorReport {
        code: "NOBODY".into(),
        message: "no".into(),
        variables: engine_client::Variables::new(),
    };
    let refused = bench
        .engine
        .throw_bpmn_error(&task.id, "by-hand", &report)
        .await
        .unwrap_err();
    assert!(refused.is_internal(), "{refused}");
    assert!(
        !bench
            .engine
            .instance_record(&instance)
            .await
            .unwrap()
            .state
            .is_over()
    );
}

async fn fetch_one(bench: &Bench) -> String {
    let request = engine_client::FetchRequest {
        worker_id: "by-hand".into(),
        max_tasks: 1,
        topics: vec![engine_client::FetchTopic::new(
            &bench.key,
            Duration::from_secs(60),
        )],
        ..engine_client::FetchRequest::default()
    };
    bench.engine.fetch_and_lock(&request).await.unwrap().remove(0).id
}

#[tokio::test]
async fn a_calling_process_catches_a_called_ones_error() {
    let bench = Bench::new("calling");
    let caller = r#"<process id="KEY-caller" isExecutable="true" camunda:historyTimeToLive="P1D">
  <startEvent id="s"/><sequenceFlow id="g1" sourceRef="s" targetRef="call"/>
  <callActivity id="call" calledElement="KEY"/><sequenceFlow id="g2" sourceRef="call" targetRef="e"/><endEvent id="e"/>
  <boundaryEvent id="b" attachedToRef="call"><outgoing>g3</outgoing><errorEventDefinition errorRef="x"/></boundaryEvent>
  <sequenceFlow id="g3" sourceRef="b" targetRef="rescued"/><endEvent id="rescued"/></process><error id="x" errorCode="DEEP"/>"#;
    bench.deploy(&format!("{}{caller}", task_process("", ""))).await;
    let (pool, _) = bench.pool(|_| {}, async |_| Err(BpmnError::new("DEEP", "from below").into()));
    let caller = format!("{}-caller", bench.key);
    let none = engine_client::Variables::new();
    let instance = bench
        .engine
        .start_instance(&caller, None, None, &none)
        .await
        .unwrap()
        .id;
    bench.rescued(&instance).await;
    pool.stop(SOON).await;
}

#[tokio::test]
async fn a_process_that_cannot_go_on_with_a_result_is_an_incident_that_says_so() {
    let bench = Bench::new("cannot-go-on");
    let mapping = r#"<camunda:inputOutput><camunda:outputParameter name="x">${nowhere.at.all}</camunda:outputParameter></camunda:inputOutput>"#;
    bench.deploy_task(&extension(mapping), "").await;
    let runs = Arc::new(AtomicUsize::new(0));
    let (pool, heard) = bench.pool(|_| {}, {
        let runs = runs.clone();
        move |_| {
            runs.fetch_add(1, Ordering::SeqCst);
            async { Ok(Answer::new().with("a", 1_i64)) }
        }
    });
    let instance = bench.start().await;
    let message = bench.incident(&instance).await.incident_message.unwrap();
    assert!(
        message.contains("could not go on") && message.contains("nowhere"),
        "{message}"
    );
    assert!(bench.details(&instance).await.contains("output parameters"));
    assert_eq!(
        runs.load(Ordering::SeqCst),
        1,
        "what has run is not run again by itself"
    );
    pool.stop(SOON).await;
    assert_eq!(heard.ends(), [Ended::Incident]);
}

#[tokio::test]
async fn a_panic_and_a_hang_cost_one_task_each() {
    let bench = Bench::new("panic");
    bench.deploy_task(&property("retry", "R1/PT0S"), "").await;
    let settings = |settings: &mut worker_runtime::PoolSettings| {
        settings.capacity = 1;
        settings.default_timeout = Duration::from_millis(300);
    };
    let (pool, _) = bench.pool(settings, async |context| {
        match context.task.business_key.as_deref() {
            Some("panic") => panic!("a fault of the adapter"),
            Some("hang") => std::future::pending().await,
            _ => Ok(Answer::new()),
        }
    });
    let none = engine_client::Variables::new();
    for (business_key, expected) in [
        ("panic", "a fault of the adapter"),
        ("hang", "no outcome within 300ms"),
    ] {
        let instance = bench
            .engine
            .start_instance(&bench.key, None, Some(business_key), &none)
            .await
            .unwrap()
            .id;
        let message = bench.incident(&instance).await.incident_message.unwrap();
        assert!(message.contains(expected), "{message}");
    }
    let instance = bench.start().await;
    bench.completed(&instance).await;
    pool.stop(SOON).await;
}

#[tokio::test]
async fn a_property_that_makes_no_sense_is_told_and_the_task_not_run() {
    let bench = Bench::new("property");
    bench.deploy_task(&property("retry", "now and then"), "").await;
    let runs = Arc::new(AtomicUsize::new(0));
    let (pool, _) = bench.pool(|_| {}, {
        let runs = runs.clone();
        move |_| {
            runs.fetch_add(1, Ordering::SeqCst);
            async { Ok(Answer::new()) }
        }
    });
    let instance = bench.start().await;
    let message = bench.incident(&instance).await.incident_message.unwrap();
    assert!(
        message.contains("`retry` of work") && message.contains("R3/PT1M"),
        "{message}"
    );
    assert_eq!(runs.load(Ordering::SeqCst), 0);
    pool.stop(SOON).await;
}

#[tokio::test]
async fn a_task_that_is_given_retries_is_run_at_once() {
    let bench = Bench::new("given-retries");
    bench.deploy_task("", "").await;
    let runs = Arc::new(AtomicUsize::new(0));
    // The engine itself would look again after 30 s.
    let slow = |settings: &mut worker_runtime::PoolSettings| {
        settings.lock_duration = Duration::from_secs(600);
        settings.long_poll = Duration::from_secs(120);
    };
    let (pool, _) = bench.pool(slow, {
        let runs = runs.clone();
        move |_| {
            let first = runs.fetch_add(1, Ordering::SeqCst) == 0;
            async move {
                if first {
                    Err(Failure::permanent("not yet").into())
                } else {
                    Ok(Answer::new())
                }
            }
        }
    });
    let instance = bench.start().await;
    bench.incident(&instance).await;
    let task = bench.engine.external_tasks(&instance).await.unwrap().remove(0);
    bench.engine.set_external_task_retries(&task.id, 1).await.unwrap();
    bench.completed(&instance).await;
    pool.stop(SOON).await;
}
