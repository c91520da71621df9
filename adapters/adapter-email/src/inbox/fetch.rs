//! Tasks that fetch mail: the topic `email_fetch`.

use std::fmt::Write as _;

use futures::StreamExt;
use jiff::civil::Date;
use schemars::JsonSchema;
use secrets::SecretStore;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use worker_api::{Answer, Effect, Failure, Outcome, TaskContext, TaskError};

use super::mail::Mail;
use super::session::{Place, Session, open};
use crate::problem::NO_MAILBOX;
use crate::settings::ConnectionSettings;

/// What `email_fetch` is given.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct FetchInputs {
    /// The connection of the operator's configuration.
    #[serde(default = "default_connection")]
    pub(crate) connection: String,
    /// The mailbox.
    #[serde(default = "inbox")]
    mailbox: String,
    /// Whether only mails are fetched that are not marked as seen.
    #[serde(default = "yes", deserialize_with = "worker_api::flexible")]
    unseen: bool,
    /// Only mails whose sender contains this.
    #[serde(default)]
    from: Option<String>,
    /// Only mails whose subject contains this.
    #[serde(default)]
    subject: Option<String>,
    /// Only mails that came on this day or later, such as `2026-01-31`.
    #[serde(default)]
    since: Option<String>,
    /// How many at the most, the oldest first.
    #[serde(default = "limit", deserialize_with = "worker_api::flexible")]
    limit: u16,
    /// Whether files come along, as the fields `attachment_1`, `attachment_2` and so on.
    #[serde(default, deserialize_with = "worker_api::flexible")]
    attachments: bool,
    /// What becomes of what was fetched.
    #[serde(default)]
    pub(crate) after: After,
    /// The mailbox for `after: move`.
    #[serde(default)]
    move_to: Option<String>,
}

/// What becomes of mails that were fetched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum After {
    /// They are marked as seen.
    #[default]
    Seen,
    /// Nothing: they are as they were.
    Keep,
    /// They go to the mailbox `move_to`.
    Move,
    /// They are deleted.
    Delete,
}

/// The answer of `email_fetch`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Fetched {
    /// The mails: `message_id`, `from`, `to`, `cc`, `reply_to`, `subject`, `date`, `text`, `html`, `in_reply_to`, `references`,
    /// `automatic`, `attachments` (`name`, `media_type`, `size`, `file`: the field that holds it).
    mails: Vec<Json>,
    /// How many these are.
    count: usize,
    /// Whether there are more.
    more: bool,
    /// The subjects and sizes of mails that were left as they are, as they have more bytes than the connection allows.
    too_large: Vec<Json>,
}

/// What is only looked at may be looked at again.
pub(crate) fn effect(context: &TaskContext) -> Effect {
    let keeps = context
        .inputs_named::<FetchInputs>(&["after"])
        .is_ok_and(|inputs| inputs.after == After::Keep);
    if keeps { Effect::Repeatable } else { Effect::Once }
}

/// Fetches what a task asks for.
pub(crate) async fn fetch(
    inputs: &FetchInputs,
    settings: &ConnectionSettings,
    secrets: &SecretStore,
) -> Outcome {
    let nothing_done = Failure::nothing_done;
    let name = format!("services.email.{}.imap", inputs.connection);
    let imap = settings.imap.as_ref().ok_or_else(|| {
        Failure::permanent(format!("{name} is not there: the connection has no mailboxes")).nothing_done()
    })?;
    if inputs.after == After::Move && inputs.move_to.is_none() {
        let problem = "say where fetched mails go; set the input `move_to`";
        return Err(Failure::permanent(problem).nothing_done().into());
    }
    let query = query(inputs).map_err(nothing_done)?;
    let place = Place { imap, name };
    let mut session = open(&place, secrets).await.map_err(nothing_done)?;
    select(&mut session, &inputs.mailbox, &place).await?;
    let mut uids: Vec<u32> = place
        .within(session.uid_search(&query))
        .await
        .map_err(nothing_done)?
        .into_iter()
        .collect();
    uids.sort_unstable();
    let more = uids.len() > usize::from(inputs.limit);
    uids.truncate(usize::from(inputs.limit));
    let (mut mails, mut taken, mut too_large) = (Vec::new(), Vec::new(), Vec::new());
    let mut answer = Answer::new();
    let (mut files, mut left) = (0, settings.max_bytes);
    for uid in uids {
        let size = size(&mut session, uid, &place).await.map_err(nothing_done)?;
        if size > left {
            too_large.push(json!({"uid": uid, "size": size}));
            continue;
        }
        left -= size;
        let Some(raw) = raw(&mut session, uid, &place).await.map_err(nothing_done)? else {
            // Somebody else has taken it meanwhile.
            continue;
        };
        let Some(mail) = Mail::read(&raw, files + 1) else {
            continue;
        };
        if inputs.attachments {
            files += mail.files.len();
            for (field, file) in mail.files {
                answer = answer.with(field, file);
            }
        }
        mails.push(mail.json);
        taken.push(uid.to_string());
    }
    let taken = taken.join(",");
    if !taken.is_empty() {
        finish(&mut session, &taken, inputs, &place).await?;
    }
    // Whoever does not say goodbye is not missed.
    let _ = place.within(session.logout()).await;
    Ok(answer
        .with("count", i64::try_from(mails.len()).unwrap_or_default())
        .with("mails", Json::from(mails))
        .with("more", more)
        .with("too_large", Json::from(too_large)))
}

/// Opens a mailbox to be read and marked.
///
/// # Errors
/// The BPMN error [`NO_MAILBOX`] where it is not there.
pub(crate) async fn select(session: &mut Session, mailbox: &str, place: &Place<'_>) -> Result<(), TaskError> {
    match place.within(session.select(mailbox)).await {
        Ok(_) => Ok(()),
        Err(failure) if failure.retry == worker_api::Retry::Never => Err(worker_api::BpmnError::new(
            NO_MAILBOX,
            format!("the mailbox `{mailbox}` cannot be opened: {}", failure.message),
        )
        .into()),
        Err(failure) => Err(failure.nothing_done().into()),
    }
}

/// How many bytes a mail has.
pub(crate) async fn size(session: &mut Session, uid: u32, place: &Place<'_>) -> Result<u64, Failure> {
    let fetched = place
        .within(async {
            let mut fetched = session.uid_fetch(uid.to_string(), "(UID RFC822.SIZE)").await?;
            let mut size = 0;
            while let Some(one) = fetched.next().await {
                size = one?.size.unwrap_or(size);
            }
            Ok(size)
        })
        .await?;
    Ok(u64::from(fetched))
}

/// A mail as it came; it is not marked. None where it has gone.
pub(crate) async fn raw(
    session: &mut Session,
    uid: u32,
    place: &Place<'_>,
) -> Result<Option<Vec<u8>>, Failure> {
    place
        .within(async {
            let mut fetched = session.uid_fetch(uid.to_string(), "(UID BODY.PEEK[])").await?;
            let mut raw = None;
            while let Some(one) = fetched.next().await {
                raw = one?.body().map(<[u8]>::to_vec).or(raw);
            }
            Ok(raw)
        })
        .await
}

/// Marks mails.
pub(crate) async fn mark(
    session: &mut Session,
    uids: &str,
    flags: &str,
    place: &Place<'_>,
) -> Result<(), Failure> {
    place
        .within(async {
            let mut answers = session
                .uid_store(uids, format!("+FLAGS.SILENT ({flags})"))
                .await?;
            while let Some(one) = answers.next().await {
                one?;
            }
            Ok(())
        })
        .await
}

async fn finish(
    session: &mut Session,
    uids: &str,
    inputs: &FetchInputs,
    place: &Place<'_>,
) -> Result<(), TaskError> {
    match inputs.after {
        After::Keep => {}
        After::Seen => mark(session, uids, "\\Seen", place).await?,
        After::Move => {
            let to = inputs.move_to.as_deref().unwrap_or_default();
            place.within(session.uid_mv(uids, to)).await.map_err(|failure| {
                Failure::permanent(format!(
                    "the fetched mails cannot go to the mailbox `{to}`: {}",
                    failure.message
                ))
                .nothing_done()
            })?;
        }
        After::Delete => {
            mark(session, uids, "\\Deleted", place).await?;
            place
                .within(async {
                    let gone = session.expunge().await?;
                    gone.for_each(|_| async {}).await;
                    Ok(())
                })
                .await?;
        }
    }
    Ok(())
}

/// The search that finds what the inputs ask for (RFC 3501, 6.4.4).
fn query(inputs: &FetchInputs) -> Result<String, Failure> {
    let mut query = "CHARSET UTF-8 UNDELETED".to_owned();
    if inputs.unseen {
        query.push_str(" UNSEEN");
    }
    for (key, text) in [("FROM", &inputs.from), ("SUBJECT", &inputs.subject)] {
        let Some(text) = text else { continue };
        if text.chars().any(char::is_control) {
            return Err(Failure::permanent(format!(
                "the input `{}` holds control characters, and no mail does there",
                key.to_lowercase()
            )));
        }
        let quoted = text.replace('\\', "\\\\").replace('"', "\\\"");
        let _ = write!(query, " {key} \"{quoted}\"");
    }
    if let Some(since) = &inputs.since {
        let day: Date = since.parse().map_err(|_| {
            Failure::permanent(format!(
                "the input `since` is {since:?}; write a day such as 2026-01-31"
            ))
        })?;
        let _ = write!(query, " SINCE {}", day.strftime("%-d-%b-%Y"));
    }
    Ok(query)
}

fn default_connection() -> String {
    "default".to_owned()
}

fn inbox() -> String {
    "INBOX".to_owned()
}

fn yes() -> bool {
    true
}

fn limit() -> u16 {
    20
}
