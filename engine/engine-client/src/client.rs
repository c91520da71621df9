//! The client itself: one connection pool, one address, one login.

use std::sync::Arc;

use http::Method;
use http::header::DATE;
use jiff::Timestamp;
use serde::Deserialize;
use url::Url;

use crate::call::Call;
use crate::login::Authorization;
use crate::transport::{Base, Transport};
use crate::{ClientSettings, EngineError, InProcess, Login};

/// A client of one engine's REST API. Clones share the connections.
///
/// A call that the engine has rolled back because another transaction came first is repeated a few times before that
/// becomes an error: nothing of it was carried out ([`ClientSettings::rollback_repetitions`]).
///
/// Cancellation: dropping a call's future closes its connection. Whether the engine still carries the call out
/// is unknown then; a pending fetch-and-lock goes on in the engine until its own time is up.
#[derive(Clone, Debug)]
pub struct EngineClient {
    shared: Arc<Shared>,
}

/// What every call of a client needs, made once.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) url: Url,
    pub(crate) base: Base,
    pub(crate) transport: Transport,
    pub(crate) authorization: Authorization,
    pub(crate) settings: ClientSettings,
}

impl EngineClient {
    /// A client with the default settings: see [`ClientSettings::client`].
    ///
    /// # Errors
    /// As [`ClientSettings::client`].
    pub fn new(url: Url, login: Login) -> Result<Self, EngineError> {
        ClientSettings::new().client(url, login)
    }

    /// A client of an engine in this process. Its calls are the same in everything but the network: timeouts, the
    /// repetition of calls that were rolled back and the reading of errors.
    #[must_use]
    pub fn in_process(engine: Arc<dyn InProcess>) -> Self {
        ClientSettings::new().in_process(engine)
    }

    pub(crate) fn of(shared: Shared) -> Self {
        Self {
            shared: Arc::new(shared),
        }
    }

    /// The REST API's address.
    #[must_use]
    pub fn url(&self) -> &Url {
        &self.shared.url
    }

    /// The engine's version, such as `7.24.0`. May be repeated.
    ///
    /// # Errors
    /// As every call: see [`EngineError`].
    pub async fn version(&self) -> Result<String, EngineError> {
        #[derive(Deserialize)]
        struct Version {
            version: String,
        }
        Ok(self.get(&["version"]).read::<Version>().await?.version)
    }

    /// The time by the clock of the machine that answers, in whole seconds; absent where it does not tell. May
    /// be repeated.
    ///
    /// # Errors
    /// As every call: see [`EngineError`].
    pub async fn server_time(&self) -> Result<Option<Timestamp>, EngineError> {
        let response = self.get(&["version"]).whole().await?;
        let date = response.headers().get(DATE).and_then(|date| date.to_str().ok());
        Ok(date
            .and_then(|date| jiff::fmt::rfc2822::parse(date).ok())
            .map(|date| date.timestamp()))
    }

    /// Whether the engine evaluates expressions that stand in a query: anybody who may ask could then run code
    /// in it. Asks a query whose expression does nothing. May be repeated.
    ///
    /// # Errors
    /// As every call: see [`EngineError`].
    pub async fn evaluates_queries(&self) -> Result<bool, EngineError> {
        let query = serde_json::json!({ "assigneeExpression": "${1 == 1 ? 'procos' : ''}" });
        match self.post(&["task", "count"]).json(&query).done().await {
            Ok(()) => Ok(true),
            Err(error) if error.is_bad_request() || error.is_forbidden() || error.is_internal() => Ok(false),
            Err(error) => Err(error),
        }
    }

    pub(crate) fn get(&self, path: &[&str]) -> Call<'_> {
        Call::new(&self.shared, Method::GET, path)
    }

    pub(crate) fn post(&self, path: &[&str]) -> Call<'_> {
        Call::new(&self.shared, Method::POST, path)
    }

    pub(crate) fn put(&self, path: &[&str]) -> Call<'_> {
        Call::new(&self.shared, Method::PUT, path)
    }

    pub(crate) fn delete(&self, path: &[&str]) -> Call<'_> {
        Call::new(&self.shared, Method::DELETE, path)
    }
}
