//! What a service answers becomes an answer, a BPMN error or a failure.

use std::io::Write;

use axum::Router;
use axum::extract::{Path, Query};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect};
use axum::routing::{any, get};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use worker_api::Retry;

use super::*;

async fn status(Path(code): Path<u16>) -> impl IntoResponse {
    (
        StatusCode::from_u16(code).unwrap(),
        [("content-type", "application/json")],
        "{\"why\":\"because\"}",
    )
}

fn router() -> Router {
    let content = |content_type: &'static str, body: &'static [u8]| {
        get(move || async move { ([("content-type", content_type)], body) })
    };
    Router::new()
        .route("/status/{code}", any(status))
        .route("/json", content("application/json", b"{\"a\":[1]}"))
        .route("/problem", content("application/problem+json", b"7"))
        .route("/no-json", content("application/json", b"<html>"))
        .route("/empty", content("application/json", b""))
        .route("/latin", content("text/plain; charset=iso-8859-1", b"M\xfcller"))
        .route("/text", content("text/plain", "Müller".as_bytes()))
        .route("/xml", content("application/atom+xml", b"<a/>"))
        .route("/binary", content("image/png", b"\x89PNG"))
        .route("/large", get(|| async { "x".repeat(20_000) }))
        .route(
            "/large-error",
            get(|| async { (StatusCode::NOT_FOUND, "x".repeat(20_000)) }),
        )
        .route(
            "/bomb",
            get(|| async {
                let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
                gzip.write_all(&vec![b'0'; 50_000_000]).unwrap();
                (
                    [("content-encoding", "gzip"), ("content-type", "text/plain")],
                    gzip.finish().unwrap(),
                )
            }),
        )
        .route(
            "/gzip",
            get(|headers: HeaderMap| async move {
                assert!(headers["accept-encoding"].to_str().unwrap().contains("gzip"));
                let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
                gzip.write_all(b"hello").unwrap();
                (
                    [("content-encoding", "gzip"), ("content-type", "text/plain")],
                    gzip.finish().unwrap(),
                )
            }),
        )
        .route(
            "/busy",
            get(|| async { (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "90")], "later") }),
        )
        .route(
            "/cookies",
            get(|| async {
                let mut headers = HeaderMap::new();
                for (name, value) in [
                    ("set-cookie", "a=1"),
                    ("set-cookie", "b=2"),
                    ("x-b", "1"),
                    ("x-b", "2"),
                ] {
                    headers.append(name, value.parse().unwrap());
                }
                headers
            }),
        )
        .route(
            "/to",
            any(|Query(query): Query<HashMap<String, String>>| async move {
                let code = query.get("code").map_or("302", String::as_str).parse().unwrap();
                (
                    StatusCode::from_u16(code).unwrap(),
                    [("location", query["url"].clone())],
                )
            }),
        )
        .route("/loop", get(|| async { Redirect::temporary("/loop") }))
        .route("/never", get(std::future::pending::<()>))
        .route(
            "/echo",
            any(|headers: HeaderMap, body: String| async move {
                let headers: HashMap<_, _> = headers
                    .iter()
                    .map(|(n, v)| (n.to_string(), v.to_str().unwrap().to_owned()))
                    .collect();
                axum::Json(json!({"headers": headers, "body": body}))
            }),
        )
}

async fn get_with(path: &str, mut inputs: Json) -> Outcome {
    let address = serve(router()).await;
    inputs["url"] = json!(format!("http://{address}{path}"));
    run(&local(), inputs).await
}

#[tokio::test]
async fn an_answer_has_status_headers_body_and_url() {
    let answer = get_with("/json?token=hush", json!({})).await.unwrap();
    assert_eq!(answer.fields()["status"], Value::Integer(200));
    let Value::Json(headers) = &answer.fields()["headers"] else {
        panic!()
    };
    assert_eq!(headers["content-type"], "application/json");
    let Value::String(url) = &answer.fields()["url"] else {
        panic!()
    };
    assert!(url.ends_with("/json?token=********"), "{url}");
}

#[tokio::test]
async fn a_body_is_read_by_its_type() {
    for (path, expected) in [
        ("/json", Value::Json(json!({"a": [1]}))),
        ("/problem", Value::Integer(7)),
        ("/empty", Value::Null),
        ("/latin", Value::String("Müller".into())),
        ("/text", Value::String("Müller".into())),
        ("/xml", Value::String("<a/>".into())),
        ("/binary", Value::Bytes(b"\x89PNG".as_slice().into())),
        ("/gzip", Value::String("hello".into())),
    ] {
        assert_eq!(
            get_with(path, json!({})).await.unwrap().fields()["body"],
            expected,
            "{path}"
        );
    }
    let broken = failure(get_with("/no-json", json!({})).await);
    assert_eq!(broken.retry, Retry::Never);
    assert!(broken.message.contains("no JSON") && broken.details.unwrap().contains("<html>"));
}

#[tokio::test]
async fn repeated_headers_are_joined_and_cookies_listed() {
    let answer = get_with("/cookies", json!({})).await.unwrap();
    let Value::Json(headers) = &answer.fields()["headers"] else {
        panic!()
    };
    assert_eq!(
        (&headers["set-cookie"], &headers["x-b"]),
        (&json!(["a=1", "b=2"]), &json!("1, 2"))
    );
}

#[tokio::test]
async fn client_errors_are_business_errors_with_a_general_code() {
    for code in [400, 401, 403, 404, 409, 410, 412, 418, 422, 451] {
        let error = bpmn(get_with(&format!("/status/{code}"), json!({})).await);
        assert_eq!(
            (error.code, error.general_code.as_deref()),
            (format!("HTTP_{code}"), Some("HTTP_4XX"))
        );
        assert!(error.message.contains("GET http://127.0.0.1") && error.message.contains(&code.to_string()));
        assert_eq!(error.variables["status"], Value::Integer(code));
        assert_eq!(error.variables["body"], Value::Json(json!({"why": "because"})));
        assert!(error.variables.contains_key("headers"));
    }
    let error = bpmn(get_with("/large-error", json!({"max_bytes": 1000})).await);
    assert_eq!(
        (error.code.as_str(), &error.variables["body"]),
        ("HTTP_404", &Value::Null)
    );
}

#[tokio::test]
async fn trouble_that_passes_is_tried_again() {
    for code in [408, 425, 429, 500, 502, 503, 504] {
        let failure = failure(get_with(&format!("/status/{code}"), json!({})).await);
        assert_eq!(failure.retry, Retry::ByPolicy, "{failure}");
        assert!(failure.message.contains(&code.to_string()));
        assert!(failure.details.unwrap().contains("because"));
    }
    let failure = failure(get_with("/busy", json!({})).await);
    assert_eq!(failure.retry, Retry::NotBefore(Duration::from_secs(90)));
}

#[tokio::test]
async fn a_status_that_is_accepted_is_an_answer() {
    for accept in [json!([404, "5xx"]), json!("404,5XX")] {
        for code in [404, 503] {
            let answer = get_with(&format!("/status/{code}"), json!({"accept_status": accept}))
                .await
                .unwrap();
            assert_eq!(answer.fields()["status"], Value::Integer(code));
        }
    }
    assert_eq!(
        bpmn(get_with("/status/403", json!({"accept_status": 404})).await).code,
        "HTTP_403"
    );
}

#[tokio::test]
async fn a_long_error_is_shortened() {
    let router = Router::new().fallback(|| async { (StatusCode::BAD_GATEWAY, "é".repeat(1000)) });
    let address = serve(router).await;
    let details = failure(run(&local(), json!({"url": format!("http://{address}")})).await)
        .details
        .unwrap();
    assert_eq!(details.chars().filter(|c| *c == 'é').count(), 300);
    assert!(details.contains("2000 bytes"));
}

#[tokio::test]
async fn an_answer_that_is_too_large_is_refused_also_compressed() {
    let large = failure(get_with("/large", json!({"max_bytes": "10Ki"})).await);
    assert_eq!(large.retry, Retry::Never);
    assert!(large.message.contains("more than 10240 bytes"), "{large}");
    assert!(get_with("/large", json!({"max_bytes": "1Gi"})).await.is_ok());
    let bomb = failure(get_with("/bomb", json!({})).await);
    assert!(bomb.message.contains("more than 10485760 bytes"), "{bomb}");
}

#[tokio::test]
async fn a_task_cannot_raise_the_limit() {
    let address = serve(router()).await;
    let adapter = adapter(json!({"default": {"allow": ["127.0.0.1"], "max_bytes": "10Ki"}}));
    let inputs = json!({"url": format!("http://{address}/large"), "max_bytes": "1Gi"});
    assert!(failure(run(&adapter, inputs).await).message.contains("10240"));
}

#[tokio::test]
async fn a_slow_service_is_given_up_and_tried_again() {
    let slow = failure(get_with("/never", json!({"timeout": "50ms"})).await);
    assert_eq!(slow.retry, Retry::ByPolicy);
    assert!(slow.message.contains("within 50ms"), "{slow}");
}

#[tokio::test]
async fn a_body_that_never_ends_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        assert!(stream.read(&mut [0; 4096]).await.unwrap() > 0);
        stream
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nshort")
            .await
            .unwrap();
        // Ends when the adapter closes the connection.
        while stream.read(&mut [0; 4096]).await.is_ok_and(|read| read > 0) {}
    });
    let slow = failure(run(&local(), json!({"url": url, "timeout": "200ms"})).await);
    assert!(slow.message.contains("within 200ms"), "{slow}");
    server.await.unwrap();
}

/// Answers every connection with the given bytes and closes it.
async fn raw(answer: &'static [u8]) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 4096]).await;
            let _ = stream.write_all(answer).await;
        }
    });
    address
}

#[tokio::test]
async fn a_broken_connection_is_tried_again() {
    for answer in [
        b"".as_slice(),
        b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nshort",
        b"nonsense\r\n\r\n",
    ] {
        let address = raw(answer).await;
        let broken = failure(run(&local(), json!({"url": format!("http://{address}/")})).await);
        assert_eq!(broken.retry, Retry::ByPolicy, "{broken}");
        assert!(broken.details.is_some());
    }
    let closed = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let refused = failure(run(&local(), json!({"url": format!("http://{closed}/")})).await);
    assert_eq!(refused.retry, Retry::ByPolicy);
    assert!(
        refused.message.contains("no connection to 127.0.0.1"),
        "{refused}"
    );
    let unknown = with_names(json!({}), &[]);
    let unknown = failure(run(&unknown, json!({"url": "http://nowhere.example/"})).await);
    assert_eq!(unknown.retry, Retry::ByPolicy);
    assert!(
        unknown.message.contains("nowhere.example cannot be resolved"),
        "{unknown}"
    );
}

#[tokio::test]
async fn redirects_are_followed_and_the_body_goes_along_where_it_should() {
    for (code, sent) in [
        (307, "payload"),
        (308, "payload"),
        (303, ""),
        (302, ""),
        (301, ""),
    ] {
        let inputs = json!({"method": "POST", "body": "payload"});
        let answer = get_with(&format!("/to?code={code}&url=/echo"), inputs)
            .await
            .unwrap();
        assert_eq!(body(&answer)["body"], sent, "{code}");
        assert!(matches!(&answer.fields()["url"], Value::String(url) if url.ends_with("/echo")));
    }
    let stopped = get_with("/to?url=/echo", json!({"follow_redirects": false}))
        .await
        .unwrap();
    assert_eq!(stopped.fields()["status"], Value::Integer(302));
    let Value::Json(headers) = &stopped.fields()["headers"] else {
        panic!()
    };
    assert_eq!(headers["location"], "/echo");
}

#[tokio::test]
async fn redirects_go_no_further_than_the_operator_says() {
    let (here, there) = (serve(router()).await, serve(router()).await);
    let with =
        |redirects: &str| adapter(json!({"default": {"allow": ["127.0.0.1"], "redirects": redirects}}));
    let to = |target: SocketAddr| json!({"url": format!("http://{here}/to?url=http://{target}/echo")});
    let status = async |redirects: &str, inputs: Json| match run(&with(redirects), inputs).await {
        Ok(answer) => answer.fields()["status"].to_json(),
        Err(error) => error.to_string().into(),
    };
    assert_eq!(status("any", to(there)).await, 200);
    assert_eq!(status("same_origin", to(here)).await, 200);
    let refused = status("same_origin", to(there)).await.to_string();
    assert!(
        refused.contains(&format!("redirected to http://{there}")),
        "{refused}"
    );
    assert_eq!(status("never", to(here)).await, 302);
    let mut asked = to(here);
    asked["follow_redirects"] = false.into();
    assert_eq!(status("any", asked).await, 302);
}

#[tokio::test]
async fn endless_redirects_are_given_up() {
    let endless = failure(get_with("/loop", json!({})).await);
    assert_eq!(endless.retry, Retry::Never);
    assert!(endless.message.contains("more than 5 times"), "{endless}");
    let odd = failure(get_with("/to?url=ftp://a.example/", json!({})).await);
    assert!(odd.message.contains("only http and https"), "{odd}");
}

#[tokio::test]
async fn logins_do_not_go_to_another_origin() {
    let (here, there) = (serve(router()).await, serve(router()).await);
    let headers = json!({"x-api-key": "hush", "accept": "text/csv", "cookie": "a=1"});
    for (target, goes_along) in [(here, true), (there, false)] {
        let inputs = json!({
            "url": format!("http://{here}/to?url=http://{target}/echo"), "headers": headers, "auth": {"bearer": "hush"}
        });
        let arrived = body(&run(&local(), inputs).await.unwrap());
        for name in ["x-api-key", "authorization", "cookie"] {
            assert_eq!(
                arrived["headers"].get(name).is_some(),
                goes_along,
                "{name}: {arrived}"
            );
        }
        assert_eq!(arrived["headers"]["accept"], "text/csv");
    }
}
