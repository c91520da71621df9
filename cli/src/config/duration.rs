//! Durations in the configuration: `30s`, `2m` or ISO 8601.

use std::time::Duration;

use serde::{Deserializer, Serializer};

pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    super::parsed::parsed(
        "a duration such as 30s, 2m or PT2M",
        worker_api::parse_duration,
        deserializer,
    )
}

pub(super) fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    let duration = jiff::SignedDuration::try_from(*duration).unwrap_or(jiff::SignedDuration::MAX);
    serializer.collect_str(&format_args!("{duration:#}"))
}
