//! Ollama's chat API: <https://github.com/ollama/ollama/blob/main/docs/api.md>.

use serde_json::{Map, Value as Json, json};

use super::{Gather, Trouble, number, text};
use crate::conversation::{Call, Ended, Part, Question, Reply, Turn, Usage};

pub(super) fn body(question: &Question<'_>) -> Json {
    let system = question
        .system
        .map(|system| json!({"role": "system", "content": system}));
    let messages: Vec<Json> = system
        .into_iter()
        .chain(question.turns.iter().flat_map(messages))
        .collect();
    let mut options = Map::new();
    options.insert("num_predict".to_owned(), question.max_tokens.into());
    if let Some(temperature) = question.temperature {
        options.insert("temperature".to_owned(), temperature.into());
    }
    let mut body = json!({
        "model": question.model,
        "messages": messages,
        "stream": true,
        "options": options,
    });
    if let Some(schema) = question.schema {
        body["format"] = schema.clone();
    }
    if !question.tools.is_empty() {
        let tools = question.tools.iter().map(|tool| {
            json!({"type": "function", "function":
                {"name": tool.name, "description": tool.description, "parameters": tool.inputs}})
        });
        body["tools"] = tools.collect();
    }
    body
}

fn messages(turn: &Turn) -> Vec<Json> {
    match turn {
        Turn::User(parts) => {
            let texts = parts.iter().filter_map(|part| match part {
                Part::Text(text) => Some(text.as_str()),
                Part::Image(_) | Part::Document(_) => None,
            });
            let images: Vec<&str> = parts
                .iter()
                .filter_map(|part| match part {
                    Part::Image(image) => Some(image.data.as_str()),
                    Part::Text(_) | Part::Document(_) => None,
                })
                .collect();
            let mut message = json!({"role": "user", "content": texts.collect::<Vec<_>>().join("\n\n")});
            if !images.is_empty() {
                message["images"] = images.into();
            }
            vec![message]
        }
        Turn::Model { text, calls, .. } => {
            let mut message = json!({"role": "assistant", "content": text});
            if !calls.is_empty() {
                let calls = calls.iter().map(|call| {
                    let inputs = call.inputs.clone().unwrap_or_else(|text| json!({"text": text}));
                    json!({"function": {"name": call.name, "arguments": inputs}})
                });
                message["tool_calls"] = calls.collect();
            }
            vec![message]
        }
        Turn::Results(results) => results
            .iter()
            .map(|one| json!({"role": "tool", "tool_name": one.name, "content": one.text}))
            .collect(),
    }
}

#[derive(Default)]
pub(super) struct Gathered {
    text: String,
    calls: Vec<Call>,
    model: String,
    usage: Option<Usage>,
    reason: String,
}

impl Gather for Gathered {
    fn take(&mut self, piece: &Json) -> Result<bool, Trouble> {
        if let Some(error) = piece["error"].as_str() {
            return Err(Trouble {
                message: error.to_owned(),
                may_pass: true,
            });
        }
        self.text.push_str(text(piece, "/message/content"));
        let calls = piece.pointer("/message/tool_calls").and_then(Json::as_array);
        for call in calls.into_iter().flatten() {
            self.calls.push(Call {
                id: format!("call_{}", self.calls.len()),
                name: text(call, "/function/name").to_owned(),
                inputs: Ok(call["function"]["arguments"].clone()),
            });
        }
        if piece["done"] != true {
            return Ok(false);
        }
        text(piece, "/model").clone_into(&mut self.model);
        text(piece, "/done_reason").clone_into(&mut self.reason);
        // What was in its cache already it does not count.
        self.usage = number(piece, "/eval_count").map(|output| Usage {
            input: number(piece, "/prompt_eval_count").unwrap_or_default(),
            output,
        });
        Ok(true)
    }

    fn reply(self: Box<Self>) -> Reply {
        Reply {
            text: self.text,
            calls: self.calls,
            own: Vec::new(),
            model: self.model,
            usage: self.usage,
            ended: if self.reason == "length" {
                Ended::CutOff
            } else {
                Ended::Whole
            },
        }
    }
}
