//! Anthropic's messages API: <https://docs.anthropic.com/en/api/messages>.

use serde_json::{Value as Json, json};

use super::{Gather, Trouble, number, text};
use crate::conversation::{Attached, Call, Ended, Part, Question, Reply, Turn, Usage};

pub(super) fn body(question: &Question<'_>, provider: &str) -> Json {
    let messages: Vec<Json> = question
        .turns
        .iter()
        .map(|turn| message(turn, provider))
        .collect();
    let mut body = json!({
        "model": question.model,
        "max_tokens": question.max_tokens,
        "messages": messages,
        "stream": true,
    });
    if let Some(system) = question.system {
        body["system"] = system.into();
    }
    if let Some(schema) = question.schema {
        body["output_config"] = json!({"format": {"type": "json_schema", "schema": schema}});
    }
    if !question.tools.is_empty() {
        let tools = question.tools.iter().map(
            |tool| json!({"name": tool.name, "description": tool.description, "input_schema": tool.inputs}),
        );
        body["tools"] = tools.collect();
    }
    if let Some(temperature) = question.temperature {
        body["temperature"] = temperature.into();
    }
    body
}

fn message(turn: &Turn, provider: &str) -> Json {
    match turn {
        Turn::User(parts) => {
            json!({"role": "user", "content": parts.iter().map(part).collect::<Vec<_>>()})
        }
        Turn::Model { own, .. } if own.provider == provider => {
            json!({"role": "assistant", "content": own.items})
        }
        Turn::Model { text, calls, .. } => {
            let said = (!text.is_empty()).then(|| json!({"type": "text", "text": text}));
            let calls = calls.iter().map(|call| {
                let inputs = call.inputs.clone().unwrap_or_else(|text| json!({"text": text}));
                json!({"type": "tool_use", "id": call.id, "name": call.name, "input": inputs})
            });
            json!({"role": "assistant", "content": said.into_iter().chain(calls).collect::<Vec<_>>()})
        }
        Turn::Results(results) => {
            let content: Vec<Json> = results
                .iter()
                .map(|one| {
                    json!({"type": "tool_result", "tool_use_id": one.id, "content": one.text,
                           "is_error": one.is_error})
                })
                .collect();
            json!({"role": "user", "content": content})
        }
    }
}

fn part(part: &Part) -> Json {
    let source =
        |file: &Attached| json!({"type": "base64", "media_type": file.media_type, "data": file.data});
    match part {
        Part::Text(text) => json!({"type": "text", "text": text}),
        Part::Image(image) => json!({"type": "image", "source": source(image)}),
        Part::Document(file) => json!({"type": "document", "title": file.name, "source": source(file)}),
    }
}

#[derive(Default)]
pub(super) struct Gathered {
    blocks: Vec<Block>,
    model: String,
    usage: Usage,
    stop: String,
}

/// A block of the answer, with the inputs of a call as the text in which they arrive.
struct Block {
    content: Json,
    inputs: String,
}

impl Gather for Gathered {
    fn take(&mut self, piece: &Json) -> Result<bool, Trouble> {
        match text(piece, "/type") {
            "message_start" => {
                text(piece, "/message/model").clone_into(&mut self.model);
                self.usage.input = [
                    "input_tokens",
                    "cache_creation_input_tokens",
                    "cache_read_input_tokens",
                ]
                .into_iter()
                .filter_map(|name| piece["message"]["usage"][name].as_u64())
                .sum();
            }
            "content_block_start" => self.blocks.push(Block {
                content: piece["content_block"].clone(),
                inputs: String::new(),
            }),
            "content_block_delta" => {
                if let Some(block) = self.blocks.last_mut() {
                    block.add(&piece["delta"]);
                }
            }
            "message_delta" => {
                text(piece, "/delta/stop_reason").clone_into(&mut self.stop);
                self.usage.output = number(piece, "/usage/output_tokens").unwrap_or(self.usage.output);
            }
            "message_stop" => return Ok(true),
            "error" => {
                let kind = text(piece, "/error/type");
                return Err(Trouble {
                    message: format!("{} ({kind})", text(piece, "/error/message")),
                    may_pass: matches!(
                        kind,
                        "overloaded_error" | "api_error" | "rate_limit_error" | "timeout_error"
                    ),
                });
            }
            _ => {}
        }
        Ok(false)
    }

    fn reply(self: Box<Self>) -> Reply {
        let mut said = String::new();
        let mut calls = Vec::new();
        let mut own = Vec::new();
        for mut block in self.blocks {
            match text(&block.content, "/type") {
                "text" => said.push_str(text(&block.content, "/text")),
                "tool_use" => {
                    let id = text(&block.content, "/id").to_owned();
                    let name = text(&block.content, "/name").to_owned();
                    let call = Call::from_text(id, name, &block.inputs);
                    block.content["input"] = call.inputs.clone().unwrap_or_else(|_| json!({}));
                    calls.push(call);
                }
                _ => {}
            }
            own.push(block.content);
        }
        let ended = match self.stop.as_str() {
            "refusal" => Ended::Refused("the model refuses to answer".to_owned()),
            "max_tokens" | "model_context_window_exceeded" => Ended::CutOff,
            _ => Ended::Whole,
        };
        Reply {
            text: said,
            calls,
            own,
            model: self.model,
            usage: Some(self.usage),
            ended,
        }
    }
}

impl Block {
    /// More of it: text, thoughts and their signature, or the inputs of a call.
    fn add(&mut self, delta: &Json) {
        for name in ["text", "thinking", "signature"] {
            if let Some(more) = delta[name].as_str() {
                let so_far = self.content[name].as_str().unwrap_or_default();
                self.content[name] = format!("{so_far}{more}").into();
            }
        }
        self.inputs.push_str(text(delta, "/partial_json"));
    }
}
