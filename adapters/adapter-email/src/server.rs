//! The server of a connection: connections to it that are kept, and opened as they are needed.

use std::sync::{Mutex, PoisonError};

use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Certificate, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use secrets::SecretStore;

use crate::problem::Problem;
use crate::send::within;
use crate::settings::{Smtp, Tls};

/// Connections that are kept unused.
const MOST_IDLE: usize = 4;

/// A server, and connections to it that nobody uses now.
#[derive(Default)]
pub(crate) struct Server(Mutex<Vec<AsyncSmtpConnection>>);

impl Server {
    /// A connection that is logged in.
    ///
    /// # Errors
    /// Where there is none to be had.
    pub(crate) async fn connection(
        &self,
        smtp: &Smtp,
        secrets: &SecretStore,
    ) -> Result<AsyncSmtpConnection, Problem> {
        loop {
            let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let Some(mut kept) = kept else {
                return open(smtp, secrets).await;
            };
            // A server ends what nobody uses.
            let lives = async { Ok(kept.test_connected().await) };
            if within(smtp.timeout, lives).await.unwrap_or(false) {
                return Ok(kept);
            }
        }
    }

    /// Keeps a connection whose mail has come to its end.
    pub(crate) fn keep(&self, connection: AsyncSmtpConnection) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < MOST_IDLE && !connection.has_broken() {
            kept.push(connection);
        }
    }
}

async fn open(smtp: &Smtp, secrets: &SecretStore) -> Result<AsyncSmtpConnection, Problem> {
    let name = ClientId::default();
    let tls = match smtp.tls {
        Tls::None => None,
        Tls::Starttls | Tls::Tls => Some(parameters(smtp).await?),
    };
    let (at_once, later) = match smtp.tls {
        Tls::Tls => (tls, None),
        Tls::Starttls | Tls::None => (None, tls),
    };
    let address = (smtp.host.as_str(), smtp.port());
    let connect = AsyncSmtpConnection::connect_tokio1(address, Some(smtp.timeout), &name, at_once, None);
    let mut connection = within(smtp.timeout, connect).await.map_err(Problem::Connect)?;
    if let Some(tls) = later {
        if !connection.can_starttls() {
            return Err(Problem::Setting(
                "the server does not offer STARTTLS; use `tls: tls` where it is encrypted from its beginning"
                    .to_owned(),
            ));
        }
        within(smtp.timeout, connection.starttls(tls, &name))
            .await
            .map_err(Problem::Connect)?;
    }
    let secret = |setting: &secrets::SecretSetting| {
        setting
            .resolve(secrets)
            .map_err(|error| Problem::Setting(error.to_string()))
    };
    let username = smtp.username.clone().unwrap_or_default();
    let (mechanisms, secret): (&[Mechanism], _) = match (&smtp.password, &smtp.token) {
        (Some(password), _) => (&[Mechanism::Plain, Mechanism::Login], secret(password)?),
        (None, Some(token)) => (&[Mechanism::Xoauth2], secret(token)?),
        (None, None) => return Ok(connection),
    };
    let credentials = Credentials::new(username, secret.expose().to_owned());
    within(smtp.timeout, connection.auth(mechanisms, &credentials))
        .await
        .map_err(Problem::Login)?;
    Ok(connection)
}

async fn parameters(smtp: &Smtp) -> Result<TlsParameters, Problem> {
    let (host, file) = (smtp.host.clone(), smtp.ca_file.clone());
    // Reading certificates blocks.
    tokio::task::spawn_blocking(move || {
        let mut builder = TlsParameters::builder(host);
        if let Some(file) = file {
            let unusable = |reason: &dyn std::fmt::Display| {
                Problem::Setting(format!("ca_file: {} cannot be read: {reason}", file.display()))
            };
            let pem = std::fs::read(&file).map_err(|error| unusable(&error))?;
            let certificate = Certificate::from_pem(&pem).map_err(|error| unusable(&error))?;
            builder = builder.add_root_certificate(certificate);
        }
        builder
            .build_rustls()
            .map_err(|error| Problem::Connect(error.into()))
    })
    .await
    .map_err(|error| Problem::Setting(error.to_string()))?
}
