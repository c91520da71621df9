//! The settings of a connection: what stands under `services.http.NAME`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use secrets::SecretSetting;
use serde::{Deserialize, Serialize};
use url::Url;

use http_client::{Allowed, Follow, Trust};

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
    #[serde(with = "worker_api::duration")]
    pub timeout: Duration,
    /// Bytes that an answer's body may have, after decompression.
    #[serde(with = "worker_api::size")]
    pub max_bytes: u64,
    /// Which redirects tasks may follow.
    pub redirects: Follow,
    /// A PEM file with the certificates of a private authority, trusted beside those of the system.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// A PEM file with the certificate by which requests show who sends them (mutual TLS), with those between it and its
    /// authority.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate_file: Option<PathBuf>,
    /// A PEM file with that certificate's key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_file: Option<PathBuf>,
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
            redirects: Follow::Any,
            ca_file: None,
            certificate_file: None,
            key_file: None,
        }
    }
}

/// The login of a connection.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Auth {
    /// A name and a password.
    Basic {
        /// The name; it holds no colon.
        username: String,
        /// The password.
        password: SecretSetting,
    },
    /// A token.
    Bearer(SecretSetting),
    /// A key in a header or in the query.
    ApiKey(ApiKey),
    /// Tokens that an authorization server gives for a client's own login (OAuth 2.0, client credentials: RFC 6749, 4.4).
    Oauth2(OAuth2),
}

/// A key that requests carry.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ApiKey {
    /// The header that it stands in, such as `X-API-Key`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub header: Option<String>,
    /// The query parameter that it stands in, where the service takes it nowhere else.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    /// The key.
    pub key: SecretSetting,
}

/// Where tokens come from.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct OAuth2 {
    /// The authorization server's token endpoint. It is reached as the connection's own addresses are: an internal one has
    /// to be among `allow`.
    pub token_url: Url,
    /// The client's id.
    pub client_id: String,
    /// The client's secret.
    pub client_secret: SecretSetting,
    /// What is asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<String>,
    /// For whom, where the authorization server asks for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audience: Option<String>,
}

/// A login that a task gives.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum TaskAuth {
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

impl ConnectionSettings {
    /// Whom its connections trust, and as whom they show themselves.
    pub(crate) fn trust(&self) -> Trust {
        Trust {
            ca_file: self.ca_file.clone(),
            identity: self.certificate_file.clone().zip(self.key_file.clone()),
        }
    }

    /// The secrets that it refers to.
    pub(crate) fn secrets(&self) -> impl Iterator<Item = &SecretSetting> {
        let login = self.auth.as_ref().map(|auth| match auth {
            Auth::Basic { password, .. } => password,
            Auth::Bearer(token) => token,
            Auth::ApiKey(api_key) => &api_key.key,
            Auth::Oauth2(oauth2) => &oauth2.client_secret,
        });
        login.into_iter().chain(self.headers.values())
    }
}
