//! Answers that are too large.

use serde_json::json;
use worker_api::Adapter;

use super::{adapter, ask, code, context, database, rows, with};

#[tokio::test]
async fn more_rows_than_allowed_are_an_error_or_cut() {
    let (_, settings) = database("many", "CREATE TABLE t (i int)");
    let adapter = adapter(with(
        &settings,
        json!({"max_rows": 3, "connections": 1, "write": true}),
    ));
    let many = "SELECT i FROM generate_series(1, 100000000) i";
    assert_eq!(code(ask(&adapter, many, json!([])).await), "SQL_TOO_LARGE");
    let cut = adapter
        .execute(context(many, json!({"on_more": "truncate", "max_rows": "2"})))
        .await
        .unwrap();
    assert_eq!(cut.fields()["rows"].to_json(), json!([{"i": 1}, {"i": 2}]));
    assert_eq!(cut.fields()["row"].to_json(), json!({"i": 1}));
    assert_eq!(cut.fields()["truncated"].to_json(), json!(true));
    // Nobody asks for more than the operator allows.
    let all = adapter
        .execute(context(many, json!({"on_more": "truncate", "max_rows": 1000})))
        .await
        .unwrap();
    assert_eq!(all.fields()["row_count"].to_json(), json!(3));
    // What was too much is undone.
    let insert = "INSERT INTO t SELECT generate_series(1, 4) RETURNING i";
    assert_eq!(code(ask(&adapter, insert, json!([])).await), "SQL_TOO_LARGE");
    assert_eq!(
        rows(&adapter, "SELECT count(*) FROM t", json!([])).await,
        json!([{"count": 0}])
    );
    let kept = adapter
        .execute(context(insert, json!({"on_more": "truncate"})))
        .await
        .unwrap();
    assert_eq!(kept.fields()["rows_affected"].to_json(), json!(4));
}

#[tokio::test]
async fn more_bytes_than_allowed_are_an_error() {
    let (_, settings) = database("large", "SELECT 1");
    let adapter = adapter(with(&settings, json!({"max_bytes": "1Ki"})));
    assert_eq!(
        code(ask(&adapter, "SELECT repeat('x', 2000)", json!([])).await),
        "SQL_TOO_LARGE"
    );
    assert_eq!(
        rows(&adapter, "SELECT repeat('x', 3) AS x", json!([])).await,
        json!([{"x": "xxx"}])
    );
}
