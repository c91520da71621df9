//! What a task gives arrives as it was meant.

use axum::Router;
use axum::extract::Request;
use axum::response::Json as Answer;
use bytes::Bytes;
use serde_json::{Value as Json, json};
use worker_api::{Adapter, Failure, File, Retry, Value};

use super::*;

/// Tells what arrived.
async fn echo(request: Request) -> Answer<Json> {
    let (parts, body) = request.into_parts();
    let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    let headers: Vec<_> = parts
        .headers
        .iter()
        .map(|(n, v)| json!([n.as_str(), v.to_str().unwrap()]))
        .collect();
    Answer(json!({
        "method": parts.method.as_str(),
        "uri": parts.uri.to_string(),
        "headers": headers,
        "body": String::from_utf8_lossy(&bytes),
    }))
}

async fn echoed(mut inputs: Json) -> Json {
    let address = serve(Router::new().fallback(echo)).await;
    let path = inputs["url"].as_str().unwrap_or("/").to_owned();
    inputs["url"] = json!(format!("http://{address}{path}"));
    body(&run(&local(), inputs).await.unwrap())
}

fn header<'a>(echoed: &'a Json, name: &str) -> Vec<&'a str> {
    let headers = echoed["headers"].as_array().unwrap();
    headers
        .iter()
        .filter(|pair| pair[0] == name)
        .filter_map(|pair| pair[1].as_str())
        .collect()
}

async fn refused(inputs: Json) -> Failure {
    let failure = failure(run(&local(), inputs).await);
    assert_eq!(failure.retry, Retry::Never, "{failure}");
    failure
}

#[tokio::test]
async fn every_method_is_sent() {
    for method in ["GET", "post", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"] {
        assert_eq!(
            echoed(json!({"method": method})).await["method"],
            method.to_uppercase()
        );
    }
    let address = serve(Router::new().fallback(echo)).await;
    let head = run(
        &local(),
        json!({"method": "HEAD", "url": format!("http://{address}")}),
    )
    .await
    .unwrap();
    assert_eq!(head.fields()["body"], Value::Null);
    for method in ["CONNECT", "TRACE", "GET IT", ""] {
        let failure = refused(json!({"method": method, "url": "http://a.example"})).await;
        assert!(failure.message.contains("is no method"), "{failure}");
    }
}

#[tokio::test]
async fn query_parameters_are_added_encoded_and_repeated() {
    let query = json!({"page": 2, "tag": ["new", "a&b"], "none": null, "live": true});
    let echoed = echoed(json!({"url": "/orders?x=1", "query": query})).await;
    assert_eq!(echoed["uri"], "/orders?x=1&live=true&page=2&tag=new&tag=a%26b");
}

#[tokio::test]
async fn inputs_typed_as_text_are_read() {
    let inputs = json!({
        "headers": "{\"x-a\": \"1\"}", "query": "{\"page\": 2}", "body": "{\"item\": \"desk\"}", "method": "POST",
        "follow_redirects": "false", "max_bytes": "64Ki", "timeout": "PT5S", "accept_status": "404, 5xx",
        "auth": "{\"bearer\": \"t\"}"
    });
    let echoed = echoed(inputs).await;
    assert_eq!(echoed["uri"], "/?page=2");
    assert_eq!(echoed["body"], "{\"item\":\"desk\"}");
    assert_eq!(header(&echoed, "authorization"), ["Bearer t"]);
    assert_eq!(header(&echoed, "x-a"), ["1"]);
}

#[tokio::test]
async fn headers_are_sent_and_repeated() {
    let echoed =
        echoed(json!({"headers": {"X-Number": 7, "x-list": ["a", "b"], "accept": "text/csv"}})).await;
    assert_eq!(header(&echoed, "x-number"), ["7"]);
    assert_eq!(header(&echoed, "x-list"), ["a", "b"]);
    assert_eq!(header(&echoed, "accept"), ["text/csv"]);
    assert!(header(&echoed, "user-agent")[0].starts_with("procos/"));
}

#[tokio::test]
async fn headers_that_would_break_the_request_are_refused() {
    for headers in [
        json!({"x-a": "1\r\nx-b: 2"}),
        json!({"x-a\r\nx-b": "1"}),
        json!({"x-a": "1\n"}),
        json!({"a b": "1"}),
    ] {
        let failure = refused(json!({"url": "http://a.example", "headers": headers})).await;
        assert!(failure.message.contains("line break"), "{failure}");
    }
    for name in ["Host", "content-length", "Transfer-Encoding", "connection"] {
        let failure = refused(json!({"url": "http://a.example", "headers": {name: "1"}})).await;
        assert!(failure.message.contains("leave it out"), "{failure}");
    }
}

#[tokio::test]
async fn bodies_are_written_by_type_content_type_or_kind() {
    for (inputs, content_type, sent) in [
        (json!({"body": {"a": 1}}), Some("application/json"), "{\"a\":1}"),
        (json!({"body": [1, 2]}), Some("application/json"), "[1,2]"),
        (json!({"body": 7}), Some("application/json"), "7"),
        (
            json!({"body": "plain"}),
            Some("text/plain; charset=utf-8"),
            "plain",
        ),
        (
            json!({"body": "{\"a\": 1}"}),
            Some("application/json"),
            "{\"a\":1}",
        ),
        (
            json!({"body": "{\"a\": 1}", "body_type": "text"}),
            Some("text/plain; charset=utf-8"),
            "{\"a\": 1}",
        ),
        (
            json!({"body": "plain", "body_type": "json"}),
            Some("application/json"),
            "\"plain\"",
        ),
        (
            json!({"body": {"a": "x y", "b": [1, "ü"]}, "body_type": "form"}),
            Some("application/x-www-form-urlencoded"),
            "a=x+y&b=1&b=%C3%BC",
        ),
        (
            json!({"body": {"a": 1}, "headers": {"content-type": "application/x-www-form-urlencoded"}}),
            Some("application/x-www-form-urlencoded"),
            "a=1",
        ),
        (
            json!({"body": "<a/>", "headers": {"Content-Type": "application/xml"}}),
            Some("application/xml"),
            "<a/>",
        ),
        (
            json!({"body": {"a": 1}, "headers": {"content-type": "application/ld+json"}}),
            Some("application/ld+json"),
            "{\"a\":1}",
        ),
        (json!({"body": null}), None, ""),
        (json!({}), None, ""),
    ] {
        let mut inputs = inputs;
        inputs["method"] = json!("POST");
        let echoed = echoed(inputs.clone()).await;
        assert_eq!(
            header(&echoed, "content-type").first().copied(),
            content_type,
            "{inputs}"
        );
        assert_eq!(echoed["body"], sent, "{inputs}");
    }
    let failure = refused(json!({"url": "http://a.example", "body": [1], "body_type": "form"})).await;
    assert!(failure.message.contains("object of its fields"), "{failure}");
    let failure =
        refused(json!({"url": "http://a.example", "body": {"a": {"b": 1}}, "body_type": "form"})).await;
    assert!(failure.message.contains("`a`"), "{failure}");
}

#[tokio::test]
async fn bytes_and_files_are_sent_as_they_are() {
    let address = serve(Router::new().fallback(echo)).await;
    let file = File {
        name: "a.csv".into(),
        media_type: Some("text/csv".into()),
        encoding: None,
        content: Bytes::from_static(b"a;b").into(),
    };
    let bytes = Bytes::from_static(b"a;b");
    for (value, content_type) in [
        (Value::Bytes(bytes), "application/octet-stream"),
        (Value::File(file), "text/csv"),
    ] {
        let mut context = context(json!({"method": "PUT", "url": format!("http://{address}")}));
        context.variables.insert("body".into(), value);
        let echoed = body(&local().execute(context).await.unwrap());
        assert_eq!(
            (header(&echoed, "content-type")[0], &echoed["body"]),
            (content_type, &json!("a;b"))
        );
    }
}

#[tokio::test]
async fn a_tasks_login_is_sent() {
    let basic = json!({"basic": {"username": "ada", "password": "hunter2"}});
    assert_eq!(
        header(&echoed(json!({"auth": basic})).await, "authorization"),
        ["Basic YWRhOmh1bnRlcjI="]
    );
    let failure = refused(json!({"url": "http://a.example", "auth": {"bearer": "a\r\nb: c"}})).await;
    assert!(failure.message.contains("line break"), "{failure}");
    assert!(!failure.message.contains("b: c"), "{failure}");
}

#[tokio::test]
async fn a_reference_to_a_secret_is_refused_wherever_a_task_gives_it() {
    for (name, value) in [
        ("auth", json!({"bearer": "secret:api-key"})),
        (
            "auth",
            json!({"basic": {"username": "ada", "password": "secret:api-key"}}),
        ),
        ("headers", json!({"x-api-key": "secret:api-key"})),
        ("headers", json!({"authorization": "Bearer secret:api-key"})),
        ("query", json!({"key": ["a", "secret:api-key"]})),
        ("body", json!({"login": [{"key": "secret:api-key"}]})),
        ("body", json!("{\"key\": \"secret:api-key\"}")),
        ("body", json!("secret:api-key")),
        ("url", json!("http://a.example/?key=secret:api-key")),
    ] {
        let mut inputs = json!({"url": "http://127.0.0.1:1/"});
        inputs[name] = value;
        let failure = refused(inputs).await;
        assert!(
            failure.message.contains(&format!("`{name}` refers to a secret")),
            "{failure}"
        );
    }
    let text = json!({"method": "POST", "body": "This is our secret: nobody knows. Top-secret:yes"});
    assert!(echoed(text).await["body"].as_str().unwrap().starts_with("This"));
}

#[tokio::test]
async fn addresses_that_cannot_be_requested_are_refused_with_a_remedy() {
    for (url, part) in [
        ("", "whole address"),
        ("/orders", "give the connection `default` a base_url"),
        ("orders.example/1", "whole address"),
        ("ftp://a.example/", "use http or https"),
        ("file:///etc/passwd", "use http or https"),
        ("http://", "whole address"),
        ("http://ada:hunter2@a.example/", "holds a login"),
        ("http://a.example/\r\nx", "line break"),
        ("http://a b/", "whole address"),
    ] {
        let failure = refused(json!({ "url": url })).await;
        assert!(failure.message.contains(part), "{url}: {failure}");
        assert!(!failure.message.contains("hunter2"), "{failure}");
    }
    for (name, value) in [
        ("timeout", "soon"),
        ("timeout", "0s"),
        ("max_bytes", "much"),
        ("accept_status", "fine"),
        ("accept_status", "9xx"),
    ] {
        let mut inputs = json!({"url": "http://a.example"});
        inputs[name] = json!(value);
        let failure = refused(inputs).await;
        assert!(
            failure.message.contains(name) && failure.message.contains("such as"),
            "{failure}"
        );
    }
}

#[tokio::test]
async fn a_request_belongs_to_the_instances_trace() {
    let address = serve(Router::new().fallback(echo)).await;
    let arrived = async |more: Json| {
        let mut inputs = json!({"url": format!("http://{address}/echo")});
        inputs
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        let mut context = context(inputs);
        context.task.id = "5c25e367-ea0b-11f1-0000-000000000001".into();
        context.task.process_instance_id = "4b25e367-ea0b-11f1-9a8b-0242498c20cb".into();
        let answer = local().execute(context).await.unwrap();
        header(&body(&answer), "traceparent").join(",")
    };
    let own = "00-4b25e367ea0b11f19a8b0242498c20cb-5c25e367ea0b11f0-01";
    assert_eq!(arrived(json!({})).await, own);
    let given = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    assert_eq!(arrived(json!({"headers": {"traceparent": given}})).await, given);
}

#[tokio::test]
async fn a_task_that_is_given_up_closes_its_connection() {
    let silent = tests::Silent::start().await;
    let inputs = json!({"url": format!("http://{}/", silent.address()), "timeout": "1h"});
    silent.gives_up(run(&local(), inputs)).await;
}
