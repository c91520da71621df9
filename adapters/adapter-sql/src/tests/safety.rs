//! What tasks must not be able to do.

use serde_json::json;
use tests::Postgres;
use worker_api::{Adapter, Retry};

use super::{adapter, ask, context, database, failure, rows, with};

#[tokio::test]
async fn a_connection_for_reading_changes_nothing() {
    let (_, settings) = database(
        "reading",
        "CREATE TABLE t (i int); CREATE SEQUENCE s; \
         CREATE FUNCTION sneak() RETURNS int LANGUAGE sql AS 'INSERT INTO t VALUES (1) RETURNING i'; \
         GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO reading",
    );
    let adapter = adapter(settings);
    for (sql, why) in [
        ("INSERT INTO t VALUES (1)", "is for reading"),
        (
            "WITH x AS (DELETE FROM t RETURNING *) SELECT * FROM x",
            "is for reading",
        ),
        ("SELECT sneak()", "tasks may only read there"),
        ("SELECT nextval('s')", "tasks may only read there"),
        ("SELECT 1; INSERT INTO t VALUES (1)", "more than one statement"),
        ("SET TRANSACTION READ WRITE", "begins with `SET`"),
        // A setting by way of a function: too late, as the transaction has begun to read.
        (
            "SELECT set_config('transaction_read_only', 'off', false), sneak()",
            "read-write mode",
        ),
    ] {
        let failure = failure(ask(&adapter, sql, json!([])).await);
        assert!(failure.message.contains(why), "{sql}: {failure}");
        assert_eq!(failure.retry, Retry::Never, "{sql}");
    }
    let writes = adapter
        .execute(context("SELECT sneak()", json!({"writes": true})))
        .await;
    assert!(failure(writes).message.contains("is for reading"));
    assert_eq!(
        rows(&adapter, "SELECT count(*) FROM t", json!([])).await,
        json!([{"count": 0}])
    );
}

#[tokio::test]
async fn what_a_statement_sets_is_not_the_next_tasks() {
    let (_, settings) = database("settings", "CREATE TABLE t (i int)");
    for write in [false, true] {
        let adapter = adapter(with(&settings, json!({"write": write, "connections": 1})));
        let set = "SELECT set_config('search_path', 'nowhere', false), set_config('default_transaction_read_only', 'off', false)";
        let more = json!({"writes": write});
        adapter.execute(context(set, more)).await.unwrap();
        assert_eq!(
            rows(&adapter, "SELECT count(*) FROM t", json!([])).await,
            json!([{"count": 0}])
        );
    }
}

#[tokio::test]
async fn a_superuser_is_refused_unless_the_operator_says_so() {
    let server = Postgres::shared().unwrap();
    let database = server.database("superuser");
    let settings = json!({
        "url": format!("postgres://127.0.0.1:{}/superuser", database.port),
        "username": database.username, "password": database.password, "tls": "none",
    });
    let refused = failure(ask(&adapter(settings.clone()), "SELECT 1", json!([])).await);
    assert!(
        refused.message.contains("the login is a superuser") && refused.retry == Retry::Never,
        "{refused:?}"
    );
    let allowed = adapter(with(&settings, json!({"superuser": true})));
    assert_eq!(
        rows(&allowed, "SELECT 1 AS x", json!([])).await,
        json!([{"x": 1}])
    );
}

#[tokio::test]
async fn a_server_without_tls_is_refused_unless_the_operator_says_so() {
    let (_, settings) = database("clear", "SELECT 1");
    let mut settings = settings;
    settings.as_object_mut().unwrap().remove("tls");
    let failure = failure(ask(&adapter(settings), "SELECT 1", json!([])).await);
    assert!(
        failure.message.contains("server does not support TLS"),
        "{failure}"
    );
}

#[tokio::test]
async fn a_value_is_never_part_of_the_statement() {
    let (_, settings) = database(
        "injection",
        "CREATE TABLE t (name text); INSERT INTO t VALUES ('a')",
    );
    let adapter = adapter(settings);
    let attack = "' OR '1'='1'; DROP TABLE t; --";
    let found = rows(&adapter, "SELECT * FROM t WHERE name = $1", json!([attack])).await;
    assert_eq!(found, json!([]));
}
