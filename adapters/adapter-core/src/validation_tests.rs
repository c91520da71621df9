use serde_json::{Value as Json, json};
use worker_api::{Outcome, Retry, TaskError, Value};

use super::{ERROR, TOPIC};
use crate::testing::run;

fn order_schema() -> Json {
    json!({
        "type": "object",
        "required": ["item", "amount"],
        "additionalProperties": false,
        "properties": {
            "item": {"type": "string"},
            "amount": {"type": "integer", "minimum": 1},
            "lines": {"type": "array", "items": {"type": "object", "properties": {"price": {"type": "number"}}}}
        }
    })
}

async fn check(value: Json, schema: Json) -> Outcome {
    run(TOPIC, json!({"value": value, "schema": schema})).await
}

fn bpmn(outcome: Outcome) -> worker_api::BpmnError {
    match outcome {
        Err(TaskError::Bpmn(error)) => error,
        other => panic!("no BPMN error: {other:?}"),
    }
}

fn failure(outcome: Outcome) -> worker_api::Failure {
    match outcome {
        Err(TaskError::Failure(failure)) => failure,
        other => panic!("no failure: {other:?}"),
    }
}

#[tokio::test]
async fn what_fits_is_valid() {
    let answer = check(json!({"item": "desk", "amount": 2}), order_schema())
        .await
        .unwrap();
    assert_eq!(answer.fields()["valid"], Value::Boolean(true));
}

#[tokio::test]
async fn value_and_schema_may_be_the_text_of_json() {
    let schema = order_schema().to_string();
    let answer = check(json!("{\"item\": \"desk\", \"amount\": 2}"), json!(schema))
        .await
        .unwrap();
    assert_eq!(answer.fields()["valid"], Value::Boolean(true));
    assert!(check(json!("x"), json!("true")).await.is_ok());
}

#[tokio::test]
async fn what_does_not_fit_is_a_business_error_that_people_understand() {
    let value = json!({"amount": 0, "lines": [{"price": "two"}], "colour": "red"});
    let error = bpmn(check(value, order_schema()).await);
    assert_eq!(error.code, ERROR);
    for part in [
        "item is missing",
        "amount: 0 is less than the minimum of 1",
        "and 1 more",
    ] {
        assert!(error.message.contains(part), "{}", error.message);
    }
    let Value::Json(errors) = &error.variables["errors"] else {
        panic!("{error:?}")
    };
    let paths: Vec<&str> = errors
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|e| e["path"].as_str())
        .collect();
    for path in ["item", "colour", "amount", "lines[0].price"] {
        assert!(paths.contains(&path), "{paths:?}");
    }
}

#[tokio::test]
async fn reporting_answers_what_is_wrong() {
    let inputs = json!({"value": {"item": 7, "amount": 1}, "schema": order_schema(), "on_invalid": "report"});
    let answer = run(TOPIC, inputs).await.unwrap();
    assert_eq!(answer.fields()["valid"], Value::Boolean(false));
    let expected = json!([{"path": "item", "message": "7 is not of type \"string\""}]);
    assert_eq!(answer.fields()["errors"], Value::Json(expected));
    let inputs = json!({"value": "x", "schema": true, "on_invalid": "report"});
    assert_eq!(
        run(TOPIC, inputs).await.unwrap().fields()["errors"],
        Value::Json(json!([]))
    );
}

#[tokio::test]
async fn a_missing_value_is_null() {
    let answer = run(TOPIC, json!({"schema": {"type": "null"}})).await.unwrap();
    assert_eq!(answer.fields()["valid"], Value::Boolean(true));
    assert!(
        bpmn(check(Json::Null, order_schema()).await)
            .message
            .contains("null is not of type")
    );
}

#[tokio::test]
async fn formats_are_checked() {
    let schema = json!({"format": "email"});
    assert!(
        bpmn(check(json!("nobody"), schema.clone()).await)
            .message
            .contains("email")
    );
    assert!(check(json!("a@example.com"), schema).await.is_ok());
}

#[tokio::test]
async fn long_values_are_not_repeated() {
    let message = bpmn(check(json!("x".repeat(5000)), json!({"type": "integer"})).await).message;
    assert!(message.len() < 100, "{message}");
    let message = bpmn(check(json!({"a": "x".repeat(5000)}), json!({"type": "integer"})).await).message;
    assert!(message.contains("the object is not of type"), "{message}");
}

#[tokio::test]
async fn a_reference_that_leaves_the_schema_is_refused_and_not_fetched() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    for reference in [
        format!("http://{address}/s.json"),
        "file:///etc/hostname".to_owned(),
        "other.json".to_owned(),
    ] {
        let failure = failure(check(json!(1), json!({"$ref": reference})).await);
        assert_eq!(failure.retry, Retry::Never);
        assert!(failure.message.contains("is outside of it"), "{failure}");
    }
    assert_eq!(
        listener.accept().unwrap_err().kind(),
        std::io::ErrorKind::WouldBlock
    );
    let inside = json!({"$ref": "#/$defs/n", "$defs": {"n": {"type": "integer"}}});
    assert!(check(json!(1), inside).await.is_ok());
}

#[tokio::test]
async fn a_wrong_schema_is_a_permanent_failure_that_names_the_place() {
    let wrong = failure(check(json!(1), json!({"properties": {"a": {"type": "integr"}}})).await);
    assert_eq!(wrong.retry, Retry::Never);
    assert!(wrong.message.contains("/properties/a/type"), "{wrong}");
    let text = failure(check(json!(1), json!("{\n  broken")).await);
    assert!(text.message.contains("line 2"), "{text}");
    let missing = failure(run(TOPIC, json!({"value": 1})).await);
    assert!(missing.message.contains("`schema`"), "{missing}");
    let large = failure(check(json!(1), json!({"enum": ["x".repeat(300_000)]})).await);
    assert!(large.message.contains("bytes"), "{large}");
}

#[tokio::test]
async fn patterns_that_explode_end_soon() {
    let value = json!("ab".repeat(5000) + "!");
    let slow = failure(check(value, json!({"pattern": "^(a|b|ab)*(?=c)\\1$"})).await);
    assert!(slow.message.contains("/pattern"), "{slow}");
    let large = failure(check(json!("a"), json!({"pattern": "((a{1000}){1000}){1000}"})).await);
    assert!(large.message.contains("/pattern"), "{large}");
}

/// Each level refers twice to the next: without memoisation that is 2^40 validations.
#[tokio::test]
async fn schemas_that_explode_end_soon() {
    let mut defs = serde_json::Map::new();
    for level in 0..40 {
        let next = json!({"$ref": format!("#/$defs/l{}", level + 1)});
        defs.insert(format!("l{level}"), json!({"allOf": [next, next]}));
    }
    defs.insert("l40".into(), json!({"type": "string"}));
    let schema = json!({"$ref": "#/$defs/l0", "$defs": defs});
    assert!(
        failure(check(json!("x"), schema).await)
            .message
            .contains("multiply")
    );
}

#[tokio::test]
async fn a_schema_that_refers_to_itself_ends() {
    assert!(check(json!({"a": 1}), json!({"$ref": "#"})).await.is_ok());
}

proptest::proptest! {
    #[test]
    fn no_schema_and_no_value_panics(schema in ".{0,200}", value in ".{0,200}") {
        let inputs = serde_json::from_value(json!({"schema": schema, "value": value})).unwrap();
        let _ = super::validate(inputs);
    }
}

/// The same in a schema that refers to itself: each level of the value would double the work.
#[tokio::test]
async fn recursion_that_explodes_ends_soon() {
    let schema = json!({"type": "object", "properties": {"a": {"allOf": [{"$ref": "#"}, {"$ref": "#"}]}}});
    let good = (0..100).fold(json!({}), |inner, _| json!({ "a": inner }));
    assert!(check(good, schema.clone()).await.is_ok());
    let bad = (0..100).fold(json!(1), |inner, _| json!({ "a": inner }));
    assert_eq!(bpmn(check(bad, schema).await).code, ERROR);
}
