//! The settings of a connection: what stands under `services.slack.NAME`.

use std::path::PathBuf;
use std::time::Duration;

use http_client::Allowed;
use secrets::SecretSetting;
use serde::{Deserialize, Serialize};
use url::Url;

/// The settings of one named connection. There is none unless one is configured.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct ConnectionSettings {
    /// An app's token (`xoxb-…`), with the scope `chat:write`; `files:write` for files; `channels:history` or its like for
    /// finding out whether a message is there after a crash.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<SecretSetting>,
    /// The address of an incoming webhook, in place of a token: it posts into its own channel and can nothing else.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub webhook_url: Option<SecretSetting>,
    /// Where the API is. Being configured here it may be an internal address.
    pub base_url: Url,
    /// Other internal addresses that may be spoken to: that of a gateway in an incoming webhook's place, for one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub allow: Vec<Allowed>,
    /// The channels that tasks may write to; every channel where it is empty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub channels: Vec<String>,
    /// How long each request may take.
    #[serde(with = "worker_api::duration")]
    pub timeout: Duration,
    /// Bytes that the files of one message may have.
    #[serde(with = "worker_api::size")]
    pub max_bytes: u64,
    /// A PEM file with the certificates of a private authority, trusted beside those of the system.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
}

impl Default for ConnectionSettings {
    fn default() -> Self {
        Self {
            token: None,
            webhook_url: None,
            base_url: vendors_url(),
            allow: Vec::new(),
            channels: Vec::new(),
            timeout: Duration::from_secs(30),
            max_bytes: 50 << 20,
            ca_file: None,
        }
    }
}

impl ConnectionSettings {
    /// Whether the settings agree with one another.
    pub(crate) fn check(&self) -> Result<(), (String, String)> {
        let wrong = |key: &str, problem: &str| Err((key.to_owned(), problem.to_owned()));
        if self.token.is_some() == self.webhook_url.is_some() {
            return wrong(
                "token",
                "give an app's token, or the address of an incoming webhook as `webhook_url`: one of the two",
            );
        }
        if !matches!(self.base_url.scheme(), "http" | "https") || self.base_url.host().is_none() {
            return wrong("base_url", "write an address such as https://slack.com/api");
        }
        Ok(())
    }
}

#[allow(clippy::unwrap_used, reason = "it is an address")]
fn vendors_url() -> Url {
    Url::parse("https://slack.com/api").unwrap()
}
