//! How a client is set up.

use std::sync::Arc;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use url::Url;

use crate::client::Shared;
use crate::in_process;
use crate::login::Authorization;
use crate::transport::{Base, Transport};
use crate::{EngineClient, EngineError, InProcess, Login, Tls};

/// How a client is set up, with the defaults that each method tells. Made into a client by
/// [`ClientSettings::client`].
///
/// ```
/// use std::time::Duration;
///
/// use engine_client::{ClientSettings, Login};
///
/// let engine = ClientSettings::new()
///     .call_timeout(Duration::from_secs(10))
///     .client("http://127.0.0.1:8080/engine-rest".parse().unwrap(), Login::None);
/// assert!(engine.is_ok());
/// ```
#[derive(Clone, Debug)]
pub struct ClientSettings {
    connect_timeout: Duration,
    pub(crate) call_timeout: Duration,
    rollback_repetitions: usize,
    tls: Tls,
}

impl Default for ClientSettings {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(5),
            call_timeout: Duration::from_secs(30),
            rollback_repetitions: 8,
            tls: Tls::default(),
        }
    }
}

impl ClientSettings {
    /// The defaults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How long to wait for a connection: 5 s unless set.
    #[must_use]
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// How long a call may take that the engine answers at once, from its first byte to the answer's last: 30 s
    /// unless set. Long polls have their own time on top of 20 s, deployments have 5 minutes; of a download it is how
    /// long each part of it may take to arrive. A token that has to be fetched first has as much time of its own.
    #[must_use]
    pub fn call_timeout(mut self, timeout: Duration) -> Self {
        self.call_timeout = timeout;
        self
    }

    /// How often a call is repeated that the engine has rolled back because another transaction came first (nothing
    /// of it was carried out then, so this is safe for every call): 8 times unless set, after 5 ms, 10 ms, … 200 ms,
    /// each with up to as much again at random, so that two who collide do not meet again. No other error is repeated
    /// by the client itself.
    #[must_use]
    pub fn rollback_repetitions(mut self, times: usize) -> Self {
        self.rollback_repetitions = times;
        self
    }

    /// Whom to trust on encrypted connections, and which certificate to show: the system's authorities and none
    /// unless set. Applies to the engine and to the token endpoint of [`Login::OAuth2`].
    #[must_use]
    pub fn tls(mut self, tls: Tls) -> Self {
        self.tls = tls;
        self
    }

    /// A client for the REST API at `url`, such as `http://127.0.0.1:8080/engine-rest`; a named engine is part of
    /// the address (`…/engine-rest/engine/NAME`). Connects when first used. The environment's proxy settings
    /// are not followed.
    ///
    /// # Errors
    /// Where the address is no HTTP address or holds a login, the login holds characters that no header can carry,
    /// or TLS cannot be set up: a certificate or key that cannot be read, or that do not belong together.
    pub fn client(self, url: Url, login: Login) -> Result<EngineClient, EngineError> {
        let setup = |reason: String| EngineError::Setup {
            url: without_login(&url),
            reason,
        };
        let base = Base::of(&url).map_err(setup)?;
        let encrypted = url.scheme() == "https"
            || matches!(&login, Login::OAuth2(login) if login.token_url.scheme() == "https");
        let transport = Transport::network(&self.tls, self.connect_timeout, encrypted).map_err(setup)?;
        let authorization = Authorization::of(login, self.call_timeout).map_err(setup)?;
        Ok(EngineClient::of(Shared {
            url,
            base,
            transport,
            authorization,
            settings: self,
        }))
    }

    /// A client of an engine in this process: see [`EngineClient::in_process`].
    #[must_use]
    pub fn in_process(self, engine: Arc<dyn InProcess>) -> EngineClient {
        EngineClient::of(Shared {
            url: in_process::address(),
            base: Base::in_process(),
            transport: Transport::InProcess(engine),
            authorization: Authorization::Fixed(None),
            settings: self,
        })
    }

    pub(crate) fn rollback_delays(&self) -> ExponentialBackoff {
        ExponentialBuilder::default()
            .with_min_delay(Duration::from_millis(5))
            .with_max_delay(Duration::from_millis(200))
            .with_jitter()
            .with_max_times(self.rollback_repetitions)
            .build()
    }
}

/// An address as it may be shown.
pub(crate) fn without_login(url: &Url) -> String {
    let mut url = url.clone();
    // Fails only where there can be none.
    let _ = url.set_username("").and_then(|()| url.set_password(None));
    url.to_string()
}
