//! A stand-in for Slack: the methods of its Web API that write and read messages and files, and an incoming webhook. Slack's
//! own client is what says that it speaks right.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, post};
use futures::StreamExt;
use serde_json::{Map, Value as Json, json};
use url::form_urlencoded;

use crate::served::Served;

/// The token that it wants.
const TOKEN: &str = "xoxb-the-apps-token";

/// The path of its incoming webhook, which is as good as a password.
const WEBHOOK: &str = "/services/T0/B0/the-webhooks-secret";

/// The server. It ends with the value.
#[derive(Debug)]
pub struct SlackServer {
    served: Served,
    state: Shared,
}

/// What goes wrong with the next request.
#[derive(Clone, Debug)]
pub enum SlackFault {
    /// Answers with this status, and these seconds of `Retry-After`.
    Status(u16, Option<u64>),
    /// Answers with this error of Slack's.
    Error(&'static str),
    /// Does it, begins to answer and closes the connection.
    BreakOff,
    /// Does it and answers nothing.
    FallSilent,
    /// Does it and answers with more than anybody wants.
    TooLong,
    /// Does it, and answers what is no JSON.
    Gibberish,
}

type Shared = Arc<Mutex<Workspace>>;

#[derive(Debug, Default)]
struct Workspace {
    address: String,
    faults: VecDeque<SlackFault>,
    called: Vec<(String, Json)>,
    /// By channel.
    messages: BTreeMap<String, Vec<Json>>,
    hooked: Vec<Json>,
    uploads: BTreeMap<String, (String, Vec<u8>)>,
    number: u32,
}

impl SlackServer {
    /// A workspace with the channels `C01` (`#orders`) and `C02` (`#archive`, which is archived), to whose first requests this
    /// happens.
    #[must_use]
    pub fn start(faults: impl IntoIterator<Item = SlackFault>) -> Self {
        let state = Shared::default();
        lock(&state).faults.extend(faults);
        let app = Router::new()
            .route("/api/{method}", any(method))
            .route("/upload/{id}", post(upload))
            .route(WEBHOOK, post(webhook))
            .with_state(Arc::clone(&state));
        let served = Served::start(app);
        served.address().clone_into(&mut lock(&state).address);
        Self { served, state }
    }

    /// Where its API is.
    #[must_use]
    pub fn api(&self) -> String {
        format!("{}/api", self.served.address())
    }

    /// Where its incoming webhook is.
    #[must_use]
    pub fn webhook(&self) -> String {
        format!("{}{WEBHOOK}", self.served.address())
    }

    /// The token that it wants.
    #[must_use]
    pub fn token(&self) -> &'static str {
        TOKEN
    }

    /// The methods that were called, with their arguments.
    #[must_use]
    pub fn called(&self) -> Vec<(String, Json)> {
        lock(&self.state).called.clone()
    }

    /// The messages of a channel, the oldest first.
    #[must_use]
    pub fn messages(&self, channel: &str) -> Vec<Json> {
        lock(&self.state)
            .messages
            .get(channel)
            .cloned()
            .unwrap_or_default()
    }

    /// What has come to the incoming webhook.
    #[must_use]
    pub fn hooked(&self) -> Vec<Json> {
        lock(&self.state).hooked.clone()
    }

    /// The files that were uploaded, by name.
    #[must_use]
    pub fn files(&self) -> BTreeMap<String, Vec<u8>> {
        lock(&self.state).uploads.values().cloned().collect()
    }
}

fn lock(state: &Shared) -> MutexGuard<'_, Workspace> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn method(
    State(state): State<Shared>,
    Path(method): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let fault = lock(&state).faults.pop_front();
    if let Some(response) = refused(fault.as_ref()) {
        return response;
    }
    let shown = headers.get(header::AUTHORIZATION).map(|shown| shown.as_bytes());
    if shown != Some(format!("Bearer {TOKEN}").as_bytes()) {
        return axum::Json(json!({"ok": false, "error": "invalid_auth"})).into_response();
    }
    let arguments = arguments(&headers, query.as_deref().unwrap_or_default(), &body);
    let mut workspace = lock(&state);
    workspace.called.push((method.clone(), arguments.clone()));
    let answer = workspace.answer(&method, &arguments);
    drop(workspace);
    let answer = match answer {
        Ok(mut answer) => {
            answer["ok"] = true.into();
            answer
        }
        Err(error) => json!({"ok": false, "error": error}),
    };
    broken(fault, answer.to_string())
}

async fn upload(State(state): State<Shared>, Path(id): Path<String>, body: Bytes) -> Response {
    let fault = lock(&state).faults.pop_front();
    if let Some(response) = refused(fault.as_ref()) {
        return response;
    }
    match lock(&state).uploads.get_mut(&id) {
        Some((_, content)) => *content = body.to_vec(),
        None => return StatusCode::NOT_FOUND.into_response(),
    }
    broken(fault, format!("OK - {}", body.len()))
}

async fn webhook(State(state): State<Shared>, body: Bytes) -> Response {
    let fault = lock(&state).faults.pop_front();
    if let Some(response) = refused(fault.as_ref()) {
        return response;
    }
    let Ok(message) = serde_json::from_slice::<Json>(&body) else {
        return (StatusCode::BAD_REQUEST, "invalid_payload").into_response();
    };
    if message["text"].is_null() && message["blocks"].is_null() {
        return (StatusCode::BAD_REQUEST, "no_text").into_response();
    }
    lock(&state).hooked.push(message);
    broken(fault, "ok".to_owned())
}

/// What comes in the place of doing anything.
fn refused(fault: Option<&SlackFault>) -> Option<Response> {
    Some(match fault? {
        SlackFault::Status(status, after) => {
            let status = StatusCode::from_u16(*status).expect("a status");
            let mut response = (status, "the stand-in was told to").into_response();
            if let Some(after) = after {
                response.headers_mut().insert("retry-after", (*after).into());
            }
            response
        }
        SlackFault::Error(error) => axum::Json(
            json!({"ok": false, "error": error, "needed": "chat:write", "provided": "im:read",
                   "response_metadata": {"messages": ["[ERROR] what the stand-in was told to say"]}}),
        )
        .into_response(),
        _ => return None,
    })
}

/// The answer, as whole as the fault lets it be.
fn broken(fault: Option<SlackFault>, answer: String) -> Response {
    let begun = Bytes::from(answer[..answer.len() / 2].to_owned());
    let begun = futures::stream::once(async { Ok::<_, std::io::Error>(begun) });
    let body = match fault {
        Some(SlackFault::BreakOff) => Body::from_stream(begun.chain(futures::stream::once(async {
            // So that what was begun has left before the connection goes.
            tokio::time::sleep(Duration::from_millis(20)).await;
            Err(std::io::Error::other("the stand-in was told to break off"))
        }))),
        Some(SlackFault::FallSilent) => Body::from_stream(begun.chain(futures::stream::pending())),
        Some(SlackFault::TooLong) => {
            let more =
                std::iter::repeat_with(|| Ok::<_, std::io::Error>(Bytes::from_static(&[b' '; 1 << 16])))
                    .take(1 << 10);
            Body::from_stream(futures::stream::iter(more))
        }
        Some(SlackFault::Gibberish) => Body::from("<html>"),
        _ => Body::from(answer),
    };
    ([(header::CONTENT_TYPE, "application/json; charset=utf-8")], body).into_response()
}

/// The arguments of a call, however they are given; those that are JSON within a form are read.
fn arguments(headers: &HeaderMap, query: &str, body: &[u8]) -> Json {
    let kind = headers
        .get(header::CONTENT_TYPE)
        .map_or(&b""[..], |kind| kind.as_bytes());
    let mut all = Map::new();
    if kind.starts_with(b"application/json") {
        all.extend(serde_json::from_slice::<Map<String, Json>>(body).unwrap_or_default());
    } else {
        all.extend(form(body));
    }
    all.extend(form(query.as_bytes()));
    Json::Object(all)
}

fn form(text: &[u8]) -> impl Iterator<Item = (String, Json)> {
    form_urlencoded::parse(text).map(|(name, value)| {
        let is_json = matches!(&*name, "files" | "blocks" | "metadata");
        let value = match is_json.then(|| serde_json::from_str(&value)) {
            Some(Ok(value)) => value,
            _ => Json::from(value),
        };
        (name.into_owned(), value)
    })
}

impl Workspace {
    fn answer(&mut self, method: &str, arguments: &Json) -> Result<Json, &'static str> {
        match method {
            "auth.test" => Ok(json!({"team": "T", "user": "procos", "bot_id": "B0"})),
            "chat.postMessage" => self.post(arguments),
            "chat.update" => self.update(arguments),
            "conversations.history" | "conversations.replies" => self.read(arguments),
            "files.getUploadURLExternal" => {
                let name = arguments["filename"].as_str().ok_or("invalid_arguments")?;
                self.number += 1;
                let id = format!("F{:02}", self.number);
                let address = format!("{}/upload/{id}", self.address);
                self.uploads.insert(id.clone(), (name.to_owned(), Vec::new()));
                Ok(json!({"upload_url": address, "file_id": id}))
            }
            "files.completeUploadExternal" => self.share(arguments),
            _ => Err("unknown_method"),
        }
    }

    fn post(&mut self, arguments: &Json) -> Result<Json, &'static str> {
        let channel = channel(&arguments["channel"])?;
        if arguments["text"].is_null() && arguments["blocks"].is_null() {
            return Err("no_text");
        }
        let mut message = arguments.clone();
        self.number += 1;
        let ts = format!("1700000000.{:06}", self.number);
        message["ts"] = ts.as_str().into();
        message["type"] = "message".into();
        self.messages
            .entry(channel.to_owned())
            .or_default()
            .push(message.clone());
        Ok(json!({"channel": channel, "ts": ts, "message": message}))
    }

    fn update(&mut self, arguments: &Json) -> Result<Json, &'static str> {
        // By its id alone.
        let name = arguments["channel"].as_str().ok_or("channel_not_found")?;
        let channel = self.messages.get_mut(name).ok_or("channel_not_found")?;
        let found = channel
            .iter_mut()
            .find(|message| message["ts"] == arguments["ts"])
            .ok_or("message_not_found")?;
        for key in ["text", "blocks"] {
            found[key] = arguments[key].clone();
        }
        Ok(json!({"channel": name, "ts": arguments["ts"], "text": arguments["text"], "message": found}))
    }

    fn read(&self, arguments: &Json) -> Result<Json, &'static str> {
        let name = arguments["channel"].as_str().ok_or("channel_not_found")?;
        if name != "C01" {
            return Err("channel_not_found");
        }
        let thread = arguments.get("ts");
        let with_metadata = matches!(arguments["include_all_metadata"].as_str(), Some("true" | "1"));
        let limit: usize = match &arguments["limit"] {
            Json::String(limit) => limit.parse().unwrap_or(100),
            _ => 100,
        };
        let all = self.messages.get(name).map(Vec::as_slice).unwrap_or_default();
        let mut found: Vec<Json> = all
            .iter()
            .filter(|message| match thread {
                Some(thread) => message["ts"] == *thread || message["thread_ts"] == *thread,
                None => message["thread_ts"].is_null(),
            })
            .cloned()
            .collect();
        if thread.is_none() {
            found.reverse();
        }
        let has_more = found.len() > limit;
        found.truncate(limit);
        if !with_metadata {
            for message in &mut found {
                message.as_object_mut().map(|message| message.remove("metadata"));
            }
        }
        Ok(json!({"messages": found, "has_more": has_more}))
    }

    fn share(&mut self, arguments: &Json) -> Result<Json, &'static str> {
        if arguments["channel_id"] != "C01" {
            return Err("channel_not_found");
        }
        let files = arguments["files"].as_array().ok_or("invalid_arguments")?;
        for file in files {
            let id = file["id"].as_str().unwrap_or_default();
            if self.uploads.get(id).is_none_or(|(_, content)| content.is_empty()) {
                return Err("file_not_found");
            }
        }
        let comment = json!({"channel": "C01", "text": arguments["initial_comment"], "files": files,
                             "thread_ts": arguments["thread_ts"]});
        self.messages.entry("C01".to_owned()).or_default().push(comment);
        Ok(json!({"files": files}))
    }
}

/// A channel by its id or name.
fn channel(given: &Json) -> Result<&'static str, &'static str> {
    match given.as_str() {
        Some("C01" | "#orders") => Ok("C01"),
        Some("C02" | "#archive") => Err("is_archived"),
        _ => Err("channel_not_found"),
    }
}
