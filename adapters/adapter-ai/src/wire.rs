//! The ways in which providers are spoken to.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::conversation::{Question, Reply};

mod anthropic;
mod ollama;
mod openai_chat;
mod openai_responses;

/// How a provider is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Api {
    /// As OpenAI's responses API.
    OpenaiResponses,
    /// As OpenAI's chat completions API, which many servers speak.
    OpenaiChat,
    /// As Anthropic's messages API.
    Anthropic,
    /// As Ollama's chat API.
    Ollama,
}

/// How the pieces of an answer stand in the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// Server-sent events.
    Events,
    /// JSON, one a line.
    Lines,
}

/// An answer that is being put together.
pub(crate) trait Gather: Send {
    /// Takes the next piece. True where it was the last.
    ///
    /// # Errors
    /// Where the provider says in it that it cannot go on: why.
    fn take(&mut self, piece: &Json) -> Result<bool, Trouble>;

    /// Whether the answer is whole where the stream ends without a last piece.
    fn has_ended(&self) -> bool {
        false
    }

    /// The answer.
    fn reply(self: Box<Self>) -> Reply;
}

/// A provider that cannot go on in the middle of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Trouble {
    /// What it says.
    pub(crate) message: String,
    /// Whether it may be able to later.
    pub(crate) may_pass: bool,
}

impl Api {
    /// That of a provider which is called by a vendor's name.
    pub(crate) fn of_name(name: &str) -> Option<Self> {
        match name {
            "openai" => Some(Self::OpenaiResponses),
            "anthropic" => Some(Self::Anthropic),
            "ollama" => Some(Self::Ollama),
            _ => None,
        }
    }

    /// The vendor's own address; none where anybody may speak it and the provider has another name.
    pub(crate) fn vendors_url(self) -> &'static str {
        match self {
            Self::OpenaiResponses | Self::OpenaiChat => "https://api.openai.com/v1",
            Self::Anthropic => "https://api.anthropic.com",
            Self::Ollama => "http://127.0.0.1:11434",
        }
    }

    /// Where questions go, below the base address.
    pub(crate) fn path(self) -> &'static str {
        match self {
            Self::OpenaiResponses => "responses",
            Self::OpenaiChat => "chat/completions",
            Self::Anthropic => "v1/messages",
            Self::Ollama => "api/chat",
        }
    }

    /// Where it lists its models: an address that does nothing and wants the key.
    pub(crate) fn models_path(self) -> &'static str {
        match self {
            Self::OpenaiResponses | Self::OpenaiChat => "models",
            Self::Anthropic => "v1/models",
            Self::Ollama => "api/tags",
        }
    }

    /// The headers that show the key, and those that are always sent.
    pub(crate) fn headers(self, key: Option<&str>) -> Vec<(&'static str, String)> {
        match (self, key) {
            (Self::Anthropic, Some(key)) => vec![
                ("x-api-key", key.to_owned()),
                ("anthropic-version", "2023-06-01".to_owned()),
            ],
            (Self::Anthropic, None) => vec![("anthropic-version", "2023-06-01".to_owned())],
            (_, Some(key)) => vec![("authorization", format!("Bearer {key}"))],
            (_, None) => Vec::new(),
        }
    }

    /// A question's body. `provider` is the provider's name, `is_vendor` whether it is the vendor's own server.
    pub(crate) fn body(self, question: &Question<'_>, provider: &str, is_vendor: bool) -> Json {
        match self {
            Self::OpenaiResponses => openai_responses::body(question, provider),
            Self::OpenaiChat => openai_chat::body(question, is_vendor),
            Self::Anthropic => anthropic::body(question, provider),
            Self::Ollama => ollama::body(question),
        }
    }

    pub(crate) fn framing(self) -> Framing {
        match self {
            Self::Ollama => Framing::Lines,
            _ => Framing::Events,
        }
    }

    pub(crate) fn gather(self) -> Box<dyn Gather> {
        match self {
            Self::OpenaiResponses => Box::<openai_responses::Gathered>::default(),
            Self::OpenaiChat => Box::<openai_chat::Gathered>::default(),
            Self::Anthropic => Box::<anthropic::Gathered>::default(),
            Self::Ollama => Box::<ollama::Gathered>::default(),
        }
    }
}

/// Text at a place in a piece, empty where there is none.
fn text<'a>(piece: &'a Json, pointer: &str) -> &'a str {
    piece.pointer(pointer).and_then(Json::as_str).unwrap_or_default()
}

/// A number at a place in a piece.
fn number(piece: &Json, pointer: &str) -> Option<u64> {
    piece.pointer(pointer).and_then(Json::as_u64)
}
