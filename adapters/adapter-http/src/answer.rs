//! What an answer, or its absence, means for the task.

use std::time::SystemTime;

use http::header::{CONTENT_TYPE, SET_COOKIE};
use http::{HeaderMap, StatusCode};
use mime::Mime;
use serde_json::{Map, Value as Json};
use url::Url;
use worker_api::{Answer, BpmnError, Failure, File, Outcome, Retry, Value, Variables};

use crate::inputs::{Form, Scalars};
use crate::show::{Shown, masked};
use http_client::{Received, retry_after};

/// Characters of an answer's body that a failure repeats.
const EXCERPT: usize = 300;

/// Status codes that a task takes for an answer, beside 2xx and 3xx.
#[derive(Debug, Default)]
pub(crate) struct Accepted(Vec<(u16, u16)>);

impl Accepted {
    /// Reads codes such as `404` and classes such as `5xx`, in a list or with commas between.
    ///
    /// # Errors
    /// Where one is neither.
    pub(crate) fn read(given: Option<&Scalars>) -> Result<Self, Failure> {
        let texts = given.map(Scalars::texts).unwrap_or_default();
        let parts = texts
            .iter()
            .flat_map(|text| text.split(','))
            .map(str::trim)
            .filter(|part| !part.is_empty());
        let range = |part: &str| {
            let class = part.strip_suffix("xx").or_else(|| part.strip_suffix("XX"));
            let (from, to) = match class {
                Some(class) => class
                    .parse::<u16>()
                    .ok()
                    .filter(|class| (1..=5).contains(class))
                    .map(|class| (class * 100, class * 100 + 99))?,
                None => part.parse().ok().map(|code| (code, code))?,
            };
            (100..=599).contains(&from).then_some((from, to))
        };
        parts
            .map(|part| {
                range(part).ok_or_else(|| {
                    Failure::permanent(format!(
                        "`{part}` in the input `accept_status` is no status: write codes such as 404 or classes such as 5xx"
                    ))
                })
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }

    fn contains(&self, status: StatusCode) -> bool {
        self.0
            .iter()
            .any(|(from, to)| (*from..=*to).contains(&status.as_u16()))
    }
}

/// The outcome of a request that was answered. `request` names it in messages, `asked` is where it went.
pub(crate) fn outcome(
    received: Received,
    accepted: &Accepted,
    form: Form,
    request: &Shown,
    asked: &Url,
) -> Outcome {
    // Most answers are of who was asked, whose address is known.
    let url = match received.uri == *asked.as_str() {
        true => request.address.clone(),
        false => Url::parse(&received.uri.to_string()).map_or_else(|_| String::new(), |url| masked(&url)),
    };
    let status = received.status;
    if status.is_success() || status.is_redirection() || accepted.contains(status) {
        let body = read_as(&received, form).map_err(|error| {
            Failure::permanent(format!(
                "{request} answered {status} with a body that is no {error}"
            ))
            .with_details(excerpt(&received))
        })?;
        return Ok(fields(&received, url, body)
            .into_iter()
            .fold(Answer::new(), |answer, (name, value)| answer.with(name, value)));
    }
    let again = matches!(
        status,
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS
    );
    if status.is_client_error() && !again {
        let body = read_body(&received).unwrap_or_else(|_| text(&received, None));
        let mut error = BpmnError::new(
            format!("HTTP_{}", status.as_u16()),
            format!("{request} answered {status}"),
        )
        .or("HTTP_4XX");
        error.variables = fields(&received, url, body);
        return Err(error.into());
    }
    let family = if status.is_client_error() {
        "HTTP_4XX"
    } else {
        "HTTP_5XX"
    };
    let failure = Failure::retryable(format!("{request} answered {status}"))
        .with_code(format!("HTTP_{}", status.as_u16()))
        .with_code(family)
        .with_details(excerpt(&received));
    let wait = retry_after(&received.headers, SystemTime::now());
    // These say that the request was not taken on; what came of it after another the service itself may not know. A 503
    // without more may be a gateway's that has lost patience.
    let is_refused = match status {
        StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS => true,
        StatusCode::SERVICE_UNAVAILABLE => wait.is_some(),
        _ => false,
    };
    let failure = if is_refused && !received.is_behind {
        failure.nothing_done()
    } else {
        failure
    };
    Err(match wait {
        Some(wait) => failure.with_retry(Retry::NotBefore(wait)),
        None => failure,
    }
    .into())
}

fn fields(received: &Received, url: String, body: Value) -> Variables {
    Variables::from([
        (
            "status".to_owned(),
            Value::Integer(i64::from(received.status.as_u16())),
        ),
        (
            "headers".to_owned(),
            Value::Json(Json::Object(headers(&received.headers))),
        ),
        ("body".to_owned(), body),
        ("url".to_owned(), Value::String(url)),
    ])
}

fn headers(headers: &HeaderMap) -> Map<String, Json> {
    let texts = |name: &http::HeaderName| -> Vec<String> {
        headers
            .get_all(name)
            .iter()
            .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
            .collect()
    };
    headers
        .keys()
        .map(|name| match name {
            &SET_COOKIE => (name.to_string(), Json::from(texts(name))),
            name => (name.to_string(), Json::from(texts(name).join(", "))),
        })
        .collect()
}

/// The body as it is asked for.
///
/// # Errors
/// Where it is not that.
fn read_as(received: &Received, form: Form) -> Result<Value, String> {
    let bytes = &received.body;
    Ok(match form {
        Form::Auto => read_body(received).map_err(|error| format!("JSON: {error}"))?,
        Form::Bytes => Value::Bytes(bytes.clone()),
        Form::Text => text(received, media_type(&received.headers).as_ref()),
        Form::Json => serde_json::from_slice::<Json>(bytes)
            .map_err(|error| format!("JSON: {error}"))?
            .into(),
        Form::File => {
            let path = received.uri.path().trim_end_matches('/');
            let name = path.rsplit('/').next().filter(|name| !name.is_empty());
            Value::File(File {
                name: name.unwrap_or("answer").to_owned(),
                media_type: media_type(&received.headers).map(|media| media.essence_str().to_owned()),
                encoding: None,
                content: bytes.clone().into(),
            })
        }
    })
}

/// The body by its media type.
///
/// # Errors
/// Where it should be JSON and is not.
fn read_body(received: &Received) -> Result<Value, serde_json::Error> {
    if received.body.is_empty() {
        return Ok(Value::Null);
    }
    let media = media_type(&received.headers);
    let Some(media) = media else {
        return Ok(match std::str::from_utf8(&received.body) {
            Ok(text) => Value::String(text.to_owned()),
            Err(_) => Value::Bytes(received.body.clone()),
        });
    };
    let names = |name: &str| media.subtype() == name || media.suffix().is_some_and(|suffix| suffix == name);
    if names("json") {
        return serde_json::from_slice::<Json>(&received.body).map(Value::from);
    }
    let is_text = media.type_() == mime::TEXT
        || [
            "xml",
            "javascript",
            "x-www-form-urlencoded",
            "yaml",
            "x-ndjson",
            "graphql",
        ]
        .into_iter()
        .any(names)
        || media.get_param(mime::CHARSET).is_some();
    Ok(if is_text {
        text(received, Some(&media))
    } else {
        Value::Bytes(received.body.clone())
    })
}

fn media_type(headers: &HeaderMap) -> Option<Mime> {
    headers.get(CONTENT_TYPE)?.to_str().ok()?.parse().ok()
}

/// The body as text in the character encoding that the media type names, else in UTF-8.
fn text(received: &Received, media: Option<&Mime>) -> Value {
    let label = media.and_then(|media| media.get_param(mime::CHARSET));
    let encoding = label.and_then(|label| encoding_rs::Encoding::for_label(label.as_str().as_bytes()));
    let (text, ..) = encoding.unwrap_or(encoding_rs::UTF_8).decode(&received.body);
    Value::String(text.into_owned())
}

fn excerpt(received: &Received) -> String {
    let text = String::from_utf8_lossy(&received.body);
    let start: String = text.chars().take(EXCERPT).collect();
    match text.chars().nth(EXCERPT) {
        Some(_) => format!("{start} … ({} bytes in all)", received.body.len()),
        None => start,
    }
}
