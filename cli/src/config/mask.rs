//! Hides what is secret in a configuration that is shown.

use secrets::{MASK, PREFIX};
use serde_json::Value as Json;
use url::Url;

/// Parts of the names of keys whose text is secret.
const SECRET_NAMES: [&str; 9] = [
    "password",
    "passwd",
    "secret",
    "token",
    "api_key",
    "apikey",
    "authorization",
    "bearer",
    "private_key",
];

/// Whether the value of a key of this name is secret.
pub(super) fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase().replace('-', "_");
    SECRET_NAMES.iter().any(|secret| name.contains(secret))
}

/// Puts the mask in place of every secret: text of keys that are named like one, and passwords in addresses.
/// References (`secret:NAME`) stay. Sections that adapters read are known by their keys' names alone.
pub(super) fn mask(whole: &mut Json) {
    match whole {
        Json::Object(fields) => {
            for (name, value) in fields {
                // Headers carry keys under any name.
                if name == "headers"
                    && let Json::Object(headers) = value
                {
                    headers.values_mut().for_each(hide);
                } else if is_secret(name) {
                    hide(value);
                } else {
                    mask(value);
                }
            }
        }
        Json::Array(items) => items.iter_mut().for_each(mask),
        Json::String(text) => *text = without_password(text),
        _ => {}
    }
}

/// Hides text. A section that is named like a secret (`secrets`) is looked at key by key.
fn hide(value: &mut Json) {
    match value {
        Json::String(text) if text.starts_with(PREFIX) => {}
        Json::Object(_) | Json::Array(_) => mask(value),
        Json::Null => {}
        other => *other = MASK.into(),
    }
}

/// An address without the password in it: `scheme://user:password@host` and `…?password=…` (also with `;`, as in
/// JDBC addresses).
fn without_password(text: &str) -> String {
    let (scheme, rest) = match text.strip_prefix("jdbc:") {
        Some(rest) => ("jdbc:", rest),
        None => ("", text),
    };
    let mut shown = match Url::parse(rest) {
        Ok(mut url) if url.password().is_some() => match url.set_password(Some(MASK)) {
            Ok(()) => format!("{scheme}{url}"),
            Err(()) => text.to_owned(),
        },
        _ => text.to_owned(),
    };
    let mut from = 0;
    while let Some(found) = shown[from..].to_ascii_lowercase().find("password=") {
        let start = from + found + "password=".len();
        let length = shown[start..].find(['&', ';']).unwrap_or(shown.len() - start);
        shown.replace_range(start..start + length, MASK);
        from = start + MASK.len();
    }
    shown
}
