//! The HTTP port: health for everybody, metrics and the examples' data for who knows the password.

use std::io::ErrorKind;
use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use axum_extra::TypedHeader;
use axum_extra::headers::Authorization;
use axum_extra::headers::authorization::Basic;
use axum_extra::typed_header::TypedHeaderRejection;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use subtle::ConstantTimeEq;
use telemetry::metrics::{CONTENT_TYPE, Metrics};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::embedded::EXCHANGE_RATES;
use super::health::Health;
use crate::commands::http_port;
use crate::context::Context;
use crate::exit::Trouble;

/// The user of the port.
pub(super) const USER: &str = "procos";

/// What the port serves.
pub(super) struct Port {
    /// What `/health/…` tells.
    pub(super) health: Health,
    /// What `/metrics` tells.
    pub(super) metrics: Metrics,
    /// The password of [`USER`].
    pub(super) password: SecretString,
    /// What is served under `/webhooks`, to whoever can show that he may.
    pub(super) webhooks: Option<Router>,
    /// Whether the examples' data is served.
    pub(super) examples: bool,
}

/// Begins to listen at `http.listen`.
///
/// # Errors
/// Where the address is in use, by a `procos` or something else, or not this machine's.
pub(super) async fn bind(context: &Context) -> Result<TcpListener, Trouble> {
    let address = context.config.settings().http.listen;
    let error = match TcpListener::bind(address).await {
        Ok(listener) => return Ok(listener),
        Err(error) => error,
    };
    let remedy = match error.kind() {
        ErrorKind::AddrInUse if http_port::readiness(context).await.is_ok() => {
            return Err(Trouble::unreachable(format!(
                "procos runs already: it answers at {address}. Stop that one, or give this one its own --data-dir, \
                 http.listen and engine.url"
            )));
        }
        ErrorKind::AddrInUse => "stop what listens there, or give http.listen another port",
        ErrorKind::AddrNotAvailable => "http.listen must name an address of this machine",
        _ => "give http.listen another address",
    };
    Err(Trouble::unreachable(format!(
        "cannot listen at {address} for health and metrics: {error}; {remedy}"
    )))
}

/// Serves until the token is cancelled; requests under way are finished.
pub(super) async fn serve(listener: TcpListener, port: Port, stop: CancellationToken) {
    let served = axum::serve(listener, router(port)).with_graceful_shutdown(stop.cancelled_owned());
    if let Err(error) = served.await {
        tracing::error!(%error, "the HTTP port has failed");
    }
}

fn router(port: Port) -> Router {
    let webhooks = port.webhooks.clone();
    let port = Arc::new(port);
    let mut closed = Router::new().route("/metrics", get(metrics));
    if port.examples {
        closed = closed.route("/examples/exchange-rates/{currency}", get(exchange_rate));
    }
    let all = closed
        .fallback(|| async { refusal(StatusCode::NOT_FOUND, "there is nothing at this address") })
        .layer(middleware::from_fn_with_state(Arc::clone(&port), login))
        .route("/health/live", get(|| async { Json(json!({"live": true})) }))
        .route("/health/ready", get(ready))
        .with_state(port);
    match webhooks {
        Some(webhooks) => all.nest("/webhooks", webhooks),
        None => all,
    }
}

/// Lets pass who knows the password. Compared in constant time, so that it cannot be guessed byte by byte.
async fn login(
    State(port): State<Arc<Port>>,
    basic: Result<TypedHeader<Authorization<Basic>>, TypedHeaderRejection>,
    request: Request,
    next: Next,
) -> Response {
    let given = |basic: &Basic| {
        let user = basic.username().as_bytes().ct_eq(USER.as_bytes());
        let password = basic
            .password()
            .as_bytes()
            .ct_eq(port.password.expose_secret().as_bytes());
        bool::from(user & password)
    };
    if basic.is_ok_and(|header| given(&header.0.0)) {
        return next.run(request).await;
    }
    let message = "log in as `procos` with the password in the data directory's secrets/http-password";
    let mut response = refusal(StatusCode::UNAUTHORIZED, message);
    let realm = HeaderValue::from_static("Basic realm=\"procos\", charset=\"UTF-8\"");
    response.headers_mut().insert(header::WWW_AUTHENTICATE, realm);
    response
}

async fn ready(State(port): State<Arc<Port>>) -> Response {
    let readiness = port.health.readiness();
    let status = if readiness.ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (status, Json(readiness)).into_response()
}

async fn metrics(State(port): State<Arc<Port>>) -> Response {
    ([(header::CONTENT_TYPE, CONTENT_TYPE)], port.metrics.render()).into_response()
}

/// A made-up exchange rate, for the examples: they need no internet.
async fn exchange_rate(Path(currency): Path<String>) -> Response {
    let rates: serde_json::Value = serde_json::from_str(EXCHANGE_RATES).unwrap_or_default();
    match rates.get(&currency) {
        Some(rate) => Json(json!({"base": "EUR", "currency": currency, "rate": rate})).into_response(),
        None => refusal(
            StatusCode::NOT_FOUND,
            &format!("nobody quotes the currency {currency}"),
        ),
    }
}

fn refusal(status: StatusCode, message: &str) -> Response {
    (status, Json(json!({"error": message}))).into_response()
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, to_bytes};
    use tower::ServiceExt;

    use super::*;

    const RIGHT: &str = "Basic cHJvY29zOmh1bnRlcjI="; // procos:hunter2

    async fn ask(path: &str, login: Option<&str>) -> (StatusCode, String) {
        let router = router(Port {
            health: Health::default(),
            metrics: Metrics::new().unwrap(),
            password: "hunter2".to_owned().into(),
            webhooks: None,
            examples: true,
        });
        let mut request = Request::builder().uri(path);
        if let Some(login) = login {
            request = request.header(header::AUTHORIZATION, login);
        }
        let response = router
            .oneshot(request.body(Body::empty()).unwrap())
            .await
            .unwrap();
        let status = response.status();
        let body = to_bytes(response.into_body(), 1 << 20).await.unwrap();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn health_is_open_and_true() {
        assert_eq!(ask("/health/live", None).await.0, StatusCode::OK);
        let (status, body) = ask("/health/ready", None).await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(body, r#"{"ready":false,"draining":false}"#);
    }

    #[tokio::test]
    async fn everything_else_needs_the_password() {
        for path in [
            "/metrics",
            "/examples/exchange-rates/USD",
            "/",
            "/nothing",
            "/health",
        ] {
            for login in [
                None,
                Some("Basic cHJvY29zOmh1bnRlcjM="), // procos:hunter3
                Some("Basic cHJvY29zOg=="),         // procos:
                Some("Basic cm9vdDpodW50ZXIy"),     // root:hunter2
                Some("Basic !"),
                Some("Bearer hunter2"),
            ] {
                assert_eq!(
                    ask(path, login).await.0,
                    StatusCode::UNAUTHORIZED,
                    "{path} {login:?}"
                );
            }
        }
        assert_eq!(ask("/nothing", Some(RIGHT)).await.0, StatusCode::NOT_FOUND);
        let (status, body) = ask("/metrics", Some(RIGHT)).await;
        assert_eq!(status, StatusCode::OK);
        assert!(body.contains("procos_engine_up"), "{body}");
    }

    #[tokio::test]
    async fn the_examples_find_their_rates() {
        let (status, body) = ask("/examples/exchange-rates/USD", Some(RIGHT)).await;
        assert_eq!(
            (status, body.as_str()),
            (StatusCode::OK, r#"{"base":"EUR","currency":"USD","rate":1.17}"#)
        );
        let (status, body) = ask("/examples/exchange-rates/XXX", Some(RIGHT)).await;
        assert_eq!(status, StatusCode::NOT_FOUND);
        assert!(body.contains("XXX"), "{body}");
    }
}
