//! Content that arrives bit by bit: slowly, in excess, or not to its end.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use engine_client::{Download, EngineClient, EngineError};
use futures::stream;
use serde_json::json;
use tokio::sync::Semaphore;

use super::clock::{Clock, soon};
use super::server::{Server, always, broken, json, parts, stalled, text, until};

async fn download(engine: &EngineClient, limit: u64) -> Result<Download, EngineError> {
    engine.deployment_resource("1", "2", limit).await
}

#[tokio::test]
async fn content_comes_with_its_length_and_kind() {
    let server = Server::start(always(|| text(200, "text/xml", "<a/>"))).await;
    let content = download(&server.client(), 4).await.unwrap();
    assert_eq!(
        (content.length(), content.media_type()),
        (Some(4), Some("text/xml"))
    );
    assert_eq!(content.whole().await.unwrap(), "<a/>");
    assert_eq!(
        server.asked()[0].path,
        "/engine-rest/deployment/1/resources/2/data"
    );
}

#[tokio::test]
async fn content_that_comes_slowly_may_take_longer_than_a_call() {
    let gate = Arc::new(Semaphore::new(0));
    let held = Arc::clone(&gate);
    let server = Server::start(move |_| {
        let held = Arc::clone(&held);
        let content = stream::unfold((held, 0), |(held, number)| async move {
            held.acquire().await.unwrap().forget();
            let part = Bytes::from(format!("part {number};"));
            (number < 4).then_some((Ok(part), (held, number + 1)))
        });
        async move { parts(content) }
    })
    .await;
    let engine = server.client();
    let clock = Clock::stopped();
    let mut content = download(&engine, 100).await.unwrap();
    for number in 0..4 {
        clock.advance(Duration::from_secs(25)).await;
        gate.add_permits(1);
        assert_eq!(content.chunk().await.unwrap().unwrap(), format!("part {number};"));
    }
    gate.add_permits(1);
    assert_eq!(content.chunk().await.unwrap(), None);
}

#[tokio::test]
async fn content_that_stalls_ends_after_the_time_of_a_call() {
    let server = Server::start(always(|| stalled(b"begin"))).await;
    let engine = server.client_within(Duration::from_secs(7));
    let clock = Clock::stopped();
    let mut content = download(&engine, 100).await.unwrap();
    assert_eq!(content.chunk().await.unwrap().unwrap(), "begin");
    // It is waited for from now on.
    clock.advance(Duration::from_secs(60)).await;
    let rest = tokio::spawn(async move { soon(content.whole()).await });
    server.settle().await;
    clock.advance(Duration::from_millis(6950)).await;
    server.settle().await;
    assert!(!rest.is_finished(), "too early");
    clock.advance(Duration::from_millis(100)).await;
    let error = rest.await.unwrap().unwrap_err();
    assert!(
        matches!(error, EngineError::TimedOut { after, .. } if after == Duration::from_secs(7)),
        "{error:?}"
    );
    assert!(error.is_unreachable() && error.is_ambiguous());
    until(|| server.open() == 0).await;
}

#[tokio::test]
async fn content_that_is_known_to_be_too_long_is_not_begun() {
    let server = Server::start(always(|| text(200, "text/plain", "12345"))).await;
    let engine = server.client();
    let error = download(&engine, 4).await.unwrap_err();
    assert!(
        matches!(error, EngineError::TooLarge { limit: 4, .. }),
        "{error:?}"
    );
    assert!(
        error.to_string().contains("/deployment/1/resources/2/data"),
        "{error}"
    );
    assert!(!error.is_transient() && !error.is_unreachable(), "{error:?}");
    assert_eq!(
        download(&engine, 5).await.unwrap().whole().await.unwrap(),
        "12345"
    );
}

#[tokio::test]
async fn content_of_unknown_length_ends_where_it_gets_too_long() {
    let content = || {
        parts(stream::iter(
            ["123", "45", "6"].map(|part| Ok(Bytes::from_static(part.as_bytes()))),
        ))
    };
    let server = Server::start(always(content)).await;
    let engine = server.client();
    let whole = download(&engine, 6).await.unwrap();
    assert_eq!(whole.length(), None);
    assert_eq!(whole.whole().await.unwrap(), "123456");
    let error = download(&engine, 5).await.unwrap().whole().await.unwrap_err();
    assert!(
        matches!(error, EngineError::TooLarge { limit: 5, .. }),
        "{error:?}"
    );
    assert!(!error.is_transient());
}

#[tokio::test]
async fn content_that_breaks_off_is_an_error_and_never_passes_for_the_whole() {
    let with_length = || {
        let mut answer = broken(b"begin")?;
        answer.headers_mut().insert("content-length", 50.into());
        Ok(answer)
    };
    for answer in [with_length, || broken(b"begin")] {
        let server = Server::start(always(answer)).await;
        let mut content = download(&server.client(), 100).await.unwrap();
        assert_eq!(content.chunk().await.unwrap().unwrap(), "begin");
        let error = soon(content.chunk()).await.unwrap_err();
        assert!(
            matches!(error, EngineError::Unreachable { was_sent: true, .. }),
            "{error:?}"
        );
        assert!(error.is_transient(), "{error:?}");
    }
}

#[tokio::test]
async fn content_that_is_not_there_is_a_refusal_like_any_other() {
    let server = Server::start(always(|| json(404, &json!({"message": "none"})))).await;
    let error = download(&server.client(), 100).await.unwrap_err();
    assert!(
        error.is_not_found() && error.engine_message() == Some("none"),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_download_that_is_dropped_closes_its_connection() {
    let server = Server::start(always(|| stalled(b"begin"))).await;
    let engine = server.client();
    let content = download(&engine, 100).await.unwrap();
    assert_eq!(server.open(), 1);
    drop(content);
    until(|| server.open() == 0).await;
}
