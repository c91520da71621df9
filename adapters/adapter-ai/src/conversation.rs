//! A conversation with a model, as all providers have it.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

/// What a model is asked.
#[derive(Debug)]
pub(crate) struct Question<'a> {
    pub(crate) model: &'a str,
    pub(crate) system: Option<&'a str>,
    pub(crate) turns: &'a [Turn],
    /// The JSON Schema that the answer has to fit.
    pub(crate) schema: Option<&'a Json>,
    pub(crate) tools: &'a [ToolDescription],
    pub(crate) max_tokens: u32,
    pub(crate) temperature: Option<f64>,
}

/// One turn of a conversation.
#[derive(Clone, Debug)]
pub(crate) enum Turn {
    /// What the task says.
    User(Vec<Part>),
    /// What the model has said.
    Model {
        text: String,
        calls: Vec<Call>,
        /// The same in the provider's own words, which may hold more: for that provider, who wants it back unchanged.
        own: Own,
    },
    /// What its calls have come to, in their order.
    Results(Vec<CallResult>),
}

/// What a provider has said, in its own words.
#[derive(Clone, Debug, Default)]
pub(crate) struct Own {
    /// The provider's name in the configuration.
    pub(crate) provider: String,
    pub(crate) items: Vec<Json>,
}

/// One part of what the task says.
#[derive(Clone, Debug)]
pub(crate) enum Part {
    Text(String),
    Image(Attached),
    Document(Attached),
}

/// A file that goes along.
#[derive(Clone, Debug)]
pub(crate) struct Attached {
    pub(crate) name: String,
    pub(crate) media_type: String,
    /// Its bytes in Base64.
    pub(crate) data: String,
}

/// A tool, as a model sees it.
#[derive(Clone, Debug)]
pub(crate) struct ToolDescription {
    pub(crate) name: String,
    pub(crate) description: String,
    /// The JSON Schema of its inputs.
    pub(crate) inputs: Json,
}

/// A model's wish that a tool be called.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Call {
    /// The provider's id of it.
    pub(crate) id: String,
    pub(crate) name: String,
    /// The inputs; or the text that should have been their JSON.
    pub(crate) inputs: Result<Json, String>,
}

/// What a call has come to.
#[derive(Clone, Debug)]
pub(crate) struct CallResult {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) text: String,
    pub(crate) is_error: bool,
}

/// A model's answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) text: String,
    pub(crate) calls: Vec<Call>,
    pub(crate) own: Vec<Json>,
    /// The model that has answered, as it calls itself.
    pub(crate) model: String,
    /// The tokens that it was given and has given, where the provider tells.
    pub(crate) usage: Option<Usage>,
    pub(crate) ended: Ended,
}

/// How an answer has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// It is whole.
    Whole,
    /// It has as many tokens as it may have.
    CutOff,
    /// The model, or the provider's filter, refuses to answer: what it says to that.
    Refused(String),
}

/// Tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    pub(crate) input: u64,
    pub(crate) output: u64,
}

impl std::ops::AddAssign for Usage {
    fn add_assign(&mut self, other: Self) {
        self.input += other.input;
        self.output += other.output;
    }
}

impl Call {
    /// A call whose inputs arrive as text.
    pub(crate) fn from_text(id: String, name: String, text: &str) -> Self {
        let text = if text.trim().is_empty() { "{}" } else { text };
        let inputs = serde_json::from_str(text).map_err(|_| text.to_owned());
        Self { id, name, inputs }
    }

    /// The inputs as text.
    pub(crate) fn inputs_text(&self) -> String {
        match &self.inputs {
            Ok(inputs) => inputs.to_string(),
            Err(text) => text.clone(),
        }
    }
}

impl Part {
    /// For the transcript: files by name and size.
    fn shown(&self) -> Json {
        let file = |kind: &str, file: &Attached| json!({kind: {"name": file.name, "media_type": file.media_type, "bytes": file.data.len() / 4 * 3}});
        match self {
            Self::Text(text) => Json::from(text.as_str()),
            Self::Image(image) => file("image", image),
            Self::Document(document) => file("document", document),
        }
    }
}

impl Turn {
    /// For the transcript.
    pub(crate) fn shown(&self) -> Json {
        match self {
            Self::User(parts) => json!({"user": parts.iter().map(Part::shown).collect::<Vec<_>>()}),
            Self::Model { text, calls, own } => {
                let calls: Vec<Json> = calls
                    .iter()
                    .map(|call| json!({"tool": call.name, "inputs": call.inputs.clone().unwrap_or_else(Json::from)}))
                    .collect();
                json!({"model": text, "provider": own.provider, "calls": calls})
            }
            Self::Results(results) => {
                let results: Vec<Json> = results
                    .iter()
                    .map(|one| json!({"tool": one.name, "result": one.text, "failed": one.is_error}))
                    .collect();
                json!({"results": results})
            }
        }
    }

    /// Bytes of text in it, for an estimate of its tokens.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::User(parts) => parts.iter().map(Part::bytes).sum(),
            Self::Model { text, calls, .. } => {
                text.len() + calls.iter().map(|call| call.inputs_text().len()).sum::<usize>()
            }
            Self::Results(results) => results.iter().map(|one| one.text.len()).sum(),
        }
    }
}

impl Part {
    fn bytes(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            // What providers count for an image at the most, and for a page of text.
            Self::Image(_) => 1600 * 3,
            Self::Document(document) => document.data.len() / 8,
        }
    }
}

/// The pieces of calls that arrive bit by bit, by their place in the answer.
#[derive(Debug, Default)]
pub(crate) struct Calls(BTreeMap<u64, (String, String, String)>);

impl Calls {
    /// More of the call at a place.
    pub(crate) fn add(&mut self, place: u64, id: Option<&str>, name: Option<&str>, inputs: Option<&str>) {
        let (all_id, all_name, all_inputs) = self.0.entry(place).or_default();
        // An id or a name comes whole, and with some servers again with each piece.
        if let Some(id) = id.filter(|id| !id.is_empty()) {
            id.clone_into(all_id);
        }
        if let Some(name) = name.filter(|name| !name.is_empty()) {
            name.clone_into(all_name);
        }
        all_inputs.push_str(inputs.unwrap_or_default());
    }

    /// All calls, in their order.
    pub(crate) fn into_calls(self) -> Vec<Call> {
        let calls = self.0.into_iter().map(|(place, (id, name, inputs))| {
            let id = if id.is_empty() {
                format!("call_{place}")
            } else {
                id
            };
            Call::from_text(id, name, &inputs)
        });
        calls.collect()
    }
}
