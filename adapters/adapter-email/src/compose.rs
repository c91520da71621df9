//! Makes a mail out of a task's inputs.

use std::collections::BTreeSet;

use bytes::Bytes;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Attachment, Mailbox, Mailboxes, Message, MultiPart, SinglePart};
use worker_api::{BpmnError, Failure, TaskContext, TaskError};

use crate::inputs::{Addresses, Inputs};
use crate::problem::TOO_LARGE;
use crate::settings::ConnectionSettings;

/// A mail that can be sent.
pub(crate) struct Composed {
    pub(crate) message: Message,
    pub(crate) id: String,
}

/// A file that goes along.
struct Part {
    name: String,
    kind: ContentType,
    content: Bytes,
}

/// The mail of a task.
///
/// # Errors
/// Names the input that cannot be sent, or the setting that forbids it.
pub(crate) async fn compose(
    inputs: &Inputs,
    settings: &ConnectionSettings,
    context: &TaskContext,
) -> Result<Composed, TaskError> {
    let sender = settings.sender().map_err(|(_, problem)| wrong(problem))?;
    let id = message_id(context.idempotency_key(), &sender);
    let (to, cc, bcc) = (
        addresses("to", &inputs.to)?,
        addresses("cc", &inputs.cc)?,
        addresses("bcc", &inputs.bcc)?,
    );
    check_recipients(to.iter().chain(&cc).chain(&bcc), settings, &inputs.connection)?;
    let mut builder = Message::builder()
        .from(sender)
        .subject(one_line(&inputs.subject))
        .message_id(Some(id.clone()));
    for address in to {
        builder = builder.to(address);
    }
    for address in cc {
        builder = builder.cc(address);
    }
    for address in bcc {
        builder = builder.bcc(address);
    }
    for address in addresses("reply_to", &inputs.reply_to)? {
        builder = builder.reply_to(address);
    }
    if let Some(answered) = inputs
        .in_reply_to
        .as_deref()
        .map(one_line)
        .filter(|id| !id.is_empty())
    {
        builder = builder.in_reply_to(answered.clone()).references(answered);
    }
    // Machines do not answer what says that a machine has sent it: RFC 3834, and Exchange's own header.
    for (name, value) in [
        ("Auto-Submitted", "auto-generated"),
        ("X-Auto-Response-Suppress", "All"),
    ] {
        builder = builder.raw_header(HeaderValue::new(
            HeaderName::new_from_ascii_str(name),
            value.to_owned(),
        ));
    }
    let message = parts(builder, inputs, settings, context).await?;
    Ok(Composed { message, id })
}

async fn parts(
    builder: lettre::message::MessageBuilder,
    inputs: &Inputs,
    settings: &ConnectionSettings,
    context: &TaskContext,
) -> Result<Message, TaskError> {
    let mut left = usize::try_from(settings.max_bytes).unwrap_or(usize::MAX);
    let mut images = Vec::new();
    for (id, input) in &inputs.images {
        if inputs.html.is_none() {
            return Err(
                wrong("the input `images` is for HTML; give it as `html` or `template`".to_owned()).into(),
            );
        }
        let part = file("images", input, context, &mut left).await?;
        images.push(
            Attachment::new_inline_with_name(one_line(id), part.name).body(part.content.to_vec(), part.kind),
        );
    }
    let text = inputs.body.clone().map(SinglePart::plain);
    let html = match &inputs.html {
        None => None,
        Some(html) => {
            let html = styled(html.clone()).await?;
            left = left.checked_sub(html.len()).ok_or_else(|| too_large(settings))?;
            let html = SinglePart::html(html);
            Some(if images.is_empty() {
                Shape::Single(html)
            } else {
                let related = MultiPart::related().singlepart(html);
                Shape::Multi(images.into_iter().fold(related, MultiPart::singlepart))
            })
        }
    };
    let body = match (text, html) {
        (None, None) => Shape::Single(SinglePart::plain(String::new())),
        (Some(text), None) => Shape::Single(text),
        (None, Some(html)) => html,
        (Some(text), Some(Shape::Single(html))) => {
            Shape::Multi(MultiPart::alternative().singlepart(text).singlepart(html))
        }
        (Some(text), Some(Shape::Multi(html))) => {
            Shape::Multi(MultiPart::alternative().singlepart(text).multipart(html))
        }
    };
    let mut files = Vec::new();
    for input in &inputs.attachments {
        let part = file("attachments", input, context, &mut left).await?;
        files.push(Attachment::new(part.name).body(part.content.to_vec(), part.kind));
    }
    let body = if files.is_empty() {
        body
    } else {
        let mixed = match body {
            Shape::Single(part) => MultiPart::mixed().singlepart(part),
            Shape::Multi(part) => MultiPart::mixed().multipart(part),
        };
        Shape::Multi(files.into_iter().fold(mixed, MultiPart::singlepart))
    };
    let message = match body {
        Shape::Single(part) => builder.singlepart(part),
        Shape::Multi(part) => builder.multipart(part),
    };
    message.map_err(|error| wrong(format!("the mail cannot be written: {error}")).into())
}

enum Shape {
    Single(SinglePart),
    Multi(MultiPart),
}

/// A file among the task's inputs.
async fn file(place: &str, input: &str, context: &TaskContext, left: &mut usize) -> Result<Part, TaskError> {
    let too_many = || {
        TaskError::from(BpmnError::new(
            TOO_LARGE,
            "the mail's files have more bytes than the connection allows",
        ))
    };
    let found = context.file(place, input)?;
    if found.content.known_len().is_some_and(|len| len > *left) {
        return Err(too_many());
    }
    let content = found
        .content
        .bytes_within(*left)
        .await
        .map_err(Failure::nothing_done)?;
    *left = left.checked_sub(content.len()).ok_or_else(too_many)?;
    let kind = found.media_type.as_deref().unwrap_or("application/octet-stream");
    let kind = ContentType::parse(kind).map_err(|_| {
        wrong(format!(
            "the file in the input `{input}` has the media type {kind:?}, which is none"
        ))
    })?;
    Ok(Part {
        name: one_line(&found.name),
        kind,
        content,
    })
}

/// HTML with its styles where mail programs heed them. Nothing is fetched for it.
async fn styled(html: String) -> Result<String, Failure> {
    let inline = move || {
        let options = css_inline::CSSInliner::options()
            .load_remote_stylesheets(false)
            .keep_style_tags(true);
        options.build().inline(&html)
    };
    tokio::task::spawn_blocking(inline)
        .await
        .map_err(|error| wrong(format!("the HTML's styles cannot be read: {error}")))?
        .map_err(|error| wrong(format!("the HTML's styles cannot be read: {error}")))
}

fn addresses(input: &str, given: &Addresses) -> Result<Vec<Mailbox>, Failure> {
    let mut all = Vec::new();
    for text in given.texts().iter().filter(|text| !text.trim().is_empty()) {
        let some: Mailboxes = text.parse().map_err(|error| {
            wrong(format!(
                "the input `{input}`: {text:?} is no address ({error}); write one such as ada@example.com or Ada \
                 <ada@example.com>"
            ))
        })?;
        all.extend(some);
    }
    Ok(all)
}

fn check_recipients<'a>(
    recipients: impl Iterator<Item = &'a Mailbox>,
    settings: &ConnectionSettings,
    connection: &str,
) -> Result<(), Failure> {
    let recipients: BTreeSet<String> = recipients.map(|mailbox| mailbox.email.to_string()).collect();
    if recipients.is_empty() {
        return Err(wrong("the mail has no recipient; set the input `to`".to_owned()));
    }
    if recipients.len() > settings.max_recipients {
        return Err(wrong(format!(
            "the mail has {} recipients, and services.email.{connection}.max_recipients is {}",
            recipients.len(),
            settings.max_recipients
        )));
    }
    let allowed = &settings.recipients;
    let is_allowed = |address: &String| {
        let domain = address.rsplit_once('@').map_or("", |(_, domain)| domain);
        allowed
            .iter()
            .any(|one| one.eq_ignore_ascii_case(address) || one.eq_ignore_ascii_case(domain))
    };
    match recipients
        .iter()
        .find(|address| !allowed.is_empty() && !is_allowed(address))
    {
        None => Ok(()),
        Some(address) => Err(wrong(format!(
            "tasks may not send to {address}; add it or its domain to services.email.{connection}.recipients if they may"
        ))),
    }
}

/// The same for every attempt at the same task.
fn message_id(key: &str, sender: &Mailbox) -> String {
    let key: String = key
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || c == '-' {
                c
            } else {
                '.'
            }
        })
        .collect();
    format!("<procos.{key}@{}>", sender.email.domain())
}

/// Without line breaks, which would begin another header.
fn one_line(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect::<String>()
        .trim()
        .to_owned()
}

/// It has more bytes than the connection allows.
pub(crate) fn too_large(settings: &ConnectionSettings) -> TaskError {
    BpmnError::new(
        TOO_LARGE,
        format!(
            "the mail has more than {} bytes, the most that the connection allows",
            settings.max_bytes
        ),
    )
    .into()
}

fn wrong(message: String) -> Failure {
    Failure::permanent(message).nothing_done()
}
