//! The client itself: one connection pool, one address, one login.

use std::sync::Arc;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use jiff::Timestamp;
use reqwest::header::{AUTHORIZATION, DATE, HeaderMap, HeaderValue};
use reqwest::{Client, Method, RequestBuilder, Response};
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use url::Url;

use crate::error::{ErrorBody, Refusal};
use crate::in_process::{self, InProcess, Transport};
use crate::{EngineError, Login};

/// How long a call may take that the engine answers at once.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);

/// How long to wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A client of one engine's REST API. Clones share the connections.
///
/// A call that the engine has rolled back because another transaction came first is repeated a few times before that
/// becomes an error: nothing of it was carried out.
///
/// Cancellation: dropping a call's future closes its connection. Whether the engine still carries the call out
/// is unknown then; a pending fetch-and-lock goes on in the engine until its own time is up.
#[derive(Clone, Debug)]
pub struct EngineClient {
    http: Client,
    base: Arc<Url>,
    transport: Transport,
}

impl EngineClient {
    /// A client for the REST API at `url`, such as `http://127.0.0.1:8080/engine-rest`; a named engine is part of
    /// the address (`…/engine-rest/engine/NAME`). Connects when first used. The environment's proxy settings
    /// are not followed.
    ///
    /// # Errors
    /// Where the address is no HTTP address, the login holds characters that no header can carry, or TLS
    /// cannot be set up.
    pub fn new(url: Url, login: Login) -> Result<Self, EngineError> {
        let setup = |reason: String| EngineError::Setup {
            url: url.to_string(),
            reason,
        };
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
            return Err(setup("it is not an http or https address".to_owned()));
        }
        // Fails where one is installed already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .tcp_nodelay(true)
            .default_headers(headers(&login).map_err(&setup)?);
        if url.scheme() == "http" {
            // Reading the system's certificates costs more than everything else here.
            builder = builder.tls_certs_only([]);
        }
        let http = builder.build().map_err(|error| setup(error.to_string()))?;
        Ok(Self {
            http,
            base: Arc::new(url),
            transport: Transport::Network,
        })
    }

    /// A client of an engine in this process. Its calls are the same in everything but the network: timeouts, the
    /// repetition of calls that were rolled back and the reading of errors.
    #[must_use]
    pub fn in_process(engine: Arc<dyn InProcess>) -> Self {
        Self {
            http: in_process::client(),
            base: Arc::new(in_process::address()),
            transport: Transport::InProcess(engine),
        }
    }

    /// The REST API's address.
    #[must_use]
    pub fn url(&self) -> &Url {
        &self.base
    }

    /// The engine's version, such as `7.24.0`. May be repeated.
    ///
    /// # Errors
    /// As every call: see [`EngineError`].
    pub async fn version(&self) -> Result<String, EngineError> {
        #[derive(Deserialize)]
        struct Version {
            version: String,
        }
        Ok(self.get(&["version"]).read::<Version>().await?.version)
    }

    /// The time by the clock of the machine that answers, in whole seconds; absent where it does not tell. May
    /// be repeated.
    ///
    /// # Errors
    /// As every call: see [`EngineError`].
    pub async fn server_time(&self) -> Result<Option<Timestamp>, EngineError> {
        let response = self.get(&["version"]).send().await?;
        let date = response.headers().get(DATE).and_then(|date| date.to_str().ok());
        Ok(date
            .and_then(|date| jiff::fmt::rfc2822::parse(date).ok())
            .map(|date| date.timestamp()))
    }

    /// Whether the engine evaluates expressions that stand in a query: anybody who may ask could then run code
    /// in it. Asks a query whose expression does nothing. May be repeated.
    ///
    /// # Errors
    /// As every call: see [`EngineError`].
    pub async fn evaluates_queries(&self) -> Result<bool, EngineError> {
        let query = serde_json::json!({ "assigneeExpression": "${1 == 1 ? 'procos' : ''}" });
        match self.post(&["task", "count"]).json(&query).done().await {
            Ok(()) => Ok(true),
            Err(error) if error.is_bad_request() || error.is_forbidden() || error.is_internal() => Ok(false),
            Err(error) => Err(error),
        }
    }

    pub(crate) fn get(&self, path: &[&str]) -> Call {
        self.call(Method::GET, path)
    }

    pub(crate) fn post(&self, path: &[&str]) -> Call {
        self.call(Method::POST, path)
    }

    pub(crate) fn put(&self, path: &[&str]) -> Call {
        self.call(Method::PUT, path)
    }

    pub(crate) fn delete(&self, path: &[&str]) -> Call {
        self.call(Method::DELETE, path)
    }

    /// A call of the path whose segments these are: each is escaped, so that an id cannot change the path.
    fn call(&self, method: Method, path: &[&str]) -> Call {
        let mut url = Url::clone(&self.base);
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        let path = path.join("/");
        Call {
            request: self.http.request(method.clone(), url.clone()),
            method,
            url,
            path,
            timeout: CALL_TIMEOUT,
            transport: self.transport.clone(),
        }
    }
}

fn headers(login: &Login) -> Result<HeaderMap, String> {
    use base64::Engine;
    let credentials = match login {
        Login::None => return Ok(HeaderMap::new()),
        Login::Basic { username, password } => {
            let pair = format!("{username}:{}", password.expose_secret());
            format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair))
        }
        Login::Bearer(token) => format!("Bearer {}", token.expose_secret()),
    };
    let mut value = HeaderValue::from_str(&credentials)
        .map_err(|_| "the login holds characters that a header cannot carry".to_owned())?;
    value.set_sensitive(true);
    Ok(HeaderMap::from_iter([(AUTHORIZATION, value)]))
}

/// One call in the making.
pub(crate) struct Call {
    request: RequestBuilder,
    method: Method,
    url: Url,
    path: String,
    timeout: Duration,
    transport: Transport,
}

impl Call {
    pub(crate) fn query<T: serde::Serialize + ?Sized>(mut self, parameters: &T) -> Self {
        self.request = self.request.query(parameters);
        self
    }

    pub(crate) fn json<T: serde::Serialize + ?Sized>(mut self, body: &T) -> Self {
        self.request = self.request.json(body);
        self
    }

    pub(crate) fn multipart(mut self, form: reqwest::multipart::Form) -> Self {
        self.request = self.request.multipart(form);
        self
    }

    pub(crate) fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sends it and reads the answer's body as JSON.
    pub(crate) async fn read<T: DeserializeOwned>(self) -> Result<T, EngineError> {
        let (url, timeout) = (self.url.clone(), self.timeout);
        let body = self
            .send()
            .await?
            .bytes()
            .await
            .map_err(|source| broken(&url, timeout, source))?;
        serde_json::from_slice(&body).map_err(|error| EngineError::Unexpected {
            url: url.to_string(),
            reason: error.to_string(),
        })
    }

    /// Sends it and reads the answer's body as bytes.
    pub(crate) async fn bytes(self) -> Result<bytes::Bytes, EngineError> {
        let (url, timeout) = (self.url.clone(), self.timeout);
        self.send()
            .await?
            .bytes()
            .await
            .map_err(|source| broken(&url, timeout, source))
    }

    /// Sends it; the answer has no body of interest.
    pub(crate) async fn done(self) -> Result<(), EngineError> {
        // Read to its end, so that the connection can be used again.
        self.bytes().await.map(drop)
    }

    /// Sends it, again where the engine has rolled it back for another transaction's sake: it was not carried out
    /// then, whatever the call.
    async fn send(self) -> Result<Response, EngineError> {
        let mut call = self;
        for delay in rollback_delays() {
            let Some(again) = call.try_clone() else { break };
            match call.send_once().await {
                Err(error) if error.is_rolled_back() => tokio::time::sleep(delay).await,
                answer => return answer,
            }
            call = again;
        }
        call.send_once().await
    }

    fn try_clone(&self) -> Option<Self> {
        Some(Self {
            request: self.request.try_clone()?,
            method: self.method.clone(),
            url: self.url.clone(),
            path: self.path.clone(),
            timeout: self.timeout,
            transport: self.transport.clone(),
        })
    }

    async fn send_once(self) -> Result<Response, EngineError> {
        let Self {
            request,
            method,
            url,
            path,
            timeout,
            transport,
        } = self;
        let response = match transport {
            Transport::Network => request.timeout(timeout).send().await,
            Transport::InProcess(engine) => {
                match tokio::time::timeout(timeout, in_process::answer(&*engine, request)).await {
                    Ok(response) => response,
                    Err(_) => {
                        let url = url.to_string();
                        return Err(EngineError::TimedOut { url, after: timeout });
                    }
                }
            }
        };
        let response = response.map_err(|source| broken(&url, timeout, source))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        if status.is_redirection() {
            let reason = format!("it redirects (status {status})");
            return Err(EngineError::Unexpected {
                url: url.to_string(),
                reason,
            });
        }
        let text = response.bytes().await.unwrap_or_default();
        let mut body: ErrorBody = serde_json::from_slice(&text).unwrap_or_default();
        let problems = body.problems();
        let message = body.message.unwrap_or_default();
        if !problems.is_empty() {
            return Err(EngineError::ModelsRefused { message, problems });
        }
        Err(EngineError::Refused(Box::new(Refusal {
            method,
            path,
            status,
            kind: body.kind,
            message,
            code: body.code,
        })))
    }
}

/// Tries in quick succession, with jitter, so that two who collide do not meet again.
fn rollback_delays() -> impl Iterator<Item = Duration> {
    ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(5))
        .with_max_delay(Duration::from_millis(200))
        .with_jitter()
        .with_max_times(8)
        .build()
}

fn broken(url: &Url, timeout: Duration, source: reqwest::Error) -> EngineError {
    let url = url.to_string();
    if source.is_timeout() && !source.is_connect() {
        EngineError::TimedOut { url, after: timeout }
    } else {
        EngineError::Unreachable {
            url,
            source: source.without_url(),
        }
    }
}
