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
async fn no_step_makes_more_bytes_than_allowed() {
    let grows = |step: &str| {
        format!("{{% set n = namespace(x='aaaaaaaa') %}}{{% for i in range(45) %}}{step}{{% endfor %}}done")
    };
    for template in [
        "{{ 'a'|indent(99999999999999) }}".to_owned(),
        "{{ 'a'|indent(width=99999999999999) }}".to_owned(),
        "{{ '%99999999999999d'|format(1) }}".to_owned(),
        "{{ '%.99999999999999f'|format(1.5) }}".to_owned(),
        "{{ [1]|slice(100000000000)|length }}".to_owned(),
        "{{ [1]|batch(100000000000, 0)|length }}".to_owned(),
        "{{ [1]|tojson(99999999999999) }}".to_owned(),
        "{% set a = value|replace('', value) %}".to_owned(),
        "{% set a = range(100000)|join(value) %}".to_owned(),
        "{{ ['a']|map('indent', 99999999999999, true)|list }}".to_owned(),
        "{% set a = value * 90000 %}".to_owned(),
        "{% set a = 'a' * 99999999 %}".to_owned(),
        "{% set a = ('a' ~ 'b') * (9999 * 9999) %}".to_owned(),
        "{% set a = ([value] * 900000)|join %}".to_owned(),
        grows("{% set n.x = n.x ~ n.x %}"),
        grows("{% set n.x = n.x + n.x %}"),
        grows("{% set n.x = n.x * 2 %}"),
        grows("{% set n.x = [n.x, n.x] %}{% set n.x = n.x|string %}"),
        grows("{% set n.x = n.x|list + n.x|list %}"),
        grows("{% set n.x %}{{ n.x }}{{ n.x }}{% endset %}"),
        grows("{% set n.x = '%s%s'|format(n.x, n.x) %}"),
        grows("{% for j in range(9999) %}{% set n.x = n.x ~ value[:] %}{% endfor %}"),
        format!("{{% set a %}}{{% for i in range(9999) %}}{}{{% endfor %}}{{% endset %}}", "raw ".repeat(9999)),
        "{% macro m(n) %}{{ value }}{% if n %}{{ m(n - 1) }}{{ m(n - 1) }}{% endif %}{% endmacro %}{% set a = m(15) %}"
            .to_owned(),
    ] {
        let inputs = json!({"value": "x".repeat(20_000), "template": template});
        let failure = failure(run(TOPIC, inputs).await);
        assert_eq!(failure.retry, Retry::Never);
        assert!(failure.message.contains("bytes of text"), "{template}: {failure}");
    }
}

#[tokio::test]
async fn neither_values_nor_expressions_exhaust_the_stack() {
    for (template, part) in [
        ("{% set n = namespace(x=[]) %}{% for i in range(30000) %}{% set n.x = [n.x] %}{% endfor %}".to_owned(), "nest"),
        (
            "{% set n = namespace(x=1) %}{% for i in range(20000) %}{% set m = namespace() %}{% set m.x = n.x %}\
             {% set n.x = m %}{% endfor %}"
                .to_owned(),
            "nest",
        ),
        (format!("{{{{ {}1 }}}}", "1~".repeat(100_000)), "expression"),
        (format!("{{% if 0 %}}a{}{{% endif %}}", "{% elif 0 %}b".repeat(18_000)), "elif"),
        (format!("{{{{ {}value }}}}", "value~".repeat(40_000)), "expression"),
    ] {
        let failure = failure(run(TOPIC, json!({"value": 1, "template": template})).await);
        assert!(failure.message.contains(part), "{failure}");
    }
}

#[tokio::test]
async fn operators_filters_and_jumps_work_as_ever() {
    let value = json!({"a": [1, 2, 3], "s": "text"});
    for (template, expected) in [
        ("{{ 1 + 2 }}{{ 2 * a[1] }}{{ s ~ 1 ~ none }}", "34text1None"),
        (
            "{{ '-' * 5 }}{{ s + s }}{{ [0] + a }}{{ s[1:3] }}{{ a[::-1]|list }}",
            "-----texttext[0, 1, 2, 3]ex[3, 2, 1]",
        ),
        (
            "{% for i in a if i > 1 %}<{{ loop.index }}:{{ i }}>{% else %}none{% endfor %}",
            "<1:2><2:3>",
        ),
        (
            "{% macro m(x, y=2) %}({{ x }}{{ y }}){% endmacro %}{{ m(1) }}{{ m(x=3, y=4) }}",
            "(12)(34)",
        ),
        (
            "{% if a and s %}yes{% elif s %}no{% endif %}{{ 'x' if a[0] > 1 else 'y' }}",
            "yesy",
        ),
        (
            "{% set n = namespace(l=[]) %}{% for i in range(2000) %}{% set n.l = n.l + [i] %}{% endfor %}{{ n.l|length }}",
            "2000",
        ),
        (
            "{% block b %}{{ s|upper }}{% endblock %}{{ {'k': [s]}|tojson }}",
            "TEXT{\"k\": [\"text\"]}",
        ),
        (
            "{{ a|map('string')|join('-') }} {{ 'a\nb'|indent(2) }} {{ [3, 1]|sort(reverse=true) }}",
            "1-2-3 a\n  b [3, 1]",
        ),
        (
            "{% autoescape true %}<i>{{ '<' }}</i>{% endautoescape %}",
            "<i>&lt;</i>",
        ),
    ] {
        assert_eq!(
            text(json!({"value": value, "template": template})).await,
            expected
        );
    }
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

#[tokio::test]
async fn the_details_of_a_failure_are_bounded() {
    let inputs = json!({"value": ["ä".repeat(100_000)], "template": "{{ value[0] }}{{ nothing }}"});
    let details = failure(run(TOPIC, inputs).await).details.unwrap();
    assert!(details.len() <= 16 * 1024, "{}", details.len());
}

#[tokio::test]
async fn what_is_just_allowed_fits_the_stack() {
    let deep = "~value".repeat(495);
    for template in [
        format!(
            "{{% if 0 %}}a{}{{% else %}}c{{% endif %}}",
            "{% elif 0 %}b".repeat(500)
        ),
        format!("{{{{ 1{deep} }}}}"),
        format!("{{{{ value{} }}}}", "|string".repeat(495)),
        format!("{{{{ 1{} }}}}", "~1".repeat(495)),
        format!(
            "{{% if 0 %}}{}{{{{ 1{deep} }}}}{{% endif %}}",
            "{% elif 1 %}".repeat(500)
        ),
    ] {
        text(json!({"value": 1, "template": template})).await;
    }
}

#[tokio::test]
async fn in_html_no_value_can_be_taken_for_a_tag() {
    let template = "<p>{{ value }} {{ value ~ '!' }} {% set x %}<b>{{ value }}</b>{% endset %}{{ x }}</p>";
    let inputs = json!({"value": "<i>", "template": template, "escape": "html"});
    assert_eq!(text(inputs).await, "<p>&lt;i&gt; &lt;i&gt;! <b>&lt;i&gt;</b></p>");
    let plain = json!({"value": "<i>", "template": "{{ value }}"});
    assert_eq!(text(plain).await, "<i>");
}
