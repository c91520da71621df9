//! OAuth 2 client credentials where all goes well: how a token is asked for, how long it is used, when it is renewed.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use engine_client::{ClientSettings, EngineClient, EngineError, Login, OAuth2};
use serde_json::json;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use url::{Url, form_urlencoded};

use super::clock::{Clock, soon};
use super::server::{Answer, Server, json, until, version};

pub(crate) const TOKEN: &str = "/token";
pub(crate) const ENGINE: &str = "/engine-rest";

pub(crate) const SECRET: &str = "hidden-secret";

pub(crate) fn login(token_url: Url) -> Login {
    Login::OAuth2(OAuth2 {
        token_url,
        client_id: "procos".into(),
        client_secret: SECRET.into(),
        scope: None,
    })
}

pub(crate) fn client(server: &Server) -> EngineClient {
    EngineClient::new(server.engine(), login(server.url(TOKEN))).unwrap()
}

/// The token of this number; it lives for so many seconds.
pub(crate) fn token(number: usize, expires_in: u64) -> Answer {
    let token = format!("token-{number}");
    json(
        200,
        &json!({"access_token": token, "token_type": "Bearer", "expires_in": expires_in}),
    )
}

/// An engine and its token endpoint: every token is another, and lives for so many seconds.
async fn engine(expires_in: u64) -> Server {
    scripted(
        move |number| async move { token(number, expires_in) },
        |_| version(),
    )
    .await
}

/// The same with answers of the test's own: to the request for a token of this number, and to a call with this
/// `Authorization`.
pub(crate) async fn scripted<T, A>(tokens: T, calls: fn(&str) -> Answer) -> Server
where
    T: Fn(usize) -> A + Clone + Send + Sync + 'static,
    A: Future<Output = Answer> + Send + 'static,
{
    let number = Arc::new(AtomicUsize::new(0));
    Server::start(move |asked| {
        let (tokens, number) = (tokens.clone(), Arc::clone(&number));
        async move {
            if asked.path == TOKEN {
                return tokens(number.fetch_add(1, Ordering::SeqCst) + 1).await;
            }
            calls(asked.header("authorization"))
        }
    })
    .await
}

/// The `Authorization` of each call of the engine so far.
pub(crate) fn used(server: &Server) -> Vec<String> {
    let calls = server.asked_of(ENGINE);
    let headers = calls.iter().map(|call| call.header("authorization").to_owned());
    headers.collect()
}

/// So many calls at once.
pub(crate) fn calls(engine: &EngineClient, times: usize) -> JoinSet<Result<String, EngineError>> {
    let mut calls = JoinSet::new();
    for _ in 0..times {
        let engine = engine.clone();
        calls.spawn(async move { soon(engine.version()).await });
    }
    calls
}

#[tokio::test]
async fn the_first_call_fetches_a_token_and_the_next_uses_it() {
    let server = engine(3600).await;
    let engine = client(&server);
    assert!(server.asked().is_empty(), "nothing is asked for ahead");
    for _ in 0..3 {
        engine.version().await.unwrap();
    }
    assert_eq!(server.asked_of(TOKEN).len(), 1);
    assert_eq!(used(&server), ["Bearer token-1"; 3]);
}

#[tokio::test]
async fn a_token_is_asked_for_as_rfc_6749_has_it() {
    let server = engine(3600).await;
    let ask = async |client_id: &str, client_secret: &str, scope: Option<&str>| {
        let login = Login::OAuth2(OAuth2 {
            token_url: server.url(TOKEN),
            client_id: client_id.into(),
            client_secret: client_secret.into(),
            scope: scope.map(str::to_owned),
        });
        let engine = EngineClient::new(server.engine(), login).unwrap();
        engine.version().await.unwrap();
        server.asked_of(TOKEN).pop().unwrap()
    };
    let form = |body: &str| {
        HashMap::<String, String>::from_iter(form_urlencoded::parse(body.as_bytes()).into_owned())
    };

    let asked = ask("procos", "hidden-secret", Some(" engine  history ")).await;
    assert_eq!(asked.method, "POST");
    assert_eq!(asked.header("content-type"), "application/x-www-form-urlencoded");
    assert_eq!(
        asked.header("authorization"),
        "Basic cHJvY29zOmhpZGRlbi1zZWNyZXQ="
    );
    let expected = [("grant_type", "client_credentials"), ("scope", "engine history")];
    let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
    // No id and no secret: they go by the header alone.
    assert_eq!(form(&asked.body), HashMap::from(expected.clone()));

    // RFC 6749, 2.3.1: encoded like a form before they go into Basic, so that no colon is in the id.
    let asked = ask("pro:cos", "a b/ü%", None).await;
    // pro%3Acos:a+b%2F%C3%BC%25
    let expected_header = "Basic cHJvJTNBY29zOmErYiUyRiVDMyVCQyUyNQ==";
    assert_eq!(asked.header("authorization"), expected_header);
    assert_eq!(form(&asked.body), HashMap::from([expected[0].clone()]));
}

#[tokio::test]
async fn calls_that_are_first_at_once_fetch_one_token() {
    let gate = Arc::new(Semaphore::new(0));
    let held = Arc::clone(&gate);
    let server = scripted(
        move |number| {
            let held = Arc::clone(&held);
            async move {
                held.acquire().await.unwrap().forget();
                token(number, 3600)
            }
        },
        |_| version(),
    )
    .await;
    let calls = calls(&client(&server), 20);
    server.until_asked(TOKEN, 1).await;
    // More than enough for whoever would ask, too.
    gate.add_permits(20);
    for answer in calls.join_all().await {
        answer.unwrap();
    }
    assert_eq!(server.asked_of(TOKEN).len(), 1);
    assert_eq!(used(&server), vec!["Bearer token-1"; 20]);
}

#[tokio::test]
async fn a_token_is_renewed_ahead_of_its_end() {
    // How long it lives, and when it is renewed: a minute before, or where a fifth of its life is left.
    for (expires_in, renewed_after) in [(3600, 3540), (100, 80), (5, 4)] {
        let server = engine(expires_in).await;
        let engine = client(&server);
        let clock = Clock::stopped();
        engine.version().await.unwrap();
        clock
            .advance(Duration::from_millis(renewed_after * 1000 - 50))
            .await;
        engine.version().await.unwrap();
        clock.advance(Duration::from_millis(100)).await;
        engine.version().await.unwrap();
        engine.version().await.unwrap();
        let expected = [
            "Bearer token-1",
            "Bearer token-1",
            "Bearer token-2",
            "Bearer token-2",
        ];
        assert_eq!(used(&server), expected, "of {expires_in} s");
        tokio::time::resume();
    }
}

#[tokio::test]
async fn a_token_without_an_end_is_used_for_ever() {
    for life in [json!(null), json!(u64::MAX)] {
        let mut answer = json!({"access_token": "token-1", "token_type": "Bearer"});
        if !life.is_null() {
            answer["expires_in"] = life;
        }
        let server = scripted(move |_| std::future::ready(json(200, &answer)), |_| version()).await;
        let engine = client(&server);
        let clock = Clock::stopped();
        engine.version().await.unwrap();
        clock.advance(Duration::from_secs(1_000_000)).await;
        engine.version().await.unwrap();
        assert_eq!(server.asked_of(TOKEN).len(), 1);
        tokio::time::resume();
    }
}

#[tokio::test]
async fn while_one_call_renews_the_token_the_others_use_the_old_one() {
    let gate = Arc::new(Semaphore::new(1));
    let held = Arc::clone(&gate);
    let server = scripted(
        move |number| {
            let held = Arc::clone(&held);
            async move {
                held.acquire().await.unwrap().forget();
                token(number, 3600)
            }
        },
        |_| version(),
    )
    .await;
    let engine = client(&server);
    let clock = Clock::stopped();
    engine.version().await.unwrap();
    clock.advance(Duration::from_secs(3550)).await;
    let mut renewing = calls(&engine, 1);
    server.until_asked(TOKEN, 2).await;
    for answer in calls(&engine, 5).join_all().await {
        answer.unwrap();
    }
    assert_eq!(used(&server), ["Bearer token-1"; 6]);
    gate.add_permits(5);
    renewing.join_next().await.unwrap().unwrap().unwrap();
    assert_eq!(used(&server)[6..], ["Bearer token-2"]);
    assert_eq!(server.asked_of(TOKEN).len(), 2);
}

#[tokio::test]
async fn a_token_that_has_ended_is_not_used_and_renewed_once() {
    let server = engine(3600).await;
    let engine = client(&server);
    let clock = Clock::stopped();
    engine.version().await.unwrap();
    clock.advance(Duration::from_secs(3601)).await;
    for answer in calls(&engine, 10).join_all().await {
        answer.unwrap();
    }
    assert_eq!(server.asked_of(TOKEN).len(), 2);
    assert_eq!(used(&server)[1..], vec!["Bearer token-2"; 10]);
}

#[tokio::test]
async fn a_token_that_the_engine_refuses_is_renewed_and_the_call_made_again() {
    let server = scripted(
        |number| async move { token(number, 3600) },
        |authorization| match authorization {
            "Bearer token-1" => json(401, &json!({})),
            _ => version(),
        },
    )
    .await;
    let engine = client(&server);
    assert_eq!(engine.version().await.unwrap(), "7.24.0");
    assert_eq!(used(&server), ["Bearer token-1", "Bearer token-2"]);
    assert_eq!(server.asked_of(TOKEN).len(), 2);
}

#[tokio::test]
async fn a_call_that_is_refused_again_is_not_made_a_third_time() {
    let server = scripted(
        |number| async move { token(number, 3600) },
        |_| json(401, &json!({})),
    )
    .await;
    let error = client(&server).version().await.unwrap_err();
    assert!(error.is_unauthorized() && !error.is_transient(), "{error:?}");
    assert!(matches!(error, EngineError::Refused(_)), "{error:?}");
    assert_eq!(used(&server), ["Bearer token-1", "Bearer token-2"]);
    assert_eq!(server.asked_of(TOKEN).len(), 2);
}

#[tokio::test]
async fn a_fixed_login_that_is_refused_is_not_sent_again() {
    let server = Server::start(|_| async { json(401, &json!({})) }).await;
    let engine = EngineClient::new(server.engine(), Login::Bearer("abc".into())).unwrap();
    assert!(engine.version().await.unwrap_err().is_unauthorized());
    assert_eq!(server.asked().len(), 1);
}

#[tokio::test]
async fn calls_that_are_refused_at_once_renew_the_token_once() {
    let arrived = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&arrived);
    let number = Arc::new(AtomicUsize::new(0));
    let server = Server::start(move |asked| {
        let (arrived, number) = (Arc::clone(&counted), Arc::clone(&number));
        async move {
            if asked.path == TOKEN {
                return token(number.fetch_add(1, Ordering::SeqCst) + 1, 3600);
            }
            if asked.header("authorization") != "Bearer token-1" {
                return version();
            }
            arrived.fetch_add(1, Ordering::SeqCst);
            // All of them have been sent with the old token when the first is refused.
            until(|| arrived.load(Ordering::SeqCst) >= 10).await;
            json(401, &json!({}))
        }
    })
    .await;
    for answer in calls(&client(&server), 10).join_all().await {
        answer.unwrap();
    }
    assert_eq!(server.asked_of(TOKEN).len(), 2);
    assert_eq!(used(&server)[10..], vec!["Bearer token-2"; 10]);
}

#[tokio::test]
async fn calls_that_are_refused_at_once_share_a_new_token_that_is_the_same() {
    // An endpoint that keeps its tokens gives the same one until it ends.
    let server = scripted(|_| async { token(1, 3600) }, |_| json(401, &json!({}))).await;
    for answer in calls(&client(&server), 10).join_all().await {
        assert!(answer.unwrap_err().is_unauthorized());
    }
    assert!(
        server.asked_of(TOKEN).len() <= 3,
        "{}",
        server.asked_of(TOKEN).len()
    );
    assert_eq!(used(&server).len(), 20);
}

#[tokio::test]
async fn clones_of_a_client_share_the_token() {
    let server = engine(3600).await;
    let engine = ClientSettings::new()
        .client(server.engine(), login(server.url(TOKEN)))
        .unwrap();
    engine.clone().version().await.unwrap();
    engine.version().await.unwrap();
    assert_eq!(server.asked_of(TOKEN).len(), 1);
}
