//! Settings that cannot be meant, and connections that are not there.

use secrets::SecretStore;
use serde_json::json;

use super::{adapter, context, failure};
use crate::SqlAdapter;

#[test]
fn settings_that_contradict_each_other_are_named() {
    for (settings, key, why) in [
        (json!({"url": "mysql://x/y"}), "orders.url", "use postgres://"),
        (
            json!({"url": "postgres://ada:hunter2@x/y"}),
            "orders.url",
            "it holds a login",
        ),
        (
            json!({"url": "postgres://x/y?sslmode=disable", "username": "a"}),
            "orders.url",
            "options are settings",
        ),
        (
            json!({"url": "postgres://x", "username": "a"}),
            "orders.url",
            "names no database",
        ),
        (
            json!({"url": "postgres://x/y"}),
            "orders.username",
            "needs a login",
        ),
        (json!({"url": "sqlite:orders.db"}), "orders.url", "the whole path"),
        (
            json!({"url": "sqlite:/x.db", "username": "a"}),
            "orders.username",
            "no logins",
        ),
        (
            json!({"url": "sqlite:/x.db", "receipts": true}),
            "orders.receipts",
            "write: true",
        ),
        (
            json!({"url": "sqlite:/x.db", "connections": 0}),
            "orders.connections",
            "at least one",
        ),
    ] {
        let settings = serde_json::from_value(json!({"orders": settings})).unwrap();
        let error = SqlAdapter::new(settings, SecretStore::default()).unwrap_err();
        assert_eq!(error.key, key);
        assert!(
            error.problem.contains(why) && !error.problem.contains("hunter2"),
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_connection_that_is_not_there_is_named_with_those_that_are() {
    let adapter = adapter(json!({"url": "sqlite:/nowhere.db"}));
    let context = context("SELECT 1", json!({"connection": "orders"}));
    let failure = failure(worker_api::Adapter::execute(&adapter, context).await);
    assert!(
        failure.message.contains("no connection `orders`") && failure.message.contains("default"),
        "{failure}"
    );
}
