//! Makes a request out of a task's inputs and its connection.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request};
use http_body_util::Full;
use secrets::{Secret, SecretSetting, SecretStore};
use serde_json::Value as Json;
use url::Url;
use worker_api::{Failure, TraceContext};

use crate::body::{self, Written};
use crate::inputs::{Inputs, Scalars};
use crate::login::Credentials;
use crate::settings::{ConnectionSettings, TaskAuth};

/// Headers that the connection itself decides, or that would let a request pass for another.
const OURS: [&str; 10] = [
    "connection",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// By which a service knows to which trace a request belongs: W3C Trace Context.
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// By which a service knows a request again: the draft `draft-ietf-httpapi-idempotency-key-header`.
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// The request of a task. `raw` is the body where it is to be sent as it is; `login` what the connection has it carry; `key`
/// the task's idempotency key and its trace.
///
/// # Errors
/// A permanent failure that names the input that cannot be sent, or the secret that cannot be had.
pub(crate) fn prepare(
    inputs: &Inputs,
    mut url: Url,
    raw: Option<Written>,
    settings: &ConnectionSettings,
    login: Option<Credentials>,
    secrets: &SecretStore,
    (key, trace): (&str, Option<TraceContext>),
) -> Result<Request<Full<Bytes>>, Failure> {
    let method = method(&inputs.method)?;
    let is_once = inputs.repeatable == Some(false) || !method.is_idempotent();

    let mut headers = HeaderMap::new();
    headers.insert(
        USER_AGENT,
        HeaderValue::from_static(concat!("procos/", env!("CARGO_PKG_VERSION"))),
    );
    headers.insert(http::header::ACCEPT, HeaderValue::from_static("*/*"));
    if is_own(&url, settings) {
        for (name, setting) in &settings.headers {
            headers.insert(
                header_name(name)?,
                sensitive(name, resolve(setting, secrets)?.expose())?,
            );
        }
    }
    if let Some(login) = login {
        login.carry(&mut headers, &mut url);
    }
    for (name, values) in inputs.headers.iter().flatten() {
        let header = header_name(name)?;
        headers.remove(&header);
        for value in values.texts() {
            headers.append(&header, header_value(name, &value)?);
        }
    }
    if is_once {
        headers
            .entry(IDEMPOTENCY_KEY)
            .or_insert(header_value("idempotency-key", key)?);
    }
    if let Some(trace) = trace {
        headers
            .entry(TRACEPARENT)
            .or_insert(header_value("traceparent", &trace.to_string())?);
    }
    if let Some(auth) = &inputs.auth {
        Credentials::of_task(auth, secrets)?.carry(&mut headers, &mut url);
    }

    let written = match raw {
        Some(written) => Some(written),
        None => body::write(inputs.body.clone(), inputs.body_type, headers.get(CONTENT_TYPE))?,
    };
    let bytes = written.map_or_else(Bytes::new, |written| {
        if let Some(content_type) = written.content_type {
            headers.entry(CONTENT_TYPE).or_insert(content_type);
        }
        written.bytes
    });

    let mut request = Request::new(Full::new(bytes));
    *request.method_mut() = method;
    *request.uri_mut() = url
        .as_str()
        .parse()
        .map_err(|error| Failure::permanent(format!("the input `url` cannot be requested: {error}")))?;
    *request.headers_mut() = headers;
    Ok(request)
}

/// Whether an address is the connection's own, to which its login may go.
pub(crate) fn is_own(url: &Url, settings: &ConnectionSettings) -> bool {
    settings
        .base_url
        .as_ref()
        .is_some_and(|base| is_same_origin(base, url))
}

/// Whether two addresses of HTTP have one origin; without the copies that [`Url::origin`] makes.
fn is_same_origin(one: &Url, other: &Url) -> bool {
    let origin = |url: &Url| (url.scheme() == "https", url.port_or_known_default());
    origin(one) == origin(other) && one.host() == other.host()
}

pub(crate) fn resolve(setting: &SecretSetting, secrets: &SecretStore) -> Result<Secret, Failure> {
    setting
        .resolve(secrets)
        .map_err(|error| Failure::permanent(error.to_string()))
}

/// A header's name, where a task or the configuration may set it.
///
/// # Errors
/// Where it is no name, or one that the connection itself decides.
pub(crate) fn header_name(name: &str) -> Result<HeaderName, Failure> {
    let header = HeaderName::from_bytes(name.as_bytes()).map_err(|_| {
        Failure::permanent(format!(
            "{name:?} is no name of a header: use letters, digits and hyphens, without spaces and line breaks"
        ))
    })?;
    if OURS.contains(&header.as_str()) {
        return Err(Failure::permanent(format!(
            "the header `{header}` is set by the connection itself; leave it out"
        )));
    }
    Ok(header)
}

fn header_value(name: &str, value: &str) -> Result<HeaderValue, Failure> {
    HeaderValue::from_bytes(value.as_bytes()).map_err(|_| {
        Failure::permanent(format!(
            "the value of the header `{name}` holds a line break or another control character; take it out"
        ))
    })
}

pub(crate) fn sensitive(name: &str, value: &str) -> Result<HeaderValue, Failure> {
    let mut value = header_value(name, value)?;
    value.set_sensitive(true);
    Ok(value)
}

/// The method that is meant.
///
/// # Errors
/// Where a task may not request with it.
pub(crate) fn method(text: &str) -> Result<Method, Failure> {
    match Method::from_bytes(text.trim().to_ascii_uppercase().as_bytes()) {
        Ok(Method::CONNECT | Method::TRACE) | Err(_) => Err(Failure::permanent(format!(
            "{text:?} is no method to request with: use GET, POST, PUT, PATCH, DELETE, HEAD or OPTIONS"
        ))),
        Ok(method) => Ok(method),
    }
}

/// The whole address: the given one, or the given end of the connection's base URL; with the query added.
///
/// # Errors
/// Where it cannot be requested, or an input refers to a secret.
pub(crate) fn address(inputs: &Inputs, settings: &ConnectionSettings) -> Result<Url, Failure> {
    refuse_references(inputs)?;
    let given = inputs.url.trim();
    let wrong = |why: String| Failure::permanent(format!("the input `url` cannot be requested: {why}"));
    if given.chars().any(|c| c.is_control()) {
        return Err(wrong(
            "it holds a line break or another control character".to_owned(),
        ));
    }
    let mut url = match &settings.base_url {
        Some(base) if !given.contains("://") => below(base, given).map_err(wrong)?,
        _ => Url::parse(given).map_err(|error| {
            wrong(format!(
                "{error}; write a whole address such as https://api.example.com/orders, or give the connection `{}` a base_url",
                inputs.connection
            ))
        })?,
    };
    if !matches!(url.scheme(), "http" | "https") {
        return Err(wrong(format!(
            "its scheme is `{}`; use http or https",
            url.scheme()
        )));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong(
            "it holds a login; give that as the input `auth`, or in the connection".to_owned(),
        ));
    }
    url.set_fragment(None);
    for (name, values) in inputs.query.iter().flatten() {
        for value in values.texts() {
            url.query_pairs_mut().append_pair(name, &value);
        }
    }
    Ok(url)
}

/// What lies below a base URL. `..` does not lead out of it.
fn below(base: &Url, given: &str) -> Result<Url, String> {
    let stem = base
        .as_str()
        .split(['?', '#'])
        .next()
        .unwrap_or_default()
        .trim_end_matches('/');
    let slash = if given.is_empty() || given.starts_with(['/', '?', '#']) {
        ""
    } else {
        "/"
    };
    let url = Url::parse(&format!("{stem}{slash}{given}")).map_err(|error| error.to_string())?;
    let stem_path = base.path().trim_end_matches('/');
    let is_below = url
        .path()
        .strip_prefix(stem_path)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    match is_below && is_same_origin(&url, base) {
        true => Ok(url),
        false => Err("it leads out of the connection's base_url".to_owned()),
    }
}

/// A reference to a secret in a task would be sent as the text it is. It is refused instead.
fn refuse_references(inputs: &Inputs) -> Result<(), Failure> {
    let any = |values: &Scalars| values.texts().iter().any(|text| holds_reference(text));
    let in_auth = inputs.auth.as_ref().is_some_and(|auth| match auth {
        TaskAuth::Basic { username, password } => {
            matches!(password, SecretSetting::Reference(_)) || holds_reference(username)
        }
        TaskAuth::Bearer(token) => matches!(token, SecretSetting::Reference(_)),
    });
    let place = if in_auth {
        "auth"
    } else if holds_reference(&inputs.url) {
        "url"
    } else if inputs.headers.iter().flatten().any(|(_, values)| any(values)) {
        "headers"
    } else if inputs.query.iter().flatten().any(|(_, values)| any(values)) {
        "query"
    } else if is_reference_below(&inputs.body) {
        "body"
    } else {
        return Ok(());
    };
    Err(Failure::permanent(format!(
        "the input `{place}` refers to a secret, which a task cannot read: configure a connection with it under services.http and name that as the input `connection`"
    )))
}

/// Whether a reference such as `secret:api-key` stands in a text, at its start or behind a space or sign.
fn holds_reference(text: &str) -> bool {
    text.match_indices(secrets::PREFIX).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + secrets::PREFIX.len()..].chars().next();
        before.is_none_or(|c| !c.is_alphanumeric() && c != '/')
            && after.is_some_and(|c| c.is_ascii_alphanumeric())
    })
}

/// Whether a text in a body is a reference and nothing else; other text may speak of secrets.
fn is_reference_below(body: &Json) -> bool {
    match body {
        Json::String(text) => match serde_json::from_str(text) {
            Ok(parsed @ (Json::Object(_) | Json::Array(_))) => is_reference_below(&parsed),
            _ => text.strip_prefix(secrets::PREFIX).is_some_and(|name| {
                !name.is_empty()
                    && name
                        .chars()
                        .all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
            }),
        },
        Json::Array(items) => items.iter().any(is_reference_below),
        Json::Object(fields) => fields.values().any(is_reference_below),
        _ => false,
    }
}
