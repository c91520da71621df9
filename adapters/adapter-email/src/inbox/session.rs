//! A connection to a mailbox.

use std::future::Future;
use std::sync::Arc;

use async_imap::error::Error;
use async_imap::{Authenticator, Client};
use http_client::Trust;
use rustls::pki_types::ServerName;
use secrets::{SecretSetting, SecretStore};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use worker_api::Failure;

use super::settings::Imap;

/// One that is logged in.
pub(crate) type Session = async_imap::Session<TlsStream<TcpStream>>;

/// A server's settings, and where they stand.
pub(crate) struct Place<'a> {
    pub(crate) imap: &'a Imap,
    pub(crate) name: String,
}

impl Place<'_> {
    /// A step that may take no longer than the settings say.
    pub(crate) async fn within<T>(&self, step: impl Future<Output = Result<T, Error>>) -> Result<T, Failure> {
        match timeout(self.imap.timeout, step).await {
            Ok(done) => done.map_err(|error| self.trouble(&error)),
            Err(_) => Err(self.silent()),
        }
    }

    /// What an error of the server means.
    pub(crate) fn trouble(&self, error: &Error) -> Failure {
        match error {
            Error::No(said) | Error::Bad(said) => {
                Failure::permanent(format!("the server of {} refuses it: {said}", self.name))
            }
            Error::Validate(error) => Failure::permanent(format!("{}: {error}", self.name)),
            error => Failure::retryable(format!(
                "the server of {} cannot be spoken to: {error}",
                self.name
            )),
        }
    }

    fn silent(&self) -> Failure {
        Failure::retryable(format!(
            "the server of {} has not answered within {:?}; see its `timeout`",
            self.name, self.imap.timeout
        ))
    }
}

/// Connects and logs in.
///
/// # Errors
/// Where the server cannot be reached, is not trusted, or does not take the login.
pub(crate) async fn open(place: &Place<'_>, secrets: &SecretStore) -> Result<Session, Failure> {
    let stream = match timeout(place.imap.timeout, connect(place)).await {
        Ok(connected) => connected?,
        Err(_) => return Err(place.silent()),
    };
    let mut client = Client::new(stream);
    let greeted = place
        .within(async { client.read_response().await.map_err(Error::from) })
        .await?;
    if greeted.is_none() {
        return Err(place.trouble(&Error::ConnectionLost));
    }
    let secret = |key: &str, setting: &SecretSetting| {
        let resolved = setting.resolve(secrets);
        resolved.map_err(|error| Failure::permanent(format!("{}.{key}: {error}", place.name)))
    };
    let username = &place.imap.username;
    let login = async {
        match (&place.imap.password, &place.imap.token) {
            (Some(password), _) => {
                let password = secret("password", password)?;
                Ok(client.login(username, password.expose()).await)
            }
            (None, Some(token)) => {
                let token = secret("token", token)?;
                let first = format!("user={username}\x01auth=Bearer {}\x01\x01", token.expose());
                Ok(client.authenticate("XOAUTH2", Bearer(Some(first))).await)
            }
            (None, None) => Err(Failure::permanent(format!("{}: there is no login", place.name))),
        }
    };
    match timeout(place.imap.timeout, login).await {
        Ok(answered) => answered?.map_err(|(error, _)| match error {
            Error::No(said) | Error::Bad(said) => Failure::permanent(format!(
                "the server of {} refuses the login ({said}); check username and password",
                place.name
            )),
            error => place.trouble(&error),
        }),
        Err(_) => Err(place.silent()),
    }
}

async fn connect(place: &Place<'_>) -> Result<TlsStream<TcpStream>, Failure> {
    let Imap {
        host, port, ca_file, ..
    } = place.imap;
    let trust = Trust {
        ca_file: ca_file.clone(),
        identity: None,
    };
    let wrong = |problem: &dyn std::fmt::Display| Failure::permanent(format!("{}: {problem}", place.name));
    let config = trust.client_config().await.map_err(|error| wrong(&error))?;
    let name = ServerName::try_from(host.clone()).map_err(|error| wrong(&error))?;
    let unreachable = |error: &std::io::Error| {
        Failure::retryable(format!("the server of {} cannot be reached: {error}", place.name))
    };
    let tcp = TcpStream::connect((host.as_str(), *port))
        .await
        .map_err(|error| unreachable(&error))?;
    TlsConnector::from(Arc::clone(&config))
        .connect(name, tcp)
        .await
        .map_err(
            |error| match error.get_ref().and_then(|inner| inner.downcast_ref()) {
                Some(rustls::Error::InvalidCertificate(_)) => wrong(&format!(
                    "the server is not trusted ({error}); check host and ca_file"
                )),
                _ => unreachable(&error),
            },
        )
}

/// The one answer of a login by token; whatever the server asks after that is answered with nothing, and it then refuses.
struct Bearer(Option<String>);

impl Authenticator for Bearer {
    type Response = String;

    fn process(&mut self, _: &[u8]) -> String {
        self.0.take().unwrap_or_default()
    }
}
