//! Requests as senders make them, and a port that says what reached it.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::http::{Request, StatusCode};
use secrets::SecretStore;
use serde_json::{Value as Json, json};
use tests::Arrivals;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;
use worker_api::{Adapter, InboundContext, PortError, StartProcess};

use crate::WebhookAdapter;

mod signed;

use signed::{SECRET, borrowed, schemes, signed};

/// Webhooks that are open, with the port behind them.
struct Open {
    adapter: WebhookAdapter,
    port: Arc<Arrivals>,
    stop: CancellationToken,
}

async fn open(hooks: Json) -> Open {
    let adapter =
        WebhookAdapter::new(serde_json::from_value(hooks).unwrap(), SecretStore::default()).unwrap();
    let (port, stop) = (Arc::new(Arrivals::default()), CancellationToken::new());
    let (told, mut ready) = tokio::sync::mpsc::unbounded_channel();
    let context = InboundContext::new(Arc::clone(&port) as _, stop.clone(), move || {
        let _ = told.send(());
    });
    let inbound = adapter.inbound().unwrap();
    tokio::spawn(async move { inbound.run(context).await });
    ready.recv().await.unwrap();
    Open { adapter, port, stop }
}

impl Open {
    async fn send(&self, name: &str, headers: &[(&str, &str)], body: &str) -> (StatusCode, Json) {
        let mut request = Request::post(format!("/{name}"));
        for (header, value) in headers {
            request = request.header(*header, *value);
        }
        self.ask(request.body(Body::from(body.to_owned())).unwrap()).await
    }

    async fn ask(&self, request: Request<Body>) -> (StatusCode, Json) {
        let response = self.adapter.routes().unwrap().oneshot(request).await.unwrap();
        let status = response.status();
        let body = to_bytes(response.into_body(), 1 << 20).await.unwrap();
        (status, serde_json::from_slice(&body).unwrap_or_default())
    }

    fn started(&self) -> Vec<StartProcess> {
        self.port.started()
    }
}

#[tokio::test]
async fn every_scheme_lets_in_what_is_signed_and_nothing_else() {
    for (scheme, signature) in schemes() {
        let open = open(json!({"orders": {"signature": signature, "process": "order"}})).await;
        let body = r#"{"number": 7}"#;
        let headers = signed(scheme, body, 0);
        let headers = borrowed(&headers);
        for (what, headers, body) in [
            ("nothing", Vec::new(), body),
            (
                "another body",
                headers.clone(),
                if matches!(scheme, "bearer" | "basic") {
                    ""
                } else {
                    "{}"
                },
            ),
            (
                "another secret",
                headers.iter().map(|(name, _)| (*name, "sha256=00")).collect(),
                body,
            ),
            (
                "a longer secret",
                headers
                    .iter()
                    .map(|(name, value)| (*name, &value[..value.len() - 1]))
                    .collect(),
                body,
            ),
        ] {
            let (status, said) = open.send("orders", &headers, body).await;
            if body.is_empty() {
                assert_eq!(status, StatusCode::BAD_REQUEST, "{scheme}, {what}");
            } else {
                assert_eq!(status, StatusCode::UNAUTHORIZED, "{scheme}, {what}: {said}");
            }
            assert!(!said.to_string().contains(SECRET));
        }
        assert!(open.started().is_empty(), "{scheme}");
        let (status, said) = open.send("orders", &headers, body).await;
        assert_eq!(
            (status, said),
            (StatusCode::OK, json!({"accepted": true})),
            "{scheme}"
        );
        assert_eq!(open.started().len(), 1, "{scheme}");
    }
}

#[tokio::test]
async fn a_signed_time_that_is_too_far_away_is_refused() {
    for (scheme, signature) in schemes() {
        let open =
            open(json!({"orders": {"signature": signature, "process": "order", "tolerance": "1m"}})).await;
        let has_time = matches!(scheme, "slack" | "stripe" | "standard");
        for (away, refused) in [(-50, false), (50, false), (-90, has_time), (90, has_time)] {
            let headers = signed(scheme, "{}", away);
            let (status, _) = open.send("orders", &borrowed(&headers), "{}").await;
            let expected = if refused {
                StatusCode::UNAUTHORIZED
            } else {
                StatusCode::OK
            };
            assert_eq!(status, expected, "{scheme} {away}");
        }
    }
}

#[tokio::test]
async fn what_comes_becomes_variables_and_keys() {
    let open = open(json!({"orders": {
        "signature": {"bearer": SECRET}, "process": "order", "tenant": "shop",
        "business_key": "$.order.number",
        "variables": {"customer": "$.order.customer", "items": "$.order.items", "note": "$.note"},
    }}))
    .await;
    let headers = [
        ("authorization", "bearer it-is-ours"),
        ("content-type", "application/vnd.x+json; charset=utf-8"),
    ];
    let body = r#"{"order": {"number": 7, "customer": "Ada", "items": [{"a": 1}]}}"#;
    assert_eq!(open.send("orders", &headers, body).await.0, StatusCode::OK);
    let started = open.started().remove(0);
    assert_eq!(
        (started.key.as_str(), started.tenant_id.as_deref()),
        ("order", Some("shop"))
    );
    assert_eq!(
        (started.business_key.as_deref(), started.unless_there),
        (Some("7"), true)
    );
    let variables: Vec<(&str, Json)> = started
        .variables
        .iter()
        .map(|(name, value)| (name.as_str(), value.to_json()))
        .collect();
    assert_eq!(
        variables,
        [
            ("customer", json!("Ada")),
            ("items", json!([{"a": 1}])),
            ("note", Json::Null)
        ]
    );
    let (status, said) = open.send("orders", &headers, r#"{"order": {}}"#).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        said["error"].as_str().unwrap().contains("$.order.number"),
        "{said}"
    );
}

#[tokio::test]
async fn bodies_are_read_as_their_types_say() {
    let open = open(json!({"any": {"signature": {"bearer": SECRET}, "process": "order"}})).await;
    let login = ("authorization", "Bearer it-is-ours");
    for (kind, body, payload) in [
        (
            "application/x-www-form-urlencoded",
            "a=1&b=%C3%A4&a=2",
            json!({"a": ["1", "2"], "b": "ä"}),
        ),
        (
            "application/x-www-form-urlencoded",
            "payload=%7B%22a%22%3A1%7D",
            json!({"a": 1}),
        ),
        ("text/plain; charset=utf-8", "ä", json!("ä")),
        ("application/json", "[1]", json!([1])),
    ] {
        assert_eq!(
            open.send("any", &[login, ("content-type", kind)], body).await.0,
            StatusCode::OK,
            "{kind}"
        );
        let started = open.port.started().pop().unwrap();
        assert_eq!(started.variables["payload"].to_json(), payload);
    }
    for (kind, body, status) in [
        ("application/json", "{", StatusCode::BAD_REQUEST),
        ("image/png", "x", StatusCode::UNSUPPORTED_MEDIA_TYPE),
        ("/", "x", StatusCode::UNSUPPORTED_MEDIA_TYPE),
    ] {
        assert_eq!(
            open.send("any", &[login, ("content-type", kind)], body).await.0,
            status,
            "{kind}"
        );
    }
}

#[tokio::test]
async fn a_delivery_that_comes_again_is_taken_once() {
    let open = open(json!({
        "starts": {"signature": {"bearer": SECRET}, "process": "order"},
        "goes-on": {"signature": {"bearer": SECRET}, "message": "paid", "business_key": "$.order", "id": "$.event"},
    }))
    .await;
    let login = ("authorization", "Bearer it-is-ours");
    for _ in 0..2 {
        let headers = [login, ("x-github-delivery", "d-1")];
        assert_eq!(open.send("starts", &headers, "{}").await.0, StatusCode::OK);
        let body = r#"{"order": "A-1", "event": 9}"#;
        assert_eq!(open.send("goes-on", &[login], body).await.0, StatusCode::OK);
    }
    // Whichever worker gets it, and also after a restart, the engine knows it.
    for started in open.started() {
        assert_eq!(
            (started.business_key.as_deref(), started.unless_there),
            (Some("d-1"), true)
        );
    }
    let correlated = open.port.correlated();
    assert_eq!(correlated.len(), 2);
    for message in correlated {
        assert_eq!(
            (
                message.name.as_str(),
                message.business_key.as_deref(),
                message.once_per.as_deref()
            ),
            ("paid", Some("A-1"), Some("9"))
        );
    }
}

#[tokio::test]
async fn what_the_engine_does_not_take_is_asked_for_again() {
    let open =
        open(json!({"paid": {"signature": {"bearer": SECRET}, "message": "paid", "id": "$.event"}})).await;
    let headers = [("authorization", "Bearer it-is-ours")];
    let action = || "correlate".to_owned();
    for (error, status, words) in [
        (
            PortError::Unavailable {
                action: action(),
                reason: "the engine at 10.0.0.7 is away".into(),
            },
            StatusCode::SERVICE_UNAVAILABLE,
            "cannot be taken now",
        ),
        (
            PortError::NoMatch {
                message: "paid".into(),
                conditions: String::new(),
            },
            StatusCode::CONFLICT,
            "nothing waits",
        ),
        (
            PortError::Rejected {
                action: action(),
                reason: "a column of the table".into(),
            },
            StatusCode::INTERNAL_SERVER_ERROR,
            "operator's log",
        ),
    ] {
        open.port.refuse([error]);
        let (given, said) = open.send("paid", &headers, r#"{"event": 1}"#).await;
        assert_eq!(given, status);
        let said = said["error"].as_str().unwrap();
        assert!(
            said.contains(words) && !said.contains("10.0.0.7") && !said.contains("column"),
            "{said}"
        );
    }
    // It was never remembered as taken.
    assert_eq!(
        open.send("paid", &headers, r#"{"event": 1}"#).await.0,
        StatusCode::OK
    );
    assert_eq!(open.port.correlated().len(), 1);
}

#[tokio::test]
async fn nothing_is_taken_before_workers_run_and_after_they_stop() {
    let open = open(json!({"orders": {"signature": {"bearer": SECRET}, "process": "order"}})).await;
    let headers = [("authorization", "Bearer it-is-ours")];
    assert_eq!(open.send("orders", &headers, "{}").await.0, StatusCode::OK);
    open.stop.cancel();
    let closed = async {
        while open.send("orders", &headers, "{}").await.0 != StatusCode::SERVICE_UNAVAILABLE {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), closed)
        .await
        .unwrap();
}

#[tokio::test]
async fn bodies_have_a_limit_and_addresses_are_few() {
    let open =
        open(json!({"small": {"signature": {"bearer": SECRET}, "process": "order", "max_bytes": 10}})).await;
    let headers = [("authorization", "Bearer it-is-ours")];
    assert_eq!(
        open.send("small", &headers, &"x".repeat(11)).await.0,
        StatusCode::PAYLOAD_TOO_LARGE
    );
    assert_eq!(open.send("other", &headers, "{}").await.0, StatusCode::NOT_FOUND);
    let get = Request::get("/small").body(Body::empty()).unwrap();
    assert_eq!(open.ask(get).await.0, StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn slacks_question_is_answered_where_it_is_signed() {
    let open = open(json!({"slack": {"signature": {"slack": SECRET}, "message": "pressed"}})).await;
    let body = r#"{"type": "url_verification", "challenge": "c-1"}"#;
    assert_eq!(open.send("slack", &[], body).await.0, StatusCode::UNAUTHORIZED);
    let headers = signed("slack", body, 0);
    let (status, said) = open.send("slack", &borrowed(&headers), body).await;
    assert_eq!((status, said), (StatusCode::OK, json!({"challenge": "c-1"})));
    assert!(open.port.correlated().is_empty());
}

#[tokio::test]
async fn settings_that_cannot_be_meant_are_named() {
    for (hooks, key, why) in [
        (
            json!({"a/b": {"signature": {"bearer": "x"}, "process": "p"}}),
            "a/b",
            "part of the address",
        ),
        (
            json!({"a": {"signature": {"bearer": "x"}}}),
            "a.process",
            "which `process`",
        ),
        (
            json!({"a": {"signature": {"bearer": "x"}, "process": "p", "message": "m"}}),
            "a.message",
            "not both",
        ),
    ] {
        let hooks = serde_json::from_value(hooks).unwrap();
        let error = WebhookAdapter::new(hooks, SecretStore::default())
            .map(drop)
            .unwrap_err();
        assert_eq!(error.key, key);
        assert!(error.problem.contains(why), "{error}");
    }
    let none = serde_json::from_value::<crate::HookSettings>(json!({"process": "p"})).unwrap_err();
    assert!(none.to_string().contains("signature"), "{none}");
}

#[tokio::test]
async fn a_secret_that_is_not_there_is_told_to_the_operator_alone() {
    let open =
        open(json!({"orders": {"signature": {"bearer": "secret:orders-hook"}, "process": "order"}})).await;
    let (status, said) = open.send("orders", &[("authorization", "Bearer x")], "{}").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(!said.to_string().contains("orders-hook"), "{said}");
    let unhealthy = open.adapter.health().await.unwrap_err();
    assert!(
        unhealthy.contains("services.webhook.orders.signature") && unhealthy.contains("orders-hook"),
        "{unhealthy}"
    );
}

#[tokio::test]
async fn bodies_that_never_end_hold_up_others_only_until_they_are_too_many() {
    let open = open(json!({"orders": {"signature": {"bearer": SECRET}, "process": "order"}})).await;
    let headers = [("authorization", "Bearer it-is-ours")];
    let slow = || {
        let body = Body::from_stream(futures::stream::pending::<Result<Bytes, std::io::Error>>());
        let request = Request::post("/orders").body(body).unwrap();
        open.adapter.routes().unwrap().oneshot(request)
    };
    let mut waiting: Vec<_> = (0..32).map(|_| Box::pin(slow())).collect();
    for one in &mut waiting {
        assert!(futures::poll!(one).is_pending());
    }
    assert_eq!(
        open.send("orders", &headers, "{}").await.0,
        StatusCode::SERVICE_UNAVAILABLE
    );
    waiting.pop();
    assert_eq!(open.send("orders", &headers, "{}").await.0, StatusCode::OK);
}
