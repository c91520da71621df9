//! Connections as an operator configures them.

use axum::Router;
use axum::http::{HeaderMap, Uri};
use serde_json::json;
use worker_api::Adapter;

use super::*;

/// Tells where a request arrived, and with which of the secret headers.
async fn service() -> SocketAddr {
    let router = Router::new().fallback(|uri: Uri, headers: HeaderMap| async move {
        let value = |name: &str| headers.get(name).map(|value| value.to_str().unwrap().to_owned());
        axum::Json(json!({"uri": uri.to_string(), "authorization": value("authorization"), "key": value("x-api-key")}))
    });
    serve(router).await
}

fn with_secret(settings: Json) -> (HttpAdapter, tempfile::TempDir) {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("api-key"), "hush\n").unwrap();
    let secrets = SecretStore::new("PROCOS_HTTP_TEST_", [directory.path().to_owned()]);
    (
        HttpAdapter::new(connections(settings), secrets).unwrap(),
        directory,
    )
}

#[tokio::test]
async fn login_and_headers_of_a_connection_go_to_its_own_origin_only() {
    let (own, other) = (service().await, service().await);
    let (adapter, _directory) = with_secret(json!({"billing": {
        "base_url": format!("http://{own}/v1"), "allow": ["127.0.0.1"],
        "auth": {"bearer": "secret:api-key"}, "headers": {"x-api-key": "secret:api-key"}
    }}));
    let call = async |url: &str| {
        let inputs = json!({"connection": "billing", "url": url});
        body(&run(&adapter, inputs).await.unwrap())
    };
    for (url, uri) in [
        ("/orders?page=2", "/v1/orders?page=2"),
        ("orders", "/v1/orders"),
        ("", "/v1"),
        ("?page=2", "/v1?page=2"),
        ("//evil.example/x", "/v1//evil.example/x"),
        ("@evil.example", "/v1/@evil.example"),
    ] {
        let arrived = call(url).await;
        assert_eq!(
            arrived,
            json!({"uri": uri, "authorization": "Bearer hush", "key": "hush"}),
            "{url}"
        );
    }
    let arrived = call(&format!("http://{own}/elsewhere")).await;
    assert_eq!(
        arrived,
        json!({"uri": "/elsewhere", "authorization": "Bearer hush", "key": "hush"})
    );
    let arrived = call(&format!("http://{other}/v1/orders")).await;
    assert_eq!(
        arrived,
        json!({"uri": "/v1/orders", "authorization": null, "key": null})
    );
}

#[tokio::test]
async fn a_tasks_login_wins_over_its_connections() {
    let own = service().await;
    let settings = json!({"billing": {
        "base_url": format!("http://{own}"), "allow": ["127.0.0.1"],
        "auth": {"basic": {"username": "ada", "password": "secret:api-key"}}
    }});
    let (adapter, _directory) = with_secret(settings);
    let inputs = json!({"connection": "billing", "url": "/", "auth": {"bearer": "mine"}});
    assert_eq!(
        body(&run(&adapter, inputs).await.unwrap())["authorization"],
        "Bearer mine"
    );
    let inputs = json!({"connection": "billing", "url": "/"});
    assert_eq!(
        body(&run(&adapter, inputs).await.unwrap())["authorization"],
        "Basic YWRhOmh1c2g="
    );
}

#[tokio::test]
async fn a_relative_url_does_not_lead_out_of_the_base() {
    let adapter = adapter(json!({"default": {"base_url": "http://a.example/v1/public"}}));
    for url in [
        "../admin",
        "/../../admin",
        "%2e%2e/admin",
        "..\\admin",
        "/./../admin",
    ] {
        let failure = failure(run(&adapter, json!({ "url": url })).await);
        assert!(failure.message.contains("leads out of"), "{url}: {failure}");
    }
}

#[tokio::test]
async fn an_unknown_connection_is_named_with_those_there_are() {
    let adapter = adapter(json!({"billing": {}}));
    let failure = failure(
        run(
            &adapter,
            json!({"url": "http://a.example", "connection": "biling"}),
        )
        .await,
    );
    assert!(
        failure.message.contains("`biling`") && failure.message.contains("billing, default"),
        "{failure}"
    );
}

#[tokio::test]
async fn a_missing_secret_fails_the_task_and_is_seen_in_health() {
    let settings =
        json!({"billing": {"base_url": "http://127.0.0.1:1", "auth": {"bearer": "secret:no-such"}}});
    let adapter = adapter(settings);
    let missing = failure(run(&adapter, json!({"url": "/", "connection": "billing"})).await);
    assert!(missing.message.contains("no-such"), "{missing}");
    let unhealthy = adapter.health().await.unwrap_err();
    assert!(
        unhealthy.contains("services.http.billing") && unhealthy.contains("no-such"),
        "{unhealthy}"
    );
    assert_eq!(local().health().await, Ok(()));
    let unreadable = super::adapter(json!({"default": {"ca_file": "/no/such.pem"}}))
        .health()
        .await
        .unwrap_err();
    assert!(
        unreadable.contains("ca_file") && unreadable.contains("/no/such.pem"),
        "{unreadable}"
    );
}

#[test]
fn settings_that_cannot_be_meant_are_refused_by_name() {
    for (settings, key) in [
        (json!({"auth": {"bearer": "t"}}), "a.auth"),
        (json!({"headers": {"x": "y"}}), "a.headers"),
        (json!({"base_url": "ftp://b"}), "a.base_url"),
        (json!({"base_url": "http://u:p@b"}), "a.base_url"),
        (json!({"base_url": "http://b/?x=1"}), "a.base_url"),
        (
            json!({"base_url": "http://b", "headers": {"host": "y"}}),
            "a.headers.host",
        ),
        (
            json!({"base_url": "http://b", "auth": {"basic": {"username": "a:b", "password": "c"}}}),
            "a.auth.basic.username",
        ),
    ] {
        let error = HttpAdapter::new(connections(json!({ "a": settings })), no_secrets())
            .err()
            .unwrap();
        assert_eq!(error.key, key);
        assert!(!error.problem.is_empty());
    }
    for wrong in [
        json!({"bas_url": "http://b"}),
        json!({"timeout": "soon"}),
        json!({"timeout": "0s"}),
        json!({"max_bytes": "much"}),
        json!({"allow": ["*"]}),
        json!({"auth": {"basic": {"username": "a"}}}),
    ] {
        assert!(
            serde_json::from_value::<ConnectionSettings>(wrong.clone()).is_err(),
            "{wrong}"
        );
    }
}

#[test]
fn settings_are_shown_with_their_defaults_and_without_secrets() {
    let adapter = adapter(json!({"a": {
        "base_url": "https://b.example/", "allow": ["10.2.0.0/16"], "timeout": "PT1M30S", "max_bytes": "1Mi",
        "auth": {"basic": {"username": "ada", "password": "hunter2"}}, "headers": {"x": "secret:k", "y": "hunter2"}
    }}));
    let shown: BTreeMap<_, _> = adapter.connections().collect();
    let shown = serde_json::to_value(shown).unwrap();
    let expected = json!({
        "a": {
            "base_url": "https://b.example/", "allow": ["10.2.0.0/16"], "timeout": "PT1M30S", "max_bytes": "1Mi", "redirects": "any",
            "auth": {"basic": {"username": "ada", "password": "********"}}, "headers": {"x": "secret:k", "y": "********"}
        },
        "default": {"timeout": "PT30S", "max_bytes": "10Mi", "redirects": "any"}
    });
    assert_eq!(shown, expected);
    let read: BTreeMap<String, ConnectionSettings> =
        serde_json::from_value(json!({"default": shown["default"]})).unwrap();
    assert_eq!(read["default"].max_bytes, ConnectionSettings::default().max_bytes);
}

#[test]
fn the_description_has_help_for_every_input() {
    let description = local().description();
    let topic = &description.topics[0];
    let properties = topic.inputs.as_value()["properties"].as_object().unwrap();
    for (name, property) in properties {
        assert!(
            property["description"]
                .as_str()
                .is_some_and(|help| help.len() > 20),
            "{name}"
        );
    }
    assert!(topic.errors.iter().any(|error| error.code == "HTTP_4XX"));
}
