use serde_json::{Value as Json, json};
use worker_api::{Outcome, Retry, TaskError, Value};

use super::TOPIC;
use crate::testing::run;

async fn text(inputs: Json) -> String {
    match &run(TOPIC, inputs).await.unwrap().fields()["text"] {
        Value::String(text) => text.clone(),
        other => panic!("no text: {other:?}"),
    }
}

fn failure(outcome: Outcome) -> worker_api::Failure {
    match outcome {
        Err(TaskError::Failure(failure)) => failure,
        other => panic!("no failure: {other:?}"),
    }
}

#[tokio::test]
async fn a_value_and_its_fields_are_seen() {
    let value = json!({"id": 4711, "total": 118.2, "lines": ["desk", "lamp"]});
    let template = "Order {{ id }}: {{ '%.2f'|format(total) }} EUR, {{ value.lines|join(', ') }}";
    assert_eq!(
        text(json!({"value": value, "template": template})).await,
        "Order 4711: 118.20 EUR, desk, lamp"
    );
    assert_eq!(
        text(json!({"value": "{\"a\": 1}", "template": "{{ a }}"})).await,
        "1"
    );
    assert_eq!(
        text(json!({"value": "Ada", "template": "{{ value }}"})).await,
        "Ada"
    );
    assert_eq!(text(json!({"template": "plain"})).await, "plain");
}

#[tokio::test]
async fn other_inputs_are_seen_and_win_over_fields_of_the_value() {
    let inputs = json!({
        "value": {"name": "field", "value": "field"}, "name": "input", "template": "{{ name }} {{ value.name }}"
    });
    assert_eq!(text(inputs).await, "input field");
}

#[tokio::test]
async fn nothing_is_escaped_unless_asked_for() {
    let inputs = json!({"value": {"a": "<b>"}, "template": "{{ a }} {{ a|escape }} {{ value|tojson }}"});
    assert_eq!(text(inputs).await, "<b> &lt;b&gt; {\"a\": \"\\u003cb\\u003e\"}");
}

#[tokio::test]
async fn a_name_without_value_is_named_with_its_line() {
    let inputs = json!({"value": {"total": 1}, "template": "Total\n{{ total }}\n{{ totl }}"});
    let failure = failure(run(TOPIC, inputs).await);
    assert_eq!(failure.retry, Retry::Never);
    assert!(failure.message.contains("line 3"), "{failure}");
    assert!(failure.message.contains("`totl`"), "{failure}");
    assert_eq!(
        text(json!({"template": "{{ totl|default('none') }}"})).await,
        "none"
    );
}

#[tokio::test]
async fn a_broken_template_is_named_with_its_line() {
    for (template, part) in [
        ("a\n{{ b", "line 2"),
        ("{% for x in %}", "line 1"),
        ("{{ 1|nofilter }}", "nofilter"),
        ("{% include 'file' %}", "file"),
    ] {
        let failure = failure(run(TOPIC, json!({"template": template})).await);
        assert_eq!(failure.retry, Retry::Never);
        assert!(failure.message.contains(part), "{failure}");
    }
}

#[tokio::test]
async fn steps_text_and_depth_are_bounded() {
    let endless = "{% for a in range(9999) %}{% for b in range(9999) %}{{ a }}{% endfor %}{% endfor %}";
    assert!(
        failure(run(TOPIC, json!({"template": endless})).await)
            .message
            .contains("steps")
    );
    let long = "{% for a in range(5000) %}{{ value }}{% endfor %}";
    let inputs = json!({"value": "x".repeat(10_000), "template": long});
    assert!(
        failure(run(TOPIC, inputs).await)
            .message
            .contains("bytes of text")
    );
    let deep = "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}";
    assert!(
        failure(run(TOPIC, json!({"template": deep})).await)
            .message
            .contains("recursion")
    );
    let large = " ".repeat(300_000);
    assert!(
        failure(run(TOPIC, json!({"template": large})).await)
            .message
            .contains("bytes")
    );
}

#[tokio::test]
async fn an_unknown_topic_is_refused() {
    assert!(
        failure(run("text_formatting", json!({})).await)
            .message
            .contains("text_formatting")
    );
}

proptest::proptest! {
    #[test]
    fn no_template_panics(template in "[a-z{}%|~*. \\n()'\\[\\]0-9_\"]{0,80}") {
        let inputs = serde_json::from_value(json!({"template": template, "value": {"a": [1, "x"]}})).unwrap();
        let _ = super::format(inputs);
    }
}
