//! Asks a launcher to run scripts.

use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;
use tokio::time::timeout;
use tower::Service;
use tracing::warn;

use super::wire::{Failure, MOST, NAME, RUNS, RunRequestRef, Welcome};
use crate::{Limits, Report, SandboxError, Script, SelfTest};

/// How long it may take to say what it is.
const WELCOME: Duration = Duration::from_secs(10);

/// How much longer than a run may take to wait for its report: a cell may have to be made first, or others to end.
const SLACK: Duration = Duration::from_secs(60);

/// What anything but a report may be at most, in bytes.
const SMALL: usize = 1 << 20;

/// A launcher that is asked, on connections that are kept and made anew where they are lost.
pub(crate) struct Launched {
    client: Client<Connector, Full<Bytes>>,
    socket: PathBuf,
}

impl Launched {
    /// Asks the launcher on this socket what it is.
    ///
    /// # Errors
    /// [`SandboxError::Refused`] with the remedy, where none answers.
    pub(crate) async fn connect(socket: &Path) -> Result<(Self, SelfTest), SandboxError> {
        let launched = Self {
            client: Client::builder(TokioExecutor::new()).build(Connector {
                socket: socket.into(),
            }),
            socket: socket.to_owned(),
        };
        let asking = launched.ask(Method::GET, "/", Bytes::new(), SMALL);
        let refused = |error: Unanswered| SandboxError::Refused(error.said);
        let (status, body) = timeout(WELCOME, asking)
            .await
            .map_err(|_| refused(launched.late(WELCOME)))?
            .map_err(refused)?;
        let welcome: Welcome = launched.read(status, &body)?;
        if welcome.version != env!("CARGO_PKG_VERSION") {
            warn!(
                theirs = %welcome.version,
                ours = env!("CARGO_PKG_VERSION"),
                "the sandbox launcher is of another version"
            );
        }
        Ok((launched, welcome.self_test))
    }

    /// Runs a script there, within these limits and the launcher's own.
    ///
    /// Cancellation: dropped, the future closes its connection, by which the launcher ends the run.
    ///
    /// # Errors
    /// As [`crate::Sandbox::run`]; [`SandboxError::Start`] where the launcher cannot be reached.
    pub(crate) async fn run(&self, script: &Script, limits: &Limits) -> Result<Report, SandboxError> {
        let body = json(&RunRequestRef { script, limits })?;
        if body.len() > MOST {
            return Err(SandboxError::Order(format!(
                "the script with its inputs and files is {} MiB, and the launcher takes {}",
                body.len().div_ceil(1 << 20),
                MOST >> 20
            )));
        }
        let patience = limits.timeout.saturating_add(SLACK);
        // Two streams and a result with files, in which every byte may need six.
        let most = usize::try_from(limits.output.saturating_mul(24)).unwrap_or(usize::MAX);
        let asking = self.ask(Method::POST, RUNS, body, most.saturating_add(SMALL));
        let answered = timeout(patience, asking).await;
        let answered = answered.unwrap_or_else(|_| Err(self.late(patience)));
        let (status, body) = answered.map_err(|error| match error.began {
            true => SandboxError::Lost {
                backend: NAME,
                said: error.said,
            },
            false => SandboxError::Start {
                backend: NAME,
                what: script.language.to_string(),
                said: error.said,
            },
        })?;
        self.read(status, &body)
    }

    async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
        most: usize,
    ) -> Result<(StatusCode, Bytes), Unanswered> {
        let failed = |began: bool, said: String| Unanswered { began, said };
        let request = Request::builder()
            .method(method)
            // The host is the socket's; HTTP wants some name.
            .uri(format!("http://launcher{path}"))
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(body))
            .map_err(|error| failed(false, error.to_string()))?;
        let response = self.client.request(request).await.map_err(|error| {
            if error.is_connect() {
                failed(false, self.unreachable(innermost(&error)))
            } else {
                failed(true, self.cut_off(innermost(&error)))
            }
        })?;
        let status = response.status();
        let body = Limited::new(response.into_body(), most).collect().await;
        let body = body.map_err(|error| failed(true, self.cut_off(innermost(error.as_ref()))))?;
        Ok((status, body.to_bytes()))
    }

    fn read<T: DeserializeOwned>(&self, status: StatusCode, body: &[u8]) -> Result<T, SandboxError> {
        let unread = |error: serde_json::Error| {
            SandboxError::Refused(format!(
                "what answers on {} is no sandbox launcher of this version ({status}: {error})",
                self.socket.display()
            ))
        };
        if status == StatusCode::OK {
            return serde_json::from_slice(body).map_err(unread);
        }
        let failure: Failure = serde_json::from_slice(body).map_err(unread)?;
        Err(failure.into())
    }

    fn unreachable(&self, said: String) -> String {
        format!(
            "no sandbox launcher can be reached on {} ({said}): start `procos sandbox-launcher`, let this user be of the \
             socket's group, or set sandbox.launcher",
            self.socket.display()
        )
    }

    fn cut_off(&self, said: String) -> String {
        format!(
            "the sandbox launcher on {} has not finished its answer ({said}): its log says more",
            self.socket.display()
        )
    }

    fn late(&self, patience: Duration) -> Unanswered {
        Unanswered {
            began: true,
            said: self.cut_off(format!("nothing within {} s", patience.as_secs())),
        }
    }
}

/// No answer, and whether the launcher may have begun.
struct Unanswered {
    began: bool,
    said: String,
}

fn json(value: &impl Serialize) -> Result<Bytes, SandboxError> {
    let json = serde_json::to_vec(value).map_err(|error| SandboxError::Order(error.to_string()))?;
    Ok(json.into())
}

fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let chain = std::iter::successors(Some(error), |error| error.source());
    chain.last().map(ToString::to_string).unwrap_or_default()
}

/// Connects to the socket, whatever the address says.
#[derive(Clone)]
struct Connector {
    socket: Arc<Path>,
}

impl Service<Uri> for Connector {
    type Response = TokioIo<UnixStream>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let socket = Arc::clone(&self.socket);
        Box::pin(async move { UnixStream::connect(&socket).await.map(TokioIo::new) })
    }
}
