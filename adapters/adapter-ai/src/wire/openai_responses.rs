//! OpenAI's responses API: <https://platform.openai.com/docs/api-reference/responses>.

use serde_json::{Value as Json, json};

use super::{Gather, Trouble, number, text};
use crate::conversation::{Attached, Call, Ended, Part, Question, Reply, Turn, Usage};

pub(super) fn body(question: &Question<'_>, provider: &str) -> Json {
    let input: Vec<Json> = question
        .turns
        .iter()
        .flat_map(|turn| items(turn, provider))
        .collect();
    let mut body = json!({
        "model": question.model,
        "input": input,
        "max_output_tokens": question.max_tokens,
        "stream": true,
        // Nothing is kept there: what the model has thought comes along with each question, encrypted.
        "store": false,
        "include": ["reasoning.encrypted_content"],
    });
    if let Some(system) = question.system {
        body["instructions"] = system.into();
    }
    if let Some(schema) = question.schema {
        body["text"] =
            json!({"format": {"type": "json_schema", "name": "answer", "schema": schema, "strict": false}});
    }
    if !question.tools.is_empty() {
        let tools = question.tools.iter().map(|tool| {
            json!({"type": "function", "name": tool.name, "description": tool.description,
                   "parameters": tool.inputs, "strict": false})
        });
        body["tools"] = tools.collect();
    }
    if let Some(temperature) = question.temperature {
        body["temperature"] = temperature.into();
    }
    body
}

fn items(turn: &Turn, provider: &str) -> Vec<Json> {
    match turn {
        Turn::User(parts) => {
            let content: Vec<Json> = parts.iter().map(part).collect();
            vec![json!({"role": "user", "content": content})]
        }
        Turn::Model { own, .. } if own.provider == provider => own.items.clone(),
        Turn::Model { text, calls, .. } => {
            let said = (!text.is_empty())
                .then(|| json!({"role": "assistant", "content": [{"type": "output_text", "text": text}]}));
            let calls = calls.iter().map(|call| {
                json!({"type": "function_call", "call_id": call.id, "name": call.name,
                       "arguments": call.inputs_text()})
            });
            said.into_iter().chain(calls).collect()
        }
        Turn::Results(results) => results
            .iter()
            .map(|one| json!({"type": "function_call_output", "call_id": one.id, "output": one.text}))
            .collect(),
    }
}

fn part(part: &Part) -> Json {
    let data = |file: &Attached| format!("data:{};base64,{}", file.media_type, file.data);
    match part {
        Part::Text(text) => json!({"type": "input_text", "text": text}),
        Part::Image(image) => json!({"type": "input_image", "image_url": data(image)}),
        Part::Document(file) => {
            json!({"type": "input_file", "filename": file.name, "file_data": data(file)})
        }
    }
}

/// The last event holds the answer as a whole.
#[derive(Default)]
pub(super) struct Gathered(Json);

impl Gather for Gathered {
    fn take(&mut self, piece: &Json) -> Result<bool, Trouble> {
        match text(piece, "/type") {
            "response.completed" | "response.incomplete" => {
                self.0 = piece["response"].clone();
                Ok(true)
            }
            "response.failed" => Err(trouble(
                text(piece, "/response/error/code"),
                text(piece, "/response/error/message"),
            )),
            "error" => Err(trouble(text(piece, "/code"), text(piece, "/message"))),
            _ => Ok(false),
        }
    }

    fn reply(self: Box<Self>) -> Reply {
        let response = self.0;
        let output = response["output"].as_array().cloned().unwrap_or_default();
        let mut said = String::new();
        let mut refusal = None;
        let mut calls = Vec::new();
        for item in &output {
            match text(item, "/type") {
                "function_call" => calls.push(Call::from_text(
                    text(item, "/call_id").to_owned(),
                    text(item, "/name").to_owned(),
                    text(item, "/arguments"),
                )),
                "message" => {
                    for part in item["content"].as_array().into_iter().flatten() {
                        match text(part, "/type") {
                            "output_text" => said.push_str(text(part, "/text")),
                            "refusal" => refusal = Some(text(part, "/refusal").to_owned()),
                            _ => {}
                        }
                    }
                }
                _ => {}
            }
        }
        let ended = match (refusal, text(&response, "/incomplete_details/reason")) {
            (Some(refusal), _) => Ended::Refused(refusal),
            (None, "content_filter") => {
                Ended::Refused("the provider's filter has cut the answer off".to_owned())
            }
            (None, "") => Ended::Whole,
            (None, _) => Ended::CutOff,
        };
        let tokens = |pointer| number(&response, pointer);
        Reply {
            text: said,
            calls,
            model: text(&response, "/model").to_owned(),
            usage: tokens("/usage/input_tokens")
                .zip(tokens("/usage/output_tokens"))
                .map(|(input, output)| Usage { input, output }),
            ended,
            own: output,
        }
    }
}

fn trouble(code: &str, message: &str) -> Trouble {
    Trouble {
        message: format!("{message} ({code})"),
        may_pass: matches!(
            code,
            "server_error" | "rate_limit_exceeded" | "vector_store_timeout"
        ),
    }
}
