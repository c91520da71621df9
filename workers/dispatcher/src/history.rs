//! What the engine's history says has happened since a moment, as events.

use std::collections::{HashMap, HashSet, VecDeque};

use engine_client::{
    EngineClient, EngineError, ExternalTaskRecord, InstanceRecord, InstanceState, RecordQuery,
};
use futures::FutureExt;
use futures::future::BoxFuture;
use jiff::Timestamp;
use serde_json::{Value as Json, json};
use worker_api::ProcessEvent;

/// How many records are asked for at once.
const PAGE: usize = 500;

/// The events since a moment, the oldest first.
pub(crate) struct Since {
    pub(crate) events: Vec<ProcessEvent>,
    /// Until when they are all; none where there are no others.
    pub(crate) until: Option<Timestamp>,
}

/// What was told already, by the events' ids, with their times.
pub(crate) type Told = HashMap<String, Timestamp>;

/// Reads what has happened from `since` on and was not told: of each kind of record the oldest `most`.
pub(crate) async fn read(
    engine: &EngineClient,
    since: Timestamp,
    told: &Told,
    most: usize,
) -> Result<Since, EngineError> {
    let from_history = |first_result, query: RecordQuery<'static>| RecordQuery {
        first_result,
        max_results: PAGE,
        ..query
    };
    let begun = oldest(most, since, told, |first_result| {
        async move {
            let query = from_history(
                first_result,
                RecordQuery {
                    started_after: Some(since),
                    ..RecordQuery::default()
                },
            );
            let records = engine.find_instance_records(&query).await?;
            Ok(records.into_iter().map(started).collect())
        }
        .boxed()
    });
    let over = oldest(most, since, told, |first_result| {
        async move {
            let query = from_history(
                first_result,
                RecordQuery {
                    finished: true,
                    finished_after: Some(since),
                    ..RecordQuery::default()
                },
            );
            let records = engine.ended_instance_records(&query).await?;
            Ok(records.into_iter().map(ended).collect())
        }
        .boxed()
    });
    let tasks = oldest(most, since, told, |first_result| {
        async move {
            let records = engine.latest_external_task_records(first_result, PAGE).await?;
            Ok(records.into_iter().map(task).collect())
        }
        .boxed()
    });
    let mut all = Since {
        events: Vec::new(),
        until: None,
    };
    // What comes of something is asked for before it, so that nothing is told whose cause is not.
    for one in [over.await?, tasks.await?, begun.await?] {
        all.until = match (all.until, one.until) {
            (Some(this), Some(other)) => Some(this.min(other)),
            (this, other) => this.or(other),
        };
        all.events.extend(one.events);
    }
    if let Some(until) = all.until {
        all.events
            .retain(|event| event.time.is_none_or(|time| time <= until));
    }
    // Of the same moment, what was begun comes before what was done.
    all.events.sort_by_key(|event| (event.time, rank(&event.kind)));
    Ok(all)
}

/// Goes from the latest record back to the moment and keeps the oldest: what comes meanwhile moves the pages so that a
/// record may be seen twice, but none is passed over. What was told takes no room: else more of it than there is room for
/// would keep all that follows from being told.
async fn oldest<'a>(
    most: usize,
    since: Timestamp,
    told: &Told,
    page: impl Fn(usize) -> BoxFuture<'a, Result<Vec<ProcessEvent>, EngineError>>,
) -> Result<Since, EngineError> {
    let mut kept: VecDeque<ProcessEvent> = VecDeque::new();
    let mut seen = HashSet::new();
    let (mut first_result, mut until) = (0, None);
    loop {
        let records = page(first_result).await?;
        let is_last = records.len() < PAGE;
        first_result += records.len();
        for event in records {
            if event.time.is_some_and(|time| time < since) {
                return Ok(finish(kept, until));
            }
            if told.contains_key(&event.id) || !seen.insert(event.id.clone()) {
                continue;
            }
            kept.push_back(event);
            if kept.len() > most {
                kept.pop_front();
                until = kept.front().and_then(|newest| newest.time);
            }
        }
        if is_last {
            return Ok(finish(kept, until));
        }
    }
}

fn finish(kept: VecDeque<ProcessEvent>, until: Option<Timestamp>) -> Since {
    Since {
        events: kept.into_iter().rev().collect(),
        until,
    }
}

fn rank(kind: &str) -> usize {
    let order = [
        "instance.started",
        "task.created",
        "task.failed",
        "task.",
        "instance.",
    ];
    order
        .iter()
        .position(|part| kind.starts_with(&format!("procos.{part}")))
        .unwrap_or(order.len())
}

fn started(record: InstanceRecord) -> ProcessEvent {
    let time = record.start_time;
    instance("started", time, record, |_| {})
}

fn ended(record: InstanceRecord) -> ProcessEvent {
    let how = match record.state {
        InstanceState::Completed => "completed",
        _ => "terminated",
    };
    let (time, reason) = (record.end_time, record.delete_reason.clone());
    instance(how, time, record, |data| {
        if let Some(reason) = reason {
            data["reason"] = reason.into();
        }
    })
}

fn instance(
    what: &str,
    time: Option<Timestamp>,
    record: InstanceRecord,
    more: impl FnOnce(&mut Json),
) -> ProcessEvent {
    let mut data = json!({
        "instance_id": record.id,
        "process": record.process_definition_key,
        "definition_id": record.process_definition_id,
        "business_key": record.business_key,
        "called_by": record.super_process_instance_id,
        "tenant": record.tenant_id,
    });
    more(&mut data);
    ProcessEvent {
        id: format!("{}/{what}", record.id),
        kind: format!("procos.instance.{what}"),
        time,
        subject: record.business_key.or(Some(record.id)),
        data: without_nulls(data),
    }
}

fn task(record: ExternalTaskRecord) -> ProcessEvent {
    let what = match (record.creation_log, record.failure_log, record.success_log) {
        (true, ..) => "created",
        (_, true, _) => "failed",
        (.., true) => "completed",
        _ => "cancelled",
    };
    let data = json!({
        "task_id": record.external_task_id,
        "topic": record.topic_name,
        "instance_id": record.process_instance_id,
        "process": record.process_definition_key,
        "activity": record.activity_id,
        "worker": record.worker_id,
        "retries_left": record.retries,
        "error": record.error_message,
        "tenant": record.tenant_id,
    });
    ProcessEvent {
        id: record.id,
        kind: format!("procos.task.{what}"),
        time: record.timestamp,
        subject: record.process_instance_id,
        data: without_nulls(data),
    }
}

fn without_nulls(mut data: Json) -> Json {
    if let Some(fields) = data.as_object_mut() {
        fields.retain(|_, value| !value.is_null());
    }
    data
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;
    use std::sync::{Arc, Mutex};

    use bytes::Bytes;
    use engine_client::InProcess;

    use super::*;

    fn event(second: i64) -> ProcessEvent {
        ProcessEvent {
            id: second.to_string(),
            kind: "procos.task.created".into(),
            time: Some(Timestamp::from_second(second).unwrap()),
            subject: None,
            data: Json::Null,
        }
    }

    /// Records of the seconds from 1 to `last`, the latest first.
    async fn read(last: i64, since: i64, most: usize) -> (Vec<i64>, Option<i64>) {
        read_but(&Told::new(), last, since, most).await
    }

    /// The same, but for those that were told.
    async fn read_but(told: &Told, last: i64, since: i64, most: usize) -> (Vec<i64>, Option<i64>) {
        let since = Timestamp::from_second(since).unwrap();
        let read = oldest(most, since, told, |first| {
            let all = (1..=last).rev().map(event);
            std::future::ready(Ok(all.skip(first).take(PAGE).collect())).boxed()
        });
        let read = read.await.unwrap();
        let seconds = |event: &ProcessEvent| event.time.unwrap().as_second();
        (
            read.events.iter().map(seconds).collect(),
            read.until.map(|until| until.as_second()),
        )
    }

    #[tokio::test]
    async fn records_since_a_moment_come_the_oldest_first() {
        assert_eq!(read(5, 3, 10).await, (vec![3, 4, 5], None));
        assert_eq!(read(5, 6, 10).await, (vec![], None));
        assert_eq!(read(0, 1, 10).await, (vec![], None));
        // Over the border of pages.
        let (many, until) = read(1_200, 101, 5_000).await;
        assert_eq!((many.len(), many[0], until), (1_100, 101, None));
    }

    /// An engine whose history is empty, and what it was asked.
    #[derive(Default)]
    struct Asked(Mutex<Vec<String>>);

    impl InProcess for Asked {
        fn call(
            &self,
            request: http::Request<Bytes>,
        ) -> Pin<Box<dyn Future<Output = http::Response<Bytes>> + Send>> {
            let query = request.uri().query().unwrap_or_default();
            let what = match request.uri().path() {
                path if path.ends_with("external-task-log") => "tasks",
                _ if query.contains("finishedAfter") => "ended",
                _ if query.contains("startedAfter") => "started",
                other => panic!("{other}?{query}"),
            };
            self.0.lock().unwrap().push(what.to_owned());
            let mut response = http::Response::new(Bytes::from_static(b"[]"));
            let json = http::HeaderValue::from_static("application/json");
            response.headers_mut().insert("content-type", json);
            Box::pin(std::future::ready(response))
        }
    }

    /// Between two questions something may happen: what comes of it would be told, and it itself not before the next time.
    #[tokio::test]
    async fn what_comes_of_something_is_asked_for_before_it() {
        let engine = Arc::new(Asked::default());
        let client = EngineClient::in_process(Arc::clone(&engine) as _);
        let read = super::read(&client, Timestamp::UNIX_EPOCH, &Told::new(), 10)
            .await
            .unwrap();
        assert!(read.events.is_empty());
        assert_eq!(*engine.0.lock().unwrap(), ["ended", "tasks", "started"]);
    }

    #[tokio::test]
    async fn of_too_many_the_oldest_come_and_until_when_they_are_all() {
        assert_eq!(read(1_200, 101, 3).await, (vec![101, 102, 103], Some(103)));
    }

    #[tokio::test]
    async fn what_was_told_keeps_nothing_else_from_being_told() {
        let mut told = Told::new();
        let mut all = Vec::new();
        for _ in 0..10 {
            let (seconds, until) = read_but(&told, 10, 1, 3).await;
            let ids = seconds
                .iter()
                .map(|second| (second.to_string(), Timestamp::UNIX_EPOCH));
            told.extend(ids);
            all.extend(seconds);
            if until.is_none() {
                break;
            }
        }
        assert_eq!(all, Vec::from_iter(1..=10));
    }

    #[tokio::test]
    async fn a_record_that_pages_show_twice_is_told_once() {
        let since = Timestamp::from_second(1).unwrap();
        // Between the pages one more has come, so that each of the second page's has moved by one.
        let none = Told::new();
        let read = oldest(5_000, since, &none, |first| {
            let last = if first == 0 { 700 } else { 701 };
            let all = (1..=last).rev().map(event);
            std::future::ready(Ok(all.skip(first).take(PAGE).collect())).boxed()
        });
        assert_eq!(read.await.unwrap().events.len(), 700);
    }
}
