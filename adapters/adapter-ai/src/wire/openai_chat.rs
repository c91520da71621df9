//! OpenAI's chat completions API: <https://platform.openai.com/docs/api-reference/chat>.

use serde_json::{Value as Json, json};

use super::{Gather, Trouble, number, text};
use crate::conversation::{Attached, Calls, Ended, Part, Question, Reply, Turn, Usage};

pub(super) fn body(question: &Question<'_>, is_vendor: bool) -> Json {
    let system = question
        .system
        .map(|system| json!({"role": "system", "content": system}));
    let messages: Vec<Json> = system
        .into_iter()
        .chain(question.turns.iter().flat_map(messages))
        .collect();
    // OpenAI's newer models know the new name alone, and other servers often the old one.
    let limit = if is_vendor {
        "max_completion_tokens"
    } else {
        "max_tokens"
    };
    let mut body = json!({
        "model": question.model,
        "messages": messages,
        limit: question.max_tokens,
        "stream": true,
        "stream_options": {"include_usage": true},
    });
    if let Some(schema) = question.schema {
        body["response_format"] = json!({"type": "json_schema", "json_schema": {"name": "answer", "schema": schema, "strict": false}});
    }
    if !question.tools.is_empty() {
        let tools = question.tools.iter().map(|tool| {
            json!({"type": "function", "function":
                {"name": tool.name, "description": tool.description, "parameters": tool.inputs}})
        });
        body["tools"] = tools.collect();
    }
    if let Some(temperature) = question.temperature {
        body["temperature"] = temperature.into();
    }
    body
}

fn messages(turn: &Turn) -> Vec<Json> {
    match turn {
        Turn::User(parts) => {
            let content = match parts.as_slice() {
                [Part::Text(text)] => text.as_str().into(),
                parts => parts.iter().map(part).collect::<Json>(),
            };
            vec![json!({"role": "user", "content": content})]
        }
        Turn::Model { text, calls, .. } => {
            let mut message = json!({"role": "assistant", "content": text});
            if !calls.is_empty() {
                let calls = calls.iter().map(|call| {
                    json!({"id": call.id, "type": "function",
                           "function": {"name": call.name, "arguments": call.inputs_text()}})
                });
                message["tool_calls"] = calls.collect();
            }
            vec![message]
        }
        Turn::Results(results) => results
            .iter()
            .map(|one| json!({"role": "tool", "tool_call_id": one.id, "content": one.text}))
            .collect(),
    }
}

fn part(part: &Part) -> Json {
    let data = |file: &Attached| format!("data:{};base64,{}", file.media_type, file.data);
    match part {
        Part::Text(text) => json!({"type": "text", "text": text}),
        Part::Image(image) => json!({"type": "image_url", "image_url": {"url": data(image)}}),
        Part::Document(file) => {
            json!({"type": "file", "file": {"filename": file.name, "file_data": data(file)}})
        }
    }
}

#[derive(Default)]
pub(super) struct Gathered {
    text: String,
    refusal: String,
    calls: Calls,
    model: String,
    usage: Option<Usage>,
    finish: String,
}

impl Gather for Gathered {
    /// The usage comes after what ends the answer, and not from every server: the end of the stream is the end.
    fn take(&mut self, piece: &Json) -> Result<bool, Trouble> {
        if let Some(error) = piece.get("error") {
            let status = number(error, "/code").unwrap_or_default();
            return Err(Trouble {
                message: text(error, "/message").to_owned(),
                may_pass: status == 429 || status >= 500 || text(error, "/type") == "server_error",
            });
        }
        if self.model.is_empty() {
            text(piece, "/model").clone_into(&mut self.model);
        }
        self.text.push_str(text(piece, "/choices/0/delta/content"));
        self.refusal.push_str(text(piece, "/choices/0/delta/refusal"));
        let calls = piece
            .pointer("/choices/0/delta/tool_calls")
            .and_then(Json::as_array);
        for (place, call) in calls.into_iter().flatten().enumerate() {
            self.calls.add(
                number(call, "/index").unwrap_or(place as u64),
                call.pointer("/id").and_then(Json::as_str),
                call.pointer("/function/name").and_then(Json::as_str),
                call.pointer("/function/arguments").and_then(Json::as_str),
            );
        }
        let finish = text(piece, "/choices/0/finish_reason");
        if !finish.is_empty() {
            finish.clone_into(&mut self.finish);
        }
        let tokens = |pointer| number(piece, pointer);
        if let (Some(input), Some(output)) =
            (tokens("/usage/prompt_tokens"), tokens("/usage/completion_tokens"))
        {
            self.usage = Some(Usage { input, output });
        }
        Ok(false)
    }

    fn has_ended(&self) -> bool {
        !self.finish.is_empty()
    }

    fn reply(self: Box<Self>) -> Reply {
        let ended = match self.finish.as_str() {
            "content_filter" => Ended::Refused("the provider's filter has cut the answer off".to_owned()),
            _ if !self.refusal.is_empty() => Ended::Refused(self.refusal),
            "length" => Ended::CutOff,
            _ => Ended::Whole,
        };
        Reply {
            text: self.text,
            calls: self.calls.into_calls(),
            own: Vec::new(),
            model: self.model,
            usage: self.usage,
            ended,
        }
    }
}
