//! Posts, updates and files; and whether a message is there.

use serde_json::{Map, Value as Json, json};
use worker_api::{Answer, BpmnError, Failure, Inquiry, Outcome, TaskContext, TaskError, Value};

use crate::api::{REFUSED, Slack, is_address};
use crate::inputs::Inputs;

/// The kind of metadata by which a message is known again.
const EVENT_TYPE: &str = "procos_task";

/// How many of a channel's latest messages are looked at for one.
const LOOKED_AT: u32 = 200;

/// Blocks that a message may have at the most: Slack's own bound, which it names less clearly.
const MOST_BLOCKS: usize = 50;

/// Sends what a task says.
pub(crate) async fn send(inputs: &Inputs, slack: &Slack, context: &TaskContext) -> Outcome {
    check(inputs, slack)?;
    if slack.settings.webhook_url.is_some() {
        slack.post_to_webhook(&Json::Object(content(inputs))).await?;
        return Ok(answer(Json::Null, Json::Null, &[]));
    }
    let channel = inputs.channel.as_deref().unwrap_or_default();
    if !inputs.files.is_empty() {
        return send_files(inputs, slack, context, channel).await;
    }
    let mut message = content(inputs);
    message.insert("channel".to_owned(), channel.into());
    let method = match &inputs.update {
        Some(id) => {
            message.insert("ts".to_owned(), id.as_str().into());
            "chat.update"
        }
        None => {
            let key = json!({"idempotency_key": context.idempotency_key()});
            message.insert(
                "metadata".to_owned(),
                json!({"event_type": EVENT_TYPE, "event_payload": key}),
            );
            if let Some(thread) = &inputs.thread {
                message.insert("thread_ts".to_owned(), thread.as_str().into());
                message.insert("reply_broadcast".to_owned(), inputs.also_to_channel.into());
            }
            "chat.postMessage"
        }
    };
    let posted = slack.call(method, &Json::Object(message)).await?;
    Ok(answer(posted["ts"].clone(), posted["channel"].clone(), &[]))
}

/// Looks for the message among the latest of its channel or thread.
pub(crate) async fn look(inputs: &Inputs, slack: &Slack, context: &TaskContext) -> Inquiry {
    let (Some(channel), None, true) = (&inputs.channel, &inputs.update, inputs.files.is_empty()) else {
        return Inquiry::Unknown;
    };
    // Only ids can be looked into.
    let mut arguments = vec![
        ("channel", channel.clone()),
        ("limit", LOOKED_AT.to_string()),
        ("include_all_metadata", "true".to_owned()),
    ];
    let method = match &inputs.thread {
        Some(thread) => {
            arguments.push(("ts", thread.clone()));
            "conversations.replies"
        }
        None => "conversations.history",
    };
    let Ok(found) = slack.call_with_form(method, &arguments).await else {
        return Inquiry::Unknown;
    };
    let key = context.idempotency_key();
    let is_ours = |message: &&Json| {
        message["metadata"]["event_type"] == EVENT_TYPE
            && message["metadata"]["event_payload"]["idempotency_key"] == key
    };
    let messages = found["messages"].as_array().cloned().unwrap_or_default();
    match messages.iter().find(is_ours) {
        Some(message) => Inquiry::Done(answer(message["ts"].clone(), channel.as_str().into(), &[])),
        // What is further back is not seen.
        None if found["has_more"] == true => Inquiry::Unknown,
        None => Inquiry::NotDone,
    }
}

/// Uploads the files, then shows them in the channel at once with the text as their comment.
async fn send_files(inputs: &Inputs, slack: &Slack, context: &TaskContext, channel: &str) -> Outcome {
    let mut left = usize::try_from(slack.settings.max_bytes).unwrap_or(usize::MAX);
    let mut uploaded = Vec::new();
    for input in &inputs.files {
        let file = context.file("files", input)?;
        let content = file
            .content
            .bytes_within(left)
            .await
            .map_err(Failure::nothing_done)?;
        left -= content.len();
        let wanted = [
            ("filename", file.name.clone()),
            ("length", content.len().to_string()),
        ];
        let place = slack
            .call_with_form("files.getUploadURLExternal", &wanted)
            .await
            .map_err(nothing_done)?;
        let (address, id) = (place["upload_url"].as_str(), place["file_id"].as_str());
        let (Some(address), Some(id)) = (address.filter(|address| is_address(address)), id) else {
            let message = "Slack's files.getUploadURLExternal gives no address for the file";
            return Err(Failure::retryable(message).nothing_done().into());
        };
        slack.upload(address, &file.name, content).await?;
        uploaded.push((id.to_owned(), file.name));
    }
    let files: Vec<Json> = uploaded
        .iter()
        .map(|(id, name)| json!({"id": id, "title": name}))
        .collect();
    let mut arguments = vec![
        ("files", Json::from(files).to_string()),
        ("channel_id", channel.to_owned()),
    ];
    if let Some(text) = &inputs.message {
        arguments.push(("initial_comment", text.clone()));
    }
    if let Some(thread) = &inputs.thread {
        arguments.push(("thread_ts", thread.clone()));
    }
    slack
        .call_with_form("files.completeUploadExternal", &arguments)
        .await?;
    let ids: Vec<String> = uploaded.into_iter().map(|(id, _)| id).collect();
    Ok(answer(Json::Null, channel.into(), &ids))
}

/// What a message says, and how.
fn content(inputs: &Inputs) -> Map<String, Json> {
    let mut message = Map::new();
    if let Some(text) = &inputs.message {
        message.insert("text".to_owned(), text.as_str().into());
    }
    if !inputs.blocks.is_null() {
        message.insert("blocks".to_owned(), inputs.blocks.clone());
    }
    message.insert("unfurl_links".to_owned(), inputs.unfurl.into());
    message.insert("unfurl_media".to_owned(), inputs.unfurl.into());
    message
}

/// Whether the inputs agree with one another and with the connection.
fn check(inputs: &Inputs, slack: &Slack) -> Result<(), TaskError> {
    let wrong = |problem: String| Err(Failure::permanent(problem).nothing_done().into());
    match &inputs.blocks {
        Json::Array(blocks) if blocks.len() > MOST_BLOCKS => {
            return wrong(format!(
                "the input `blocks` has {} blocks, and Slack takes {MOST_BLOCKS}",
                blocks.len()
            ));
        }
        Json::Null | Json::Array(_) => {}
        _ => {
            return wrong(
                "the input `blocks` is no list of blocks; write one such as [{\"type\": \"divider\"}]"
                    .to_owned(),
            );
        }
    }
    let says_nothing = inputs.message.as_ref().is_none_or(|text| text.trim().is_empty());
    if says_nothing && inputs.blocks.is_null() && inputs.files.is_empty() {
        return wrong("the message says nothing; set the input `message` or `blocks`".to_owned());
    }
    if slack.settings.webhook_url.is_some() {
        let asks_more = inputs.thread.is_some() || inputs.update.is_some() || !inputs.files.is_empty();
        return match asks_more || inputs.channel.is_some() {
            true => wrong(format!(
                "{} is an incoming webhook, which posts into its own channel: leave `channel`, `thread`, `update` and `files` \
                 out, or configure a token",
                slack.place()
            )),
            false => Ok(()),
        };
    }
    let channel = inputs.channel.as_deref().unwrap_or_default();
    if channel.is_empty() {
        return wrong("say where to; set the input `channel`".to_owned());
    }
    if inputs.update.is_some() && !inputs.files.is_empty() {
        return wrong("a message that is updated takes no files; leave `update` or `files` out".to_owned());
    }
    if !inputs.files.is_empty() && !inputs.blocks.is_null() {
        return wrong("files come with a text and without blocks; leave `files` or `blocks` out".to_owned());
    }
    let allowed = &slack.settings.channels;
    if !allowed.is_empty() && !allowed.iter().any(|one| one == channel) {
        return Err(BpmnError::new(
            REFUSED,
            format!(
                "tasks may not write to the channel {channel}; add it to {}.channels if they may",
                slack.place()
            ),
        )
        .with("reason", "not_allowed")
        .into());
    }
    Ok(())
}

fn answer(id: Json, channel: Json, files: &[String]) -> Answer {
    Answer::new()
        .with("message_id", Value::from(id))
        .with("channel", Value::from(channel))
        .with("files", Json::from(files.to_vec()))
}

fn nothing_done(error: TaskError) -> TaskError {
    match error {
        TaskError::Failure(failure) => failure.nothing_done().into(),
        error => error,
    }
}
