//! Settings that cannot be meant.

use secrets::SecretStore;
use serde_json::json;

use crate::EmailAdapter;

#[test]
fn settings_that_contradict_each_other_are_named() {
    for (from, smtp, key, why) in [
        ("orders", json!({"host": "x"}), "a.from", "is no address"),
        (
            "o@x.example",
            json!({"host": "x", "username": "u"}),
            "a.smtp.username",
            "both or neither",
        ),
        (
            "o@x.example",
            json!({"host": "x", "password": "hunter2"}),
            "a.smtp.username",
            "both or neither",
        ),
        (
            "o@x.example",
            json!({"host": "x", "username": "u", "password": "hunter2", "token": "t"}),
            "a.smtp.token",
            "not both",
        ),
        (
            "o@x.example",
            json!({"host": "x", "username": "u", "password": "hunter2", "tls": "none"}),
            "a.smtp.tls",
            "in the clear",
        ),
    ] {
        let settings = serde_json::from_value(json!({"a": {"from": from, "smtp": smtp}})).unwrap();
        let error = EmailAdapter::new(settings, SecretStore::default())
            .map(drop)
            .unwrap_err();
        assert_eq!(error.key, key);
        assert!(
            error.problem.contains(why) && !error.problem.contains("hunter2"),
            "{error}"
        );
    }
}
