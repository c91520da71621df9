//! One provider: asks it one question, within its limits.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use futures::{Stream, StreamExt, TryStreamExt};
use governor::clock::{Clock, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use http::header::{ACCEPT, CONTENT_TYPE, USER_AGENT};
use http::{Method, Request, StatusCode};
use http_body_util::Full;
use http_client::{
    Allowed, Bounds, HttpClient, SendError, Streamed, SystemResolver, Trust, failure, retry_after,
};
use secrets::SecretStore;
use serde_json::Value as Json;
use sse_stream::SseStream;
use tokio_util::codec::{FramedRead, LinesCodec};
use tokio_util::io::StreamReader;
use url::Url;
use worker_api::{Failure, Postponed, Retry, TaskError};

use crate::conversation::{Question, Reply};
use crate::settings::ProviderSettings;
use crate::spending::Accounts;
use crate::wire::{Api, Framing, Trouble};

/// Bytes that an answer may have on its way.
const LARGEST: usize = 32 << 20;

/// Bytes of what a provider says to a refused question that are read.
const LARGEST_REFUSAL: usize = 64 * 1024;

/// Characters of it that a failure repeats.
const EXCERPT: usize = 500;

/// How long a task waits for its turn, in its slot; else it is given back.
const PATIENCE: Duration = Duration::from_secs(10);

/// A provider.
pub(crate) struct Provider {
    pub(crate) name: String,
    pub(crate) api: Api,
    pub(crate) settings: ProviderSettings,
    pub(crate) accounts: Accounts,
    base: String,
    client: HttpClient,
    secrets: SecretStore,
    requests: Option<DefaultDirectRateLimiter>,
    tokens: Option<DefaultDirectRateLimiter>,
}

/// Why a question has no answer.
#[derive(Debug)]
pub(crate) struct Unanswered {
    pub(crate) error: TaskError,
    /// Whether another provider may have one.
    pub(crate) elsewhere: bool,
    /// Whether it is certain that the provider has done nothing for it.
    pub(crate) nothing_done: bool,
}

impl Provider {
    /// A provider of this name. Nothing is sent yet, and no secret read.
    pub(crate) fn new(
        name: &str,
        settings: ProviderSettings,
        secrets: SecretStore,
    ) -> Result<Self, (String, String)> {
        settings.check()?;
        let api = settings.api.or_else(|| Api::of_name(name)).ok_or_else(|| {
            (
                "api".to_owned(),
                "say how it is spoken to: openai_responses, openai_chat (which most servers speak), anthropic or ollama"
                    .to_owned(),
            )
        })?;
        let vendors =
            || Url::parse(api.vendors_url()).map_err(|error| ("base_url".to_owned(), error.to_string()));
        let base = settings.base_url.clone().map_or_else(vendors, Ok)?;
        let trust = Trust {
            ca_file: settings.ca_file.clone(),
            identity: None,
        };
        Ok(Self {
            name: name.to_owned(),
            api,
            accounts: Accounts::new(),
            client: HttpClient::new(
                Arc::new(SystemResolver),
                Allowed::of_url(&base).into_iter().collect::<Vec<_>>().into(),
                trust,
            ),
            base: base.as_str().trim_end_matches('/').to_owned(),
            secrets,
            requests: settings.limits.requests.map(a_minute),
            tokens: settings.limits.tokens.map(a_minute),
            settings,
        })
    }

    /// Asks it, when it is its turn.
    pub(crate) async fn ask(&self, question: &Question<'_>, tokens: u64) -> Result<Reply, Unanswered> {
        self.wait(tokens).await.map_err(|error| Unanswered {
            error,
            elsewhere: true,
            nothing_done: true,
        })?;
        let is_vendor = self.settings.base_url.is_none();
        let body = self.api.body(question, &self.name, is_vendor);
        let request = self
            .request(Method::POST, self.api.path(), Some(body))
            .map_err(|failure| Unanswered {
                error: failure.into(),
                elsewhere: true,
                nothing_done: true,
            })?;
        let shown = self.shown();
        let unsent = |error: SendError| Unanswered {
            nothing_done: error.is_unsent(),
            error: failure(&error, &shown, &self.place()).into(),
            elsewhere: true,
        };
        let answer = self
            .client
            .stream(request, self.settings.idle_timeout)
            .await
            .map_err(unsent)?;
        if !answer.status.is_success() {
            return Err(self.refusal(answer).await);
        }
        self.gather(answer).await
    }

    /// Whether it can be reached and takes the key.
    pub(crate) async fn check(&self) -> Result<(), String> {
        let request = self
            .request(Method::GET, self.api.models_path(), None)
            .map_err(|failure| failure.message)?;
        let bounds = Bounds {
            timeout: Duration::from_secs(10),
            max_bytes: LARGEST as u64,
            follow: http_client::Follow::Never,
        };
        let received = self.client.send(request, bounds).await;
        let status = received
            .map_err(|error| failure(&error, &self.shown(), &self.place()).message)?
            .status;
        match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(format!(
                "{} answers {status}: check {}.api_key",
                self.shown(),
                self.place()
            )),
            status if status.is_server_error() => Err(format!("{} answers {status}", self.shown())),
            // Some that only speak as OpenAI does have no list of models.
            _ => Ok(()),
        }
    }

    /// Where it stands in the configuration.
    pub(crate) fn place(&self) -> String {
        format!("services.ai.{}", self.name)
    }

    fn shown(&self) -> String {
        format!("the provider {} ({})", self.name, self.base)
    }

    fn request(
        &self,
        method: Method,
        path: &str,
        body: Option<Json>,
    ) -> Result<Request<Full<Bytes>>, Failure> {
        let wrong = |error: &dyn std::error::Error| {
            Failure::permanent(format!(
                "{}: the request cannot be written: {error}",
                self.place()
            ))
        };
        let key = match &self.settings.api_key {
            None => None,
            Some(setting) => Some(
                setting
                    .resolve(&self.secrets)
                    .map_err(|error| Failure::permanent(format!("{}.api_key: {error}", self.place())))?,
            ),
        };
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}/{path}", self.base))
            .header(USER_AGENT, concat!("procos/", env!("CARGO_PKG_VERSION")))
            .header(ACCEPT, "*/*");
        for (name, value) in self.api.headers(key.as_ref().map(secrets::Secret::expose)) {
            let mut value = http::HeaderValue::from_str(&value).map_err(|_| {
                Failure::permanent(format!(
                    "{}.api_key holds characters that no header can: check it",
                    self.place()
                ))
            })?;
            value.set_sensitive(true);
            request = request.header(name, value);
        }
        let body = match body {
            None => Bytes::new(),
            Some(body) => {
                request = request.header(CONTENT_TYPE, "application/json");
                serde_json::to_vec(&body).map_err(|error| wrong(&error))?.into()
            }
        };
        request.body(Full::new(body)).map_err(|error| wrong(&error))
    }

    /// Waits until it may be asked, or gives the task back.
    async fn wait(&self, tokens: u64) -> Result<(), TaskError> {
        let deadline = Instant::now() + PATIENCE;
        let tokens = u32::try_from(tokens).unwrap_or(u32::MAX).max(1);
        let limits = [
            (&self.requests, NonZeroU32::MIN, "requests"),
            (&self.tokens, NonZeroU32::MIN.saturating_add(tokens - 1), "tokens"),
        ];
        for (limiter, count, what) in limits {
            let Some(limiter) = limiter else { continue };
            loop {
                let after = match limiter.check_n(count) {
                    Ok(Ok(())) => break,
                    Ok(Err(not_until)) => not_until.wait_time_from(DefaultClock::default().now()),
                    Err(insufficient) => {
                        return Err(Failure::permanent(format!(
                            "the question and the longest answer to it are about {count} {what}, and {}.limits.{what} is {} a \
                             minute: raise it, or ask for less with context_tokens and max_output_tokens",
                            self.place(),
                            insufficient.0
                        ))
                        .into());
                    }
                };
                if Instant::now() + after > deadline {
                    let reason = format!("{}.limits.{what} is reached", self.place());
                    return Err(Postponed::new(reason, after).into());
                }
                tokio::time::sleep(after).await;
            }
        }
        Ok(())
    }

    /// What an answer that is none means.
    async fn refusal(&self, answer: Streamed) -> Unanswered {
        let (status, headers) = (answer.status, answer.headers);
        let mut body = Vec::new();
        let mut parts = answer.body;
        while let Some(Ok(part)) = parts.next().await
            && body.len() < LARGEST_REFUSAL
        {
            body.extend_from_slice(&part);
        }
        let shown = self.shown();
        let key = || format!("check {}.api_key", self.place());
        let failure = match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                Failure::permanent(format!("{shown} answers {status}: {}", key()))
            }
            StatusCode::NOT_FOUND => Failure::permanent(format!(
                "{shown} answers {status}: check the model and {}.base_url",
                self.place()
            )),
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => {
                Failure::retryable(format!("{shown} answers {status}"))
            }
            status if status.is_server_error() => Failure::retryable(format!("{shown} answers {status}")),
            status => Failure::permanent(format!("{shown} answers {status}: the question is wrong for it")),
        };
        let failure = failure
            .with_code(format!("HTTP_{}", status.as_u16()))
            .with_details(said(&body));
        let failure = match retry_after(&headers, SystemTime::now()) {
            Some(wait) if failure.retry == Retry::ByPolicy => failure.with_retry(Retry::NotBefore(wait)),
            _ => failure,
        };
        let is_our_fault = matches!(
            status,
            StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE | StatusCode::UNPROCESSABLE_ENTITY
        );
        Unanswered {
            error: failure.into(),
            elsewhere: !is_our_fault,
            nothing_done: true,
        }
    }

    /// Puts the answer together out of its pieces.
    async fn gather(&self, answer: Streamed) -> Result<Reply, Unanswered> {
        let mut gathered = self.api.gather();
        let mut pieces = pieces(self.api.framing(), answer);
        while let Some(piece) = pieces.next().await {
            let trouble = match piece {
                Ok(piece) => match gathered.take(&piece) {
                    Ok(false) => continue,
                    Ok(true) => return Ok(gathered.reply()),
                    Err(trouble) => trouble,
                },
                Err(broken) => Trouble {
                    message: broken,
                    may_pass: true,
                },
            };
            let message = format!("{} has broken its answer off: {}", self.shown(), trouble.message);
            let failure = match trouble.may_pass {
                true => Failure::retryable(message),
                false => Failure::permanent(message),
            };
            return Err(Unanswered {
                error: failure.into(),
                elsewhere: trouble.may_pass,
                nothing_done: false,
            });
        }
        if gathered.has_ended() {
            return Ok(gathered.reply());
        }
        let message = format!("{} has ended its answer before it was whole", self.shown());
        Err(Unanswered {
            error: Failure::retryable(message).into(),
            elsewhere: true,
            nothing_done: false,
        })
    }
}

/// The pieces of an answer, or what is wrong with the next.
fn pieces(
    framing: Framing,
    answer: Streamed,
) -> std::pin::Pin<Box<dyn Stream<Item = Result<Json, String>> + Send>> {
    let mut left = LARGEST;
    let bytes = answer.body.map(move |part| {
        let part = part?;
        left = left
            .checked_sub(part.len())
            .ok_or(SendError::TooLarge(LARGEST as u64))?;
        Ok::<_, SendError>(part)
    });
    let read =
        |text: &str| serde_json::from_str(text).map_err(|error| format!("a piece is no JSON ({error})"));
    match framing {
        Framing::Events => Box::pin(SseStream::from_bytes_stream(bytes).filter_map(move |event| {
            let piece = match event {
                Err(error) => Some(Err(error.to_string())),
                Ok(event) => event
                    .data
                    .filter(|data| !data.is_empty() && data != "[DONE]")
                    .map(|data| read(&data)),
            };
            std::future::ready(piece)
        })),
        Framing::Lines => {
            let reader = StreamReader::new(bytes.map_err(std::io::Error::other));
            let lines = FramedRead::new(reader, LinesCodec::new_with_max_length(LARGEST));
            Box::pin(lines.filter_map(move |line| {
                let piece = match line {
                    Err(error) => Some(Err(error.to_string())),
                    Ok(line) if line.trim().is_empty() => None,
                    Ok(line) => Some(read(&line)),
                };
                std::future::ready(piece)
            }))
        }
    }
}

/// What a provider says to a refused question: its message, else the text's beginning.
fn said(body: &[u8]) -> String {
    let json: Json = serde_json::from_slice(body).unwrap_or_default();
    let message = [&json["error"]["message"], &json["error"], &json["message"]]
        .into_iter()
        .find_map(|place| place.as_str().map(str::to_owned));
    let message = message.unwrap_or_else(|| String::from_utf8_lossy(body).into_owned());
    message.chars().take(EXCERPT).collect()
}

fn a_minute(count: NonZeroU32) -> DefaultDirectRateLimiter {
    RateLimiter::direct(Quota::per_minute(count))
}
