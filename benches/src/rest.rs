//! Bare requests to the engine's REST API.

use anyhow::{Context, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A client without any of what a client is good for: no retries, no types, no timeouts. Clones share its
/// connections.
#[derive(Clone, Debug)]
pub struct Rest {
    client: Client<HttpConnector, Full<Bytes>>,
    base: String,
    authorization: HeaderValue,
}

impl Rest {
    /// For the REST API at this address, without a slash at its end, with HTTP Basic.
    ///
    /// # Errors
    /// Where the login holds what no header can carry; letters and digits always do.
    pub fn new(base: &str, username: &str, password: &str) -> anyhow::Result<Self> {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let login = STANDARD.encode(format!("{username}:{password}"));
        Ok(Self {
            client: Client::builder(TokioExecutor::new()).build(connector),
            base: base.trim_end_matches('/').to_owned(),
            authorization: HeaderValue::from_str(&format!("Basic {login}"))?,
        })
    }

    /// Sends it and gives status and body, whatever they are.
    ///
    /// # Errors
    /// Where there is no answer.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        body: impl Into<Bytes>,
    ) -> anyhow::Result<(StatusCode, Bytes)> {
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base))
            .header(AUTHORIZATION, &self.authorization)
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(body.into()))?;
        let answer = self.client.request(request).await.context("no answer")?;
        let status = answer.status();
        let body = answer
            .into_body()
            .collect()
            .await
            .context("a broken answer")?
            .to_bytes();
        Ok((status, body))
    }

    /// Gets what stands at the path.
    ///
    /// # Errors
    /// Where there is no answer, the engine refuses, or the answer is something else.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        self.read(Method::GET, path, Bytes::new()).await
    }

    /// Posts a body and reads the answer; one without a body reads as null.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub async fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> anyhow::Result<T> {
        self.read(Method::POST, path, serde_json::to_vec(body)?).await
    }

    async fn read<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: impl Into<Bytes>,
    ) -> anyhow::Result<T> {
        let what = format!("{method} {path}");
        let (status, answer) = self
            .send(method, path, body)
            .await
            .with_context(|| what.clone())?;
        if !status.is_success() {
            bail!("{what}: {status}: {}", String::from_utf8_lossy(&answer));
        }
        let answer: &[u8] = if answer.is_empty() { b"null" } else { &answer };
        serde_json::from_slice(answer).with_context(|| what)
    }
}
