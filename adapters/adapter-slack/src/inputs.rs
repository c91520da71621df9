//! What a `slack_message` task is given, and what it answers.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

/// What `slack_message` is given.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Inputs {
    /// The connection of the operator's configuration.
    #[serde(default = "default_connection")]
    pub(crate) connection: String,
    /// The channel: its id, such as `C024BE91L`, or its name, such as `#orders`. A person's id, such as `U012AB3CD`, writes to
    /// that person. With an incoming webhook it is the webhook's own.
    #[serde(default)]
    pub(crate) channel: Option<String>,
    /// The text, in Slack's own markup (`*bold*`, `<https://example.com|link>`). Where there are blocks it is what notifications
    /// show.
    #[serde(default)]
    #[schemars(extend("contentMediaType" = "text/plain"))]
    pub(crate) message: Option<String>,
    /// The message's layout in Block Kit: a list of blocks, with buttons such as
    /// `[{"type": "actions", "elements": [{"type": "button", "action_id": "approve", "value": "${orderId}", "text": {"type": "plain_text", "text": "Approve"}}]}]`.
    #[serde(default, deserialize_with = "worker_api::structured")]
    pub(crate) blocks: Json,
    /// The message in whose thread this one goes: its `message_id`.
    #[serde(default)]
    pub(crate) thread: Option<String>,
    /// Whether what goes into a thread is shown in the channel as well.
    #[serde(default, deserialize_with = "worker_api::flexible")]
    pub(crate) also_to_channel: bool,
    /// The message that is replaced by this one: its `message_id`. The channel has to be an id then.
    #[serde(default)]
    pub(crate) update: Option<String>,
    /// The files that go along, such as `["invoice"]`: the names of the task's inputs that hold them. The channel has to be an id
    /// then, and the text is their comment.
    #[serde(default, deserialize_with = "worker_api::flexible")]
    pub(crate) files: Vec<String>,
    /// Whether previews of links are shown.
    #[serde(default = "yes", deserialize_with = "worker_api::flexible")]
    pub(crate) unfurl: bool,
}

/// The answer of `slack_message`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Posted {
    /// The message's id (`ts`): what `thread` and `update` take. Null for an incoming webhook, and for files.
    message_id: Option<String>,
    /// The channel's id; null for an incoming webhook.
    channel: Option<String>,
    /// The ids of the files that went along.
    files: Vec<String>,
}

fn default_connection() -> String {
    "default".to_owned()
}

fn yes() -> bool {
    true
}
