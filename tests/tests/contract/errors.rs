//! BPMN errors.

use serde_json::{Value as Json, json};

use crate::subject::Subject;

contract! {
    a_caught_error_goes_the_other_way;
    an_error_without_a_code_of_its_own_is_caught_by_the_general_event;
    what_an_error_brings_goes_to_the_process;
    an_uncaught_error_is_refused on camunda fake;
    an_uncaught_error_ends_the_instance_in_silence on operaton fake;
    an_error_needs_a_code;
}

async fn a_caught_error_goes_the_other_way(subject: Subject) {
    let catches = |work: engine_client::fake::TaskStep| {
        work.catches("OUT_OF_STOCK", "rejected")
            .catches("OTHER", "elsewhere")
    };
    subject.deploy_task(catches).await;
    let instance = subject.start(json!({})).await;
    let task = subject.fetch_one().await;
    let error = json!({ "errorCode": "OUT_OF_STOCK", "errorMessage": "no desks" });
    let task = task["id"].as_str().unwrap();
    subject.report(task, "bpmnError", error.clone()).await.is_done();
    assert_eq!(subject.state(&instance).await, "COMPLETED");
    assert_eq!(
        subject.visited(&instance).await,
        ["start", "work", "caught-rejected", "rejected"]
    );
    subject
        .report(task, "bpmnError", error)
        .await
        .refuses_with(404, 0);
}

async fn an_error_without_a_code_of_its_own_is_caught_by_the_general_event(subject: Subject) {
    subject
        .deploy_task(|work| work.catches("SPECIAL", "special").catches_all("general"))
        .await;
    for (code, end) in [("SPECIAL", "special"), ("ANY", "general")] {
        let instance = subject.start(json!({})).await;
        let task = subject.fetch_one().await;
        let error = json!({ "errorCode": code });
        let task = task["id"].as_str().unwrap();
        subject.report(task, "bpmnError", error).await.is_done();
        assert_eq!(subject.visited(&instance).await.last().unwrap(), end);
    }
}

async fn what_an_error_brings_goes_to_the_process(subject: Subject) {
    subject.deploy_task(|work| work.catches("E", "caught")).await;
    let instance = subject.start(json!({})).await;
    let task = subject.fetch_one().await;
    let error = json!({ "errorCode": "E", "variables": { "left": { "value": 0 } } });
    let task = task["id"].as_str().unwrap();
    subject.report(task, "bpmnError", error).await.is_done();
    assert_eq!(
        subject.variable(&instance, "left").await,
        Some(("Integer".to_owned(), json!(0)))
    );
}

async fn an_uncaught_error_is_refused(subject: Subject) {
    assert!(subject.refuses_uncaught_errors());
    subject.deploy_task(|work| work.catches("OTHER", "caught")).await;
    let instance = subject.start(json!({})).await;
    let task = subject.fetch_one().await;
    let task = task["id"].as_str().unwrap();
    let error = json!({ "errorCode": "NOBODY", "variables": { "left": { "value": 0 } } });
    subject
        .report(task, "bpmnError", error)
        .await
        .refuses_with(500, 0);
    // Nothing of it happened.
    assert_eq!(subject.state(&instance).await, "ACTIVE");
    assert_eq!(subject.task(task).await["workerId"], json!("w"));
    assert_eq!(subject.variable(&instance, "left").await, None);
}

async fn an_uncaught_error_ends_the_instance_in_silence(subject: Subject) {
    let subject = subject.with_silent_bpmn_errors();
    subject.deploy_task(|work| work.catches("OTHER", "caught")).await;
    let instance = subject.start(json!({})).await;
    let task = subject.fetch_one().await;
    let error = json!({ "errorCode": "NOBODY" });
    let task = task["id"].as_str().unwrap();
    subject.report(task, "bpmnError", error).await.is_done();
    assert_eq!(subject.state(&instance).await, "COMPLETED");
    assert_eq!(subject.visited(&instance).await, ["start", "work"]);
}

async fn an_error_needs_a_code(subject: Subject) {
    let (_, task) = subject.locked_task().await;
    for code in [Json::Null, json!("")] {
        let error = json!({ "errorCode": code });
        subject
            .report(&task, "bpmnError", error)
            .await
            .refuses_with(500, 0);
    }
}
