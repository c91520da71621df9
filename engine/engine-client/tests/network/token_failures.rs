//! OAuth 2 client credentials where the token endpoint does not give a token.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use engine_client::{EngineClient, EngineError};
use serde_json::json;
use tokio::sync::Semaphore;

use super::clock::Clock;
use super::server::{Answer, Server, closed, json, text, version};
use super::tokens::{SECRET, TOKEN, calls, client, login, scripted, token, used};

/// What the client makes of an endpoint that always answers so. The engine is not called without a token.
async fn error_of(answer: fn() -> Answer) -> EngineError {
    let server = scripted(move |_| async move { answer() }, |_| version()).await;
    let error = client(&server).version().await.unwrap_err();
    assert!(used(&server).is_empty(), "the engine was called");
    assert_eq!(server.asked_of(TOKEN).len(), 1);
    assert!(matches!(error, EngineError::Token(_)), "{error:?}");
    assert!(!error.is_ambiguous(), "{error:?}");
    let printed = format!("{error} {error:?}");
    assert!(printed.contains(server.url(TOKEN).as_str()), "{printed}");
    assert!(!printed.contains("hidden"), "{printed}");
    error
}

#[tokio::test]
async fn an_endpoint_that_is_down_is_unreachable_and_named() {
    // A port that was free a moment ago.
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let server = Server::start(|_| async { version() }).await;
    let url = format!("http://127.0.0.1:{port}/token");
    let engine = EngineClient::new(server.engine(), login(url.parse().unwrap())).unwrap();
    let error = engine.version().await.unwrap_err();
    assert!(error.is_unreachable() && error.is_transient(), "{error:?}");
    assert!(!error.is_unauthorized() && !error.is_ambiguous(), "{error:?}");
    let said = error.to_string();
    assert!(
        said.contains(&url) && said.contains("engine.auth.oauth2.token_url"),
        "{said}"
    );
    assert!(said.contains("refused"), "{said}");
    assert!(!format!("{error:?}").contains(SECRET), "{error:?}");
    assert!(server.asked().is_empty());
}

#[tokio::test]
async fn an_endpoint_in_trouble_is_unreachable_and_says_nothing_about_the_login() {
    fn answers() -> Vec<fn() -> Answer> {
        vec![
            || text(500, "text/html", "<h1>hidden</h1>"),
            || text(503, "text/html", ""),
            || json(429, &json!({"error": "slow_down"})),
            || text(429, "text/plain", "Too many requests"),
            || Err(closed()),
        ]
    }
    for answer in answers() {
        let error = error_of(answer).await;
        assert!(error.is_unreachable() && error.is_transient(), "{error:?}");
        assert!(!error.is_unauthorized(), "{error:?}");
    }
}

#[tokio::test]
async fn an_endpoint_that_refuses_the_client_makes_the_login_wrong() {
    type Case = (fn() -> Answer, &'static str);
    let answers: [Case; 4] = [
        (
            || json(400, &json!({"error": "invalid_client"})),
            "invalid_client",
        ),
        (
            || {
                json(
                    401,
                    &json!({"error": "unauthorized_client", "error_description": "Who?"}),
                )
            },
            "Who?",
        ),
        // A gateway before the endpoint.
        (|| text(401, "text/html", "<h1>hidden</h1>"), "401"),
        (|| text(403, "text/html", ""), "403"),
    ];
    for (answer, reason) in answers {
        let error = error_of(answer).await;
        assert!(error.is_unauthorized(), "{error:?}");
        assert!(!error.is_unreachable() && !error.is_transient(), "{error:?}");
        let said = error.to_string();
        assert!(
            said.contains(reason) && said.contains("client_secret and scope of engine.auth.oauth2"),
            "{said}"
        );
    }
}

#[tokio::test]
async fn an_answer_that_is_no_token_is_not_shown() {
    let answers: [fn() -> Answer; 7] = [
        || text(200, "text/plain", "access_token=hidden"),
        || text(200, "application/json", "access_token=hidden"),
        || text(200, "application/json", r#"{"access_token": "hidden""#),
        || json(200, &json!({"access_token": ["hidden"], "token_type": "bearer"})),
        || json(200, &json!({"token": "hidden"})),
        || text(200, "application/json", ""),
        || text(404, "text/html", "<h1>hidden</h1>"),
    ];
    for answer in answers {
        let error = error_of(answer).await;
        // Neither the client's fault nor that of the network: the address is wrong.
        assert!(!error.is_unauthorized() && !error.is_unreachable(), "{error:?}");
        let said = error.to_string();
        assert!(said.ends_with("check engine.auth.oauth2.token_url"), "{said}");
    }
}

#[tokio::test]
async fn a_token_that_no_header_can_carry_is_refused() {
    let error = error_of(|| {
        json(
            200,
            &json!({"access_token": "hidden\r\nx-evil: 1", "token_type": "bearer"}),
        )
    });
    let said = error.await.to_string();
    assert!(said.contains("characters that a header cannot carry"), "{said}");
}

#[tokio::test]
async fn a_redirect_of_the_endpoint_is_not_followed() {
    // The secret is for the endpoint alone.
    let error = error_of(|| {
        let mut answer = text(307, "text/plain", "")?;
        answer
            .headers_mut()
            .insert("location", "/elsewhere".parse().unwrap());
        Ok(answer)
    })
    .await;
    assert!(error.to_string().contains("307"), "{error}");
}

#[tokio::test]
async fn a_failure_is_shared_by_those_who_waited_and_the_next_call_tries_again() {
    let gate = Arc::new(Semaphore::new(0));
    let held = Arc::clone(&gate);
    let server = scripted(
        move |number| {
            let held = Arc::clone(&held);
            async move {
                held.acquire().await.unwrap().forget();
                match number {
                    1 => text(503, "text/plain", ""),
                    _ => token(number, 3600),
                }
            }
        },
        |_| version(),
    )
    .await;
    let engine = client(&server);
    let calls = calls(&engine, 20);
    server.until_asked(TOKEN, 1).await;
    gate.add_permits(100);
    for answer in calls.join_all().await {
        assert!(answer.unwrap_err().is_unreachable());
    }
    assert_eq!(server.asked_of(TOKEN).len(), 1);
    engine.version().await.unwrap();
    assert_eq!(used(&server), ["Bearer token-2"]);
}

#[tokio::test]
async fn a_call_that_is_dropped_while_it_fetches_leaves_that_to_the_next() {
    let server = scripted(
        |number| async move {
            if number == 1 {
                std::future::pending::<()>().await;
            }
            token(number, 3600)
        },
        |_| version(),
    )
    .await;
    let engine = client(&server);
    let mut first = calls(&engine, 1);
    server.until_asked(TOKEN, 1).await;
    let second = calls(&engine, 1);
    first.shutdown().await;
    second.join_all().await.remove(0).unwrap();
    assert_eq!(used(&server), ["Bearer token-2"]);
}

#[tokio::test]
async fn while_the_old_token_is_good_a_renewal_that_fails_does_no_harm_and_is_not_hurried() {
    let server = scripted(
        |number| async move {
            match number {
                1 => token(1, 3600),
                _ => text(503, "text/plain", ""),
            }
        },
        |_| version(),
    )
    .await;
    let engine = client(&server);
    let clock = Clock::stopped();
    engine.version().await.unwrap();
    clock.advance(Duration::from_secs(3550)).await;
    for _ in 0..3 {
        engine.version().await.unwrap();
    }
    assert_eq!(server.asked_of(TOKEN).len(), 2, "tried again at every call");
    clock.advance(Duration::from_millis(5050)).await;
    engine.version().await.unwrap();
    assert_eq!(server.asked_of(TOKEN).len(), 3, "not tried again");
    assert_eq!(used(&server), ["Bearer token-1"; 5]);
    // At its end the failure counts.
    clock.advance(Duration::from_secs(45)).await;
    let error = engine.version().await.unwrap_err();
    assert!(error.is_unreachable() && !error.is_unauthorized(), "{error:?}");
    assert_eq!(used(&server).len(), 5);
}

#[tokio::test]
async fn an_endpoint_that_hangs_is_named_and_the_call_was_not_sent() {
    let server = scripted(|_| std::future::pending(), |_| version()).await;
    let clock = Clock::stopped();
    let calls = calls(&client(&server), 3);
    server.until_asked(TOKEN, 1).await;
    clock.advance(Duration::from_secs(31)).await;
    for answer in calls.join_all().await {
        let error = answer.unwrap_err();
        assert!(matches!(error, EngineError::Token(_)), "{error:?}");
        let said = error.to_string();
        assert!(
            said.contains(server.url(TOKEN).as_str()) && said.contains("no answer within"),
            "{said}"
        );
        assert!(error.is_unreachable() && !error.is_ambiguous(), "{error:?}");
    }
    assert_eq!(server.asked().len(), 1);
}

#[tokio::test]
async fn while_the_old_token_is_good_an_endpoint_that_hangs_fails_no_call() {
    let server = scripted(
        |number| async move {
            if number > 1 {
                std::future::pending::<()>().await;
            }
            token(number, 3600)
        },
        |_| version(),
    )
    .await;
    let engine = client(&server);
    let clock = Clock::stopped();
    engine.version().await.unwrap();
    clock.advance(Duration::from_secs(3545)).await;
    let call = calls(&engine, 1);
    server.until_asked(TOKEN, 2).await;
    clock.advance(Duration::from_secs(31)).await;
    call.join_all().await.remove(0).unwrap();
    assert_eq!(used(&server), ["Bearer token-1"; 2]);
}
