//! The addresses below `/webhooks`.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use jiff::Timestamp;
use secrets::SecretStore;
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use worker_api::{PortError, ProcessPort};

use crate::settings::{HookSettings, Signature};
use crate::signature::verify;
use crate::{deliver, payload};

/// How long a body may take to arrive.
const ARRIVAL: Duration = Duration::from_secs(30);

/// How many bodies are read at once: nobody has shown yet that he may send one.
const AT_ONCE: usize = 32;

/// The webhooks, and what they lead to while workers run.
pub(crate) struct Hooks {
    pub(crate) hooks: BTreeMap<String, HookSettings>,
    pub(crate) secrets: SecretStore,
    processes: Mutex<Option<Arc<dyn ProcessPort>>>,
    arriving: Semaphore,
}

impl Hooks {
    pub(crate) fn new(hooks: BTreeMap<String, HookSettings>, secrets: SecretStore) -> Self {
        Self {
            hooks,
            secrets,
            processes: Mutex::default(),
            arriving: Semaphore::new(AT_ONCE),
        }
    }

    /// Where requests lead from now on; none where they are to come later.
    pub(crate) fn lead_to(&self, processes: Option<Arc<dyn ProcessPort>>) {
        *self.processes.lock().unwrap_or_else(PoisonError::into_inner) = processes;
    }

    fn processes(&self) -> Option<Arc<dyn ProcessPort>> {
        self.processes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

/// The addresses, one for each webhook.
pub(crate) fn routes(hooks: Arc<Hooks>) -> Router {
    Router::new()
        .route("/{name}", post(receive))
        .fallback(|| async { answer(StatusCode::NOT_FOUND, NO_HOOK) })
        .with_state(hooks)
}

const NO_HOOK: &str = "there is no webhook at this address";

async fn receive(
    State(hooks): State<Arc<Hooks>>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let Some(settings) = hooks.hooks.get(&name) else {
        return answer(StatusCode::NOT_FOUND, NO_HOOK);
    };
    let most = usize::try_from(settings.max_bytes).unwrap_or(usize::MAX);
    let Ok(arriving) = hooks.arriving.try_acquire() else {
        return later("too many requests arrive at once");
    };
    let body = match tokio::time::timeout(ARRIVAL, to_bytes(body, most)).await {
        Ok(Ok(body)) => body,
        Ok(Err(_)) => {
            return answer(
                StatusCode::PAYLOAD_TOO_LARGE,
                &format!("the body has more than {most} bytes, or broke off"),
            );
        }
        Err(_) => return answer(StatusCode::REQUEST_TIMEOUT, "the body took too long to arrive"),
    };
    drop(arriving);
    let secret = match settings.signature.secret().resolve(&hooks.secrets) {
        Ok(secret) => secret,
        Err(error) => {
            tracing::error!(webhook = name, %error, "the webhook's secret cannot be had; requests are put off");
            return later("this webhook cannot check signatures now");
        }
    };
    let now = Timestamp::now();
    let believed = verify(
        &settings.signature,
        secret.expose(),
        &headers,
        &body,
        settings.tolerance,
        now,
    );
    if let Err(doubt) = believed {
        tracing::warn!(webhook = name, %doubt, "a request to a webhook is refused");
        return answer(StatusCode::UNAUTHORIZED, &doubt.to_string());
    }
    let payload = match payload::read(&headers, &body) {
        Ok(payload) => payload,
        Err(error @ payload::Unreadable::Type(_)) => {
            return answer(StatusCode::UNSUPPORTED_MEDIA_TYPE, &error.to_string());
        }
        Err(error) => return answer(StatusCode::BAD_REQUEST, &error.to_string()),
    };
    if let Some(challenge) = challenge(&settings.signature, &payload) {
        return Json(json!({ "challenge": challenge })).into_response();
    }
    let arrival = match deliver::read(settings, &headers, payload) {
        Ok(arrival) => arrival,
        Err(problem) => return answer(StatusCode::UNPROCESSABLE_ENTITY, &problem),
    };
    let Some(processes) = hooks.processes() else {
        return later("no workers run here now");
    };
    match arrival.deliver(processes.as_ref()).await {
        Ok(()) => taken(),
        Err(error) => refused(&name, &error),
    }
}

/// What Slack asks once of an address for events.
fn challenge<'a>(signature: &Signature, payload: &'a Value) -> Option<&'a str> {
    let asks = matches!(signature, Signature::Slack(_)) && payload.get("type")? == "url_verification";
    asks.then(|| payload.get("challenge")?.as_str()).flatten()
}

/// What the engine says is for the operator's log; the sender learns whether to come again.
fn refused(hook: &str, error: &PortError) -> Response {
    match error {
        PortError::NoMatch { .. } => {
            tracing::warn!(webhook = hook, %error, "nothing waits for what a webhook brings");
            answer(StatusCode::CONFLICT, "nothing waits for this now")
        }
        PortError::Ambiguous { .. } => {
            tracing::error!(webhook = hook, %error, "more than one waits for what a webhook brings");
            answer(StatusCode::CONFLICT, "more than one waits for this")
        }
        PortError::Unavailable { .. } | PortError::OutcomeUnknown { .. } => {
            tracing::warn!(webhook = hook, %error, "the engine does not take what a webhook brings; the sender may come again");
            later("this cannot be taken now")
        }
        error => {
            tracing::error!(webhook = hook, %error, "what a webhook brings is lost unless its sender comes again");
            answer(
                StatusCode::INTERNAL_SERVER_ERROR,
                "this webhook is not set up rightly; its operator's log says more",
            )
        }
    }
}

fn taken() -> Response {
    Json(json!({"accepted": true})).into_response()
}

fn later(message: &str) -> Response {
    let mut response = answer(StatusCode::SERVICE_UNAVAILABLE, message);
    let seconds = HeaderValue::from_static("5");
    response.headers_mut().insert(header::RETRY_AFTER, seconds);
    response
}

fn answer(status: StatusCode, message: &str) -> Response {
    (status, Json(json!({"error": message}))).into_response()
}
