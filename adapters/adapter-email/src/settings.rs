//! The settings of a connection: what stands under `services.email.NAME`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use lettre::message::Mailbox;
use secrets::SecretSetting;
use serde::{Deserialize, Serialize};

use crate::inbox::{Imap, MailboxSettings};

/// The settings of one named connection. There is none unless one is configured.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ConnectionSettings {
    /// Who sends: an address such as `orders@example.com` or `Orders <orders@example.com>`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The server that takes what is sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub smtp: Option<Smtp>,
    /// The server that has what came.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub imap: Option<Imap>,
    /// The mailboxes whose mails start processes or continue them, by name, such as `INBOX`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub receive: BTreeMap<String, MailboxSettings>,
    /// To whom tasks may send: addresses, and domains for everybody there. To everybody where it is empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recipients: Vec<String>,
    /// Recipients that one mail may have.
    #[serde(default = "recipients")]
    pub max_recipients: usize,
    /// Bytes that a mail may have, with its files.
    #[serde(default = "bytes", with = "worker_api::size")]
    pub max_bytes: u64,
}

/// A server that takes mail.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Smtp {
    /// Its name; the certificate has to be for it.
    pub host: String,
    /// Its port: 587 unless said, 465 where `tls` is `tls`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// How the connection is protected.
    #[serde(default)]
    pub tls: Tls,
    /// The login's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
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

/// How a connection is protected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Tls {
    /// It begins in the clear and is encrypted before anything is said (STARTTLS).
    #[default]
    Starttls,
    /// It is encrypted from its beginning.
    Tls,
    /// In the clear: for a server on the same machine. No login is sent.
    None,
}

impl ConnectionSettings {
    /// The sender.
    pub(crate) fn sender(&self) -> Result<Mailbox, (&'static str, String)> {
        let from = self.from.as_deref().unwrap_or_default();
        from.parse().map_err(|error| {
            (
                "from",
                format!("`{from}` is no address ({error}); write one such as orders@example.com"),
            )
        })
    }

    /// Whether the settings agree with one another.
    pub(crate) fn check(&self) -> Result<(), (String, String)> {
        if self.smtp.is_none() && self.imap.is_none() {
            return Err((
                "smtp".to_owned(),
                "say which server takes what is sent as `smtp`, or which has what came as `imap`".to_owned(),
            ));
        }
        if self.smtp.is_some() || self.from.is_some() {
            self.sender()
                .map_err(|(key, problem)| (key.to_owned(), problem))?;
        }
        if let Some(smtp) = &self.smtp {
            smtp.check().map_err(|(key, problem)| (key.to_owned(), problem))?;
        }
        if let Some(imap) = &self.imap {
            imap.check().map_err(|(key, problem)| (key.to_owned(), problem))?;
        } else if !self.receive.is_empty() {
            return Err((
                "imap".to_owned(),
                "say which server has the mailboxes of `receive`".to_owned(),
            ));
        }
        for (mailbox, settings) in &self.receive {
            settings
                .check()
                .map_err(|(key, problem)| (format!("receive.{mailbox}.{key}"), problem))?;
        }
        Ok(())
    }
}

impl Smtp {
    fn check(&self) -> Result<(), (&'static str, String)> {
        let wrong = |key, problem: &str| Err((key, problem.to_owned()));
        let smtp = self;
        if smtp.password.is_some() && smtp.token.is_some() {
            return wrong("smtp.token", "give a password or a token, not both");
        }
        let has_secret = smtp.password.is_some() || smtp.token.is_some();
        if smtp.username.is_some() != has_secret {
            return wrong(
                "smtp.username",
                "a login is a `username` with a `password` or a `token`; give both or neither",
            );
        }
        if has_secret && smtp.tls == Tls::None {
            return wrong(
                "smtp.tls",
                "a login is not sent in the clear; use starttls or tls, or leave the login out",
            );
        }
        Ok(())
    }

    pub(crate) fn port(&self) -> u16 {
        self.port.unwrap_or(match self.tls {
            Tls::Tls => 465,
            Tls::Starttls | Tls::None => 587,
        })
    }
}

fn recipients() -> usize {
    100
}

fn bytes() -> u64 {
    25 << 20
}

fn timeout() -> Duration {
    Duration::from_secs(30)
}
