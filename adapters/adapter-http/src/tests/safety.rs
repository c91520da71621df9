//! Nothing internal is reached unless it is listed, whatever a name or a redirect says.

use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use serde_json::json;
use worker_api::Retry;

use super::*;

/// A server that counts what reaches it.
async fn counted() -> (SocketAddr, Arc<AtomicUsize>) {
    let hits = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&hits);
    let router = Router::new().fallback(move || async move {
        counter.fetch_add(1, Ordering::SeqCst);
        "reached"
    });
    (serve(router).await, hits)
}

async fn is_refused(adapter: &HttpAdapter, url: &str) {
    let failure = failure(run(adapter, json!({ "url": url })).await);
    assert_eq!(failure.retry, Retry::Never, "{failure}");
    assert!(
        failure.message.contains("is not sent") && failure.message.contains("`allow`"),
        "{url}: {failure}"
    );
}

#[tokio::test]
async fn internal_addresses_are_refused_however_they_are_written() {
    let (address, hits) = counted().await;
    let port = address.port();
    let adapter = adapter(json!({}));
    for host in [
        "127.0.0.1",
        "localhost",
        "127.1",
        "0x7f.0.0.1",
        "2130706433",
        "017700000001",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "0.0.0.0",
        "[::]",
        "127.0.0.1.",
        "①②⑦.0.0.1",
        "169.254.169.254",
        "[fd00:ec2::254]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
    ] {
        is_refused(&adapter, &format!("http://{host}:{port}/")).await;
        is_refused(&adapter, &format!("https://{host}:{port}/")).await;
    }
    assert_eq!(hits.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn what_is_listed_is_reached_and_nothing_beside_it() {
    let (address, _) = counted().await;
    let (other, hits) = counted().await;
    let adapter = adapter(json!({"default": {"allow": [address.to_string()]}}));
    assert!(
        run(&adapter, json!({"url": format!("http://{address}/")}))
            .await
            .is_ok()
    );
    is_refused(&adapter, &format!("http://{other}/")).await;
    assert_eq!(hits.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn another_connections_list_does_not_count() {
    let (address, hits) = counted().await;
    let adapter = adapter(json!({"inside": {"allow": ["127.0.0.1"]}}));
    let url = format!("http://{address}/");
    assert!(
        run(&adapter, json!({"url": url, "connection": "inside"}))
            .await
            .is_ok()
    );
    is_refused(&adapter, &url).await;
    assert_eq!(hits.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_public_name_that_leads_inside_is_refused() {
    let (address, hits) = counted().await;
    let public = SocketAddr::from(([93, 184, 215, 14], address.port()));
    let names = [
        ("rebound.example", vec![address]),
        ("mixed.example", vec![public, address]),
        ("empty.example", vec![]),
    ];
    let adapter = with_names(json!({}), &names);
    is_refused(&adapter, "http://rebound.example/").await;
    is_refused(&adapter, "http://mixed.example/").await;
    let empty = failure(run(&adapter, json!({"url": "http://empty.example/"})).await);
    assert!(empty.message.contains("cannot be resolved"), "{empty}");
    assert_eq!(hits.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn the_address_that_was_checked_is_the_one_connected_to() {
    let (address, hits) = counted().await;
    let names = [("ledger.example", vec![address])];
    for allow in [
        format!("ledger.example:{}", address.port()),
        "ledger.example".to_owned(),
        "127.0.0.0/8".to_owned(),
    ] {
        let adapter = with_names(json!({"default": {"allow": [allow]}}), &names);
        assert!(
            run(&adapter, json!({"url": "http://ledger.example/"}))
                .await
                .is_ok()
        );
    }
    assert_eq!(hits.load(Ordering::SeqCst), 3);
}

/// Answers once with the first address and ever after with the second, as a name does whose owner means harm.
struct Rebinding {
    asked: Arc<AtomicUsize>,
    first: SocketAddr,
    then: SocketAddr,
}

#[async_trait]
impl Resolve for Rebinding {
    async fn resolve(&self, _host: &str, _port: u16) -> std::io::Result<Vec<SocketAddr>> {
        let is_first = self.asked.fetch_add(1, Ordering::SeqCst) == 0;
        Ok(vec![if is_first { self.first } else { self.then }])
    }
}

#[tokio::test]
async fn a_name_is_asked_for_once_a_connection() {
    let (first, listed) = counted().await;
    let (then, unlisted) = counted().await;
    let asked = Arc::new(AtomicUsize::new(0));
    let settings = connections(json!({"default": {"allow": [first.to_string()]}}));
    let resolver = Arc::new(Rebinding {
        asked: Arc::clone(&asked),
        first,
        then,
    });
    let adapter = HttpAdapter::with_resolver(settings, no_secrets(), resolver).unwrap();
    assert!(run(&adapter, json!({"url": "http://a.example/"})).await.is_ok());
    let counts = [&asked, &listed, &unlisted].map(|count| count.load(Ordering::SeqCst));
    assert_eq!(counts, [1, 1, 0]);
}

#[tokio::test]
async fn the_next_address_is_tried_where_one_does_not_answer() {
    let (address, _) = counted().await;
    let closed = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let adapter = with_names(
        json!({"default": {"allow": ["127.0.0.1"]}}),
        &[("a.example", vec![closed, address])],
    );
    assert!(run(&adapter, json!({"url": "http://a.example/"})).await.is_ok());
}

#[tokio::test]
async fn a_redirect_inside_is_refused() {
    let (inside, hits) = counted().await;
    for target in [
        inside.to_string(),
        format!("localhost:{}", inside.port()),
        format!("[::1]:{}", inside.port()),
    ] {
        let location = format!("http://{target}/");
        let router = Router::new()
            .fallback(move || async move { (StatusCode::TEMPORARY_REDIRECT, [("location", location)]) });
        let outside = serve(router).await;
        let adapter = adapter(json!({"default": {"allow": [outside.to_string()]}}));
        is_refused(&adapter, &format!("http://{outside}/")).await;
    }
    assert_eq!(hits.load(Ordering::SeqCst), 0);
}

/// A kept connection goes by scheme, host and port, so it serves no other name.
#[tokio::test]
async fn a_kept_connection_opens_no_other_name() {
    let (address, hits) = counted().await;
    let names = [("good.example", vec![address]), ("bad.example", vec![address])];
    let adapter = with_names(json!({"default": {"allow": ["good.example"]}}), &names);
    assert!(
        run(&adapter, json!({"url": "http://good.example/"}))
            .await
            .is_ok()
    );
    is_refused(&adapter, "http://bad.example/").await;
    assert!(
        run(&adapter, json!({"url": "http://good.example/"}))
            .await
            .is_ok()
    );
    assert_eq!(hits.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_proxy_of_the_environment_is_not_used() {
    let (address, hits) = counted().await;
    let output = tokio::process::Command::new(std::env::current_exe().unwrap())
        .args(["tests::safety::proxied", "--exact", "--ignored"])
        .env("http_proxy", format!("http://{address}"))
        .env("HTTP_PROXY", format!("http://{address}"))
        .env("ALL_PROXY", format!("http://{address}"))
        .env("all_proxy", format!("http://{address}"))
        .output()
        .await
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stdout)
    );
    assert_eq!(hits.load(Ordering::SeqCst), 0);
}

#[tokio::test]
#[ignore = "run by a_proxy_of_the_environment_is_not_used with an environment of its own"]
async fn proxied() {
    let router = Router::new().route("/", get(|| async { "direct" }));
    let address = serve(router).await;
    let answer = run(&local(), json!({"url": format!("http://{address}/")}))
        .await
        .unwrap();
    assert_eq!(answer.fields()["body"], Value::String("direct".into()));
}
