//! A note on an effect, as it stands in the engine: an object that an operator can read.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use worker_api::{Answer, Failure, File, Noted, Value};

/// Who has written what down, when.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Note {
    /// The external task's id.
    pub(super) task: String,
    pub(super) worker: String,
    pub(super) at: String,
    #[serde(flatten)]
    pub(super) state: State,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub(super) enum State {
    /// It is about to happen.
    Intent,
    /// It has happened.
    Receipt(Stored),
    /// Nothing has happened after all.
    Undone,
    /// Nobody knows whether it has happened, and somebody has been told.
    Told,
}

/// An answer.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Stored {
    answer: Vec<(String, Kept)>,
}

/// A value, with its kind.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kept {
    Null,
    Boolean(bool),
    Integer(i64),
    /// As the bits that it is: JSON has no word for some.
    Double(u64),
    String(String),
    Date(Timestamp),
    Json(Json),
    Bytes(String),
    File {
        name: String,
        media_type: Option<String>,
        encoding: Option<String>,
        content: String,
    },
}

impl Note {
    /// What a note of this task says; nothing where it is another's, or none of ours.
    pub(super) fn read(json: Json, task: &str) -> Option<Noted> {
        let note: Self = serde_json::from_value(json).ok()?;
        (note.task == task).then_some(())?;
        Some(match note.state {
            State::Undone | State::Told => Noted::Nothing,
            State::Intent => Noted::Intent {
                at: note.at,
                worker: note.worker,
            },
            State::Receipt(stored) => match stored.answer() {
                Some(answer) => Noted::Receipt(answer),
                // It has been tampered with: that it was about to happen is certain.
                None => Noted::Intent {
                    at: note.at,
                    worker: note.worker,
                },
            },
        })
    }

    pub(super) fn write(&self) -> Json {
        // Of maps with text for keys; it cannot fail.
        serde_json::to_value(self).unwrap_or_default()
    }
}

/// An answer as it is written down, with the content of its files.
///
/// # Errors
/// Where a file's content cannot be had.
pub(super) async fn stored(answer: &Answer) -> Result<Stored, Failure> {
    let mut stored = Vec::new();
    for (name, value) in answer.fields() {
        let kept = match value {
            Value::Null => Kept::Null,
            Value::Boolean(value) => Kept::Boolean(*value),
            Value::Integer(value) => Kept::Integer(*value),
            Value::Double(value) => Kept::Double(value.to_bits()),
            Value::String(value) => Kept::String(value.clone()),
            Value::Date(value) => Kept::Date(*value),
            Value::Json(value) => Kept::Json(value.clone()),
            Value::Bytes(value) => Kept::Bytes(BASE64_STANDARD.encode(value)),
            Value::File(file) => Kept::File {
                name: file.name.clone(),
                media_type: file.media_type.clone(),
                encoding: file.encoding.clone(),
                content: BASE64_STANDARD.encode(file.content.bytes().await?),
            },
        };
        stored.push((name.clone(), kept));
    }
    Ok(Stored { answer: stored })
}

impl Stored {
    fn answer(self) -> Option<Answer> {
        self.answer
            .into_iter()
            .try_fold(Answer::new(), |answer, (name, kept)| {
                let value = match kept {
                    Kept::Null => Value::Null,
                    Kept::Boolean(value) => Value::Boolean(value),
                    Kept::Integer(value) => Value::Integer(value),
                    Kept::Double(bits) => Value::Double(f64::from_bits(bits)),
                    Kept::String(value) => Value::String(value),
                    Kept::Date(value) => Value::Date(value),
                    Kept::Json(value) => Value::Json(value),
                    Kept::Bytes(value) => Value::Bytes(BASE64_STANDARD.decode(value).ok()?.into()),
                    Kept::File {
                        name,
                        media_type,
                        encoding,
                        content,
                    } => Value::File(File {
                        name,
                        media_type,
                        encoding,
                        content: BASE64_STANDARD.decode(content).ok()?.into(),
                    }),
                };
                Some(answer.with(name, value))
            })
    }
}
