//! Long polls: what wakes them, and what does not.

use std::time::Duration;

use serde_json::json;
use tests::until;
use tokio::time::{Instant, sleep};

use crate::subject::{SOON, Subject};

/// Longer than any case waits for what wakes a poll, and shorter than the engine's own look around, 30 s.
const LONG: Duration = Duration::from_secs(25);

/// A poll that nothing wakes ends after this.
const SHORT: Duration = Duration::from_secs(2);

/// For a poll to reach the engine. Where it takes longer, the case still holds, yet proves less.
const ARRIVAL: Duration = Duration::from_millis(500);

contract! {
    a_poll_with_something_to_lock_is_answered_at_once;
    alone a_poll_with_nothing_to_lock_is_held_for_its_time;
    alone a_poll_is_woken_by_a_task;
    alone a_poll_is_woken_by_an_unlock;
    alone a_poll_sleeps_through_the_end_of_a_lock;
    alone a_poll_sleeps_through_the_end_of_a_retry_timeout;
    alone a_poll_sleeps_through_new_retries;
    alone a_poll_sees_expired_locks_when_another_poll_arrives;
    alone a_poll_sees_expired_locks_when_another_poll_is_due;
    alone a_second_poll_of_a_worker_ends_its_first;
    alone a_vanished_poll_still_locks_a_task;
    alone the_clients_nudge_wakes_other_polls;
}

async fn a_poll_with_something_to_lock_is_answered_at_once(subject: Subject) {
    subject.deploy_task(|work| work).await;
    subject.start(json!({})).await;
    let begun = Instant::now();
    assert_eq!(subject.poll("w", LONG).await.items().len(), 1);
    assert!(begun.elapsed() < SHORT, "{:?}", begun.elapsed());
}

async fn a_poll_with_nothing_to_lock_is_held_for_its_time(subject: Subject) {
    let begun = Instant::now();
    assert!(subject.poll("w", SHORT).await.items().is_empty());
    assert_held(begun);
}

async fn a_poll_is_woken_by_a_task(subject: Subject) {
    subject.deploy_task(|work| work).await;
    let begun = Instant::now();
    let poll = tokio::spawn(subject.poll("w", LONG));
    sleep(ARRIVAL).await;
    subject.start(json!({})).await;
    assert_eq!(poll.await.unwrap().items().len(), 1);
    assert_woken(begun);
}

async fn a_poll_is_woken_by_an_unlock(subject: Subject) {
    let (_, task) = subject.locked_task().await;
    let begun = Instant::now();
    let poll = tokio::spawn(subject.poll("other", LONG));
    sleep(ARRIVAL).await;
    subject.unlock(&task).await;
    assert_eq!(poll.await.unwrap().items().len(), 1);
    assert_woken(begun);
}

async fn a_poll_sleeps_through_the_end_of_a_lock(subject: Subject) {
    subject.deploy_task(|work| work).await;
    subject.start(json!({})).await;
    subject.fetch_topic(json!({ "lockDuration": 1000 })).await;
    let begun = Instant::now();
    let tasks = subject.poll("other", SHORT).await.items();
    assert_held(begun);
    assert_eq!(tasks.len(), 1, "at its end the engine looks once more");
}

async fn a_poll_sleeps_through_the_end_of_a_retry_timeout(subject: Subject) {
    let (_, task) = subject.locked_task().await;
    let failure = json!({ "retries": 1, "retryTimeout": 1000 });
    subject.report(&task, "failure", failure).await.is_done();
    let begun = Instant::now();
    let tasks = subject.poll("other", SHORT).await.items();
    assert_held(begun);
    assert_eq!(tasks.len(), 1);
}

async fn a_poll_sleeps_through_new_retries(subject: Subject) {
    let (_, task) = subject.locked_task().await;
    subject
        .report(&task, "failure", json!({ "retries": 0 }))
        .await
        .is_done();
    let begun = Instant::now();
    let poll = tokio::spawn(subject.poll("other", SHORT));
    sleep(ARRIVAL).await;
    let retries = format!("/external-task/{task}/retries");
    subject.put(&retries, json!({ "retries": 1 })).await.is_done();
    assert_eq!(poll.await.unwrap().items().len(), 1);
    assert_held(begun);
}

async fn a_poll_sees_expired_locks_when_another_poll_arrives(subject: Subject) {
    subject.deploy_task(|work| work).await;
    subject.start(json!({})).await;
    let task = subject
        .fetch_topic(json!({ "lockDuration": 1000 }))
        .await
        .remove(0);
    let begun = Instant::now();
    let poll = tokio::spawn(subject.poll("other", LONG));
    sleep(ARRIVAL).await;
    subject.lock_ended(task["id"].as_str().unwrap()).await;
    assert!(!poll.is_finished());
    let mut another = subject.fetch_body();
    another["workerId"] = json!("third");
    another["asyncResponseTimeout"] = json!(60_000);
    another["topics"][0]["topicName"] = json!("nobody's");
    let another = tokio::spawn(subject.calling(http::Method::POST, "/external-task/fetchAndLock", another));
    assert_eq!(poll.await.unwrap().items().len(), 1);
    assert_woken(begun);
    another.abort();
}

async fn a_poll_sees_expired_locks_when_another_poll_is_due(subject: Subject) {
    subject.deploy_task(|work| work).await;
    subject.start(json!({})).await;
    subject.fetch_topic(json!({ "lockDuration": 1000 })).await;
    let begun = Instant::now();
    let poll = tokio::spawn(subject.poll("other", LONG));
    sleep(ARRIVAL).await;
    let mut another = subject.fetch_body();
    another["workerId"] = json!("third");
    another["asyncResponseTimeout"] = json!(1500);
    another["topics"][0]["topicName"] = json!("nobody's");
    assert!(subject.fetch_with(another).await.items().is_empty());
    assert_eq!(poll.await.unwrap().items().len(), 1);
    assert_woken(begun);
}

async fn a_second_poll_of_a_worker_ends_its_first(subject: Subject) {
    let first = tokio::spawn(subject.poll("w", LONG));
    // Whichever of two polls reached the engine first is the one that a later poll ends.
    until("the first poll has ended", SOON, async || {
        subject.poll("w", Duration::from_millis(200)).await;
        if first.is_finished() {
            Ok(())
        } else {
            Err("it waits")
        }
    })
    .await;
    assert_eq!(first.await.unwrap().status, 503);
}

async fn a_vanished_poll_still_locks_a_task(subject: Subject) {
    subject.deploy_task(|work| work).await;
    let poll = tokio::spawn(subject.poll("vanished", LONG));
    sleep(ARRIVAL).await;
    poll.abort();
    assert!(poll.await.unwrap_err().is_cancelled());
    subject.start(json!({})).await;
    let orphans = until("the task is locked", SOON, async || {
        let locked = subject.client().locked_by("vanished").await.unwrap();
        let orphans: Vec<_> = locked
            .into_iter()
            .filter(|it| it.topic_name == subject.key)
            .collect();
        if orphans.is_empty() {
            Err("not yet")
        } else {
            Ok(orphans)
        }
    })
    .await;
    // Anybody may free it.
    subject.client().unlock(&orphans[0].id).await.unwrap();
    subject.fetch_one().await;
}

async fn the_clients_nudge_wakes_other_polls(subject: Subject) {
    subject.deploy_task(|work| work).await;
    subject.start(json!({})).await;
    let task = subject
        .fetch_topic(json!({ "lockDuration": 1000 }))
        .await
        .remove(0);
    let begun = Instant::now();
    let poll = tokio::spawn(subject.poll("other", LONG));
    sleep(ARRIVAL).await;
    subject.lock_ended(task["id"].as_str().unwrap()).await;
    subject.client().wake_polls("nudger").await.unwrap();
    assert_eq!(poll.await.unwrap().items().len(), 1);
    assert_woken(begun);
}

#[track_caller]
fn assert_woken(begun: Instant) {
    // Not by its own end.
    let took = begun.elapsed();
    assert!(took < LONG - Duration::from_secs(5), "woken after {took:?}");
}

#[track_caller]
fn assert_held(begun: Instant) {
    let took = begun.elapsed();
    // The engine counts whole milliseconds.
    assert!(took + Duration::from_millis(100) > SHORT, "woken after {took:?}");
}
