//! The settings of a connection: what stands under `services.http.NAME`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use secrets::SecretSetting;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use url::Url;

use crate::allow::Allowed;

/// The settings of one named connection. Those of a connection that is not configured are the defaults.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct ConnectionSettings {
    /// What relative URLs are relative to, such as `https://api.example.com/v1`; `auth` and `headers` go to its
    /// scheme, host and port and nowhere else.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base_url: Option<Url>,
    /// Internal addresses that may be reached all the same.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub allow: Vec<Allowed>,
    /// The login that requests carry unless the task gives one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth: Option<Auth>,
    /// Headers that requests carry unless the task gives one of the same name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, SecretSetting>,
    /// How long a request may take, from looking up the host to the last byte, unless the task says otherwise.
    #[serde(deserialize_with = "duration", serialize_with = "show_duration")]
    pub timeout: Duration,
    /// Bytes that an answer's body may have, after decompression.
    #[serde(with = "worker_api::size")]
    pub max_bytes: u64,
    /// A PEM file with the certificates of a private authority, trusted beside those of the system.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
}

impl Default for ConnectionSettings {
    fn default() -> Self {
        Self {
            base_url: None,
            allow: Vec::new(),
            auth: None,
            headers: BTreeMap::new(),
            timeout: Duration::from_secs(30),
            max_bytes: 10 * 1024 * 1024,
            ca_file: None,
        }
    }
}

/// A login.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Auth {
    /// A name and a password, such as `{"basic": {"username": "ada", "password": "…"}}`.
    Basic {
        /// The name; it holds no colon.
        username: String,
        /// The password.
        #[schemars(with = "String")]
        password: SecretSetting,
    },
    /// A token, such as `{"bearer": "…"}`.
    Bearer(#[schemars(with = "String")] SecretSetting),
}

/// A setting that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{key}`: {problem}")]
pub struct SettingsError {
    /// Which setting, from the connection's name on, such as `billing.base_url`.
    pub key: String,
    /// What is wrong with it, and what to write.
    pub problem: String,
}

fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    worker_api::parse_duration(&text)
        .filter(|duration| !duration.is_zero())
        .ok_or_else(|| {
            serde::de::Error::custom(format!(
                "`{text}` is no duration: write one such as 30s, 2m or PT30S"
            ))
        })
}

fn show_duration<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&jiff::SignedDuration::try_from(*duration).unwrap_or(jiff::SignedDuration::MAX))
}
