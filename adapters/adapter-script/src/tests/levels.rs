//! How the policy's sandbox level, the operator's limits and the element's own meet.

use sandbox::{Level, Limits};
use serde_json::json;
use worker_api::{Adapter, SandboxLevel, Value};

use super::context;
use crate::adapter::{ScriptAdapter, most};
use crate::source::ScriptSettings;

fn limits(pool: Limits, level: Option<SandboxLevel>, config: serde_json::Value) -> Limits {
    let mut context = context(&[
        ("script", "result = 1".into()),
        ("sandbox_config", Value::from(config)),
    ]);
    context.sandbox_level = level;
    most(pool, &context.inputs().unwrap(), &context).unwrap()
}

#[test]
fn a_run_is_as_strict_as_the_policy_asks_for_at_least() {
    let of = |pool: Level, asked| limits(pool.limits(), asked, json!({}));
    assert_eq!(of(Level::Medium, Some(SandboxLevel::High)), Level::High.limits());
    assert_eq!(of(Level::Low, Some(SandboxLevel::Medium)), Level::Medium.limits());
    assert_eq!(of(Level::Low, None), Level::Low.limits());
    assert_eq!(
        of(Level::High, Some(SandboxLevel::Low)),
        Level::High.limits(),
        "a model loosens nothing"
    );
}

#[test]
fn what_an_element_asks_for_cannot_loosen_the_policy() {
    let low = json!({"level": "low", "memory_limit": "1Gi", "pids_limit": 8});
    let limits = limits(Level::Low.limits(), Some(SandboxLevel::High), low);
    assert_eq!(
        limits,
        Limits {
            pids: 8,
            ..Level::High.limits()
        }
    );
}

#[test]
fn a_script_outside_a_sandbox_is_not_to_be_had() {
    let mut context = context(&[("script", "result = 1".into())]);
    context.sandbox_level = Some(SandboxLevel::None);
    let failure = most(Level::Low.limits(), &context.inputs().unwrap(), &context).unwrap_err();
    assert!(
        failure.message.contains("price") && failure.message.contains("low, medium or high"),
        "{failure}"
    );
}

#[tokio::test]
async fn every_topic_says_that_it_runs_code_in_a_sandbox() {
    let topics = ScriptAdapter::new(ScriptSettings::new("/nonexistent"))
        .description()
        .topics;
    assert!(topics.iter().all(|topic| topic.sandboxed));
}
