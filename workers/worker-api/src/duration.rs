//! Durations as people write them: `30s`, `2m`, `PT30S`. For settings and inputs, in
//! `#[serde(with = "worker_api::duration")]`. See [`parse_duration`](crate::parse_duration).

use std::time::Duration;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serializer};

/// Reads a duration that is longer than nothing.
///
/// # Errors
/// Where it is none; the text says what one looks like.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    crate::parse_duration(&text)
        .filter(|duration| !duration.is_zero())
        .ok_or_else(|| {
            Error::custom(format!(
                "`{text}` is no duration: write one such as 30s, 2m or PT30S"
            ))
        })
}

/// Writes it so that it reads back.
///
/// # Errors
/// Those of the serializer.
pub fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&jiff::SignedDuration::try_from(*duration).unwrap_or(jiff::SignedDuration::MAX))
}
