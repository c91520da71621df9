//! The engine itself: what it says it is, whom it knows, and what it has counted.

use std::time::{Duration, SystemTime};

use engine_client::{DeploymentRequest, MetricQuery, Resource, Tenant, Variables};
use rustix::process::Signal;
use serde_json::json;
use tests::{Engine, EngineSetup, Scratch};

use crate::models::row;
use crate::subject::Subject;

contract! {
    an_engine_tells_its_version;
    an_engine_tells_its_time on camunda operaton;
    expressions_in_queries_are_not_evaluated on camunda operaton;
    a_tenant_is_made_listed_and_forgotten on camunda operaton;
    a_tenant_is_made_once on camunda operaton;
    a_tenants_id_is_letters_and_digits on camunda operaton;
    tenants_are_the_administrators on camunda;
    metrics_are_asked_for_by_name_and_time on camunda operaton;
}

async fn an_engine_tells_its_version(subject: Subject) {
    let version = subject.client().version().await.unwrap();
    // The fake says it is Camunda.
    let expected = if subject.is_operaton() { "1." } else { "7.24." };
    assert!(version.starts_with(expected), "{version}");
}

async fn an_engine_tells_its_time(subject: Subject) {
    let time = subject.client().server_time().await.unwrap().unwrap();
    // It runs on the test's own machine.
    let (time, now) = (SystemTime::from(time), SystemTime::now());
    let apart = now.duration_since(time).or_else(|_| time.duration_since(now));
    assert!(apart.unwrap() < Duration::from_secs(30), "{time:?} {now:?}");
}

async fn expressions_in_queries_are_not_evaluated(subject: Subject) {
    assert!(!subject.client().evaluates_queries().await.unwrap());
    // The same query without an expression is answered, and so it is the expression that was refused.
    let plain = subject.post("/task/count", json!({ "assignee": "procos" })).await;
    assert_eq!((plain.status, plain.json()), (200, json!({ "count": 0 })));
}

fn tenant(id: &str, name: &str) -> Tenant {
    Tenant {
        id: id.to_owned(),
        name: Some(name.to_owned()),
    }
}

async fn a_tenant_is_made_listed_and_forgotten(subject: Subject) {
    let client = subject.admin();
    let ids = ["b", "c", "a"].map(|letter| format!("{}{letter}", subject.key));
    for id in &ids {
        client.create_tenant(&tenant(id, "Größe & Söhne")).await.unwrap();
    }
    let listed = async || {
        let tenants = client.tenants().await.unwrap();
        let own = tenants.into_iter().filter(|it| it.id.starts_with(&subject.key));
        own.collect::<Vec<_>>()
    };
    let expected = [2, 0, 1].map(|number| tenant(&ids[number], "Größe & Söhne"));
    assert_eq!(listed().await, expected);
    // The second time there is none, which is no error.
    for _ in 0..2 {
        client.delete_tenant(&ids[2]).await.unwrap();
    }
    assert_eq!(listed().await, expected[1..]);
}

async fn a_tenant_is_made_once(subject: Subject) {
    let client = subject.admin();
    let first = tenant(&subject.key, "first");
    client.create_tenant(&first).await.unwrap();
    let again = client.create_tenant(&tenant(&subject.key, "second")).await;
    let again = again.unwrap_err();
    // Operaton looks before it writes, Camunda leaves it to the database to refuse.
    let as_expected = if subject.is_operaton() {
        again.is_bad_request()
    } else {
        again.is_internal()
    };
    assert!(as_expected, "{again:?}");
    assert!(client.tenants().await.unwrap().contains(&first));
}

async fn a_tenants_id_is_letters_and_digits(subject: Subject) {
    let client = subject.admin();
    let ids = [
        format!("a-{}", subject.key),
        format!("ä{}", subject.key),
        String::new(),
    ];
    for id in &ids {
        let refused = client.create_tenant(&tenant(id, "x")).await;
        assert!(refused.unwrap_err().is_internal(), "{id}");
    }
    let tenants = client.tenants().await.unwrap();
    assert!(tenants.iter().all(|it| !ids.contains(&it.id)), "{tenants:?}");
}

async fn tenants_are_the_administrators(subject: Subject) {
    let kernel = subject.client();
    let own = tenant(&subject.key, "x");
    assert!(kernel.create_tenant(&own).await.unwrap_err().is_forbidden());
    // What it may not see is not there for it, which is no error.
    subject.admin().create_tenant(&own).await.unwrap();
    assert!(kernel.tenants().await.unwrap().is_empty());
    assert!(subject.admin().tenants().await.unwrap().contains(&own));
}

async fn metrics_are_asked_for_by_name_and_time(subject: Subject) {
    let client = subject.client();
    assert_eq!(
        client
            .metric_sum("nonsense", MetricQuery::default())
            .await
            .unwrap(),
        0
    );
    // An engine that did not look at the dates would not mind what they are.
    for date in ["startDate", "endDate"] {
        for path in ["/metrics?", "/metrics/job-failed/sum?"] {
            let answer = subject.get(&format!("{path}{date}=nonsense")).await;
            assert_eq!(answer.status, 400, "{path}{date}");
        }
    }
    let hour = MetricQuery {
        start: Some(before_now(HOUR).try_into().unwrap()),
        end: Some(SystemTime::now().try_into().unwrap()),
    };
    assert!(client.metric_sum(STEPS, hour).await.is_ok());
    assert!(
        client
            .metric_intervals(STEPS, hour, Some(HOUR), Some(200))
            .await
            .is_ok()
    );
    let more = client.metric_intervals(STEPS, hour, None, Some(201)).await;
    assert!(more.unwrap_err().is_internal());
}

const HOUR: Duration = Duration::from_secs(3600);

/// The metric that counts the steps which were begun.
const STEPS: &str = "activity-instance-start";

fn before_now(by: Duration) -> SystemTime {
    SystemTime::now() - by
}

/// The engine writes its counts down every quarter of an hour, and when it stops: after a restart they are there.
#[tokio::test(flavor = "multi_thread")]
async fn camunda_has_its_counts_after_a_restart() {
    let scratch = Scratch::new("metrics");
    let boot = || Engine::boot(scratch.path(), &EngineSetup::default());
    let engine = boot();
    let client = engine.client();
    let step = "<intermediateThrowEvent id=\"step\"/>\n";
    let request = DeploymentRequest {
        name: "counted",
        source: "test",
        tenant_id: None,
        resources: vec![Resource {
            name: "counted.bpmn".to_owned(),
            content: row("counted", &[("step", step)]).into(),
        }],
        changed_only: true,
    };
    client.deploy(&request).await.unwrap();
    for _ in 0..3 {
        let none = Variables::new();
        let started = client.start_instance("counted", None, None, &none).await;
        assert!(started.unwrap().ended);
    }
    engine.process().signal(Signal::TERM);
    engine.process().wait_for_end(Duration::from_secs(60));
    drop(engine);

    let engine = boot();
    let client = engine.client();
    let always = MetricQuery::default();
    // Start, step and end.
    assert_eq!(client.metric_sum(STEPS, always).await.unwrap(), 3 * 3);
    let last_hour = MetricQuery {
        start: Some(before_now(HOUR).try_into().unwrap()),
        end: None,
    };
    assert_eq!(client.metric_sum(STEPS, last_hour).await.unwrap(), 9);
    let before = MetricQuery {
        start: None,
        end: last_hour.start,
    };
    assert_eq!(client.metric_sum(STEPS, before).await.unwrap(), 0);
    let intervals = client
        .metric_intervals(STEPS, last_hour, Some(HOUR), Some(1))
        .await;
    let [interval] = &intervals.unwrap()[..] else {
        panic!("one interval")
    };
    // One engine, of a name of its own: the client does not ask for sums over several.
    assert!(interval.reporter.is_some());
    assert_eq!((interval.name.as_str(), interval.value), (STEPS, 9));
    let begun = SystemTime::from(interval.timestamp.unwrap());
    assert!(begun > before_now(HOUR * 2) && begun < SystemTime::now());
    let none = client.metric_intervals(STEPS, before, None, None).await;
    assert!(none.unwrap().is_empty());
}
