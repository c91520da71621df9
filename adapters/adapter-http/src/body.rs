//! Writes a request's body.

use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};
use futures::TryStreamExt;
use http::HeaderValue;
use reqwest::multipart::{Form, Part};
use serde_json::{Map, Value as Json};
use url::form_urlencoded;
use worker_api::{Failure, TaskContext, Value};

use crate::inputs::{BodyType, Scalars};

/// A body with its media type.
pub(crate) struct Written {
    pub(crate) bytes: Bytes,
    /// Where the task's own headers do not say it.
    pub(crate) content_type: Option<HeaderValue>,
}

impl Written {
    fn new(bytes: impl Into<Bytes>, content_type: &'static str) -> Self {
        Self {
            bytes: bytes.into(),
            content_type: Some(HeaderValue::from_static(content_type)),
        }
    }
}

/// Bytes and files, which no JSON can hold, as they are.
///
/// # Errors
/// Where a file's content cannot be read.
pub(crate) async fn write_raw(value: &Value) -> Result<Option<Written>, Failure> {
    Ok(match value {
        Value::Bytes(bytes) => Some(Written::new(bytes.clone(), "application/octet-stream")),
        Value::File(file) => {
            let named = file
                .media_type
                .as_deref()
                .and_then(|name| HeaderValue::from_str(name).ok());
            let content_type = named.or(Some(HeaderValue::from_static("application/octet-stream")));
            Some(Written {
                bytes: file.content.bytes().await?,
                content_type,
            })
        }
        _ => None,
    })
}

/// The body in the form that is asked for, or else in the form of the content type, or else by its kind.
///
/// # Errors
/// Where it cannot be written so.
pub(crate) fn write(
    body: Json,
    body_type: Option<BodyType>,
    content_type: Option<&HeaderValue>,
) -> Result<Option<Written>, Failure> {
    if body.is_null() {
        return Ok(None);
    }
    let given = content_type
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let is_form = given
        .to_ascii_lowercase()
        .starts_with("application/x-www-form-urlencoded");
    Ok(Some(match (body_type, body) {
        (Some(BodyType::Json), body) => json(&structured(body)),
        (Some(BodyType::Form), body) => form(structured(body))?,
        (Some(BodyType::Multipart), _) => {
            return Err(Failure::permanent("a multipart body is written with its files"));
        }
        (Some(BodyType::Text), Json::String(text)) => text_body(text),
        (Some(BodyType::Text), body) => text_body(body.to_string()),
        (None, body @ Json::Object(_)) if is_form => form(body)?,
        // The task says what its text is: it is sent as it stands.
        (None, Json::String(text)) if content_type.is_some() => text_body(text),
        (None, body) => match structured(body) {
            Json::String(text) => text_body(text),
            body => json(&body),
        },
    }))
}

/// A multipart body of an object's fields, and of files among the task's variables.
///
/// # Errors
/// Where a field is no plain value, or a file is none.
pub(crate) async fn multipart(
    body: Json,
    files: &BTreeMap<String, String>,
    context: &TaskContext,
) -> Result<Written, Failure> {
    let mut form = Form::new();
    let fields = match structured(body) {
        Json::Object(fields) => fields,
        Json::Null => Map::new(),
        _ => {
            return Err(Failure::permanent(
                "the input `body` of a multipart body is an object of its fields",
            ));
        }
    };
    for (name, value) in fields {
        let values: Scalars = serde_json::from_value(value).map_err(|error| {
            Failure::permanent(format!(
                "the field `{name}` in the input `body` cannot be sent: {error}; files stand in the input `files`"
            ))
        })?;
        for value in values.texts() {
            form = form.text(name.clone(), value);
        }
    }
    for (part, variable) in files {
        let file = context.file(&format!("files.{part}"), variable)?;
        let media_type = file.media_type.as_deref().unwrap_or("application/octet-stream");
        let content = Part::stream(file.content.bytes().await?)
            .file_name(file.name)
            .mime_str(media_type)
            .map_err(|_| {
                Failure::permanent(format!(
                    "the file in the input `{variable}` has the media type {media_type:?}, which is none"
                ))
            })?;
        form = form.part(part.clone(), content);
    }
    let content_type =
        HeaderValue::from_str(&format!("multipart/form-data; boundary={}", form.boundary())).ok();
    let bytes = form
        .into_stream()
        .try_fold(BytesMut::new(), async |mut all, part| {
            all.extend_from_slice(&part);
            Ok(all)
        })
        .await
        .map_err(|error| Failure::permanent(format!("the multipart body cannot be written: {error}")))?;
    Ok(Written {
        bytes: bytes.freeze(),
        content_type,
    })
}

fn structured(body: Json) -> Json {
    match body {
        Json::String(text) => match serde_json::from_str(&text) {
            Ok(parsed @ (Json::Object(_) | Json::Array(_))) => parsed,
            _ => Json::String(text),
        },
        other => other,
    }
}

fn json(body: &Json) -> Written {
    Written::new(body.to_string(), "application/json")
}

fn text_body(text: String) -> Written {
    Written::new(text, "text/plain; charset=utf-8")
}

fn form(body: Json) -> Result<Written, Failure> {
    const TYPE: &str = "application/x-www-form-urlencoded";
    let fields = match body {
        Json::Object(fields) => fields,
        Json::String(text) => return Ok(Written::new(text, TYPE)),
        _ => {
            return Err(Failure::permanent(
                "the input `body` of a form is an object of its fields",
            ));
        }
    };
    let mut form = form_urlencoded::Serializer::new(String::new());
    for (name, value) in fields {
        let values: Scalars = serde_json::from_value(value).map_err(|error| {
            Failure::permanent(format!(
                "the form field `{name}` in the input `body` cannot be sent: {error}"
            ))
        })?;
        for value in values.texts() {
            form.append_pair(&name, &value);
        }
    }
    Ok(Written::new(form.finish(), TYPE))
}
