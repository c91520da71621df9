//! One entry of `routes` in the configuration.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value as Json};
use worker_api::{Breaker, Cache, Rate, RetryPolicy};

/// Where a topic leads: the value of `routes.TOPIC`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct RouteSetting {
    /// The adapter's name. May be left out for a topic that is an adapter's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub adapter: Option<String>,
    /// The adapter's own topic that is meant. May be left out where the adapter has only one, or where the routed
    /// topic is one of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    /// Inputs that are fixed; they win over the model's.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub with: Map<String, Json>,
    /// How long one attempt may take, where it differs from the pool's: `30s`, `2m` or ISO 8601.
    #[serde(
        deserialize_with = "duration",
        serialize_with = "show",
        skip_serializing_if = "Option::is_none"
    )]
    pub timeout: Option<Duration>,
    /// How failures are retried, where it differs from the pool's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry: Option<RetryPolicy>,
    /// How many of its tasks may run in a time, such as `100/s`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<Rate>,
    /// When it is left alone for a while, as its tasks fail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub breaker: Option<Breaker>,
    /// Which answers are given again without asking.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache: Option<Cache>,
}

fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    let Some(text) = Option::<String>::deserialize(deserializer)? else {
        return Ok(None);
    };
    match worker_api::parse_duration(&text) {
        Some(duration) if !duration.is_zero() => Ok(Some(duration)),
        _ => Err(serde::de::Error::custom(format!(
            "`{text}` is no duration: write one such as 30s, 2m or PT2M"
        ))),
    }
}

fn show<S: Serializer>(duration: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    let duration = duration.unwrap_or_default();
    let duration = jiff::SignedDuration::try_from(duration).unwrap_or(jiff::SignedDuration::MAX);
    serializer.collect_str(&format_args!("{duration:#}"))
}
