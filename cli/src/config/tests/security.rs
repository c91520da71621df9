//! The section `security`.

use insta::assert_snapshot;
use serde_json::json;
use worker_api::SandboxLevel;
use worker_runtime::PolicyDefaults;

use super::{from_environment, message, read, source};

#[test]
fn everything_is_allowed_unless_the_operator_says_otherwise() {
    let config = read("data_dir: x").unwrap();
    assert_eq!(config.settings().security.defaults(), PolicyDefaults::default());
    assert_eq!(
        config.effective()["security"]["default"],
        json!({"allowed_tasks": "all", "sandbox_level": null})
    );

    let config = read("security: {default: {allowed_tasks: [b, a], sandbox_level: high}}").unwrap();
    let expected = PolicyDefaults {
        allowed_tasks: Some(["a".to_owned(), "b".to_owned()].into()),
        sandbox_level: Some(SandboxLevel::High),
    };
    assert_eq!(config.settings().security.defaults(), expected);
    assert_eq!(source(&config, "security.default.sandbox_level").0, json!("high"));

    let config = from_environment(&[("PROCOS_SECURITY__DEFAULT__ALLOWED_TASKS", "[]")]).unwrap();
    assert_eq!(
        config.settings().security.defaults().allowed_tasks,
        Some([].into()),
        "nothing is a list, too"
    );
}

#[test]
fn what_makes_no_sense_is_told_with_what_does() {
    assert_snapshot!(message("security: {default: {allowed_tasks: some}}"), @"procos.yml:1:22: `security.default.allowed_tasks` must be all, or a list of topics such as [http_request], not the text `some`");
    assert_snapshot!(message("security: {default: {allowed_tasks: [1]}}"), @"procos.yml:1:38: `security.default.allowed_tasks[0]` must be text (put it in quotes), not the number `1`");
    assert_snapshot!(message("security: {default: {sandbox_level: none}}"), @"procos.yml:1:22: unknown value `none` of `security.default.sandbox_level`: known here: high, low, medium");
    assert_snapshot!(message("security: {defaults: {}}"), @"procos.yml:1:12: unknown key `security.defaults`: did you mean `default`? Known here: default, gate");
}
