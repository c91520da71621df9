//! Types, parameters and errors on PostgreSQL.

use std::time::Duration;

use serde_json::json;
use tests::{Postgres, until};
use worker_api::{Adapter, Effect, Retry};

use super::{adapter, ask, code, context, database, failure, rows, with};

#[tokio::test]
async fn every_type_comes_and_goes_without_loss() {
    let (_, settings) = database(
        "types",
        "CREATE TYPE mood AS ENUM ('good', 'bad'); CREATE DOMAIN age AS int; CREATE TABLE t (b bool, i2 int2, i4 int4, \
         i8 int8, f4 float4, f8 float8, n numeric, s text, v varchar(9), u uuid, tz timestamptz, ts timestamp, d date, \
         tm time, j jsonb, y bytea, m mood, a age, li int4[], ls text[])",
    );
    let adapter = adapter(with(&settings, json!({"write": true})));
    let insert =
        "INSERT INTO t VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13,$14,$15,$16,$17,$18,$19,$20)";
    let values = json!([
        true, -2, 4, "9223372036854775807", 1.5, 0.1, "12345678901234567890.000000000000000001", "ä; DROP TABLE t",
        7, "6ba7b810-9dad-11d1-80b4-00c04fd430c8", "2026-11-26T10:00:00+01:00", "2026-11-26T09:00:00",
        "2026-11-26", "09:00:00", {"a": [1, null]}, "AAH/", "good", 7, [1, null, 3], ["x", null]
    ]);
    let answer = ask(&adapter, insert, values).await.unwrap();
    assert_eq!(answer.fields()["rows_affected"].to_json(), json!(1));
    let nothing: Vec<Option<u8>> = vec![None; 20];
    ask(&adapter, insert, json!(nothing)).await.unwrap();
    let found = rows(&adapter, "SELECT * FROM t", json!([])).await;
    assert_eq!(
        found[0],
        json!({
            "b": true, "i2": -2, "i4": 4, "i8": 9_223_372_036_854_775_807_i64, "f4": 1.5, "f8": 0.1,
            "n": "12345678901234567890.000000000000000001", "s": "ä; DROP TABLE t", "v": "7",
            "u": "6ba7b810-9dad-11d1-80b4-00c04fd430c8", "tz": "2026-11-26T09:00:00Z", "ts": "2026-11-26T09:00:00",
            "d": "2026-11-26", "tm": "09:00:00", "j": {"a": [1, null]}, "y": "AAH/", "m": "good", "a": 7,
            "li": [1, null, 3], "ls": ["x", null]
        })
    );
    let second = found[1].as_object().unwrap();
    assert!(
        second.len() == 20 && second.values().all(serde_json::Value::is_null),
        "{second:?}"
    );
    // What JSON has no number for stays visible, and what is not read says so.
    let odd = rows(
        &adapter,
        "SELECT 'NaN'::float8 a, '-Infinity'::float8 b",
        json!([]),
    )
    .await;
    assert_eq!(odd[0], json!({"a": "NaN", "b": "-inf"}));
    for sql in [
        "SELECT 'infinity'::timestamptz AS x",
        "SELECT interval '1 day' AS x",
        "SELECT 'NaN'::numeric AS x",
    ] {
        let failure = failure(ask(&adapter, sql, json!([])).await);
        assert!(
            failure.message.contains("the column `x`") && failure.message.contains("cast it to text"),
            "{failure}"
        );
        assert_eq!(failure.retry, Retry::Never);
    }
}

#[tokio::test]
async fn parameters_that_do_not_fit_are_named() {
    let (_, settings) = database("misfits", "CREATE TABLE t (i int4, d date)");
    let adapter = adapter(settings);
    for (parameters, why) in [
        (json!([]), "takes 2 parameters, and the input `parameters` has 0"),
        (json!([1, "2026-11-26", 3]), "has 3"),
        (
            json!(["x", null]),
            "$1 is of the type INT4 in the statement: give a whole number",
        ),
        (json!([3_000_000_000_u64, null]), "$1 is of the type INT4"),
        (
            json!([1, "tomorrow"]),
            "$2 is of the type DATE in the statement: give a date such as",
        ),
    ] {
        let failure = failure(ask(&adapter, "SELECT * FROM t WHERE i = $1 AND d = $2", parameters).await);
        assert!(failure.message.contains(why), "{failure}");
        assert_eq!(failure.retry, Retry::Never);
    }
}

#[tokio::test]
async fn what_the_tables_forbid_is_a_bpmn_error() {
    let (_, settings) = database(
        "rules",
        "CREATE TABLE p (id int PRIMARY KEY, n int NOT NULL CHECK (n > 0)); CREATE TABLE c (p int REFERENCES p)",
    );
    let adapter = adapter(with(&settings, json!({"write": true})));
    ask(&adapter, "INSERT INTO p VALUES (1, 1)", json!([]))
        .await
        .unwrap();
    for (sql, expected) in [
        ("INSERT INTO p VALUES (1, 1)", "SQL_CONFLICT"),
        ("INSERT INTO p VALUES (2, 0)", "SQL_CONSTRAINT"),
        ("INSERT INTO p VALUES (2, NULL)", "SQL_CONSTRAINT"),
        ("INSERT INTO c VALUES (2)", "SQL_CONSTRAINT"),
    ] {
        assert_eq!(code(ask(&adapter, sql, json!([])).await), expected, "{sql}");
    }
    assert_eq!(
        rows(&adapter, "SELECT count(*) FROM p", json!([])).await,
        json!([{"count": 1}])
    );
}

#[tokio::test]
async fn a_wrong_statement_names_its_place() {
    let (_, settings) = database("wrong", "SELECT 1");
    let adapter = adapter(settings);
    let failure = failure(ask(&adapter, "SELECT 1,\n  nothing", json!([])).await);
    assert!(
        failure
            .message
            .contains("column \"nothing\" does not exist, at line 2, column 3 of the statement"),
        "{failure}"
    );
    assert_eq!(failure.retry, Retry::Never);
}

#[tokio::test]
async fn a_server_that_is_away_is_tried_again_and_a_refused_login_is_not() {
    let (_, settings) = database("away", "SELECT 1");
    let gone = with(
        &settings,
        json!({"url": format!("postgres://127.0.0.1:{}/away", tests::free_port())}),
    );
    let unreachable = failure(ask(&adapter(gone), "SELECT 1", json!([])).await);
    assert!(
        unreachable.retry != Retry::Never && unreachable.message.contains("no connection"),
        "{unreachable}"
    );
    let refused = adapter(with(&settings, json!({"password": "hunter2"})));
    let failure = failure(ask(&refused, "SELECT 1", json!([])).await);
    assert!(
        failure.message.contains("the login is refused") && failure.retry == Retry::Never,
        "{failure:?}"
    );
    let unhealthy = refused.health().await.unwrap_err();
    assert!(unhealthy.contains("services.sql.default"), "{unhealthy}");
    for text in [format!("{failure:?}"), unhealthy, format!("{refused:?}")] {
        assert!(!text.contains("hunter2"), "{text}");
    }
}

#[tokio::test]
async fn a_login_that_was_mended_is_used_by_the_next_task() {
    let (database, settings) = database("mended", "SELECT 1");
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("orders");
    std::fs::write(&secret, "not yet").unwrap();
    let store = secrets::SecretStore::new("NONE_", [folder.path().to_owned()]);
    let settings = with(&settings, json!({"password": "secret:orders"}));
    let settings = serde_json::from_value(json!({"default": settings})).unwrap();
    let adapter = crate::SqlAdapter::new(settings, store).unwrap();
    failure(ask(&adapter, "SELECT 1", json!([])).await);
    std::fs::write(&secret, "of-the-task").unwrap();
    assert_eq!(
        rows(&adapter, "SELECT 1 AS x", json!([])).await,
        json!([{"x": 1}])
    );
    drop(database);
}

#[tokio::test]
async fn a_task_that_is_given_up_ends_its_statement_on_the_server() {
    let (database, settings) = database("given_up", "SELECT 1");
    let adapter = adapter(settings);
    let asked = ask(&adapter, "SELECT pg_sleep(600), 'given-up'", json!([]));
    tokio::time::timeout(Duration::from_secs(1), asked)
        .await
        .unwrap_err();
    let server = Postgres::shared().unwrap();
    until("nobody works on it", Duration::from_secs(20), async || {
        let running = "DO $$ BEGIN IF EXISTS (SELECT FROM pg_stat_activity WHERE query LIKE '%given-up%' AND state = 'active' \
                       AND pid <> pg_backend_pid()) THEN RAISE 'it still runs'; END IF; END $$";
        std::panic::catch_unwind(|| server.execute(&database, running)).map_err(|_| "it still runs")
    })
    .await;
    // The next task has a connection of its own.
    assert_eq!(
        rows(&adapter, "SELECT 1 AS x", json!([])).await,
        json!([{"x": 1}])
    );
}

#[tokio::test]
async fn a_statement_that_takes_too_long_is_ended_by_the_server() {
    let (_, settings) = database("slow", "SELECT 1");
    let adapter = adapter(with(&settings, json!({"timeout": "300ms"})));
    let failure = failure(ask(&adapter, "SELECT pg_sleep(600)", json!([])).await);
    assert!(
        failure.message.contains("longer than the connection's timeout"),
        "{failure}"
    );
    assert_ne!(failure.retry, Retry::Never);
}

#[tokio::test]
async fn only_what_may_not_be_repeated_is_done_once() {
    let (_, settings) = database("effects", "CREATE TABLE t (i int)");
    let reads = adapter(settings.clone());
    let writes = adapter(with(&settings, json!({"write": true})));
    let receipts = adapter(with(&settings, json!({"write": true, "receipts": true})));
    let insert = "WITH x AS (INSERT INTO t VALUES (1) RETURNING *) SELECT * FROM x";
    for (adapter, sql, more, effect) in [
        (&reads, insert, json!({}), Effect::Repeatable),
        (&writes, "SELECT 1", json!({}), Effect::Repeatable),
        (&writes, insert, json!({}), Effect::Once),
        (
            &writes,
            "SELECT nextval('s')",
            json!({"writes": "true"}),
            Effect::Once,
        ),
        (&writes, insert, json!({"repeatable": "true"}), Effect::Repeatable),
        (&receipts, insert, json!({}), Effect::Repeatable),
    ] {
        assert_eq!(adapter.effect(&context(sql, more)), effect, "{sql}");
    }
}
