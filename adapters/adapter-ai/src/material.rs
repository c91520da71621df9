//! What a model is given beside its prompt: the context, within its budget, and files.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value as Json;
use worker_api::{Failure, TaskContext};

use crate::conversation::{Attached, Part};
use crate::wire::Api;

/// Bytes that count as one token: fewer than any vendor's tokenizer needs for European languages, so that the estimate is
/// rather too high.
pub(crate) const BYTES_A_TOKEN: usize = 3;

/// Bytes that all files of a task may have: more than any provider takes in one request.
const LARGEST_FILES: usize = 30 << 20;

/// The context as text.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Context {
    pub(crate) text: String,
    /// The titles of sections that have no room.
    pub(crate) left_out: Vec<String>,
}

/// Puts the context together: whole sections in their order, as many as there is room for.
pub(crate) fn context(given: &Json, tokens: usize) -> Context {
    let mut left = tokens.saturating_mul(BYTES_A_TOKEN);
    let mut context = Context::default();
    for (title, text) in sections(given) {
        let section = match &title {
            Some(title) => format!("## {title}\n\n{text}\n\n"),
            None => format!("{text}\n\n"),
        };
        if section.len() > left {
            let begin: String = text.chars().take(40).collect();
            context.left_out.push(title.unwrap_or(begin));
            continue;
        }
        left -= section.len();
        context.text.push_str(&section);
    }
    context.text.truncate(context.text.trim_end().len());
    context
}

fn sections(given: &Json) -> Vec<(Option<String>, String)> {
    match given {
        Json::Null => Vec::new(),
        Json::Object(fields) => fields
            .iter()
            .map(|(name, value)| (Some(name.clone()), shown(value)))
            .collect(),
        Json::Array(items) => items
            .iter()
            .map(|item| match (item["title"].as_str(), item.get("text")) {
                (Some(title), Some(text)) => (Some(title.to_owned()), shown(text)),
                _ => (None, shown(item)),
            })
            .collect(),
        other => vec![(None, shown(other))],
    }
}

fn shown(value: &Json) -> String {
    match value {
        Json::String(text) => text.clone(),
        Json::Object(_) | Json::Array(_) => serde_json::to_string_pretty(value).unwrap_or_default(),
        other => other.to_string(),
    }
}

/// The files that go along.
///
/// # Errors
/// Where an input is no file, the files are too large, or no model reads such a file.
pub(crate) async fn files(names: &[String], api: Api, context: &TaskContext) -> Result<Vec<Part>, Failure> {
    let mut left = LARGEST_FILES;
    let mut parts = Vec::new();
    for input in names {
        let file = context.file("files", input)?;
        let bytes = file.content.bytes_within(left).await?;
        left -= bytes.len();
        let media_type = file.media_type.as_deref().unwrap_or_default();
        let media_type = media_type.split(';').next().unwrap_or_default().trim();
        let attached = || Attached {
            name: file.name.clone(),
            media_type: media_type.to_owned(),
            data: STANDARD.encode(&bytes),
        };
        let part = match media_type {
            "image/png" | "image/jpeg" | "image/gif" | "image/webp" => Part::Image(attached()),
            "application/pdf" if api == Api::Ollama => {
                return Err(Failure::permanent(format!(
                    "the file {} in the input `{input}` is a PDF, which Ollama does not read; give its text",
                    file.name
                )));
            }
            "application/pdf" => Part::Document(attached()),
            _ => match std::str::from_utf8(&bytes) {
                Ok(text) => Part::Text(format!("File {}:\n\n{text}", file.name)),
                Err(_) => {
                    return Err(Failure::permanent(format!(
                        "the file {} in the input `{input}` is of the media type {media_type:?}; models read PNG, JPEG, GIF \
                         and WebP images, PDFs, and text in UTF-8",
                        file.name
                    )));
                }
            },
        };
        parts.push(part);
    }
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn sections_stand_in_their_order_and_what_has_no_room_is_named() {
        let given = json!([{"title": "Order", "text": {"item": "desk"}}, "plain", {"title": "Mails", "text": "x".repeat(300)}, 7]);
        let all = context(&given, 1000);
        assert_eq!(
            all.text,
            format!(
                "## Order\n\n{{\n  \"item\": \"desk\"\n}}\n\nplain\n\n## Mails\n\n{}\n\n7",
                "x".repeat(300)
            )
        );
        let less = context(&given, 60);
        assert_eq!(less.left_out, ["Mails"]);
        assert!(
            less.text.starts_with("## Order") && less.text.ends_with("plain\n\n7"),
            "{}",
            less.text
        );
        assert_eq!(context(&Json::Null, 60), Context::default());
        assert_eq!(context(&json!({"a": "b"}), 60).text, "## a\n\nb");
    }
}
