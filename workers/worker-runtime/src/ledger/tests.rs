//! Notes as they stand in an engine.

use bytes::Bytes;
use engine_client::fake::{FakeEngine, LinearProcess, TaskStep};
use engine_client::{FetchRequest, FetchTopic, LockedTask};
use serde_json::json;
use worker_api::{File, Value};

use super::*;

const LOCK: Duration = Duration::from_secs(60);

/// An engine with one task of the topic `pay`.
async fn engine() -> FakeEngine {
    let engine = FakeEngine::new();
    engine.deploy(LinearProcess::new("shop").then(TaskStep::new("pay", "pay")));
    let client = engine.client();
    client
        .start_instance("shop", None, None, &Variables::new())
        .await
        .unwrap();
    engine
}

async fn fetched(engine: &EngineClient, worker: &str, lock: Duration) -> LockedTask {
    let request = FetchRequest::new(worker, 1, [FetchTopic::new("pay", lock)]);
    engine.fetch_and_lock(&request).await.unwrap().remove(0)
}

/// What the next worker finds, once the first one's lock is gone.
async fn next(engine: &EngineClient) -> (LockedTask, TaskLedger) {
    let ids = engine.locked_by("one").await.unwrap();
    for id in ids {
        engine.unlock(&id.id).await.unwrap();
    }
    let mut task = fetched(engine, "two", LOCK).await;
    let ledger = TaskLedger::take(engine, &mut task, true, LOCK);
    (task, ledger)
}

#[tokio::test]
async fn the_next_worker_finds_the_intent_and_then_the_receipt() {
    let fake = engine().await;
    let engine = fake.client();
    let mut task = fetched(&engine, "one", LOCK).await;
    let ledger = TaskLedger::take(&engine, &mut task, true, LOCK);
    assert_eq!(ledger.noted(&task.id).await.unwrap(), Noted::Nothing);
    ledger.intend(&task.id).await.unwrap();

    let (found, ledger_two) = next(&engine).await;
    let Noted::Intent { worker, .. } = ledger_two.noted(&found.id).await.unwrap() else {
        panic!("{ledger_two:?}")
    };
    assert_eq!(worker, "one");
    assert!(
        !found.variables.contains_key(EFFECT_VARIABLE),
        "no adapter sees it: {found:?}"
    );

    let file = File {
        name: "bill.pdf".into(),
        media_type: Some("application/pdf".into()),
        encoding: None,
        content: vec![0, 159, 146].into(),
    };
    let answer = Answer::new()
        .with("none", Value::Null)
        .with("paid", true)
        .with("amount", 101.03)
        .with("odd", f64::INFINITY)
        .with("whole", i64::MAX)
        .with("at", Timestamp::UNIX_EPOCH)
        .with("bill", file)
        .with("bytes", Bytes::from_static(&[255, 0]))
        .with("lines", Value::Json(json!([{"item": "desk"}])));
    ledger.receive(&task.id, &answer).await;
    engine.unlock(&task.id).await.unwrap();
    let mut found = fetched(&engine, "three", LOCK).await;
    let ledger = TaskLedger::take(&engine, &mut found, true, LOCK);
    assert_eq!(ledger.noted(&task.id).await.unwrap(), Noted::Receipt(answer));
}

#[tokio::test]
async fn who_has_lost_the_lock_does_not_go_on() {
    let fake = engine().await;
    let engine = fake.client();
    let mut task = fetched(&engine, "one", LOCK).await;
    let ledger = TaskLedger::take(&engine, &mut task, true, LOCK);
    let (found, ledger_two) = next(&engine).await;
    assert_eq!(ledger_two.noted(&found.id).await.unwrap(), Noted::Nothing);
    let failure = ledger.intend(&task.id).await.unwrap_err();
    assert!(
        failure.nothing_done && failure.message.contains("nothing was sent"),
        "{failure}"
    );
    ledger_two.intend(&found.id).await.unwrap();
}

#[tokio::test]
async fn what_is_forgotten_and_what_somebody_was_told_of_may_be_done() {
    let fake = engine().await;
    let engine = fake.client();
    let mut task = fetched(&engine, "one", LOCK).await;
    let ledger = TaskLedger::take(&engine, &mut task, true, LOCK);
    ledger.intend(&task.id).await.unwrap();
    ledger.forget(&task.id).await;
    assert!(ledger.with_failure(true).is_empty());
    let (mut found, ledger) = next(&engine).await;
    assert_eq!(ledger.noted(&found.id).await.unwrap(), Noted::Nothing);

    ledger.intend(&found.id).await.unwrap();
    ledger.lose(&found.id);
    assert!(
        ledger.with_failure(false).is_empty(),
        "another failure tells nobody"
    );
    found.variables = ledger.with_failure(true);
    assert!(found.variables.contains_key(EFFECT_VARIABLE));
    let ledger = TaskLedger::take(&engine, &mut found, true, LOCK);
    assert_eq!(ledger.noted(&found.id).await.unwrap(), Noted::Nothing);
}

#[tokio::test]
async fn what_is_undone_is_told_with_whatever_failure() {
    let fake = engine().await;
    let engine = fake.client();
    let mut task = fetched(&engine, "one", LOCK).await;
    let ledger = TaskLedger::take(&engine, &mut task, true, LOCK);
    ledger.intend(&task.id).await.unwrap();
    ledger.undo(&task.id);
    task.variables = ledger.with_failure(false);
    assert!(task.variables.contains_key(EFFECT_VARIABLE));
    let ledger = TaskLedger::take(&engine, &mut task, true, LOCK);
    assert_eq!(ledger.noted(&task.id).await.unwrap(), Noted::Nothing);
}

#[tokio::test]
async fn a_called_topic_has_a_note_of_its_own() {
    let fake = engine().await;
    let engine = fake.client();
    let mut task = fetched(&engine, "one", LOCK).await;
    let ledger = TaskLedger::take(&engine, &mut task, true, LOCK);
    let called = format!("{}/tool-1", task.id);
    ledger.intend(&called).await.unwrap();
    let too_long = format!("{}/{}", task.id, "x".repeat(300));
    let failure = ledger.intend(&too_long).await.unwrap_err();
    assert!(failure.message.contains("too long"), "{failure}");
    let (found, ledger) = next(&engine).await;
    assert_eq!(ledger.noted(&found.id).await.unwrap(), Noted::Nothing);
    assert!(matches!(
        ledger.noted(&called).await.unwrap(),
        Noted::Intent { .. }
    ));
}

#[tokio::test]
async fn a_note_of_another_task_or_of_no_one_says_nothing() {
    let fake = engine().await;
    let engine = fake.client();
    let mut task = fetched(&engine, "one", LOCK).await;
    let note = |task: &str| json!({"task": task, "worker": "w", "at": "then", "state": "intent"});
    for (json, expected) in [
        (note("another"), Noted::Nothing),
        (json!("intent"), Noted::Nothing),
        (json!({"task": task.id, "state": "what"}), Noted::Nothing),
        (
            json!({"task": task.id, "worker": "w", "at": "then", "state": "receipt", "answer": [["a", {"bytes": "?"}]]}),
            Noted::Intent {
                at: "then".into(),
                worker: "w".into(),
            },
        ),
    ] {
        task.variables = Variables::from([
            (EFFECT_VARIABLE.to_owned(), Variable::Json(json.clone())),
            (format!("{EFFECT_VARIABLE}ive"), Variable::Boolean(true)),
        ]);
        let ledger = TaskLedger::take(&engine, &mut task, true, LOCK);
        assert_eq!(ledger.noted(&task.id).await.unwrap(), expected, "{json}");
        assert_eq!(task.variables.len(), 1, "a name that only begins so stays");
    }
}

/// Where the fetch names its variables, what was written down does not come along and is looked up.
#[tokio::test]
async fn what_did_not_come_along_is_looked_up() {
    let fake = engine().await;
    let engine = fake.client();
    let mut task = fetched(&engine, "one", LOCK).await;
    let ledger = TaskLedger::take(&engine, &mut task, false, LOCK);
    assert_eq!(ledger.noted(&task.id).await.unwrap(), Noted::Nothing);
    let called = format!("{}/tool-1", task.id);
    ledger.intend(&task.id).await.unwrap();
    ledger.intend(&called).await.unwrap();

    task.variables.clear();
    let ledger = TaskLedger::take(&engine, &mut task, false, LOCK);
    for key in [&task.id, &called] {
        let noted = ledger.noted(key).await.unwrap();
        assert!(matches!(noted, Noted::Intent { .. }), "{key}: {noted:?}");
    }
}
