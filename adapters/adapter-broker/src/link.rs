//! A connection to the broker, and channels on which every message is confirmed.

use std::sync::{Arc, Mutex, PoisonError};

use lapin::options::ConfirmSelectOptions;
use lapin::protocol::{AMQPErrorKind, AMQPHardError};
use lapin::tcp::{OwnedIdentity, OwnedTLSConfig};
use lapin::uri::AMQPUri;
use lapin::{Channel, Connection, ConnectionProperties, ErrorKind};
use secrets::SecretStore;
use tokio::time::timeout;
use worker_api::Failure;

use crate::settings::ConnectionSettings;
use crate::socket;

/// A named connection of the configuration.
pub(crate) struct Broker {
    pub(crate) name: String,
    pub(crate) settings: ConnectionSettings,
    secrets: SecretStore,
    connection: tokio::sync::Mutex<Option<Arc<Connection>>>,
    idle: Mutex<Vec<Channel>>,
}

impl Broker {
    pub(crate) fn new(
        name: &str,
        settings: ConnectionSettings,
        secrets: SecretStore,
    ) -> Result<Self, (String, String)> {
        settings.check()?;
        Ok(Self {
            name: name.to_owned(),
            settings,
            secrets,
            connection: tokio::sync::Mutex::default(),
            idle: Mutex::default(),
        })
    }

    /// Where it stands in the configuration.
    pub(crate) fn place(&self) -> String {
        format!("services.broker.{}", self.name)
    }

    /// A channel that nobody else has, on the connection that tasks share. To be given back once nothing is under way on it.
    ///
    /// # Errors
    /// Where the broker cannot be reached. Nothing is done then.
    pub(crate) async fn channel(&self) -> Result<Channel, Failure> {
        while let Some(channel) = self.idle().pop() {
            if channel.status().connected() {
                return Ok(channel);
            }
        }
        let connection = self.shared().await?;
        self.open(&connection).await
    }

    /// The connection that tasks share.
    ///
    /// # Errors
    /// Where the broker cannot be reached. Nothing is done then.
    pub(crate) async fn shared(&self) -> Result<Arc<Connection>, Failure> {
        let mut shared = self.connection.lock().await;
        match &*shared {
            Some(connection) if connection.status().connected() => Ok(Arc::clone(connection)),
            _ => {
                let connection = Arc::new(self.connect("tasks").await?);
                *shared = Some(Arc::clone(&connection));
                Ok(connection)
            }
        }
    }

    /// What somebody asks of the broker, as long as it may take.
    ///
    /// # Errors
    /// Where the broker refuses it or does not answer.
    pub(crate) async fn within<T>(
        &self,
        asked: impl Future<Output = lapin::Result<T>>,
    ) -> Result<T, Failure> {
        match timeout(self.settings.timeout, asked).await {
            Ok(answer) => answer.map_err(|error| self.trouble(&error)),
            Err(_) => Err(self.late()),
        }
    }

    /// Takes a channel back.
    pub(crate) fn give_back(&self, channel: Channel) {
        if channel.status().connected() {
            self.idle().push(channel);
        }
    }

    /// A channel on which every message is confirmed.
    pub(crate) async fn open(&self, connection: &Connection) -> Result<Channel, Failure> {
        let opening = async {
            let channel = connection.create_channel().await?;
            channel.confirm_select(ConfirmSelectOptions::default()).await?;
            Ok(channel)
        };
        self.within(opening).await.map_err(Failure::nothing_done)
    }

    /// A connection of one's own, which the broker shows as `procos (USE)`.
    ///
    /// # Errors
    /// Where the broker cannot be reached, or does not take the login. Nothing is done then.
    pub(crate) async fn connect(&self, for_what: &str) -> Result<Connection, Failure> {
        let uri = self.uri().map_err(Failure::nothing_done)?;
        let tls = self.tls().await.map_err(Failure::nothing_done)?;
        let properties = ConnectionProperties::default()
            .with_connection_name(format!("procos ({for_what})").into())
            // Whoever needs the connection tries again, and says why in the meantime.
            .configure_backoff(|backoff| backoff.with_max_times(0));
        let connecting = socket::connect(uri, properties, tls);
        self.within(connecting).await.map_err(Failure::nothing_done)
    }

    /// What an error of the connection means.
    pub(crate) fn trouble(&self, error: &lapin::Error) -> Failure {
        let url = &self.settings.url;
        let refused = match error.kind() {
            ErrorKind::ProtocolError(refused) => match refused.kind() {
                AMQPErrorKind::Hard(AMQPHardError::NOTALLOWED) => Some("url"),
                AMQPErrorKind::Soft(lapin::protocol::AMQPSoftError::ACCESSREFUSED) => Some("username"),
                _ => None,
            },
            _ => None,
        };
        let said = error.to_string();
        if let Some(key) = refused.or_else(|| said.contains("ACCESS_REFUSED").then_some("username")) {
            return Failure::permanent(format!(
                "the broker at {url} refuses it ({said}): check {}.{key}",
                self.place()
            ));
        }
        if said.contains("certificate") {
            return Failure::permanent(format!(
                "the certificate of the broker at {url} is not trusted ({said}); for a private authority set `ca_file` of {}",
                self.place()
            ));
        }
        Failure::retryable(format!("the broker at {url} cannot be spoken to: {said}")).caused_by(error)
    }

    fn late(&self) -> Failure {
        let url = &self.settings.url;
        let within = self.settings.timeout;
        Failure::retryable(format!(
            "the broker at {url} has not answered within {within:?}; see `timeout` of {}",
            self.place()
        ))
    }

    /// The address with the login in it: for the one call that needs it.
    fn uri(&self) -> Result<AMQPUri, Failure> {
        let wrong = |problem: &dyn std::fmt::Display| {
            Failure::permanent(format!("{}.url cannot be meant: {problem}", self.place()))
        };
        let mut url = self.settings.url.clone();
        if let (Some(username), Some(password)) = (&self.settings.username, &self.settings.password) {
            let password = password
                .resolve(&self.secrets)
                .map_err(|error| Failure::permanent(format!("{}.password: {error}", self.place())))?;
            url.set_username(username)
                .and_then(|()| url.set_password(Some(password.expose())))
                .map_err(|()| wrong(&"it takes no login"))?;
        }
        if matches!(url.path(), "" | "/") {
            // The virtual host that is called so.
            url.set_path("/%2f");
        }
        url.set_query(Some(&format!("heartbeat={HEARTBEAT}")));
        url.as_str().parse().map_err(|error: String| wrong(&error))
    }

    async fn tls(&self) -> Result<OwnedTLSConfig, Failure> {
        let read = async |key: &str, path: &std::path::Path| {
            tokio::fs::read(path).await.map_err(|error| {
                Failure::permanent(format!(
                    "{}.{key}: {} cannot be read: {error}",
                    self.place(),
                    path.display()
                ))
            })
        };
        let settings = &self.settings;
        let cert_chain = match &settings.ca_file {
            Some(path) => Some(String::from_utf8_lossy(&read("ca_file", path).await?).into_owned()),
            None => None,
        };
        let identity = match (&settings.certificate_file, &settings.key_file) {
            (Some(certificate), Some(key)) => Some(OwnedIdentity::PKCS8 {
                pem: read("certificate_file", certificate).await?,
                key: read("key_file", key).await?,
            }),
            _ => None,
        };
        Ok(OwnedTLSConfig { identity, cert_chain })
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Channel>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Seconds after whose double a silent connection counts as broken.
const HEARTBEAT: u16 = 15;
