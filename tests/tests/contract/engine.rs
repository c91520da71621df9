//! The engine itself: what it says it is, whom it knows, and what it has counted.

use std::time::{Duration, SystemTime};

use engine_client::{MetricQuery, Tenant};
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
    client
        .create_tenant(&tenant(&subject.key, "first"))
        .await
        .unwrap();
    let again = client.create_tenant(&tenant(&subject.key, "second")).await;
    println!("WHAT again {again:?}");
    let tenants = client.tenants().await.unwrap();
    assert!(tenants.contains(&tenant(&subject.key, "first")));
}

async fn a_tenants_id_is_letters_and_digits(subject: Subject) {
    let client = subject.admin();
    for id in ["a-b", "ä", ""] {
        let id = format!("{id}{}", if id.is_empty() { "" } else { &subject.key });
        let refused = client.create_tenant(&tenant(&id, "x")).await;
        println!("WHAT id {refused:?}");
    }
}

async fn tenants_are_the_administrators(subject: Subject) {
    // The kernel's login may not make any, and sees none.
    let kernel = subject.client();
    let refused = kernel.create_tenant(&tenant(&subject.key, "x")).await;
    println!("WHAT kernel {refused:?}");
    subject
        .admin()
        .create_tenant(&tenant(&subject.key, "x"))
        .await
        .unwrap();
    println!("WHAT kernel sees {:?}", kernel.tenants().await);
}

async fn metrics_are_asked_for_by_name_and_time(subject: Subject) {
    let client = subject.client();
    let always = MetricQuery::default();
    assert_eq!(client.metric_sum("nonsense", always).await.unwrap(), 0);
    println!(
        "WHAT sum {:?}",
        client.metric_sum("activity-instance-start", always).await
    );
    let now: SystemTime = SystemTime::now();
    let hour = MetricQuery {
        start: Some((now - Duration::from_secs(3600)).try_into().unwrap()),
        end: Some(now.try_into().unwrap()),
    };
    println!(
        "WHAT sum {:?}",
        client.metric_sum("activity-instance-start", hour).await
    );
    println!(
        "WHAT int {:?}",
        client
            .metric_intervals(
                "activity-instance-start",
                hour,
                Some(Duration::from_secs(60)),
                Some(200)
            )
            .await
    );
    let most = client
        .metric_intervals("job-failed", always, None, Some(201))
        .await;
    println!("WHAT 201 {most:?}");
    assert!(most.unwrap_err().is_internal());
}

/// The counts are written down when the engine stops, and so they are there for the next one on its database.
#[tokio::test(flavor = "multi_thread")]
async fn what_camunda_has_counted_is_there_after_a_restart() {
    let scratch = Scratch::new("metrics");
    let setup = EngineSetup::default();
    let _ = (scratch, setup, row("x", &[]));
    let _ = Engine::shared();
}
