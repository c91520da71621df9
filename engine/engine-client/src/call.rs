//! One call: its path, its body, its repetitions, and what its answer means.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::BodyExt;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use reqwest::multipart::Form;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::{Instant, timeout_at};

use crate::EngineError;
use crate::client::Shared;
use crate::download::Download;
use crate::error::{ErrorBody, Refusal};
use crate::transport::{Answer, TransportError};

/// What cannot stand in a segment of a path as it is. A semicolon would begin a path parameter, which Tomcat drops.
const SEGMENT: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'/')
    .add(b';')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// One call in the making.
pub(crate) struct Call<'a> {
    client: &'a Shared,
    method: Method,
    /// The path from the server's root, and the query.
    path: String,
    body: Option<(HeaderValue, Bytes)>,
    timeout: Duration,
    /// What was wrong with its making; told when it is sent.
    wrong: Option<EngineError>,
}

impl<'a> Call<'a> {
    /// A call of the path whose segments these are: each is escaped, so that an id cannot change the path.
    pub(crate) fn new(client: &'a Shared, method: Method, segments: &[&str]) -> Self {
        let length = segments.iter().map(|segment| segment.len() + 1).sum::<usize>();
        let mut path = String::with_capacity(client.base.path.len() + length + 32);
        path.push_str(&client.base.path);
        let mut wrong = None;
        for segment in segments {
            if matches!(*segment, "" | "." | "..") {
                // Would lead to another resource.
                wrong = Some(EngineError::NotAnId((*segment).to_owned()));
            }
            path.push('/');
            path.extend(utf8_percent_encode(segment, SEGMENT));
        }
        Self {
            client,
            method,
            path,
            body: None,
            timeout: client.settings.call_timeout,
            wrong,
        }
    }

    pub(crate) fn query<T: Serialize + ?Sized>(mut self, parameters: &T) -> Self {
        match serde_urlencoded::to_string(parameters) {
            Ok(query) if query.is_empty() => {}
            Ok(query) => {
                self.path.push(if self.path.contains('?') { '&' } else { '?' });
                self.path.push_str(&query);
            }
            Err(error) => self.wrong = Some(self.unexpected(&error)),
        }
        self
    }

    pub(crate) fn json<T: Serialize + ?Sized>(mut self, body: &T) -> Self {
        match serde_json::to_vec(body) {
            Ok(body) => {
                let kind = HeaderValue::from_static("application/json");
                self.body = Some((kind, body.into()));
            }
            Err(error) => self.wrong = Some(self.unexpected(&error)),
        }
        self
    }

    pub(crate) async fn form(mut self, form: Form) -> Self {
        let kind = format!("multipart/form-data; boundary={}", form.boundary());
        let mut bytes = BytesMut::new();
        let mut parts = std::pin::pin!(form.into_stream());
        while let Some(part) = parts.next().await {
            match part {
                Ok(part) => bytes.extend_from_slice(&part),
                Err(error) => self.wrong = Some(self.unexpected(&error)),
            }
        }
        match HeaderValue::try_from(kind) {
            Ok(kind) => self.body = Some((kind, bytes.freeze())),
            Err(error) => self.wrong = Some(self.unexpected(&error)),
        }
        self
    }

    pub(crate) fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sends it and reads the answer's body as JSON.
    pub(crate) async fn read<T: DeserializeOwned>(mut self) -> Result<T, EngineError> {
        let body = self.whole().await?.into_body();
        serde_json::from_slice(&body).map_err(|error| self.unexpected(&error))
    }

    /// Sends it and reads the answer's body as bytes.
    pub(crate) async fn bytes(mut self) -> Result<Bytes, EngineError> {
        Ok(self.whole().await?.into_body())
    }

    /// Sends it; the answer has no body of interest.
    pub(crate) async fn done(mut self) -> Result<(), EngineError> {
        // Read to its end, so that the connection can be used again.
        self.whole().await.map(drop)
    }

    /// Sends it and reads the answer whole.
    pub(crate) async fn whole(&mut self) -> Result<Response<Bytes>, EngineError> {
        let (response, deadline) = self.send().await?;
        let (parts, body) = response.into_parts();
        match timeout_at(deadline, body.collect()).await {
            Ok(Ok(body)) => Ok(Response::from_parts(parts, body.to_bytes())),
            Ok(Err(source)) => Err(self.broken(source)),
            Err(_) => Err(self.timed_out()),
        }
    }

    /// Sends it and leaves the answer's body to be read bit by bit.
    pub(crate) async fn download(mut self, limit: u64) -> Result<Download, EngineError> {
        let (response, _) = self.send().await?;
        Download::new(response, self.url(), self.timeout, limit)
    }

    /// Sends it, again where the engine has rolled it back for another transaction's sake: it was not carried out
    /// then, whatever the call. Answers with a success, and by when its body is to be there.
    async fn send(&mut self) -> Result<(Response<Answer>, Instant), EngineError> {
        if let Some(wrong) = self.wrong.take() {
            return Err(wrong);
        }
        let mut delays = None;
        loop {
            let error = match self.attempt().await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            if !error.is_rolled_back() {
                return Err(error);
            }
            let delays = delays.get_or_insert_with(|| self.client.settings.rollback_delays());
            match delays.next() {
                Some(delay) => tokio::time::sleep(delay).await,
                None => return Err(error),
            }
        }
    }

    /// Sends it once; once more where the token was refused, with another one. Its time begins when there is a token:
    /// a token endpoint that hangs neither passes for the engine nor takes the time from a call whose token is good.
    async fn attempt(&self) -> Result<(Response<Answer>, Instant), EngineError> {
        let login = &self.client.authorization;
        let header = login.header(&self.client.transport).await?;
        let deadline = Instant::now() + self.timeout;
        let response = self.by(deadline, self.exchange(header.as_ref())).await?;
        if response.status() == StatusCode::UNAUTHORIZED
            && let Some(header) = login.renewed(&self.client.transport, header).await?
        {
            let deadline = Instant::now() + self.timeout;
            let response = self.by(deadline, self.exchange(Some(&header))).await?;
            return Ok((self.by(deadline, self.judge(response)).await?, deadline));
        }
        Ok((self.by(deadline, self.judge(response)).await?, deadline))
    }

    async fn by<T>(
        &self,
        deadline: Instant,
        step: impl Future<Output = Result<T, EngineError>>,
    ) -> Result<T, EngineError> {
        let done = timeout_at(deadline, step).await;
        done.unwrap_or_else(|_| Err(self.timed_out()))
    }

    async fn exchange(&self, authorization: Option<&HeaderValue>) -> Result<Response<Answer>, EngineError> {
        let uri = self.client.base.uri(&self.path);
        let mut request = Request::new(Bytes::new());
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = uri.map_err(|error| self.unexpected(&error))?;
        let headers = request.headers_mut();
        headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
        if let Some(authorization) = authorization {
            headers.insert(AUTHORIZATION, authorization.clone());
        }
        if let Some((kind, body)) = &self.body {
            headers.insert(CONTENT_TYPE, kind.clone());
            *request.body_mut() = body.clone();
        }
        let answer = self.client.transport.send(request).await;
        answer.map_err(|error| self.unreachable(error))
    }

    /// The answer, where it is a success.
    async fn judge(&self, response: Response<Answer>) -> Result<Response<Answer>, EngineError> {
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        if status.is_redirection() {
            return Err(self.unexpected(&format!("it redirects (status {status})")));
        }
        let text = response.into_body().collect().await;
        let text = text.map(|body| body.to_bytes()).unwrap_or_default();
        let mut body: ErrorBody = serde_json::from_slice(&text).unwrap_or_default();
        let problems = body.problems();
        let message = body.message.unwrap_or_default();
        if !problems.is_empty() {
            return Err(EngineError::ModelsRefused { message, problems });
        }
        Err(EngineError::Refused(Box::new(Refusal {
            method: self.method.clone(),
            path: self.path_below(),
            status,
            kind: body.kind,
            message,
            code: body.code,
        })))
    }

    /// The path below the REST API's address, without the query.
    fn path_below(&self) -> String {
        let below = self.path.get(self.client.base.path.len() + 1..);
        let path = below.unwrap_or_default().split('?').next();
        path.unwrap_or_default().to_owned()
    }

    fn url(&self) -> String {
        self.client.base.text(&self.path)
    }

    fn timed_out(&self) -> EngineError {
        EngineError::TimedOut {
            url: self.url(),
            after: self.timeout,
        }
    }

    fn unreachable(&self, error: TransportError) -> EngineError {
        EngineError::Unreachable {
            url: self.url(),
            was_sent: !error.is_connect(),
            source: error.into(),
        }
    }

    fn broken(&self, source: Box<dyn std::error::Error + Send + Sync>) -> EngineError {
        EngineError::Unreachable {
            url: self.url(),
            was_sent: true,
            source,
        }
    }

    fn unexpected(&self, reason: &impl ToString) -> EngineError {
        EngineError::Unexpected {
            url: self.url(),
            reason: reason.to_string(),
        }
    }
}
