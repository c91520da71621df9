//! Completions, failures, retries and incidents.

use engine_client::fake::{LinearProcess, TaskStep};
use serde_json::{Value as Json, json};

use crate::subject::Subject;

contract! {
    a_completion_goes_on_to_the_next_task_and_the_end;
    a_task_that_is_done_is_not_found;
    only_the_owner_reports;
    a_report_without_a_worker_is_an_internal_error;
    an_expired_owner_may_still_complete;
    a_relocked_task_is_closed_to_its_former_owner;
    a_failure_keeps_the_worker_and_waits_for_its_retry;
    a_failure_that_names_no_retries_is_an_incident;
    negative_retries_and_timeouts_are_internal_errors;
    a_failures_message_is_cut_at_666_characters;
    a_failures_details_are_kept_whole_and_served_as_text;
    a_task_without_retries_is_not_fetched;
    a_second_failure_without_retries_makes_no_second_incident;
    retries_end_the_incident_and_none_make_one;
    retries_must_be_a_number_from_zero;
    retries_of_many_tasks_are_set_at_once;
    an_incident_ends_with_its_task;
    what_happened_to_a_task_is_in_the_log;
}

async fn a_completion_goes_on_to_the_next_task_and_the_end(subject: Subject) {
    let topic = &subject.key;
    let steps = [TaskStep::new("first", topic), TaskStep::new("second", topic)];
    let process = steps
        .into_iter()
        .fold(LinearProcess::new(topic), LinearProcess::then);
    subject.deploy(process).await;
    let instance = subject.start(json!({})).await;
    for step in ["first", "second"] {
        assert_eq!(subject.state(&instance).await, "ACTIVE");
        let task = subject.fetch_one().await;
        assert_eq!(task["activityId"], json!(step));
        let task = task["id"].as_str().unwrap();
        subject.report(task, "complete", json!({})).await.is_done();
    }
    assert_eq!(subject.state(&instance).await, "COMPLETED");
    assert_eq!(
        subject.visited(&instance).await,
        ["start", "first", "second", "end"]
    );
}

async fn a_task_that_is_done_is_not_found(subject: Subject) {
    let (_, task) = subject.locked_task().await;
    subject.report(&task, "complete", json!({})).await.is_done();
    for (what, body) in [
        ("complete", json!({})),
        ("failure", json!({ "retries": 1 })),
        ("bpmnError", json!({ "errorCode": "E" })),
        ("extendLock", json!({ "newDuration": 1000 })),
        ("lock", json!({ "lockDuration": 1000 })),
    ] {
        subject.report(&task, what, body).await.refuses_with(404, 0);
    }
    let client = subject.client();
    let gone = client
        .complete(&task, "w", &engine_client::Completion::default())
        .await;
    assert!(gone.unwrap_err().is_not_found());
}

async fn only_the_owner_reports(subject: Subject) {
    let (_, task) = subject.locked_task().await;
    for (what, body) in [
        ("complete", json!({ "workerId": "other" })),
        ("failure", json!({ "workerId": "other", "retries": 1 })),
        ("bpmnError", json!({ "workerId": "other", "errorCode": "E" })),
    ] {
        subject.report(&task, what, body).await.refuses_with(400, 0);
    }
    let client = subject.client();
    let refused = client
        .complete(&task, "other", &engine_client::Completion::default())
        .await;
    assert!(refused.unwrap_err().is_not_owner());
}

async fn a_report_without_a_worker_is_an_internal_error(subject: Subject) {
    let (_, task) = subject.locked_task().await;
    for (what, body) in [
        ("complete", json!({ "workerId": null })),
        ("failure", json!({ "workerId": null, "retries": 1 })),
        ("bpmnError", json!({ "workerId": null, "errorCode": "E" })),
        ("lock", json!({ "workerId": null, "lockDuration": 1000 })),
    ] {
        subject.report(&task, what, body).await.refuses_with(500, 0);
    }
}

async fn an_expired_owner_may_still_complete(subject: Subject) {
    subject.deploy_task(|work| work).await;
    let instance = subject.start(json!({})).await;
    let task = subject
        .fetch_topic(json!({ "lockDuration": 100 }))
        .await
        .remove(0);
    let task = task["id"].as_str().unwrap();
    subject.lock_ended(task).await;
    subject.report(task, "complete", json!({})).await.is_done();
    assert_eq!(subject.state(&instance).await, "COMPLETED");
}

async fn a_relocked_task_is_closed_to_its_former_owner(subject: Subject) {
    subject.deploy_task(|work| work).await;
    subject.start(json!({})).await;
    let task = subject
        .fetch_topic(json!({ "lockDuration": 100 }))
        .await
        .remove(0);
    let task = task["id"].as_str().unwrap();
    subject.lock_ended(task).await;
    let mut body = subject.fetch_body();
    body["workerId"] = json!("other");
    assert_eq!(subject.fetch_with(body).await.items().len(), 1);
    subject
        .report(task, "complete", json!({}))
        .await
        .refuses_with(400, 0);
    let other = json!({ "workerId": "other" });
    subject.report(task, "complete", other).await.is_done();
}

async fn a_failure_keeps_the_worker_and_waits_for_its_retry(subject: Subject) {
    let (instance, task) = subject.locked_task().await;
    let failure = json!({ "errorMessage": "no luck", "retries": 1, "retryTimeout": 1000 });
    subject.report(&task, "failure", failure).await.is_done();
    let failed = subject.task(&task).await;
    assert_eq!(failed["workerId"], json!("w"));
    assert_eq!(failed["errorMessage"], json!("no luck"));
    assert_eq!(failed["retries"], json!(1));
    assert!(subject.fetch().await.is_empty(), "it waits");
    assert!(subject.incidents(&instance).await.is_empty());
    // The same worker may report again: nothing but the worker is asked for.
    subject
        .report(
            &task,
            "failure",
            json!({ "errorMessage": "still none", "retries": 1, "retryTimeout": 100 }),
        )
        .await
        .is_done();
    subject.lock_ended(&task).await;
    assert_eq!(subject.fetch_one().await["errorMessage"], json!("still none"));
}

async fn a_failure_that_names_no_retries_is_an_incident(subject: Subject) {
    let (instance, task) = subject.locked_task().await;
    subject
        .report(&task, "failure", json!({ "errorMessage": "broken" }))
        .await
        .is_done();
    let incidents = subject.incidents(&instance).await;
    assert_eq!(incidents.len(), 1);
    let incident = &incidents[0];
    for (field, expected) in [
        ("incidentType", "failedExternalTask"),
        ("incidentMessage", "broken"),
        ("activityId", "work"),
        ("configuration", &task),
        ("processInstanceId", &instance),
    ] {
        assert_eq!(incident[field], json!(expected), "{field}");
    }
    assert_eq!(
        incident["rootCauseIncidentId"], incident["id"],
        "it is its own cause"
    );
    assert_eq!(subject.state(&instance).await, "ACTIVE");
    let typed = subject.client().incidents(Some(&instance)).await.unwrap();
    assert_eq!(typed[0].incident_message.as_deref(), Some("broken"));
}

async fn negative_retries_and_timeouts_are_internal_errors(subject: Subject) {
    let (_, task) = subject.locked_task().await;
    for body in [
        json!({ "retries": -1 }),
        json!({ "retries": 1, "retryTimeout": -1 }),
    ] {
        subject.report(&task, "failure", body).await.refuses_with(500, 0);
    }
}

async fn a_failures_message_is_cut_at_666_characters(subject: Subject) {
    let (instance, task) = subject.locked_task().await;
    let failure = json!({ "errorMessage": "ä".repeat(700), "retries": 0 });
    subject.report(&task, "failure", failure).await.is_done();
    let kept = json!("ä".repeat(666));
    assert_eq!(subject.task(&task).await["errorMessage"], kept);
    assert_eq!(subject.incidents(&instance).await[0]["incidentMessage"], kept);
}

async fn a_failures_details_are_kept_whole_and_served_as_text(subject: Subject) {
    let (_, task) = subject.locked_task().await;
    let path = format!("/external-task/{task}/errorDetails");
    subject.get(&path).await.is_done();
    let details = "dé\n".repeat(5000);
    let failure = json!({ "errorDetails": details, "retries": 1 });
    subject.report(&task, "failure", failure).await.is_done();
    let kept = subject.get(&path).await;
    assert_eq!(kept.status, 200);
    assert_eq!(String::from_utf8_lossy(&kept.bytes), details);
    // Unlike every other call on a task that is gone.
    let gone = subject.get("/external-task/none/errorDetails").await;
    gone.refuses_with(500, 0);
}

async fn a_task_without_retries_is_not_fetched(subject: Subject) {
    let (_, task) = subject.locked_task().await;
    subject
        .report(&task, "failure", json!({ "retries": 0 }))
        .await
        .is_done();
    assert!(subject.fetch().await.is_empty());
}

async fn a_second_failure_without_retries_makes_no_second_incident(subject: Subject) {
    let (instance, task) = subject.locked_task().await;
    for message in ["first", "second"] {
        let failure = json!({ "errorMessage": message, "retries": 0 });
        subject.report(&task, "failure", failure).await.is_done();
    }
    let incidents = subject.incidents(&instance).await;
    assert_eq!(incidents.len(), 1);
    assert_eq!(incidents[0]["incidentMessage"], json!("first"));
}

async fn retries_end_the_incident_and_none_make_one(subject: Subject) {
    let (instance, task) = subject.locked_task().await;
    subject
        .report(&task, "failure", json!({ "retries": 0 }))
        .await
        .is_done();
    let retries = format!("/external-task/{task}/retries");
    subject.put(&retries, json!({ "retries": 2 })).await.is_done();
    assert!(subject.incidents(&instance).await.is_empty());
    assert_eq!(subject.fetch_one().await["retries"], json!(2));
    subject.put(&retries, json!({ "retries": 0 })).await.is_done();
    assert_eq!(subject.incidents(&instance).await.len(), 1);
}

async fn retries_must_be_a_number_from_zero(subject: Subject) {
    let (_, task) = subject.locked_task().await;
    let path = format!("/external-task/{task}/retries");
    for body in [json!({}), json!({ "retries": null }), json!({ "retries": -1 })] {
        let answer = subject.put(&path, body.clone()).await;
        assert_eq!(answer.status, 400, "{body}: {}", answer.json());
    }
    let gone = subject
        .put("/external-task/none/retries", json!({ "retries": 1 }))
        .await;
    assert_eq!(gone.status, 404);
}

async fn retries_of_many_tasks_are_set_at_once(subject: Subject) {
    subject.deploy_task(|work| work).await;
    for _ in 0..2 {
        subject.start(json!({})).await;
    }
    let tasks: Vec<Json> = subject.fetch().await.iter().map(|it| it["id"].clone()).collect();
    let body = json!({ "retries": 4, "externalTaskIds": tasks });
    subject.put("/external-task/retries", body).await.is_done();
    for task in &tasks {
        assert_eq!(subject.task(task.as_str().unwrap()).await["retries"], json!(4));
    }
    for (body, status) in [
        (json!({ "retries": 4 }), 400),
        (json!({ "retries": 4, "externalTaskIds": [] }), 400),
        (json!({ "externalTaskIds": tasks }), 400),
        (json!({ "retries": -1, "externalTaskIds": tasks }), 400),
        (json!({ "retries": 1, "externalTaskIds": ["none"] }), 404),
    ] {
        let answer = subject.put("/external-task/retries", body.clone()).await;
        assert_eq!(answer.status, status, "{body}: {}", answer.json());
    }
}

async fn an_incident_ends_with_its_task(subject: Subject) {
    let (instance, task) = subject.locked_task().await;
    subject
        .report(&task, "failure", json!({ "retries": 0 }))
        .await
        .is_done();
    // Whoever owns it may complete it, retries or not.
    subject.report(&task, "complete", json!({})).await.is_done();
    assert!(subject.incidents(&instance).await.is_empty());
    assert_eq!(subject.state(&instance).await, "COMPLETED");
}

async fn what_happened_to_a_task_is_in_the_log(subject: Subject) {
    let (instance, task) = subject.locked_task().await;
    let failure = json!({ "errorMessage": "no luck", "errorDetails": "why", "retries": 1 });
    subject.report(&task, "failure", failure).await.is_done();
    subject.report(&task, "complete", json!({})).await.is_done();
    let client = subject.client();
    let records = client.external_task_records(&instance).await.unwrap();
    let events: Vec<_> = records
        .iter()
        .map(|it| (it.creation_log, it.failure_log, it.success_log))
        .collect();
    assert_eq!(
        events,
        [(true, false, false), (false, true, false), (false, false, true)]
    );
    assert!(records.iter().all(|it| it.external_task_id == task));
    assert_eq!(records[1].error_message.as_deref(), Some("no luck"));
    assert_eq!(client.failure_details(&records[1].id).await.unwrap(), "why");
}
