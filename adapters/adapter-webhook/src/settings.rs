//! The settings of a webhook: what stands under `services.webhook.NAME`.

use std::collections::BTreeMap;
use std::time::Duration;

use arrival::Destination;
use json_path::JsonPath;
use secrets::SecretSetting;
use serde::{Deserialize, Serialize};
use worker_api::SettingsError;

/// The settings of one webhook. There is none unless one is configured.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct HookSettings {
    /// How a request shows that it may: there is no webhook for everybody.
    pub signature: Signature,
    /// The process that each request starts: its definition's key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub process: Option<String>,
    /// The BPMN message that each request is: it continues the instance that waits for it, or starts a process that begins
    /// with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Where the business key is in the payload. A process is started once per business key; a message goes to the instance
    /// that has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub business_key: Option<JsonPath>,
    /// Where the delivery's id is in the payload, if the sender gives none in a header that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<JsonPath>,
    /// The process variables that a request sets, by name, and where they are in the payload. Unless said, the whole payload
    /// is the variable `payload`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub variables: BTreeMap<String, JsonPath>,
    /// The tenant whose process is meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// Bytes that a request's body may have.
    #[serde(default = "most", with = "worker_api::size")]
    pub max_bytes: u64,
    /// How far the time that a sender signs may lie from ours.
    #[serde(default = "tolerance", with = "worker_api::duration")]
    pub tolerance: Duration,
}

/// How a request shows that it may.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Signature {
    /// As GitHub signs: `X-Hub-Signature-256`, an HMAC-SHA256 of the body.
    Github(SecretSetting),
    /// As Slack signs: `X-Slack-Signature`, with the time.
    Slack(SecretSetting),
    /// As Stripe signs: `Stripe-Signature`, with the time.
    Stripe(SecretSetting),
    /// As the Standard Webhooks say: `webhook-signature`, with id and time; the secret begins with `whsec_`.
    Standard(SecretSetting),
    /// An HMAC-SHA256 of the body in a header of any name.
    Hmac {
        /// The header.
        header: String,
        /// What stands before the signature there, such as `sha256=`.
        #[serde(default)]
        prefix: String,
        /// How the signature is written.
        #[serde(default)]
        encoding: Encoding,
        /// The key.
        secret: SecretSetting,
    },
    /// A token in `Authorization: Bearer …`.
    Bearer(SecretSetting),
    /// A login in `Authorization: Basic …`.
    Basic {
        /// Its name.
        username: String,
        /// Its password.
        password: SecretSetting,
    },
}

/// How bytes are written as text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Encoding {
    /// As hexadecimal digits.
    #[default]
    Hex,
    /// As base64.
    Base64,
}

impl HookSettings {
    /// Whether the settings agree with one another, and the name can stand in an address.
    pub(crate) fn check(&self, name: &str) -> Result<(), SettingsError> {
        let wrong = |key: &str, problem: &str| {
            Err(SettingsError {
                key: format!("{name}{key}"),
                problem: problem.to_owned(),
            })
        };
        if name.is_empty()
            || !name
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "-_".contains(c))
        {
            return wrong(
                "",
                "the name is part of the address /webhooks/NAME: use letters, digits, - and _",
            );
        }
        self.destination()
            .check()
            .or_else(|(key, problem)| wrong(&format!(".{key}"), problem))
    }

    /// Where requests lead.
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

impl Signature {
    /// What it needs to know, and nobody else may.
    pub(crate) fn secret(&self) -> &SecretSetting {
        match self {
            Self::Github(secret)
            | Self::Slack(secret)
            | Self::Stripe(secret)
            | Self::Standard(secret)
            | Self::Bearer(secret)
            | Self::Hmac { secret, .. } => secret,
            Self::Basic { password, .. } => password,
        }
    }
}

fn most() -> u64 {
    1 << 20
}

fn tolerance() -> Duration {
    Duration::from_secs(300)
}
