//! Serves runs on the socket.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::socket::{LauncherError, Socket};
use super::wire::{Failure, MOST, RUNS, RunRequest, Welcome};
use crate::{Sandbox, SandboxError};

/// Runs at once, whoever asks; others wait until one has ended. A worker bounds its own long before.
const RUNS_AT_ONCE: usize = 64;

/// How long a request may take to arrive: it holds a turn meanwhile.
const READING: Duration = Duration::from_secs(10);

/// How much longer than the longest run may take to wait, once stopped, for those that are under way.
const SLACK: Duration = Duration::from_secs(5);

#[derive(Clone)]
struct Launcher {
    sandbox: Sandbox,
    turns: Arc<Semaphore>,
}

/// Serves runs on this socket until `stop` is cancelled; then it takes no more, waits for those under way, and removes the socket
/// and what the sandbox has made. Only the owner and the group may connect. A client that goes away ends its run.
///
/// Cancellation: dropped, runs end, and the socket is removed; what the sandbox has made goes as with [`Sandbox`].
///
/// # Errors
/// [`LauncherError`] where another launcher serves the socket, or it cannot be made.
pub async fn serve(socket: &Path, sandbox: Sandbox, stop: CancellationToken) -> Result<(), LauncherError> {
    let served = serve_on(socket, sandbox.clone(), stop).await;
    sandbox.close().await;
    served
}

async fn serve_on(socket: &Path, sandbox: Sandbox, stop: CancellationToken) -> Result<(), LauncherError> {
    let (_socket, listener) = Socket::bind(socket)?;
    let patience = sandbox.limits().timeout + SLACK;
    let router = Router::new()
        .route("/", get(welcome))
        .route(RUNS, post(run))
        .fallback(nothing_else)
        .method_not_allowed_fallback(nothing_else)
        .with_state(Launcher {
            sandbox,
            turns: Arc::new(Semaphore::new(RUNS_AT_ONCE)),
        });
    let serving = axum::serve(listener, router).with_graceful_shutdown(stop.clone().cancelled_owned());
    let serving = serving.into_future();
    tokio::pin!(serving);
    info!(socket = %socket.display(), "the sandbox launcher serves");
    let ended = tokio::select! {
        ended = &mut serving => Some(ended),
        () = stop.cancelled() => timeout(patience, &mut serving).await.ok(),
    };
    match ended {
        Some(ended) => ended.map_err(|error| LauncherError::Socket {
            path: socket.to_owned(),
            said: error.to_string(),
        }),
        None => {
            warn!("runs are under way that have outlived their time: they are ended");
            Ok(())
        }
    }
}

async fn welcome(State(launcher): State<Launcher>) -> Json<Welcome> {
    Json(Welcome {
        version: env!("CARGO_PKG_VERSION").into(),
        self_test: launcher.sandbox.self_test().clone(),
        limits: *launcher.sandbox.limits(),
    })
}

/// The future goes with the connection, and the run with it.
async fn run(State(launcher): State<Launcher>, request: Request) -> Response {
    // Before the body is read: so many are held in memory, and no more.
    let Ok(_turn) = launcher.turns.acquire().await else {
        return refuse(StatusCode::SERVICE_UNAVAILABLE, "the launcher stops".to_owned());
    };
    let reading = timeout(READING, axum::body::to_bytes(request.into_body(), MOST));
    let body = match reading.await {
        Err(_) => {
            let said = format!("it was not whole within {} s", READING.as_secs());
            return refuse(StatusCode::REQUEST_TIMEOUT, said);
        }
        Ok(Ok(body)) => body,
        Ok(Err(error)) => {
            let said = format!("it cannot be read, or is more than {} MiB: {error}", MOST >> 20);
            return refuse(StatusCode::PAYLOAD_TOO_LARGE, said);
        }
    };
    let asked: RunRequest = match serde_json::from_slice(&body) {
        Ok(asked) => asked,
        Err(error) => return refuse(StatusCode::BAD_REQUEST, error.to_string()),
    };
    drop(body);
    match launcher.sandbox.run(&asked.script, &asked.limits).await {
        Ok(report) => Json(report).into_response(),
        Err(error) => {
            let status = match &error {
                SandboxError::Order(_) => StatusCode::UNPROCESSABLE_ENTITY,
                SandboxError::Lost { .. } => StatusCode::BAD_GATEWAY,
                SandboxError::Start { .. } | SandboxError::Refused(_) => StatusCode::SERVICE_UNAVAILABLE,
            };
            (status, Json(Failure::from(error))).into_response()
        }
    }
}

async fn nothing_else(request: Request) -> Response {
    let said = format!("there is no {} {}", request.method(), request.uri().path());
    refuse(StatusCode::NOT_FOUND, said)
}

fn refuse(status: StatusCode, said: String) -> Response {
    (status, Json(Failure::Request { said })).into_response()
}
