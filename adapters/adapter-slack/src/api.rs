//! Slack's Web API: <https://docs.slack.dev/apis/web-api>.

use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, USER_AGENT};
use http::{HeaderValue, Method, Request, StatusCode};
use http_body_util::Full;
use http_client::{
    Allowed, Bounds, HttpClient, Received, SendError, SystemResolver, Trust, failure, retry_after,
};
use secrets::{Secret, SecretSetting, SecretStore};
use serde_json::Value as Json;
use url::Url;
use worker_api::{BpmnError, Failure, Retry, TaskError, Value};

use crate::settings::ConnectionSettings;

/// The BPMN error of a channel that is not there, or that the app is not in.
pub(crate) const NO_CHANNEL: &str = "SLACK_CHANNEL_NOT_FOUND";

/// The BPMN error of whatever else Slack refuses.
pub(crate) const REFUSED: &str = "SLACK_REFUSED";

/// What is wrong with the channel, in Slack's words.
const OF_THE_CHANNEL: [&str; 6] = [
    "channel_not_found",
    "not_in_channel",
    "is_archived",
    "restricted_action",
    "user_not_found",
    "cant_dm_bot",
];

/// What is wrong with the app or its token.
const OF_THE_TOKEN: [&str; 9] = [
    "invalid_auth",
    "not_authed",
    "account_inactive",
    "token_revoked",
    "token_expired",
    "missing_scope",
    "no_permission",
    "org_login_required",
    "access_denied",
];

/// What may pass, where nothing was done.
const MAY_PASS: [&str; 3] = ["ratelimited", "rate_limited", "service_unavailable"];

/// What may pass, where it may have been done all the same.
const UNCLEAR: [&str; 3] = ["internal_error", "fatal_error", "request_timeout"];

/// Bytes that an answer may have.
const LARGEST_ANSWER: u64 = 4 << 20;

/// A connection to Slack.
pub(crate) struct Slack {
    pub(crate) settings: ConnectionSettings,
    name: String,
    base: String,
    client: HttpClient,
    secrets: SecretStore,
}

impl Slack {
    pub(crate) fn new(
        name: &str,
        settings: ConnectionSettings,
        secrets: SecretStore,
    ) -> Result<Self, (String, String)> {
        settings.check()?;
        let trust = Trust {
            ca_file: settings.ca_file.clone(),
            identity: None,
        };
        let itself = Allowed::of_url(&settings.base_url);
        let allowed: Vec<Allowed> = settings.allow.iter().cloned().chain(itself).collect();
        Ok(Self {
            name: name.to_owned(),
            base: settings.base_url.as_str().trim_end_matches('/').to_owned(),
            client: HttpClient::new(Arc::new(SystemResolver), allowed.into(), trust),
            secrets,
            settings,
        })
    }

    /// Calls a method with JSON, and gives its answer, which is `ok`.
    pub(crate) async fn call(&self, method: &str, arguments: &Json) -> Result<Json, TaskError> {
        let body = arguments.to_string().into_bytes();
        self.send(method, "application/json; charset=utf-8", body).await
    }

    /// The same for methods that take a form alone.
    pub(crate) async fn call_with_form(
        &self,
        method: &str,
        arguments: &[(&str, String)],
    ) -> Result<Json, TaskError> {
        let body = serde_urlencoded::to_string(arguments)
            .map_err(|error| Failure::permanent(format!("{method}: {error}")).nothing_done())?;
        self.send(method, "application/x-www-form-urlencoded", body.into_bytes())
            .await
    }

    async fn send(&self, method: &str, content_type: &'static str, body: Vec<u8>) -> Result<Json, TaskError> {
        let shown = format!("Slack's {method}");
        let token = self.secret(self.settings.token.as_ref(), "token")?;
        let token = HeaderValue::from_str(&format!("Bearer {}", token.expose())).map_err(|_| {
            Failure::permanent(format!(
                "{}.token holds characters that no header can: check it",
                self.place()
            ))
            .nothing_done()
        })?;
        let request = Request::builder()
            .method(Method::POST)
            .uri(format!("{}/{method}", self.base))
            .header(AUTHORIZATION, token)
            .header(CONTENT_TYPE, content_type)
            .header(USER_AGENT, AGENT);
        let received = self.exchange(request, body, &shown).await?;
        let answer: Json = serde_json::from_slice(&received.body).map_err(|error| {
            Failure::retryable(format!("{shown} has answered what is no JSON ({error})")).with_details(
                String::from_utf8_lossy(&received.body)
                    .chars()
                    .take(300)
                    .collect::<String>(),
            )
        })?;
        if answer["ok"] == true {
            return Ok(answer);
        }
        Err(self.refusal(&answer, &shown))
    }

    /// Posts to the incoming webhook.
    pub(crate) async fn post_to_webhook(&self, message: &Json) -> Result<(), TaskError> {
        let address = self.secret(self.settings.webhook_url.as_ref(), "webhook_url")?;
        let shown = "Slack's incoming webhook";
        let request = Request::builder()
            .method(Method::POST)
            .uri(address.expose())
            .header(CONTENT_TYPE, "application/json; charset=utf-8")
            .header(USER_AGENT, AGENT);
        self.exchange(request, message.to_string().into_bytes(), shown)
            .await
            .map(drop)
    }

    /// Uploads a file to an address that Slack has given for it.
    pub(crate) async fn upload(&self, address: &str, name: &str, content: Bytes) -> Result<(), TaskError> {
        let shown = format!("the upload of {name} to Slack");
        let request = Request::builder()
            .method(Method::POST)
            .uri(address)
            .header(CONTENT_TYPE, "application/octet-stream")
            .header(USER_AGENT, AGENT);
        self.exchange(request, content.into(), &shown)
            .await
            .map(drop)
            .map_err(|error| match error {
                // What is uploaded is nothing before the upload is completed.
                TaskError::Failure(failure) => failure.nothing_done().into(),
                error => error,
            })
    }

    /// Where it stands in the configuration.
    pub(crate) fn place(&self) -> String {
        format!("services.slack.{}", self.name)
    }

    async fn exchange(
        &self,
        request: http::request::Builder,
        body: Vec<u8>,
        shown: &str,
    ) -> Result<Received, TaskError> {
        let request = request.body(Full::from(body)).map_err(|_| {
            Failure::permanent(format!("{shown}: the address is none; check {}", self.place())).nothing_done()
        })?;
        let bounds = Bounds {
            timeout: self.settings.timeout,
            max_bytes: LARGEST_ANSWER,
            follow: http_client::Follow::Never,
        };
        let received = self
            .client
            .send(request, bounds)
            .await
            .map_err(|error: SendError| failure(&error, shown, &self.place()))?;
        let status = received.status;
        if status.is_success() {
            return Ok(received);
        }
        let said: String = String::from_utf8_lossy(&received.body)
            .chars()
            .take(300)
            .collect();
        let message = format!("{shown} answers {status}");
        Err(match status {
            StatusCode::TOO_MANY_REQUESTS => {
                let failure = Failure::retryable(message).nothing_done();
                match retry_after(&received.headers, SystemTime::now()) {
                    Some(wait) => failure.with_retry(Retry::NotBefore(wait)),
                    None => failure,
                }
                .into()
            }
            status if status.is_server_error() => Failure::retryable(message).with_details(said).into(),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                Failure::permanent(format!("{message} ({said}): check {}", self.place()))
                    .nothing_done()
                    .into()
            }
            // An incoming webhook says so what is wrong.
            _ => BpmnError::new(REFUSED, format!("{message}: {said}"))
                .with("reason", said)
                .into(),
        })
    }

    /// What an answer that is not `ok` means.
    fn refusal(&self, answer: &Json, shown: &str) -> TaskError {
        let reason = answer["error"].as_str().unwrap_or("no reason");
        let is_one_of = |reasons: &[&str]| reasons.contains(&reason);
        if is_one_of(&OF_THE_TOKEN) {
            let needed = answer["needed"]
                .as_str()
                .map(|scope| format!("; it needs the scope {scope}"))
                .unwrap_or_default();
            return Failure::permanent(format!(
                "{shown} refuses the app ({reason}): check {}.token{needed}",
                self.place()
            ))
            .nothing_done()
            .into();
        }
        if is_one_of(&MAY_PASS) {
            return Failure::retryable(format!("{shown}: {reason}"))
                .nothing_done()
                .into();
        }
        if is_one_of(&UNCLEAR) {
            return Failure::retryable(format!("{shown}: {reason}")).into();
        }
        let code = if is_one_of(&OF_THE_CHANNEL) {
            NO_CHANNEL
        } else {
            REFUSED
        };
        let details = answer["response_metadata"]["messages"]
            .as_array()
            .map(|messages| {
                let messages: Vec<&str> = messages.iter().filter_map(Json::as_str).collect();
                messages.join("\n")
            });
        let error =
            BpmnError::new(code, format!("{shown} refuses it: {reason}")).with("reason", Value::from(reason));
        match details {
            Some(details) => error.with_details(details).into(),
            None => error.into(),
        }
    }

    fn secret(&self, setting: Option<&SecretSetting>, key: &str) -> Result<Secret, Failure> {
        let wrong =
            |problem: String| Failure::permanent(format!("{}.{key}: {problem}", self.place())).nothing_done();
        let setting =
            setting.ok_or_else(|| wrong("it is not set, and what the task asks for needs it".to_owned()))?;
        setting
            .resolve(&self.secrets)
            .map_err(|error| wrong(error.to_string()))
    }
}

const AGENT: &str = concat!("procos/", env!("CARGO_PKG_VERSION"));

/// For who only wants to know whether an address can be one.
pub(crate) fn is_address(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https"))
}
