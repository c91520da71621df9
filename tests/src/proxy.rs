//! An HTTP proxy that can hold a request: before it is passed on, or when it has been answered.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use tokio::sync::watch;

use crate::served::Served;
use crate::until;

/// Passes every request on to one service, and holds the one that it is told to hold, for good: its answer never comes,
/// so that whoever asked can be killed at this very moment.
///
/// It has a thread and a runtime of its own and ends with the value.
#[derive(Debug)]
pub struct Proxy {
    served: Served,
    shared: Arc<Shared>,
}

/// When a request is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    /// The service never sees it.
    Before,
    /// The service has answered, and nobody hears of it.
    Behind,
}

#[derive(Debug)]
struct Shared {
    service: String,
    client: reqwest::Client,
    hold: Mutex<Option<(Vec<String>, Held)>>,
    holds: watch::Sender<bool>,
}

impl Proxy {
    /// One on a free port, before the service at this address (`http://HOST:PORT`).
    #[must_use]
    pub fn before(service: &str) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let shared = Arc::new(Shared {
            service: service.to_owned(),
            client: reqwest::Client::builder().no_proxy().build().expect("a client"),
            hold: Mutex::default(),
            holds: watch::Sender::new(false),
        });
        let app = Router::new().fallback(pass).with_state(Arc::clone(&shared));
        Self {
            served: Served::start(app),
            shared,
        }
    }

    /// Where it listens, as `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn address(&self) -> &str {
        self.served.address()
    }

    /// Holds the next request in whose path and body all of these words are.
    pub fn hold(&self, words: &[&str], held: Held) {
        let words = words.iter().map(|word| (*word).to_owned()).collect();
        self.shared.holds.send_replace(false);
        *self.shared.hold.lock().unwrap_or_else(PoisonError::into_inner) = Some((words, held));
    }

    /// Waits until it holds one.
    pub async fn holds(&self) {
        until(
            "a request is held",
            Duration::from_secs(30),
            async || match *self.shared.holds.borrow() {
                true => Ok(()),
                false => Err("none yet"),
            },
        )
        .await;
    }
}

impl Shared {
    /// Whether and when this request is to be held. It is the only one.
    fn takes(&self, path: &str, body: &[u8]) -> Option<Held> {
        let mut hold = self.hold.lock().unwrap_or_else(PoisonError::into_inner);
        let body = String::from_utf8_lossy(body);
        let has_all = |words: &[String]| {
            words
                .iter()
                .all(|word| path.contains(word) || body.contains(word))
        };
        hold.take_if(|(words, _)| has_all(words)).map(|(_, held)| held)
    }

    async fn for_good(&self) -> Response {
        self.holds.send_replace(true);
        std::future::pending().await
    }
}

async fn pass(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap_or_default();
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let held = shared.takes(path, &body);
    if held == Some(Held::Before) {
        return shared.for_good().await;
    }
    let answer = shared
        .client
        .request(parts.method, format!("{}{path}", shared.service))
        .headers(of_the_message(parts.headers))
        .body(body)
        .send()
        .await;
    let answer = match answer {
        Ok(answer) => (
            answer.status(),
            of_the_message(answer.headers().clone()),
            answer.bytes().await,
        ),
        Err(error) => return (StatusCode::BAD_GATEWAY, error.to_string()).into_response(),
    };
    if held == Some(Held::Behind) {
        return shared.for_good().await;
    }
    let (status, headers, body) = answer;
    (status, headers, Body::from(body.unwrap_or_else(|_| Bytes::new()))).into_response()
}

/// Without what belongs to the connection.
fn of_the_message(mut headers: HeaderMap) -> HeaderMap {
    for name in [
        "connection",
        "content-length",
        "host",
        "keep-alive",
        "transfer-encoding",
    ] {
        headers.remove(name);
    }
    headers
}
