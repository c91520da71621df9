//! A stand-in for the servers of language models: it speaks as OpenAI (both APIs), Anthropic and Ollama do, streaming, and
//! says what a test has told it to. The vendors' own clients are what says that it speaks right.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use futures::StreamExt;
use serde_json::{Value as Json, json};

use crate::served::Served;

/// The key that it wants.
const KEY: &str = "the-models-key";

/// The server. It ends with the value.
#[derive(Debug)]
pub struct ModelServer {
    served: Served,
    state: Shared,
}

/// What it does with the next question.
#[derive(Clone, Debug)]
pub enum Turn {
    /// Says this, and wishes these tools called with these inputs.
    Say(String, Vec<(String, Json)>),
    /// Says this, which is cut off.
    CutOff(String),
    /// Refuses to answer.
    Refuse,
    /// Answers with this status, and these seconds of `Retry-After`.
    Status(u16, Option<u64>),
    /// Begins to answer and closes the connection.
    BreakOff,
    /// Begins to answer and says nothing more.
    FallSilent,
    /// Says in the middle of the answer that it is overloaded.
    Overloaded,
}

/// A question that it was asked.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The path.
    pub path: String,
    /// The headers.
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: Json,
}

type Shared = Arc<Mutex<Script>>;

#[derive(Debug, Default)]
struct Script {
    next: VecDeque<Turn>,
    asked: Vec<Asked>,
}

impl ModelServer {
    /// A server that says this, one turn a question, and after that "It is done."
    #[must_use]
    pub fn start(turns: impl IntoIterator<Item = Turn>) -> Self {
        let state = Shared::default();
        lock(&state).next.extend(turns);
        let app = Router::new()
            .route("/{*path}", any(answer))
            .with_state(Arc::clone(&state));
        Self {
            served: Served::start(app),
            state,
        }
    }

    /// Where it listens, as `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn address(&self) -> &str {
        self.served.address()
    }

    /// The key that it wants.
    #[must_use]
    pub fn key(&self) -> &'static str {
        KEY
    }

    /// What it was asked until now.
    #[must_use]
    pub fn asked(&self) -> Vec<Asked> {
        lock(&self.state).asked.clone()
    }
}

impl Turn {
    /// Says this.
    #[must_use]
    pub fn say(text: &str) -> Self {
        Self::Say(text.to_owned(), Vec::new())
    }

    /// Says this JSON.
    #[must_use]
    pub fn json(value: &Json) -> Self {
        Self::Say(value.to_string(), Vec::new())
    }

    /// Wishes this tool called.
    #[must_use]
    pub fn call(tool: &str, inputs: Json) -> Self {
        Self::Say(String::new(), vec![(tool.to_owned(), inputs)])
    }
}

fn lock(state: &Shared) -> MutexGuard<'_, Script> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn answer(State(state): State<Shared>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let path = uri.path().to_owned();
    let told: BTreeMap<String, String> = headers
        .iter()
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap_or_default().to_owned()))
        .collect();
    let shown = [told.get("x-api-key").cloned(), told.get("authorization").cloned()];
    let is_known = shown
        .iter()
        .flatten()
        .any(|shown| shown == KEY || *shown == format!("Bearer {KEY}"));
    let body: Json = serde_json::from_slice(&body).unwrap_or_default();
    if !is_known && path != "/api/chat" && path != "/api/tags" {
        let error = json!({"error": {"message": "Incorrect API key provided", "type": "authentication_error", "code": "invalid_api_key"}, "type": "error"});
        return (StatusCode::UNAUTHORIZED, axum::Json(error)).into_response();
    }
    if path.ends_with("/models") || path == "/api/tags" {
        return axum::Json(json!({"object": "list", "data": [], "models": []})).into_response();
    }
    let turn = {
        let mut script = lock(&state);
        script.asked.push(Asked {
            path: path.clone(),
            headers: told,
            body: body.clone(),
        });
        script
            .next
            .pop_front()
            .unwrap_or_else(|| Turn::say("It is done."))
    };
    let pieces: fn(&Json, &Turn) -> Vec<String> = match path.as_str() {
        "/v1/responses" => responses,
        "/v1/chat/completions" => chat,
        "/v1/messages" => messages,
        "/api/chat" => ollama,
        _ => return StatusCode::NOT_FOUND.into_response(),
    };
    if let Turn::Status(status, after) = turn {
        let status = StatusCode::from_u16(status).expect("a status");
        let error =
            json!({"type": "error", "error": {"message": "the stand-in was told to", "type": "told"}});
        let mut response = (status, axum::Json(error)).into_response();
        if let Some(after) = after {
            response.headers_mut().insert("retry-after", after.into());
        }
        return response;
    }
    let mut all = pieces(&body, &turn);
    let is_broken = matches!(turn, Turn::BreakOff | Turn::FallSilent);
    if is_broken {
        all.truncate(2);
    }
    // In parts that end anywhere, as a network's do.
    let parts: Vec<Result<Bytes, std::io::Error>> = all
        .concat()
        .into_bytes()
        .chunks(37)
        .map(|part| Ok(Bytes::copy_from_slice(part)))
        .collect();
    let parts = futures::stream::iter(parts);
    let body = match turn {
        Turn::BreakOff => Body::from_stream(parts.chain(futures::stream::once(async {
            Err(std::io::Error::other("the stand-in was told to break off"))
        }))),
        Turn::FallSilent => Body::from_stream(parts.chain(futures::stream::pending())),
        _ => Body::from_stream(parts),
    };
    let kind = if path == "/api/chat" {
        "application/x-ndjson"
    } else {
        "text/event-stream"
    };
    ([("content-type", kind)], body).into_response()
}

/// What a turn says, in pieces of a few letters; the calls it wishes; and whether it is cut off.
fn said(turn: &Turn) -> (Vec<String>, Vec<(String, Json)>, bool) {
    let (text, calls, is_cut) = match turn {
        Turn::Say(text, calls) => (text.as_str(), calls.clone(), false),
        Turn::CutOff(text) => (text.as_str(), Vec::new(), true),
        _ => ("Some words that", Vec::new(), false),
    };
    let letters: Vec<char> = text.chars().collect();
    (letters.chunks(7).map(String::from_iter).collect(), calls, is_cut)
}

fn event(data: &Json) -> String {
    match data["type"].as_str() {
        Some(kind) => format!("event: {kind}\ndata: {data}\n\n"),
        None => format!("data: {data}\n\n"),
    }
}

fn responses(asked: &Json, turn: &Turn) -> Vec<String> {
    let (pieces, calls, is_cut) = said(turn);
    let text = pieces.concat();
    let response = |status: &str, output: &Json| {
        json!({"id": "resp_1", "object": "response", "created_at": 1, "status": status, "model": asked["model"],
               "output": output, "parallel_tool_calls": true, "tool_choice": "auto", "tools": [],
               "error": null, "incomplete_details": is_cut.then(|| json!({"reason": "max_output_tokens"})),
               "instructions": null, "metadata": {}, "temperature": 1.0, "top_p": 1.0,
               "usage": {"input_tokens": 11, "output_tokens": 7, "total_tokens": 18,
                         "input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0}}})
    };
    let part = match turn {
        Turn::Refuse => json!({"type": "refusal", "refusal": "I would rather not."}),
        _ => json!({"type": "output_text", "text": text, "annotations": []}),
    };
    let mut output =
        vec![json!({"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "c2VjcmV0"})];
    if !text.is_empty() || calls.is_empty() {
        output.push(json!({"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [part]}));
    }
    for (index, (name, inputs)) in calls.iter().enumerate() {
        output.push(
            json!({"type": "function_call", "id": format!("fc_{index}"), "call_id": format!("call_{index}"),
                           "name": name, "arguments": inputs.to_string(), "status": "completed"}),
        );
    }
    let mut events =
        vec![json!({"type": "response.created", "response": response("in_progress", &json!([]))})];
    for (index, item) in output.iter().enumerate() {
        let mut begun = item.clone();
        let is_message = item["type"] == "message";
        if is_message {
            begun["content"] = json!([]);
        }
        events.push(json!({"type": "response.output_item.added", "output_index": index, "item": begun}));
        if is_message && !matches!(turn, Turn::Refuse) {
            events.push(json!({"type": "response.content_part.added", "output_index": index, "content_index": 0,
                               "item_id": "msg_1", "part": {"type": "output_text", "text": "", "annotations": []}}));
            for piece in &pieces {
                events.push(
                    json!({"type": "response.output_text.delta", "output_index": index, "content_index": 0,
                                   "item_id": "msg_1", "delta": piece, "logprobs": []}),
                );
            }
            events.push(
                json!({"type": "response.output_text.done", "output_index": index, "content_index": 0,
                               "item_id": "msg_1", "text": text, "logprobs": []}),
            );
        }
        events.push(json!({"type": "response.output_item.done", "output_index": index, "item": item}));
    }
    let output = Json::from(output);
    events.push(match turn {
        Turn::Overloaded => {
            let mut failed = response("failed", &json!([]));
            failed["error"] = json!({"code": "server_error", "message": "overloaded"});
            json!({"type": "response.failed", "response": failed})
        }
        _ if is_cut => json!({"type": "response.incomplete", "response": response("incomplete", &output)}),
        _ => json!({"type": "response.completed", "response": response("completed", &output)}),
    });
    let numbered = events.into_iter().enumerate().map(|(number, mut one)| {
        one["sequence_number"] = number.into();
        event(&one)
    });
    numbered.collect()
}

fn chat(asked: &Json, turn: &Turn) -> Vec<String> {
    let (pieces, calls, is_cut) = said(turn);
    let chunk = |choices: Json, usage: Json| {
        json!({"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": asked["model"],
               "choices": choices, "usage": usage})
    };
    let delta = |delta: Json, finish: Json| {
        chunk(
            json!([{"index": 0, "delta": delta, "finish_reason": finish}]),
            Json::Null,
        )
    };
    let mut all = vec![delta(json!({"role": "assistant", "content": ""}), Json::Null)];
    if matches!(turn, Turn::Refuse) {
        all.push(delta(json!({"refusal": "I would rather not."}), Json::Null));
    } else {
        all.extend(
            pieces
                .iter()
                .map(|piece| delta(json!({"content": piece}), Json::Null)),
        );
    }
    if matches!(turn, Turn::Overloaded) {
        all.push(json!({"error": {"message": "overloaded", "type": "server_error", "code": 503}}));
    }
    for (index, (name, inputs)) in calls.iter().enumerate() {
        let inputs = inputs.to_string();
        let (begin, rest) = inputs.split_at(inputs.len() / 2);
        all.push(delta(
            json!({"tool_calls": [{"index": index, "id": format!("call_{index}"), "type": "function",
                                              "function": {"name": name, "arguments": begin}}]}),
            Json::Null,
        ));
        all.push(delta(
            json!({"tool_calls": [{"index": index, "function": {"arguments": rest}}]}),
            Json::Null,
        ));
    }
    let finish = match (calls.is_empty(), is_cut) {
        (false, _) => "tool_calls",
        (true, true) => "length",
        (true, false) => "stop",
    };
    all.push(delta(json!({}), finish.into()));
    all.push(chunk(
        json!([]),
        json!({"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}),
    ));
    let events = all.iter().map(event);
    events.chain(["data: [DONE]\n\n".to_owned()]).collect()
}

fn messages(asked: &Json, turn: &Turn) -> Vec<String> {
    let (pieces, calls, is_cut) = said(turn);
    let mut all = vec![
        json!({"type": "message_start", "message": {"id": "msg_1", "type": "message", "role": "assistant",
               "model": asked["model"], "content": [], "stop_reason": null, "stop_sequence": null,
               "usage": {"input_tokens": 11, "output_tokens": 1}}}),
        json!({"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": "", "signature": ""}}),
        json!({"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "Hm."}}),
        json!({"type": "content_block_delta", "index": 0, "delta": {"type": "signature_delta", "signature": "c2ln"}}),
        json!({"type": "content_block_stop", "index": 0}),
        json!({"type": "ping"}),
    ];
    let mut index = 1;
    if !pieces.is_empty() {
        all.push(json!({"type": "content_block_start", "index": index, "content_block": {"type": "text", "text": ""}}));
        all.extend(pieces.iter().map(|piece| {
            json!({"type": "content_block_delta", "index": index, "delta": {"type": "text_delta", "text": piece}})
        }));
        all.push(json!({"type": "content_block_stop", "index": index}));
        index += 1;
    }
    if matches!(turn, Turn::Overloaded) {
        all.push(json!({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}));
    }
    for (number, (name, inputs)) in calls.iter().enumerate() {
        let inputs = inputs.to_string();
        let (begin, rest) = inputs.split_at(inputs.len() / 2);
        all.push(json!({"type": "content_block_start", "index": index,
                        "content_block": {"type": "tool_use", "id": format!("toolu_{number}"), "name": name, "input": {}}}));
        for part in [begin, rest] {
            all.push(json!({"type": "content_block_delta", "index": index,
                            "delta": {"type": "input_json_delta", "partial_json": part}}));
        }
        all.push(json!({"type": "content_block_stop", "index": index}));
        index += 1;
    }
    let stop = match (turn, calls.is_empty(), is_cut) {
        (Turn::Refuse, ..) => "refusal",
        (_, false, _) => "tool_use",
        (_, true, true) => "max_tokens",
        (_, true, false) => "end_turn",
    };
    all.push(json!({"type": "message_delta", "delta": {"stop_reason": stop, "stop_sequence": null}, "usage": {"output_tokens": 7}}));
    all.push(json!({"type": "message_stop"}));
    all.iter().map(event).collect()
}

fn ollama(asked: &Json, turn: &Turn) -> Vec<String> {
    let (pieces, calls, is_cut) = said(turn);
    let line = |message: Json| json!({"model": asked["model"], "created_at": "2026-01-01T00:00:00Z", "message": message, "done": false});
    let mut all: Vec<Json> = pieces
        .iter()
        .map(|piece| line(json!({"role": "assistant", "content": piece})))
        .collect();
    if matches!(turn, Turn::Overloaded) {
        all.push(json!({"error": "overloaded"}));
    }
    if !calls.is_empty() {
        let calls: Vec<Json> = calls
            .iter()
            .map(|(name, inputs)| json!({"function": {"name": name, "arguments": inputs}}))
            .collect();
        all.push(line(
            json!({"role": "assistant", "content": "", "tool_calls": calls}),
        ));
    }
    all.push(json!({"model": asked["model"], "created_at": "2026-01-01T00:00:00Z",
                    "message": {"role": "assistant", "content": ""}, "done": true,
                    "done_reason": if is_cut { "length" } else { "stop" },
                    "total_duration": 1, "load_duration": 1, "prompt_eval_count": 11, "prompt_eval_duration": 1,
                    "eval_count": 7, "eval_duration": 1}));
    all.iter().map(|one| format!("{one}\n")).collect()
}
