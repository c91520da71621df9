//! Logins of connections: keys, tokens that run out, and certificates.

use std::sync::atomic::{AtomicUsize, Ordering};

use axum::extract::{Form, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json as AxumJson, Router};
use worker_api::Retry;

use super::*;

/// An authorization server and a service that takes its latest tokens.
#[derive(Default)]
struct Service {
    given: AtomicUsize,
    asked: AtomicUsize,
    /// Tokens up to this one are taken no more.
    withdrawn: AtomicUsize,
    life: AtomicUsize,
}

async fn token(
    State(service): State<Arc<Service>>,
    headers: HeaderMap,
    Form(form): Form<HashMap<String, String>>,
) -> Response {
    // `client:hush` as HTTP has it.
    let login = headers
        .get("authorization")
        .map(|value| value.to_str().unwrap().to_owned());
    if login.as_deref() != Some("Basic Y2xpZW50Omh1c2g=") || form["grant_type"] != "client_credentials" {
        let said = json!({"error": "invalid_client", "error_description": "who are you?"});
        return (StatusCode::UNAUTHORIZED, AxumJson(said)).into_response();
    }
    assert_eq!(
        (form["scope"].as_str(), form["audience"].as_str()),
        ("read write", "orders")
    );
    let number = service.given.fetch_add(1, Ordering::SeqCst) + 1;
    let life = service.life.load(Ordering::SeqCst);
    AxumJson(json!({"access_token": format!("token-{number}"), "token_type": "bearer", "expires_in": life}))
        .into_response()
}

async fn orders(State(service): State<Arc<Service>>, headers: HeaderMap) -> (StatusCode, String) {
    service.asked.fetch_add(1, Ordering::SeqCst);
    let given = headers
        .get("authorization")
        .map_or("", |value| value.to_str().unwrap());
    let number: usize = given.trim_start_matches("Bearer token-").parse().unwrap_or(0);
    let is_good = number > service.withdrawn.load(Ordering::SeqCst);
    let status = if is_good {
        StatusCode::OK
    } else {
        StatusCode::UNAUTHORIZED
    };
    (status, given.to_owned())
}

async fn oauth2(life: usize) -> (Arc<Service>, HttpAdapter) {
    let service = Arc::new(Service::default());
    service.life.store(life, Ordering::SeqCst);
    let router = Router::new()
        .route("/token", post(token))
        .route("/orders", get(orders).post(orders))
        .with_state(Arc::clone(&service));
    let address = serve(router).await;
    let adapter = adapter(json!({"orders": {
        "base_url": format!("http://{address}"), "allow": ["127.0.0.1"],
        "auth": {"oauth2": {
            "token_url": format!("http://{address}/token"), "client_id": "client", "client_secret": "hush",
            "scopes": ["read", "write"], "audience": "orders",
        }},
    }}));
    (service, adapter)
}

fn order(method: &str) -> Json {
    json!({"connection": "orders", "url": "/orders", "method": method})
}

#[tokio::test]
async fn a_token_is_fetched_once_for_many_tasks() {
    let (service, adapter) = oauth2(3600).await;
    let tasks = (0..20).map(|_| run(&adapter, order("GET")));
    for answer in futures::future::join_all(tasks).await {
        assert_eq!(
            answer.unwrap().fields()["body"],
            Value::String("Bearer token-1".into())
        );
    }
    assert_eq!(service.given.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_token_that_runs_out_is_renewed_before() {
    // No token lives: each task has its own.
    let (service, adapter) = oauth2(0).await;
    for _ in 0..2 {
        run(&adapter, order("GET")).await.unwrap();
    }
    assert_eq!(service.given.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_token_that_is_refused_is_renewed_and_the_request_sent_once_more() {
    let (service, adapter) = oauth2(3600).await;
    run(&adapter, order("GET")).await.unwrap();
    service.withdrawn.store(1, Ordering::SeqCst);
    let answer = run(&adapter, order("POST")).await.unwrap();
    assert_eq!(answer.fields()["body"], Value::String("Bearer token-2".into()));
    assert_eq!(service.asked.load(Ordering::SeqCst), 3);
    // One that takes no token at all is not asked for ever.
    service.withdrawn.store(1000, Ordering::SeqCst);
    assert_eq!(bpmn(run(&adapter, order("POST")).await).code, "HTTP_401");
    assert_eq!(service.asked.load(Ordering::SeqCst), 5);
}

#[tokio::test]
async fn a_token_that_is_not_given_fails_the_task_before_it_is_sent() {
    let (_, good) = oauth2(3600).await;
    let (_, settings) = good.connections().find(|(name, _)| *name == "orders").unwrap();
    let mut settings = serde_json::to_value(settings).unwrap();
    settings["auth"]["oauth2"]["client_secret"] = json!("not-it");
    let refused = failure(run(&adapter(json!({"orders": settings})), order("POST")).await);
    assert!(
        refused.message.contains("gives no token: invalid_client")
            && refused.message.contains("auth.oauth2 of services.http.orders"),
        "{refused}"
    );
    assert_eq!(refused.retry, Retry::Never);
    settings["auth"]["oauth2"]["token_url"] = json!("http://127.0.0.1:1/token");
    let away = failure(run(&adapter(json!({"orders": settings})), order("POST")).await);
    assert_ne!(away.retry, Retry::Never);
    // An internal token endpoint is no more reached than another address.
    settings["allow"] = json!(["127.0.0.1:2"]);
    let guarded = failure(run(&adapter(json!({"orders": settings})), order("POST")).await);
    assert!(guarded.message.contains("loopback"), "{guarded}");
    for failure in [refused, away, guarded] {
        assert!(failure.nothing_done, "{failure:?}");
        assert!(!format!("{failure:?}").contains("not-it"), "{failure:?}");
    }
}

#[tokio::test]
async fn a_key_stands_where_its_service_wants_it_and_in_no_answer() {
    let router = Router::new().fallback(|uri: Uri, headers: HeaderMap| async move {
        let key = headers
            .get("x-shop-key")
            .map(|value| value.to_str().unwrap().to_owned());
        let status = if uri.path() == "/none" {
            StatusCode::NOT_FOUND
        } else {
            StatusCode::OK
        };
        (status, AxumJson(json!({"key": key, "query": uri.query()})))
    });
    let address = serve(router).await;
    let base = json!({"base_url": format!("http://{address}"), "allow": ["127.0.0.1"]});
    let with = |auth: Json| {
        let mut settings = base.clone();
        settings["auth"] = json!({"api_key": auth});
        adapter(json!({"shop": settings}))
    };
    let in_header = with(json!({"header": "X-Shop-Key", "key": "hush"}));
    let in_query = with(json!({"query": "k", "key": "hu&sh"}));
    let inputs = json!({"connection": "shop", "url": "/orders?page=2"});
    let answer = run(&in_header, inputs.clone()).await.unwrap();
    assert_eq!(body(&answer), json!({"key": "hush", "query": "page=2"}));
    let answer = run(&in_query, inputs).await.unwrap();
    assert_eq!(body(&answer), json!({"key": null, "query": "page=2&k=hu%26sh"}));
    let url = answer.fields()["url"].to_json();
    assert_eq!(url, json!(format!("http://{address}/orders?page=2")));
    let missing = bpmn(run(&in_query, json!({"connection": "shop", "url": "/none"})).await);
    assert!(
        !missing.message.contains("hu") && !missing.variables["url"].to_json().to_string().contains("hu")
    );
    // And nowhere else.
    let elsewhere = serve(Router::new().fallback(|uri: Uri| async move { format!("{uri}") })).await;
    let answer = run(
        &in_query,
        json!({"connection": "shop", "url": format!("http://{elsewhere}/x")}),
    )
    .await
    .unwrap();
    assert_eq!(answer.fields()["body"], Value::String("/x".into()));
}

#[tokio::test]
async fn a_key_in_a_services_own_link_is_in_no_answer_either() {
    let page = |uri: Uri| async move {
        let query = uri.query().unwrap_or_default().to_owned();
        let link = (!query.contains("page=2")).then(|| format!("</orders?page=2&{query}>; rel=\"next\""));
        let headers: HeaderMap = link
            .map(|link| ("link".parse().unwrap(), link.parse().unwrap()))
            .into_iter()
            .collect();
        (headers, AxumJson(json!([query])))
    };
    let address = serve(Router::new().route("/orders", get(page))).await;
    let adapter = adapter(json!({"shop": {
        "base_url": format!("http://{address}"), "allow": ["127.0.0.1"],
        "auth": {"api_key": {"query": "k", "key": "hush"}},
    }}));
    let inputs = json!({"connection": "shop", "url": "/orders", "pagination": {"by": "link"}});
    let answer = run(&adapter, inputs).await.unwrap();
    assert_eq!(body(&answer), json!(["k=hush", "page=2&k=hush"]));
    assert_eq!(
        answer.fields()["url"].to_json(),
        json!(format!("http://{address}/orders?page=2"))
    );
}

#[test]
fn logins_that_cannot_be_meant_are_named() {
    let base = json!({"base_url": "https://api.example", "allow": []});
    for (key, value, named) in [
        ("auth", json!({"api_key": {"key": "x"}}), "shop.auth.api_key"),
        (
            "auth",
            json!({"api_key": {"key": "x", "header": "a", "query": "b"}}),
            "shop.auth.api_key",
        ),
        (
            "auth",
            json!({"api_key": {"key": "x", "header": "Host"}}),
            "shop.auth.api_key.header",
        ),
        (
            "auth",
            json!({"oauth2": {"token_url": "ftp://x", "client_id": "a", "client_secret": "b"}}),
            "shop.auth.oauth2.token_url",
        ),
        (
            "auth",
            json!({"oauth2": {"token_url": "https://a:b@x", "client_id": "a", "client_secret": "b"}}),
            "shop.auth.oauth2.token_url",
        ),
        ("certificate_file", json!("/x.pem"), "shop.certificate_file"),
        ("key_file", json!("/x.pem"), "shop.key_file"),
    ] {
        let mut settings = base.clone();
        settings[key] = value;
        let settings = connections(json!({"shop": settings}));
        let error = HttpAdapter::new(settings, no_secrets()).map(drop).unwrap_err();
        assert_eq!(error.key, named);
    }
}
