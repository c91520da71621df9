//! The ceiling: a bare loop of requests, which does nothing that a worker must do to be right.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use benches::Rest;
use bytes::Bytes;
use http::{Method, StatusCode};
use serde::Deserialize;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::job::{Job, LOCK, LONG_POLL};

/// How many tasks a fetch asks for at most.
const BATCH: usize = 50;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Locked {
    id: String,
    topic_name: String,
}

/// Fetches, sleeps as long as the topic says, and completes, with so many completions in flight at most. Where no
/// topic sleeps, all tasks of a fetch are completed before the next; else whenever a slot is free.
pub(crate) async fn run(job: Job, reports: usize) -> anyhow::Result<()> {
    let rest = Rest::new(&job.url, &job.username, &job.password)?;
    let worker = format!("raw-{}", std::process::id());
    let complete: Bytes = serde_json::to_vec(&serde_json::json!({"workerId": worker}))?.into();
    let sleeps: HashMap<String, Duration> = job.topics.iter().cloned().collect();
    let keeps_batches = sleeps.values().all(Duration::is_zero);
    let slots = if keeps_batches { BATCH } else { job.slots };
    let permits = Arc::new(Semaphore::new(reports));
    let mut running = JoinSet::new();
    loop {
        while running.len() >= slots || keeps_batches && !running.is_empty() {
            running.join_next().await.context("a task")???;
        }
        while let Some(done) = running.try_join_next() {
            done??;
        }
        let fetch = fetch(&worker, &job, BATCH.min(slots - running.len()))?;
        let (status, body) = rest
            .send(Method::POST, "/external-task/fetchAndLock", fetch)
            .await?;
        if status != StatusCode::OK {
            bail!("fetchAndLock: {status}: {}", String::from_utf8_lossy(&body));
        }
        for task in serde_json::from_slice::<Vec<Locked>>(&body)? {
            let sleep = sleeps.get(&task.topic_name).copied().unwrap_or_default();
            let (rest, complete, permits) = (rest.clone(), complete.clone(), Arc::clone(&permits));
            running.spawn(async move {
                if !sleep.is_zero() {
                    tokio::time::sleep(sleep).await;
                }
                let _permit = permits.acquire_owned().await?;
                report(&rest, &task.id, complete).await
            });
        }
    }
}

fn fetch(worker: &str, job: &Job, tasks: usize) -> anyhow::Result<Vec<u8>> {
    let topics: Vec<_> = job
        .topics
        .iter()
        .map(|(topic, _)| serde_json::json!({"topicName": topic, "lockDuration": LOCK.as_millis() as u64}))
        .collect();
    Ok(serde_json::to_vec(&serde_json::json!({
        "workerId": worker,
        "maxTasks": tasks,
        "asyncResponseTimeout": LONG_POLL.as_millis() as u64,
        "topics": topics,
    }))?)
}

/// Completes a task, again where another transaction came first.
async fn report(rest: &Rest, id: &str, body: Bytes) -> anyhow::Result<()> {
    let path = format!("/external-task/{id}/complete");
    for _ in 0..10 {
        let (status, answer) = rest.send(Method::POST, &path, body.clone()).await?;
        match status {
            StatusCode::NO_CONTENT => return Ok(()),
            StatusCode::INTERNAL_SERVER_ERROR => {}
            _ => bail!("{path}: {status}: {}", String::from_utf8_lossy(&answer)),
        }
    }
    bail!("{path}: refused ten times")
}
