//! What may be sent twice, and what is known where there is no answer.

use axum::Router;
use axum::http::StatusCode;
use axum::response::Redirect;
use axum::routing::{any, post};
use serde_json::{Value as Json, json};
use tokio::io::AsyncReadExt;
use worker_api::{Adapter, Effect};

use super::*;

#[test]
fn methods_say_whether_a_request_may_be_sent_twice_unless_the_task_does() {
    let effect = |inputs: Json| local().effect(&context(inputs));
    for method in ["GET", "HEAD", "OPTIONS", "PUT", "delete"] {
        assert_eq!(
            effect(json!({"url": "/", "method": method})),
            Effect::Repeatable,
            "{method}"
        );
    }
    assert_eq!(
        effect(json!({"url": "/"})),
        Effect::Repeatable,
        "GET is the default"
    );
    for method in ["POST", "patch", "PROPPATCH-IT"] {
        assert_eq!(
            effect(json!({"url": "/", "method": method})),
            Effect::Once,
            "{method}"
        );
    }
    for (method, repeatable, expected) in [
        ("POST", json!(true), Effect::Repeatable),
        ("POST", json!("true"), Effect::Repeatable),
        ("PUT", json!(false), Effect::Once),
    ] {
        let inputs = json!({"url": "/", "method": method, "repeatable": repeatable});
        assert_eq!(effect(inputs), expected);
    }
}

/// By the task's id, so that it is the same at every attempt; a task may give one of its own.
#[tokio::test]
async fn what_must_not_be_sent_twice_has_a_key_by_which_it_is_known_again() {
    let keys = Router::new().fallback(any(async |headers: http::HeaderMap| {
        let keys = headers.get_all("idempotency-key").into_iter();
        axum::Json(json!(
            keys.map(|key| key.to_str().unwrap_or_default())
                .collect::<Vec<_>>()
        ))
    }));
    let address = serve(keys).await;
    let sent = async |inputs: Json| {
        let mut context = context(inputs);
        context.task.id = "task-1".into();
        body(&local().execute(context).await.unwrap())
    };
    let url = format!("http://{address}/");
    assert_eq!(
        sent(json!({"url": url, "method": "POST"})).await,
        json!(["task-1"])
    );
    assert_eq!(sent(json!({"url": url})).await, json!([]));
    let put = json!({"url": url, "method": "PUT", "repeatable": false});
    assert_eq!(sent(put).await, json!(["task-1"]));
    let own = json!({"url": url, "method": "POST", "headers": {"Idempotency-Key": "order-7"}});
    assert_eq!(sent(own).await, json!(["order-7"]));
}

#[tokio::test]
async fn only_what_nobody_has_taken_on_is_known_to_be_undone() {
    let status = |code: StatusCode| any(async move || code);
    let served = serve(
        Router::new()
            .route(
                "/busy",
                any(async || (StatusCode::SERVICE_UNAVAILABLE, [("retry-after", "1")])),
            )
            .route("/gateway", status(StatusCode::SERVICE_UNAVAILABLE))
            .route("/late", status(StatusCode::REQUEST_TIMEOUT))
            .route("/taken-busy", post(async || Redirect::to("/often")))
            .route("/taken-gone", post(async || Redirect::to("/gone")))
            .route("/gone", status(StatusCode::GONE))
            .route("/elsewhere", post(async || Redirect::temporary("/often")))
            .route("/often", status(StatusCode::TOO_MANY_REQUESTS))
            .route("/broken", status(StatusCode::INTERNAL_SERVER_ERROR))
            .route("/lost", status(StatusCode::BAD_GATEWAY))
            .route("/slow", any(std::future::pending::<()>))
            .route("/see", post(async || Redirect::to("http://127.0.0.1:1/")))
            .route(
                "/not-json",
                any(async || {
                    axum::response::Response::builder()
                        .header("content-type", "application/json")
                        .body(axum::body::Body::from("{"))
                        .unwrap()
                }),
            ),
    )
    .await;
    let hangs_up = hangs_up().await;
    for (url, nothing_done) in [
        // Never sent.
        ("http://127.0.0.1:1/".to_owned(), true),
        ("http://10.0.0.1/".to_owned(), true),
        ("ftp://127.0.0.1/".to_owned(), true),
        // The service says that it did not.
        (format!("http://{served}/busy"), true),
        (format!("http://{served}/often"), true),
        (format!("http://{served}/elsewhere"), true),
        // It may have.
        (format!("http://{served}/broken"), false),
        (format!("http://{served}/lost"), false),
        (format!("http://{served}/gateway"), false),
        (format!("http://{served}/late"), false),
        (format!("http://{served}/taken-busy"), false),
        (format!("http://{served}/taken-gone"), false),
        (format!("http://{served}/slow"), false),
        (format!("http://{served}/see"), false),
        (format!("http://{served}/not-json"), false),
        (format!("http://{hangs_up}/"), false),
    ] {
        let failed = failure(
            run(
                &local(),
                json!({"url": url, "method": "POST", "timeout": "500ms"}),
            )
            .await,
        );
        assert_eq!(failed.nothing_done, nothing_done, "{url}: {failed}");
    }
}

/// A service that reads the beginning of a request and closes the connection.
async fn hangs_up() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut connection, _)) = listener.accept().await {
            let _ = connection.read(&mut [0; 64]).await;
        }
    });
    address
}
