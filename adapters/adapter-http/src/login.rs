//! Logins: what a request carries to show that it may.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue};
use secrets::{Secret, SecretSetting, SecretStore};
use url::Url;
use worker_api::Failure;

use crate::request::{header_name, resolve, sensitive};
use crate::settings::{ApiKey, TaskAuth};

/// What a request carries.
pub(crate) enum Credentials {
    /// A header.
    Header(HeaderName, HeaderValue),
    /// A query parameter.
    Query(String, Secret),
}

impl Credentials {
    /// A name and a password.
    ///
    /// # Errors
    /// Where HTTP cannot carry them, or the secret cannot be had.
    pub(crate) fn basic(
        username: &str,
        password: &SecretSetting,
        secrets: &SecretStore,
    ) -> Result<Self, Failure> {
        if username.contains(':') {
            return Err(Failure::permanent(
                "the user name of a basic login holds a colon, which HTTP does not allow",
            ));
        }
        let password = resolve(password, secrets)?;
        let login = Secret::new(format!("{username}:{}", password.expose()));
        let encoded = Secret::new(BASE64_STANDARD.encode(login.expose()));
        Self::authorization("Basic", &encoded)
    }

    /// A token.
    ///
    /// # Errors
    /// Where no header can carry it.
    pub(crate) fn bearer(token: &Secret) -> Result<Self, Failure> {
        Self::authorization("Bearer", token)
    }

    /// A key, where its setting says.
    ///
    /// # Errors
    /// Where no header can carry it, or the secret cannot be had.
    pub(crate) fn api_key(api_key: &ApiKey, secrets: &SecretStore) -> Result<Self, Failure> {
        let key = resolve(&api_key.key, secrets)?;
        match (&api_key.header, &api_key.query) {
            (None, Some(query)) => Ok(Self::Query(query.clone(), key)),
            (header, _) => {
                let name = header.as_deref().unwrap_or("x-api-key");
                Ok(Self::Header(header_name(name)?, sensitive(name, key.expose())?))
            }
        }
    }

    /// What a task gives.
    ///
    /// # Errors
    /// As the above.
    pub(crate) fn of_task(auth: &TaskAuth, secrets: &SecretStore) -> Result<Self, Failure> {
        match auth {
            TaskAuth::Basic { username, password } => Self::basic(username, password, secrets),
            TaskAuth::Bearer(token) => Self::bearer(&resolve(token, secrets)?),
        }
    }

    fn authorization(scheme: &str, value: &Secret) -> Result<Self, Failure> {
        let value = Secret::new(format!("{scheme} {}", value.expose()));
        Ok(Self::Header(
            AUTHORIZATION,
            sensitive("authorization", value.expose())?,
        ))
    }

    /// Puts them where they belong.
    pub(crate) fn carry(self, headers: &mut HeaderMap, url: &mut Url) {
        match self {
            Self::Header(name, value) => {
                headers.insert(name, value);
            }
            Self::Query(name, key) => {
                url.query_pairs_mut().append_pair(&name, key.expose());
            }
        }
    }
}
