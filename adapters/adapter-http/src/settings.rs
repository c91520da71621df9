//! The settings of a connection: what stands under `services.http.NAME`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use bytesize::ByteSize;
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
    #[serde(deserialize_with = "size", serialize_with = "show_size")]
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

/// A size in bytes out of a number or text such as `10Mi`.
pub(crate) fn parse_size(text: &str) -> Result<u64, String> {
    text.trim()
        .parse::<ByteSize>()
        .map(|size| size.as_u64())
        .map_err(|_| {
            format!("`{text}` is no size: write bytes, or a number with a unit such as 64Ki or 10Mi")
        })
}

fn size<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "a size such as 10Mi")]
    enum Given {
        Bytes(u64),
        Text(String),
    }
    match Given::deserialize(deserializer)? {
        Given::Bytes(bytes) => Ok(bytes),
        Given::Text(text) => parse_size(&text).map_err(serde::de::Error::custom),
    }
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

fn show_size<S: Serializer>(bytes: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    // What is shown reads back: `iec_short` writes 10 MiB as `10.0M`, which is read as ten million.
    let units = [("Gi", 1_u64 << 30), ("Mi", 1 << 20), ("Ki", 1 << 10)];
    match units
        .iter()
        .find(|(_, size)| *bytes > 0 && bytes.is_multiple_of(*size))
    {
        Some((unit, size)) => serializer.collect_str(&format_args!("{}{unit}", bytes / size)),
        None => serializer.serialize_u64(*bytes),
    }
}
