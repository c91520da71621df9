//! What a request brings, as JSON.

use axum::http::{HeaderMap, header};
use serde_json::{Map, Value as Json};

/// Why a body cannot be read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unreadable {
    #[error("send JSON, a form or text: the content type `{0}` is not read")]
    Type(String),
    #[error("the body is not what its content type says: {0}")]
    Content(String),
}

/// The payload: JSON as it is, a form as an object, text as text. A form whose field `payload` is JSON is that, as Slack
/// sends it.
pub(crate) fn read(headers: &HeaderMap, body: &[u8]) -> Result<Json, Unreadable> {
    let given = headers.get(header::CONTENT_TYPE);
    let given = given
        .and_then(|value| value.to_str().ok())
        .unwrap_or("application/json");
    let kind: mime::Mime = given.parse().map_err(|_| Unreadable::Type(given.to_owned()))?;
    let content = |error: &dyn std::fmt::Display| Unreadable::Content(error.to_string());
    if kind.subtype() == mime::JSON || kind.suffix() == Some(mime::JSON) {
        return serde_json::from_slice(body).map_err(|error| content(&error));
    }
    if kind.essence_str() == mime::APPLICATION_WWW_FORM_URLENCODED.essence_str() {
        let pairs: Vec<(String, String)> =
            serde_urlencoded::from_bytes(body).map_err(|error| content(&error))?;
        if let [(name, text)] = pairs.as_slice()
            && name == "payload"
            && let Ok(payload) = serde_json::from_str(text)
        {
            return Ok(payload);
        }
        let mut fields = Map::new();
        for (name, value) in pairs {
            match fields.get_mut(&name) {
                None => {
                    fields.insert(name, value.into());
                }
                Some(Json::Array(all)) => all.push(value.into()),
                Some(one) => *one = Json::Array(vec![one.take(), value.into()]),
            }
        }
        return Ok(fields.into());
    }
    if kind.type_() == mime::TEXT {
        let text = std::str::from_utf8(body).map_err(|error| content(&error))?;
        return Ok(text.into());
    }
    Err(Unreadable::Type(kind.essence_str().to_owned()))
}
