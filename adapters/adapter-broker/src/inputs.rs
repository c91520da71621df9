//! What a `message_publish` task is given, and what it answers.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

/// What `message_publish` is given.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Inputs {
    /// The connection of the operator's configuration.
    #[serde(default = "default_connection")]
    pub(crate) connection: String,
    /// The exchange; without one the message goes to the queue that is called as `routing_key` says.
    #[serde(default)]
    pub(crate) exchange: String,
    /// The routing key, such as `orders.paid`.
    #[serde(default)]
    pub(crate) routing_key: String,
    /// What the message says: a value, which becomes JSON, a text, or a file.
    #[serde(default)]
    pub(crate) payload: Json,
    /// The payload's media type; that of the file, `text/plain` for a text and `application/json` for the rest unless said.
    #[serde(default)]
    pub(crate) content_type: Option<String>,
    /// Makes the message a CloudEvent of this type, such as `shop.order.paid`, with the payload as its data.
    #[serde(default)]
    pub(crate) event_type: Option<String>,
    /// What the CloudEvent is about: for one that procos takes from a queue, the business key.
    #[serde(default)]
    pub(crate) subject: Option<String>,
    /// Headers, by name.
    #[serde(default, deserialize_with = "worker_api::flexible")]
    pub(crate) headers: BTreeMap<String, Json>,
    /// The message's id, by which a consumer knows one that comes again; the task's idempotency key unless said.
    #[serde(default)]
    pub(crate) message_id: Option<String>,
    /// The id of what it answers.
    #[serde(default)]
    pub(crate) correlation_id: Option<String>,
    /// The queue for the answer.
    #[serde(default)]
    pub(crate) reply_to: Option<String>,
    /// What kind of message it is, for consumers that look at the property `type`.
    #[serde(default)]
    pub(crate) message_type: Option<String>,
    /// Its priority, from 0 to 255, in queues that know priorities.
    #[serde(default, deserialize_with = "worker_api::flexible")]
    pub(crate) priority: Option<u8>,
    /// After how long it is dropped if nobody has taken it, such as `10m` or `PT10M`.
    #[serde(default)]
    pub(crate) expires: Option<String>,
    /// Whether the broker keeps it over a restart.
    #[serde(default = "yes", deserialize_with = "worker_api::flexible")]
    pub(crate) persistent: bool,
    /// Whether it is an error (`MESSAGE_UNROUTABLE`) where no queue gets it.
    #[serde(default = "yes", deserialize_with = "worker_api::flexible")]
    pub(crate) mandatory: bool,
    /// Whether it may be published again where it is not known whether it was, as consumers know it by its id.
    #[serde(default, deserialize_with = "worker_api::flexible")]
    pub(crate) repeatable: bool,
}

/// The answer of `message_publish`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Published {
    /// Whether the broker has it and answers for it. Always true: everything else is an error.
    confirmed: bool,
    /// The message's id.
    message_id: String,
}

fn default_connection() -> String {
    "default".to_owned()
}

fn yes() -> bool {
    true
}
