//! Definitions, instances and their history.

use engine_client::{InstanceState, Variables};
use http::Method;
use serde_json::{Value as Json, json};

use crate::subject::Subject;

contract! {
    a_definition_is_found_by_its_id_with_its_source;
    the_latest_version_of_a_key_is_started;
    an_instance_tells_how_it_stands;
    a_key_that_nobody_has_is_not_found;
    a_cancelled_instance_takes_its_task_and_incident_along;
    the_history_tells_the_steps;
}

async fn a_definition_is_found_by_its_id_with_its_source(subject: Subject) {
    subject
        .deploy_task(|work| work.catches("E", "caught").output("x", "text"))
        .await;
    subject.start(json!({})).await;
    let id = subject.fetch_one().await["processDefinitionId"].clone();
    let client = subject.client();
    let definition = client.definition(id.as_str().unwrap()).await.unwrap();
    assert_eq!(
        (definition.key.as_str(), definition.version),
        (subject.key.as_str(), 1)
    );
    let source = client.definition_xml(&definition.id).await.unwrap();
    for part in ["errorCode=\"E\"", "outputParameter", subject.key.as_str()] {
        assert!(source.contains(part), "{part}: {source}");
    }
    assert!(client.definition("none").await.unwrap_err().is_not_found());
    assert!(client.definition_xml("none").await.unwrap_err().is_not_found());
}

async fn the_latest_version_of_a_key_is_started(subject: Subject) {
    subject.deploy_task(|work| work.priority(1)).await;
    subject.deploy_task(|work| work.priority(2)).await;
    subject.start(json!({})).await;
    assert_eq!(subject.fetch_one().await["priority"], json!(2));
    let latest = subject
        .client()
        .latest_definitions(Some(&subject.key))
        .await
        .unwrap();
    assert_eq!(latest.iter().map(|it| it.version).collect::<Vec<_>>(), [2]);
}

async fn an_instance_tells_how_it_stands(subject: Subject) {
    subject.deploy_task(|work| work).await;
    let client = subject.client();
    let started = client
        .start_instance(&subject.key, None, Some("bk"), &Variables::new())
        .await
        .unwrap();
    assert!(!started.ended);
    assert_eq!(started.business_key.as_deref(), Some("bk"));
    let running = client.instance(&started.id).await.unwrap();
    assert_eq!(running.definition_id, started.definition_id);
    let record = client.instance_record(&started.id).await.unwrap();
    assert_eq!((record.state, record.end_time), (InstanceState::Active, None));
    let task = subject.fetch_one().await;
    let task = task["id"].as_str().unwrap();
    subject.report(task, "complete", json!({})).await.is_done();
    assert!(client.instance(&started.id).await.unwrap_err().is_not_found());
    let record = client.instance_record(&started.id).await.unwrap();
    assert_eq!(record.state, InstanceState::Completed);
    assert!(record.end_time >= record.start_time && record.end_time.is_some());
    assert!(client.instance_record("none").await.unwrap_err().is_not_found());
}

async fn a_key_that_nobody_has_is_not_found(subject: Subject) {
    let none = Variables::new();
    let refused = subject.client().start_instance("none", None, None, &none).await;
    assert!(refused.unwrap_err().is_not_found());
}

async fn a_cancelled_instance_takes_its_task_and_incident_along(subject: Subject) {
    let (instance, task) = subject.locked_task().await;
    subject
        .report(&task, "failure", json!({ "retries": 0 }))
        .await
        .is_done();
    let path = format!("/process-instance/{instance}");
    subject.call(Method::DELETE, &path, Json::Null).await.is_done();
    assert_eq!(subject.state(&instance).await, "EXTERNALLY_TERMINATED");
    assert!(subject.incidents(&instance).await.is_empty());
    subject
        .report(&task, "complete", json!({}))
        .await
        .refuses_with(404, 0);
    let again = subject.call(Method::DELETE, &path, Json::Null).await;
    assert_eq!(again.status, 404);
}

async fn the_history_tells_the_steps(subject: Subject) {
    let (instance, task) = subject.locked_task().await;
    let client = subject.client();
    let now = client.current_activities(&instance).await.unwrap();
    assert_eq!(
        now.iter().map(|it| it.activity_id.as_str()).collect::<Vec<_>>(),
        ["work"]
    );
    subject.report(&task, "complete", json!({})).await.is_done();
    let steps = client.activity_records(&instance).await.unwrap();
    let shown: Vec<_> = steps
        .iter()
        .map(|it| (it.activity_id.as_str(), it.activity_type.as_str(), it.canceled))
        .collect();
    assert_eq!(
        shown,
        [
            ("start", "startEvent", false),
            ("work", "serviceTask", false),
            ("end", "noneEndEvent", false)
        ]
    );
    assert!(client.current_activities(&instance).await.unwrap().is_empty());
    // Of cancelled steps it says so.
    subject.deploy_task(|work| work.catches("E", "caught")).await;
    let instance = subject.start(json!({})).await;
    let task = subject.fetch_one().await;
    let task = task["id"].as_str().unwrap();
    subject
        .report(task, "bpmnError", json!({ "errorCode": "E" }))
        .await
        .is_done();
    let steps = client.activity_records(&instance).await.unwrap();
    let work = steps.iter().find(|it| it.activity_id == "work").unwrap();
    assert!(work.canceled && work.end_time.is_some());
}
