//! The settings of what comes in: what stands under `imap` and `receive`.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use arrival::Destination;
use json_path::JsonPath;
use secrets::SecretSetting;
use serde::{Deserialize, Serialize};

/// A server that has mailboxes. The connection is encrypted from its beginning, as RFC 8314 asks for.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Imap {
    /// Its name; the certificate has to be for it.
    pub host: String,
    /// Its port.
    #[serde(default = "port")]
    pub port: u16,
    /// The login's name.
    pub username: String,
    /// The login's password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<SecretSetting>,
    /// An access token instead of a password (XOAUTH2).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<SecretSetting>,
    /// A PEM file with the certificate of a private authority, trusted beside those of the system.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// How long each answer of the server may take.
    #[serde(default = "timeout", with = "worker_api::duration")]
    pub timeout: Duration,
}

/// What becomes of the mails in a mailbox. It is procos's own: a mail that is marked as seen counts as taken.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct MailboxSettings {
    /// The process that each mail starts, once: its definition's key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub process: Option<String>,
    /// The BPMN message that each mail is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// How a mail that answers one of ours continues the instance that sent it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reply: Option<Reply>,
    /// Where the business key is in the mail, such as `$.subject`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub business_key: Option<JsonPath>,
    /// The process variables that a mail sets, by name, and where they are in it. Unless said, the mail is the variable
    /// `payload`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub variables: BTreeMap<String, JsonPath>,
    /// Whether a mail's files become the variables `attachment_1`, `attachment_2` and so on.
    pub attachments: bool,
    /// The tenant whose process is meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// How long a mail waits for somebody who waits for it.
    #[serde(with = "worker_api::duration")]
    pub patience: Duration,
    /// Whether mails that programs write are taken, too: absence notes, bounces, newsletters. Two programs can answer each
    /// other without end.
    pub automatic: bool,
    /// How many mails of one sender are taken in an hour; the others are refused.
    pub per_sender: NonZeroU32,
    /// Bytes that a mail may have.
    #[serde(with = "worker_api::size")]
    pub max_bytes: u64,
    /// The mailbox to which a mail goes that was taken; it stays unless said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub done: Option<String>,
    /// The mailbox to which a mail goes that cannot be taken; it stays, and is flagged, unless said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed: Option<String>,
}

/// How an answer to a mail of ours is known.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Reply {
    /// The BPMN message that an answer is.
    pub message: String,
    /// The process variable that holds the `message_id` of the mail that is answered, as `email_send` gave it.
    pub variable: String,
}

impl Default for MailboxSettings {
    fn default() -> Self {
        Self {
            process: None,
            message: None,
            reply: None,
            business_key: None,
            variables: BTreeMap::new(),
            attachments: false,
            tenant: None,
            patience: Duration::from_secs(10),
            automatic: false,
            per_sender: PER_SENDER,
            max_bytes: 25 << 20,
            done: None,
            failed: None,
        }
    }
}

impl Imap {
    pub(crate) fn check(&self) -> Result<(), (&'static str, String)> {
        if self.password.is_some() == self.token.is_some() {
            return Err((
                "imap.password",
                "a login is a `username` with a `password` or a `token`; give one of the two".to_owned(),
            ));
        }
        Ok(())
    }
}

impl MailboxSettings {
    pub(crate) fn check(&self) -> Result<(), (&'static str, String)> {
        if self.reply.is_some() && self.process.is_none() && self.message.is_none() {
            return Ok(());
        }
        self.destination()
            .check()
            .map_err(|(key, problem)| (key, problem.to_owned()))
    }

    /// Where mails lead that answer none of ours.
    pub(crate) fn destination(&self) -> Destination<'_> {
        Destination {
            process: self.process.as_deref(),
            message: self.message.as_deref(),
            tenant: self.tenant.as_deref(),
            business_key: self.business_key.as_ref(),
            variables: &self.variables,
        }
    }
}

const PER_SENDER: NonZeroU32 = NonZeroU32::new(60).unwrap();

fn port() -> u16 {
    993
}

fn timeout() -> Duration {
    Duration::from_secs(30)
}
