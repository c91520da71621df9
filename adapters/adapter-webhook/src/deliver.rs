//! From a believed request to what it is for the engine.

use arrival::{Arrival, plain};
use axum::http::HeaderMap;
use serde_json::Value as Json;

use crate::settings::HookSettings;

/// The headers in which senders give the id of a delivery, which is the same where they send it again.
const ID_HEADERS: [&str; 4] = [
    "webhook-id",
    "x-github-delivery",
    "idempotency-key",
    "x-request-id",
];

/// What the settings say that a request is.
///
/// # Errors
/// Where the business key is not where it should be.
pub(crate) fn read(settings: &HookSettings, headers: &HeaderMap, payload: Json) -> Result<Arrival, String> {
    let id = match &settings.id {
        Some(path) => path.first(&payload).and_then(plain),
        None => ID_HEADERS
            .iter()
            .find_map(|name| headers.get(*name)?.to_str().ok())
            .or_else(|| payload.get("event_id").or_else(|| payload.get("id"))?.as_str())
            .map(str::to_owned),
    };
    settings.destination().read(id, payload)
}
