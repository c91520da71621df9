//! Statements on SQLite.

use std::time::Duration;

use serde_json::{Value as Json, json};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, Executor};
use tempfile::TempDir;
use worker_api::{Adapter, Retry};

use super::{adapter, ask, code, context, failure, rows, with};

/// A file with tables, and the settings of a connection to it.
async fn file(tables: &'static str) -> (TempDir, Json) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("orders.db");
    let options = SqliteConnectOptions::new()
        .filename(&path)
        .create_if_missing(true);
    let mut connection = options.connect().await.unwrap();
    connection.execute(tables).await.unwrap();
    connection.close().await.unwrap();
    let settings = json!({"url": format!("sqlite:{}", path.display())});
    (folder, settings)
}

#[tokio::test]
async fn values_keep_their_kinds() {
    let (_folder, settings) = file("CREATE TABLE t (a, b, c, d, e, f)").await;
    let adapter = adapter(with(&settings, json!({"write": true})));
    let answer = ask(
        &adapter,
        "INSERT INTO t VALUES ($1, $2, $3, $4, $5, x'0001ff') RETURNING a",
        json!([9_007_199_254_740_993_i64, 0.1, "007", null, {"a": 1}]),
    )
    .await
    .unwrap();
    assert_eq!(answer.fields()["rows_affected"].to_json(), json!(1));
    assert_eq!(
        rows(&adapter, "SELECT * FROM t", json!([])).await,
        json!([{"a": 9_007_199_254_740_993_i64, "b": 0.1, "c": "007", "d": null, "e": "{\"a\":1}", "f": "AAH/"}])
    );
}

#[tokio::test]
async fn what_the_tables_forbid_is_a_bpmn_error() {
    let (_folder, settings) =
        file("CREATE TABLE p (id INTEGER PRIMARY KEY, n INT NOT NULL); CREATE TABLE c (p REFERENCES p)")
            .await;
    let adapter = adapter(with(&settings, json!({"write": true})));
    ask(&adapter, "INSERT INTO p VALUES (1, 1)", json!([]))
        .await
        .unwrap();
    assert_eq!(
        code(ask(&adapter, "INSERT INTO p VALUES (1, 1)", json!([])).await),
        "SQL_CONFLICT"
    );
    assert_eq!(
        code(ask(&adapter, "INSERT INTO p VALUES (2, NULL)", json!([])).await),
        "SQL_CONSTRAINT"
    );
    assert_eq!(
        code(ask(&adapter, "INSERT INTO c VALUES (9)", json!([])).await),
        "SQL_CONSTRAINT"
    );
}

#[tokio::test]
async fn a_connection_for_reading_changes_nothing_and_reaches_no_other_file() {
    let (folder, settings) = file("CREATE TABLE t (i INT); INSERT INTO t VALUES (1)").await;
    let adapter = adapter(settings);
    let elsewhere = folder.path().join("elsewhere.db");
    for (sql, why) in [
        ("DELETE FROM t".to_owned(), "is for reading"),
        (
            format!("VACUUM INTO '{}'", elsewhere.display()),
            "begins with `VACUUM`",
        ),
        (
            format!("ATTACH '{}' AS x", elsewhere.display()),
            "begins with `ATTACH`",
        ),
        ("PRAGMA query_only = 0".to_owned(), "begins with `PRAGMA`"),
        ("SELECT 1; DELETE FROM t".to_owned(), "more than one statement"),
        ("SELECT load_extension('/tmp/x.so')".to_owned(), "not authorized"),
        ("SELECT readfile('/etc/passwd')".to_owned(), "no such function"),
        (
            format!("SELECT writefile('{}', 'x')", elsewhere.display()),
            "no such function",
        ),
    ] {
        let failure = failure(ask(&adapter, &sql, json!([])).await);
        assert!(failure.message.contains(why), "{sql}: {failure}");
        assert_eq!(failure.retry, Retry::Never, "{sql}");
    }
    assert!(!elsewhere.exists());
    assert_eq!(
        rows(&adapter, "SELECT i FROM t", json!([])).await,
        json!([{"i": 1}])
    );
    // A connection that writes still holds what only reads to reading.
    let writes = super::adapter(with(
        &json!({"url": format!("sqlite:{}", folder.path().join("orders.db").display())}),
        json!({"write": true}),
    ));
    ask(&writes, "UPDATE t SET i = 2", json!([])).await.unwrap();
    assert_eq!(
        rows(&writes, "SELECT i FROM t", json!([])).await,
        json!([{"i": 2}])
    );
}

#[tokio::test]
async fn a_file_that_is_not_there_is_not_made() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("none.db");
    let adapter = adapter(json!({"url": format!("sqlite:{}", path.display()), "write": true}));
    let failure = failure(ask(&adapter, "SELECT 1", json!([])).await);
    assert!(
        failure.message.contains("check the connection's `url`") && failure.retry == Retry::Never,
        "{failure:?}"
    );
    assert!(
        adapter
            .health()
            .await
            .unwrap_err()
            .contains("services.sql.default")
    );
    assert!(!path.exists());
}

const ENDLESS: &str = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT max(x) FROM c";

#[tokio::test]
async fn a_statement_without_end_is_ended_by_the_timeout_and_by_a_task_that_is_given_up() {
    let (_folder, settings) = file("CREATE TABLE t (i INT)").await;
    let slow = adapter(with(&settings, json!({"timeout": "300ms"})));
    let failure = failure(ask(&slow, ENDLESS, json!([])).await);
    assert!(failure.message.contains("longer than"), "{failure}");
    assert_ne!(failure.retry, Retry::Never);
    // There is one connection: the next task has it only once the statement has ended.
    let one = adapter(with(&settings, json!({"connections": 1, "timeout": "20s"})));
    tokio::time::timeout(Duration::from_millis(300), ask(&one, ENDLESS, json!([])))
        .await
        .unwrap_err();
    let began = std::time::Instant::now();
    assert_eq!(rows(&one, "SELECT 1 AS x", json!([])).await, json!([{"x": 1}]));
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
}

#[tokio::test]
async fn receipts_are_kept_there_too() {
    let (_folder, settings) =
        file("CREATE TABLE t (i INT); CREATE TABLE procos_done (idempotency_key text PRIMARY KEY, answer text NOT NULL)").await;
    let adapter = adapter(with(&settings, json!({"write": true, "receipts": true})));
    for _ in 0..2 {
        let answer = ask(&adapter, "INSERT INTO t VALUES (1) RETURNING i", json!([]))
            .await
            .unwrap();
        assert_eq!(answer.fields()["rows"].to_json(), json!([{"i": 1}]));
    }
    assert_eq!(
        rows(&adapter, "SELECT count(*) AS n FROM t", json!([])).await,
        json!([{"n": 1}])
    );
}

#[tokio::test]
async fn more_rows_than_allowed_are_an_error_or_cut() {
    let (_folder, settings) = file("CREATE TABLE t (i INT); INSERT INTO t VALUES (1), (2), (3)").await;
    let adapter = adapter(with(&settings, json!({"max_rows": 2, "connections": 1})));
    assert_eq!(
        code(ask(&adapter, "SELECT i FROM t", json!([])).await),
        "SQL_TOO_LARGE"
    );
    let cut = adapter
        .execute(context("SELECT i FROM t", json!({"on_more": "truncate"})))
        .await
        .unwrap();
    assert_eq!(cut.fields()["rows"].to_json(), json!([{"i": 1}, {"i": 2}]));
}
