//! What is done once, by the database's own word.

use serde_json::json;

use super::{adapter, ask, database, failure, rows, with};

const TABLES: &str = "CREATE TABLE t (i serial, n int); GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO PUBLIC; \
    CREATE TABLE procos_done (idempotency_key text PRIMARY KEY, answer text NOT NULL)";

#[tokio::test]
async fn a_task_that_is_run_again_gets_the_answer_it_had() {
    let (_, settings) = database("once", TABLES);
    let adapter = adapter(with(&settings, json!({"write": true, "receipts": true})));
    let insert = "INSERT INTO t (n) VALUES ($1) RETURNING i";
    let first = ask(&adapter, insert, json!([7])).await.unwrap();
    let again = ask(&adapter, insert, json!([7])).await.unwrap();
    assert_eq!(first.fields()["rows"].to_json(), json!([{"i": 1}]));
    assert_eq!(first.into_fields(), again.into_fields());
    assert_eq!(
        rows(&adapter, "SELECT count(*) FROM t", json!([])).await,
        json!([{"count": 1}])
    );
}

#[tokio::test]
async fn two_attempts_at_once_do_it_once() {
    let (_, settings) = database("race", TABLES);
    let adapter = adapter(with(&settings, json!({"write": true, "receipts": true})));
    let insert = "INSERT INTO t (n) SELECT 1 FROM (SELECT pg_sleep(0.2)) x RETURNING i";
    let (one, other) = tokio::join!(ask(&adapter, insert, json!([])), ask(&adapter, insert, json!([])));
    let failures = [one, other].into_iter().filter(Result::is_err).count();
    assert_eq!(failures, 1, "one of the two is undone");
    assert_eq!(
        rows(&adapter, "SELECT count(*) FROM t", json!([])).await,
        json!([{"count": 1}])
    );
    ask(&adapter, insert, json!([])).await.unwrap();
    assert_eq!(
        rows(&adapter, "SELECT count(*) FROM t", json!([])).await,
        json!([{"count": 1}])
    );
}

#[tokio::test]
async fn without_the_table_nothing_is_done() {
    let (_, settings) = database("no_receipts", "CREATE TABLE t (n int)");
    let adapter = adapter(with(&settings, json!({"write": true, "receipts": true})));
    let failure = failure(ask(&adapter, "INSERT INTO t VALUES (1)", json!([])).await);
    assert!(failure.message.contains("CREATE TABLE procos_done"), "{failure}");
    assert_eq!(
        rows(&adapter, "SELECT count(*) FROM t", json!([])).await,
        json!([{"count": 0}])
    );
}
