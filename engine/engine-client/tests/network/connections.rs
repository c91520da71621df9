//! How connections are kept and used again, and what becomes of calls when the server closes them.

use std::time::Duration;

use engine_client::EngineError;
use serde_json::json;

use super::clock::Clock;
use super::server::{Server, always, closed, json, until, version};
use super::tokens::calls;

#[tokio::test]
async fn calls_in_a_row_use_one_connection_whatever_is_answered() {
    let server = Server::start(|asked| async move {
        match asked.path.as_str() {
            "/engine-rest/version" => version(),
            "/engine-rest/deployment/gone" => json(404, &json!({"message": "x".repeat(100_000)})),
            _ => json(500, &json!({"message": "broken", "code": 0})),
        }
    })
    .await;
    let engine = server.client();
    for _ in 0..100 {
        engine.version().await.unwrap();
        assert!(engine.delete_deployment("gone").await.unwrap_err().is_not_found());
        assert!(engine.tenants().await.unwrap_err().is_internal());
    }
    assert_eq!(server.connections(), 1);
    assert_eq!(server.asked().len(), 300);
}

#[tokio::test]
async fn calls_at_once_have_a_connection_each_and_leave_them_to_the_next() {
    let server = Server::start(always(version)).await;
    let engine = server.client();
    for _ in 0..3 {
        for answer in calls(&engine, 8).join_all().await {
            answer.unwrap();
        }
    }
    assert!(server.connections() <= 8, "{}", server.connections());
}

#[tokio::test]
async fn a_connection_that_the_server_has_closed_costs_no_call() {
    let server = Server::start(always(version)).await;
    let engine = server.client();
    for round in 1..=50 {
        engine.version().await.unwrap();
        assert_eq!(server.connections(), round);
        server.close_idle().await;
        // The client's side has it now, too: what has arrived is looked for before this goes on.
        server.settle().await;
    }
    assert_eq!(server.asked().len(), 50);
}

#[tokio::test]
async fn a_connection_whose_end_is_announced_costs_no_call() {
    let server = Server::start(|_| async {
        let mut answer = version()?;
        answer
            .headers_mut()
            .insert("connection", "close".parse().unwrap());
        Ok(answer)
    })
    .await;
    let engine = server.client();
    for _ in 0..50 {
        engine.version().await.unwrap();
    }
    assert_eq!(server.connections(), 50);
}

/// The one gap that no client can close: the server decides to close a connection while a call is on its way. hyper
/// makes a call again by itself where it knows that nothing of it was written, and does not know it here. That is why
/// unused connections are given up before Tomcat closes them.
#[tokio::test]
async fn a_connection_that_is_closed_at_the_moment_of_a_call_leaves_open_whether_it_was_carried_out() {
    let server = Server::start(always(version)).await;
    let engine = server.client();
    engine.version().await.unwrap();
    // One thread runs all: the server closes, and the client writes before it looks for what has arrived.
    server.start_closing_idle();
    match engine.version().await {
        Ok(_) => {}
        Err(error) => {
            assert!(
                matches!(error, EngineError::Unreachable { was_sent: true, .. }),
                "{error:?}"
            );
            assert!(error.is_ambiguous() && error.is_transient());
            assert_eq!(server.asked().len(), 1);
        }
    }
    // In any case the next has another connection.
    engine.version().await.unwrap();
}

#[tokio::test]
async fn a_call_on_a_used_connection_that_got_through_is_not_repeated() {
    let server = Server::start(|asked| async move {
        match asked.path.as_str() {
            "/engine-rest/version" => version(),
            _ => Err(closed()),
        }
    })
    .await;
    let engine = server.client();
    engine.version().await.unwrap();
    let error = engine.delete_deployment("1").await.unwrap_err();
    assert!(
        matches!(error, EngineError::Unreachable { was_sent: true, .. }),
        "{error:?}"
    );
    assert_eq!(server.asked_of("/engine-rest/deployment").len(), 1);
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn a_connection_is_given_up_before_tomcat_would_close_it() {
    let server = Server::start(always(version)).await;
    let engine = server.client();
    let clock = Clock::stopped();
    engine.version().await.unwrap();
    clock.advance(Duration::from_secs(14)).await;
    engine.version().await.unwrap();
    assert_eq!(server.connections(), 1);
    clock.advance(Duration::from_secs(16)).await;
    engine.version().await.unwrap();
    assert_eq!(server.connections(), 2);
    // The other one is closed, and not merely left alone.
    until(|| server.open() == 1).await;
}
