//! A mail as a process has it.

use bytes::Bytes;
use mail_parser::{Address, HeaderValue, Message, MessageParser, MimeHeaders};
use serde_json::{Value as Json, json};
use worker_api::{File, Value, Variables};

/// A mail that has come.
#[derive(Debug)]
pub(crate) struct Mail {
    /// Its id, in its brackets: as `email_send` gives those of ours.
    pub(crate) id: Option<String>,
    /// The ids of what it answers, the nearest first.
    pub(crate) answers: Vec<String>,
    /// The address of who sent it, in small letters.
    pub(crate) sender: Option<String>,
    /// Whether a program wrote it, and how that is known.
    pub(crate) automatic: Option<&'static str>,
    /// It as JSON, without the content of its files.
    pub(crate) json: Json,
    /// Its files, by the names of the fields under which `json` names them.
    pub(crate) files: Variables,
}

impl Mail {
    /// Reads one; its files are numbered from `first` on. None where it is no mail at all.
    pub(crate) fn read(raw: &[u8], first: usize) -> Option<Self> {
        let message = MessageParser::default().parse(raw)?;
        let mut files = Variables::new();
        let attachments: Vec<Json> = message
            .attachments()
            .enumerate()
            .map(|(index, part)| {
                let field = format!("attachment_{}", first + index);
                let name = part.attachment_name().unwrap_or(&field).to_owned();
                let media_type = part.content_type().map(|kind| match kind.subtype() {
                    Some(subtype) => format!("{}/{subtype}", kind.ctype()),
                    None => kind.ctype().to_owned(),
                });
                let content = Bytes::copy_from_slice(part.contents());
                let told =
                    json!({"name": name, "media_type": media_type, "size": content.len(), "file": field});
                let file = File {
                    name,
                    media_type,
                    encoding: None,
                    content: content.into(),
                };
                files.insert(field, Value::File(file));
                told
            })
            .collect();
        let id = message.message_id().map(bracketed);
        let in_reply_to = ids(message.in_reply_to());
        let references = ids(message.references());
        let mut answers = in_reply_to.clone();
        for reference in references.iter().rev() {
            if !answers.contains(reference) {
                answers.push(reference.clone());
            }
        }
        let from = addresses(message.from());
        let automatic = automatic(&message);
        let json = json!({
            "message_id": id,
            "in_reply_to": in_reply_to.first(),
            "references": references,
            "from": from.first(),
            "to": addresses(message.to()),
            "cc": addresses(message.cc()),
            "reply_to": addresses(message.reply_to()),
            "subject": message.subject().unwrap_or_default(),
            "date": message.date().map(mail_parser::DateTime::to_rfc3339),
            "text": message.body_text(0),
            "html": message.html_part(0).is_some_and(mail_parser::MessagePart::is_text_html).then(|| message.body_html(0)),
            "automatic": automatic.is_some(),
            "attachments": attachments,
        });
        Some(Self {
            id,
            answers,
            sender: from
                .first()
                .and_then(|one| Some(one["address"].as_str()?.to_lowercase())),
            automatic,
            json,
            files,
        })
    }
}

/// By what it is known that a program wrote a mail: RFC 3834, and what is usual beside.
fn automatic(message: &Message) -> Option<&'static str> {
    let text = |name: &'static str| {
        message
            .header_raw(name)
            .map(|value| value.trim().to_lowercase())
            .filter(|value| !value.is_empty())
    };
    if text("Auto-Submitted").is_some_and(|value| value != "no") {
        return Some("Auto-Submitted");
    }
    if text("Precedence")
        .is_some_and(|value| ["bulk", "junk", "list", "auto_reply"].contains(&value.as_str()))
    {
        return Some("Precedence");
    }
    if text("List-Id").is_some() {
        return Some("List-Id");
    }
    // A bounce comes from nobody.
    text("Return-Path")
        .filter(|value| value == "<>")
        .map(|_| "Return-Path")
}

fn addresses(header: Option<&Address>) -> Vec<Json> {
    let all = header.into_iter().flat_map(Address::iter);
    all.map(|one| json!({"name": one.name(), "address": one.address()}))
        .collect()
}

/// The ids in a header.
fn ids(header: &HeaderValue) -> Vec<String> {
    match header {
        HeaderValue::Text(text) => vec![bracketed(text)],
        HeaderValue::TextList(texts) => texts.iter().map(|text| bracketed(text)).collect(),
        _ => Vec::new(),
    }
}

/// An id as headers have it: the parser takes the brackets off.
fn bracketed(id: &str) -> String {
    format!("<{id}>")
}
