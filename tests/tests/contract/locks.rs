//! Keeping, giving away and taking locks.

use serde_json::{Value as Json, json};

use crate::subject::Subject;

contract! {
    an_extension_counts_from_now;
    an_expired_lock_cannot_be_extended;
    only_the_owner_extends;
    an_extension_needs_a_duration_and_a_worker;
    unlock_asks_for_no_owner;
    a_live_lock_is_refused_to_others_and_renewed_for_its_owner;
    anybody_may_lock_what_has_expired;
    locked_tasks_are_listed_by_worker;
    a_task_waiting_for_its_retry_is_listed_as_locked;
    the_backlog_counts_what_waits_for_a_worker;
}

async fn an_extension_counts_from_now(subject: Subject) {
    let (_, task) = subject.locked_task().await;
    let before = subject.task(&task).await["lockExpirationTime"].clone();
    subject
        .report(&task, "extendLock", json!({ "newDuration": 1000 }))
        .await
        .is_done();
    let after = subject.task(&task).await["lockExpirationTime"].clone();
    assert!(
        after.as_str() < before.as_str(),
        "a shorter one shortens: {before} {after}"
    );
    subject.lock_ended(&task).await;
}

async fn an_expired_lock_cannot_be_extended(subject: Subject) {
    subject.deploy_task(|work| work).await;
    subject.start(json!({})).await;
    let task = subject
        .fetch_topic(json!({ "lockDuration": 100 }))
        .await
        .remove(0);
    let task = task["id"].as_str().unwrap();
    subject.lock_ended(task).await;
    // It says "greater or equal": the very millisecond of the end still counts.
    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    let extension = json!({ "newDuration": 1000 });
    subject
        .report(task, "extendLock", extension)
        .await
        .refuses_with(400, 0);
    let refused = subject
        .client()
        .extend_lock(task, "w", std::time::Duration::from_secs(1))
        .await;
    assert!(refused.unwrap_err().is_not_owner());
}

async fn only_the_owner_extends(subject: Subject) {
    let (_, task) = subject.locked_task().await;
    let other = json!({ "workerId": "other", "newDuration": 1000 });
    subject
        .report(&task, "extendLock", other)
        .await
        .refuses_with(400, 0);
    let gone = json!({ "newDuration": 1000 });
    subject
        .report("none", "extendLock", gone)
        .await
        .refuses_with(404, 0);
}

async fn an_extension_needs_a_duration_and_a_worker(subject: Subject) {
    let (_, task) = subject.locked_task().await;
    for duration in [
        json!({}),
        json!({ "newDuration": 0 }),
        json!({ "newDuration": -1 }),
    ] {
        subject
            .report(&task, "extendLock", duration)
            .await
            .refuses_with(400, 0);
    }
    let nobody = json!({ "workerId": null, "newDuration": 1000 });
    subject
        .report(&task, "extendLock", nobody)
        .await
        .refuses_with(500, 0);
}

async fn unlock_asks_for_no_owner(subject: Subject) {
    let (_, task) = subject.locked_task().await;
    // It takes no body, and so no worker.
    subject.unlock(&task).await;
    let unlocked = subject.task(&task).await;
    assert_eq!(
        (&unlocked["workerId"], &unlocked["lockExpirationTime"]),
        (&Json::Null, &Json::Null)
    );
    subject
        .report(&task, "complete", json!({}))
        .await
        .refuses_with(400, 0);
    let unlock = subject.post("/external-task/none/unlock", Json::Null).await;
    unlock.refuses_with(404, 0);
}

async fn a_live_lock_is_refused_to_others_and_renewed_for_its_owner(subject: Subject) {
    let (_, task) = subject.locked_task().await;
    let other = json!({ "workerId": "other", "lockDuration": 60_000 });
    subject.report(&task, "lock", other).await.refuses_with(400, 0);
    assert_eq!(subject.task(&task).await["workerId"], json!("w"));
    let own = json!({ "lockDuration": 60_000 });
    subject.report(&task, "lock", own).await.is_done();
    let none = json!({ "lockDuration": 0 });
    subject.report(&task, "lock", none).await.refuses_with(400, 0);
}

async fn anybody_may_lock_what_has_expired(subject: Subject) {
    subject.deploy_task(|work| work).await;
    subject.start(json!({})).await;
    let task = subject
        .fetch_topic(json!({ "lockDuration": 100 }))
        .await
        .remove(0);
    let task = task["id"].as_str().unwrap();
    subject.lock_ended(task).await;
    for worker in ["w", "other"] {
        let lock = json!({ "workerId": worker, "lockDuration": 100 });
        subject.report(task, "lock", lock).await.is_done();
        subject.lock_ended(task).await;
    }
    assert_eq!(subject.task(task).await["workerId"], json!("other"));
}

async fn locked_tasks_are_listed_by_worker(subject: Subject) {
    let (_, task) = subject.locked_task().await;
    let key = &subject.key;
    let list = async |query: &str| {
        let path = format!("/external-task?topicName={key}&{query}");
        subject.get(&path).await.items().len()
    };
    assert_eq!(list("workerId=w&locked=true").await, 1);
    assert_eq!(list("workerId=other&locked=true").await, 0);
    subject
        .report(&task, "extendLock", json!({ "newDuration": 100 }))
        .await
        .is_done();
    subject.lock_ended(&task).await;
    assert_eq!(list("workerId=w&locked=true").await, 0);
    assert_eq!(list("workerId=w").await, 1, "who locked it last stays known");
}

async fn a_task_waiting_for_its_retry_is_listed_as_locked(subject: Subject) {
    let (_, task) = subject.locked_task().await;
    let failure = json!({ "retries": 1, "retryTimeout": 60_000 });
    subject.report(&task, "failure", failure).await.is_done();
    let list = format!("/external-task?topicName={}&workerId=w&locked=true", subject.key);
    assert_eq!(subject.get(&list).await.items().len(), 1);
    assert!(subject.fetch().await.is_empty());
    // An unlock ends the wait.
    subject.unlock(&task).await;
    subject.fetch_one().await;
}

async fn the_backlog_counts_what_waits_for_a_worker(subject: Subject) {
    subject.deploy_task(|work| work).await;
    for _ in 0..3 {
        subject.start(json!({})).await;
    }
    assert_eq!(subject.client().backlog(&subject.key).await.unwrap(), 3);
    let mut body = subject.fetch_body();
    body["maxTasks"] = json!(2);
    let tasks = subject.fetch_with(body).await.items();
    let failed = tasks[0]["id"].as_str().unwrap();
    subject
        .report(failed, "failure", json!({ "retries": 0 }))
        .await
        .is_done();
    assert_eq!(subject.client().backlog(&subject.key).await.unwrap(), 1);
}
