//! The adapter itself: its connections, and one task from end to end.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use secrets::{SecretSetting, SecretStore};
use worker_api::{
    Adapter, AdapterDescription, Effect, Failure, Outcome, TaskContext, TaskError, TopicDescription,
    async_trait,
};

use crate::answer::{self, Accepted};
use crate::body;
use crate::client::{Bounds, HttpClient};
use crate::connect::{Resolve, SystemResolver};
use crate::inputs::{HttpAnswer, Inputs, Kind};
use crate::request;
use crate::settings::{Auth, ConnectionSettings, SettingsError};
use crate::show::shown;
use crate::tls::certificates;

/// The adapter's name in routes and under `services`.
pub const NAME: &str = "http";

/// The adapter's only topic.
pub const TOPIC: &str = "http_request";

/// The connection that a task uses where it names none. It is always there.
const DEFAULT: &str = "default";

/// The adapter of the topic `http_request`.
pub struct HttpAdapter {
    connections: BTreeMap<String, Connection>,
    secrets: SecretStore,
}

struct Connection {
    settings: ConnectionSettings,
    client: HttpClient,
}

impl HttpAdapter {
    /// The adapter with its named connections. Nothing is read or connected yet: secrets are looked up at each
    /// request, certificates at the first that needs them.
    ///
    /// # Errors
    /// Where the settings of a connection contradict each other or cannot be meant.
    pub fn new(
        connections: BTreeMap<String, ConnectionSettings>,
        secrets: SecretStore,
    ) -> Result<Self, SettingsError> {
        Self::with_resolver(connections, secrets, Arc::new(SystemResolver))
    }

    /// The adapter with a source of addresses other than the system's.
    pub(crate) fn with_resolver(
        mut connections: BTreeMap<String, ConnectionSettings>,
        secrets: SecretStore,
        resolver: Arc<dyn Resolve>,
    ) -> Result<Self, SettingsError> {
        connections.entry(DEFAULT.to_owned()).or_default();
        let connections = connections.into_iter().map(|(name, settings)| {
            check(&settings).map_err(|(key, problem)| SettingsError {
                key: format!("{name}.{key}"),
                problem,
            })?;
            let allow = settings.allow.clone().into();
            let client = HttpClient::new(Arc::clone(&resolver), allow, settings.ca_file.clone());
            Ok((name, Connection { settings, client }))
        });
        Ok(Self {
            connections: connections.collect::<Result<_, _>>()?,
            secrets,
        })
    }

    /// The connections' settings as they are in force, by name.
    pub fn connections(&self) -> impl Iterator<Item = (&str, &ConnectionSettings)> {
        self.connections
            .iter()
            .map(|(name, connection)| (name.as_str(), &connection.settings))
    }

    /// All that can go wrong before anything is sent.
    async fn prepare(&self, context: &TaskContext) -> Result<Sending<'_>, Failure> {
        let inputs: Inputs = context.inputs()?;
        let connection = self.connection(&inputs.connection)?;
        let settings = &connection.settings;
        let bounds = bounds(&inputs, settings)?;
        let accepted = Accepted::read(inputs.accept_status.as_ref())?;
        let raw = match context.variables.get("body") {
            Some(value) if !context.settings.contains_key("body") => body::write_raw(value).await?,
            _ => None,
        };
        let key = context.idempotency_key();
        let (url, request) = request::prepare(&inputs, raw, settings, &self.secrets, key)?;
        Ok(Sending {
            shown: shown(request.method(), &url),
            connection,
            connection_name: inputs.connection,
            request,
            bounds,
            accepted,
        })
    }

    fn connection(&self, name: &str) -> Result<&Connection, Failure> {
        self.connections.get(name).ok_or_else(|| {
            let known: Vec<&str> = self.connections.keys().map(String::as_str).collect();
            Failure::permanent(format!(
                "there is no connection `{name}` under services.http; there are: {}",
                known.join(", ")
            ))
        })
    }
}

/// A request that is about to be sent.
struct Sending<'a> {
    connection: &'a Connection,
    connection_name: String,
    request: Request<Full<Bytes>>,
    bounds: Bounds,
    accepted: Accepted,
    /// The request as messages name it.
    shown: String,
}

/// Which setting of a connection cannot be used, and why.
fn check(settings: &ConnectionSettings) -> Result<(), (String, String)> {
    let wrong = |key: &str, problem: &str| Err((key.to_owned(), problem.to_owned()));
    if let Some(base) = &settings.base_url {
        if !matches!(base.scheme(), "http" | "https") {
            return wrong("base_url", "use http or https");
        }
        if !base.username().is_empty() || base.password().is_some() {
            return wrong("base_url", "it holds a login; give that under `auth`");
        }
        if base.query().is_some() || base.fragment().is_some() {
            return wrong("base_url", "it ends with its path: a query belongs to the task");
        }
    } else if settings.auth.is_some() {
        return wrong("auth", "it is sent to the base_url only; set `base_url`, too");
    } else if !settings.headers.is_empty() {
        return wrong(
            "headers",
            "they are sent to the base_url only; set `base_url`, too",
        );
    }
    if let Some(Auth::Basic { username, .. }) = &settings.auth
        && username.contains(':')
    {
        return wrong(
            "auth.basic.username",
            "it holds a colon, which HTTP does not allow",
        );
    }
    for name in settings.headers.keys() {
        request::header_name(name).map_err(|failure| (format!("headers.{name}"), failure.message))?;
    }
    Ok(())
}

#[async_trait]
impl Adapter for HttpAdapter {
    fn description(&self) -> AdapterDescription {
        let topic = TopicDescription::new::<Inputs, HttpAnswer>(TOPIC, "Sends an HTTP request")
            .asks(["method", "url", "connection", "query", "headers", "body"])
            .keeps(["status", "body"])
            .error("HTTP_4XX", "The service answers with a status from 400 to 499; caught where the status's own code is not")
            .error("HTTP_400", "Bad request: the service does not understand it")
            .error("HTTP_401", "Unauthorized: the login is missing or wrong")
            .error("HTTP_403", "Forbidden: the login may not do this")
            .error("HTTP_404", "Not found")
            .error("HTTP_409", "Conflict with the state of what is there")
            .error("HTTP_410", "Gone for good")
            .error("HTTP_412", "A condition of the request does not hold")
            .error("HTTP_422", "The content is understood and not acceptable");
        AdapterDescription::new(
            NAME,
            "Sends HTTP requests; internal addresses are refused unless listed",
        )
        .topic(topic)
    }

    fn effect(&self, context: &TaskContext) -> Effect {
        let is_repeatable = context
            .inputs_named::<Kind>(&["method", "repeatable"])
            .map_or(true, |kind| {
                kind.repeatable.unwrap_or_else(|| {
                    request::method(&kind.method).is_ok_and(|method| method.is_idempotent())
                })
            });
        if is_repeatable {
            Effect::Repeatable
        } else {
            Effect::Once
        }
    }

    async fn execute(&self, context: TaskContext) -> Outcome {
        let sending = self.prepare(&context).await.map_err(Failure::nothing_done)?;
        let client = &sending.connection.client;
        match client.send(sending.request, sending.bounds).await {
            Ok(received) => {
                let is_behind = received.is_behind;
                let outcome = answer::outcome(received, &sending.accepted, &sending.shown);
                match outcome {
                    // It is not the request that was refused.
                    Err(TaskError::Bpmn(error)) if is_behind && self.effect(&context) == Effect::Once => Err(
                        Failure::permanent(format!("the request was taken, and {}", error.message)).into(),
                    ),
                    outcome => outcome,
                }
            }
            Err(error) => Err(answer::failure(&error, &sending.shown, &sending.connection_name).into()),
        }
    }

    /// Whether every connection's secrets can be had and its certificates read. Nothing is sent anywhere.
    async fn health(&self) -> Result<(), String> {
        for (name, Connection { settings, .. }) in &self.connections {
            let login: Option<&SecretSetting> = settings.auth.as_ref().map(|auth| match auth {
                Auth::Basic { password, .. } => password,
                Auth::Bearer(token) => token,
            });
            for setting in login.into_iter().chain(settings.headers.values()) {
                setting
                    .resolve(&self.secrets)
                    .map_err(|error| format!("services.http.{name}: {error}"))?;
            }
            if let Some(file) = settings.ca_file.clone() {
                let read = tokio::task::spawn_blocking(move || certificates(&file).map(drop));
                let read = read.await.map_err(|error| error.to_string())?;
                read.map_err(|error| format!("services.http.{name}.ca_file: {error}"))?;
            }
        }
        Ok(())
    }
}

fn bounds(inputs: &Inputs, settings: &ConnectionSettings) -> Result<Bounds, Failure> {
    let timeout = match &inputs.timeout {
        None => settings.timeout,
        Some(text) => {
            worker_api::parse_duration(text).filter(|timeout| *timeout > Duration::ZERO).ok_or_else(|| {
                Failure::permanent(format!(
                    "the input `timeout` is `{text}`, which is no duration: write one such as 30s, 2m or PT30S"
                ))
            })?
        }
    };
    let max_bytes = match &inputs.max_bytes {
        None => settings.max_bytes,
        Some(size) => worker_api::parse_size(&size.to_string())
            .map_err(|error| Failure::permanent(format!("the input `max_bytes` is wrong: {error}")))?
            .min(settings.max_bytes),
    };
    Ok(Bounds {
        timeout,
        max_bytes,
        follow_redirects: inputs.follow_redirects,
    })
}
