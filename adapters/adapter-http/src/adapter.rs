//! The adapter itself: its connections, and one task from end to end.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::Full;
use secrets::{Secret, SecretStore};
use serde_json::Value as Json;
use url::Url;
use worker_api::{
    Adapter, AdapterDescription, Connections, Effect, Failure, Outcome, SettingsError, TaskContext,
    TaskError, TopicDescription, TraceContext, Value, async_trait,
};

use crate::answer::{self, Accepted};
use crate::body;
use crate::check::check;
use crate::inputs::{BodyType, Form, HttpAnswer, Inputs, Kind};
use crate::login::Credentials;
use crate::map::Mapping;
use crate::pages::{self, Pagination};
use crate::request;
use crate::settings::{ApiKey, Auth, ConnectionSettings};
use crate::show::Shown;
use crate::tokens::Tokens;
use http_client::{
    Bounds, Follow, HttpClient, Received, Resolve, SendError, SystemResolver, TlsError, Trust,
};

/// The adapter's name in routes and under `services`.
pub const NAME: &str = "http";

/// The adapter's only topic.
pub const TOPIC: &str = "http_request";

/// The connection that a task uses where it names none. It is always there.
const DEFAULT: &str = "default";

/// The adapter of the topic `http_request`.
pub struct HttpAdapter {
    connections: Connections<Connection>,
    secrets: SecretStore,
}

struct Connection {
    settings: ConnectionSettings,
    client: HttpClient,
    tokens: Tokens,
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
        let make = |_: &str, settings: ConnectionSettings| {
            check(&settings)?;
            let allow = settings.allow.clone().into();
            let client = HttpClient::new(Arc::clone(&resolver), allow, settings.trust());
            Ok(Connection {
                settings,
                client,
                tokens: Tokens::default(),
            })
        };
        Ok(Self {
            connections: Connections::build("connection", NAME, connections, make)?,
            secrets,
        })
    }

    /// The connections' settings as they are in force, by name.
    pub fn connections(&self) -> impl Iterator<Item = (&str, &ConnectionSettings)> {
        self.connections
            .iter()
            .map(|(name, connection)| (name, &connection.settings))
    }

    /// All that can go wrong before anything is sent. `at` is the address where it is not the task's own.
    async fn prepare(&self, context: &TaskContext, at: Option<&Url>) -> Result<Sending<'_>, Failure> {
        let inputs: Inputs = context.inputs()?;
        let connection = self.connections.get(&inputs.connection)?;
        let settings = &connection.settings;
        let bounds = bounds(&inputs, settings)?;
        let accepted = Accepted::read(inputs.accept_status.as_ref())?;
        let mapping = Mapping::read(inputs.map.as_ref())?;
        let method = request::method(&inputs.method)?;
        if inputs.pagination.is_some() && method != Method::GET {
            return Err(Failure::permanent(format!(
                "the input `pagination` is for GET, and the input `method` is {method}"
            )));
        }
        let raw = if inputs.body_type == Some(BodyType::Multipart) {
            let files = inputs.files.clone().unwrap_or_default();
            Some(body::multipart(inputs.body.clone(), &files, context).await?)
        } else {
            match context.variables.get("body") {
                Some(value) if !context.settings.contains_key("body") => body::write_raw(value).await?,
                _ => None,
            }
        };
        let mut url = request::address(&inputs, settings)?;
        match (at, &inputs.pagination) {
            (Some(at), _) => url = at.clone(),
            (None, Some(pagination)) => pagination.first(&mut url),
            (None, None) => {}
        }
        // A service's own link to the next page may hold the key.
        if let Some(Auth::ApiKey(ApiKey {
            query: Some(name), ..
        })) = &settings.auth
        {
            pages::unset(&mut url, name);
        }
        let (login, token) = if request::is_own(&url, settings) && inputs.auth.is_none() {
            self.login(connection, &inputs.connection, bounds.timeout).await?
        } else {
            (None, None)
        };
        let marks = (context.idempotency_key(), TraceContext::of(context));
        let shown = Shown::new(method, &url);
        let request = request::prepare(&inputs, url.clone(), raw, settings, login, &self.secrets, marks)?;
        Ok(Sending {
            shown,
            connection,
            connection_name: inputs.connection,
            url,
            request,
            bounds,
            accepted,
            token,
            form: inputs.form,
            mapping,
            pagination: inputs.pagination,
        })
    }

    /// What requests to the connection's own address carry, and the token in it that a service may have ceased to take.
    async fn login(
        &self,
        connection: &Connection,
        name: &str,
        timeout: Duration,
    ) -> Result<(Option<Credentials>, Option<Secret>), Failure> {
        let Some(auth) = &connection.settings.auth else {
            return Ok((None, None));
        };
        let credentials = match auth {
            Auth::Basic { username, password } => Credentials::basic(username, password, &self.secrets)?,
            Auth::Bearer(token) => Credentials::bearer(&request::resolve(token, &self.secrets)?)?,
            Auth::ApiKey(api_key) => Credentials::api_key(api_key, &self.secrets)?,
            Auth::Oauth2(oauth2) => {
                let Connection { tokens, client, .. } = connection;
                let token = tokens
                    .current(oauth2, &self.secrets, client, timeout, name)
                    .await?;
                return Ok((Some(Credentials::bearer(&token)?), Some(token)));
            }
        };
        Ok((Some(credentials), None))
    }

    /// The answer to a task's request. A request that is refused for its token, which may have been withdrawn before its
    /// time, is sent once more with another: who refuses a login has done nothing.
    ///
    /// # Errors
    /// Where nothing was sent.
    async fn ask(
        &self,
        context: &TaskContext,
        at: Option<&Url>,
        used: u64,
    ) -> Result<(Sending<'_>, Result<Received, SendError>), Failure> {
        let mut sending = self.prepare(context, at).await?;
        sending.bounds.max_bytes = sending.bounds.max_bytes.saturating_sub(used);
        let client = &sending.connection.client;
        let received = client.send(sending.take_request(), sending.bounds).await;
        let Some(token) = sending.token.take() else {
            return Ok((sending, received));
        };
        match received {
            Ok(received) if received.status == StatusCode::UNAUTHORIZED && !received.is_behind => {
                sending.connection.tokens.refused(&token).await;
                let mut sending = self.prepare(context, at).await?;
                let received = client.send(sending.take_request(), sending.bounds).await;
                Ok((sending, received))
            }
            received => Ok((sending, received)),
        }
    }
}

impl HttpAdapter {
    /// All pages from the first one on, as one answer.
    async fn pages(
        &self,
        context: &TaskContext,
        pagination: &Pagination,
        mut sending: Sending<'_>,
        mut received: Result<Received, SendError>,
    ) -> Outcome {
        let (mut items, mut bytes) = (Vec::new(), 0);
        for number in 1.. {
            let page = match received {
                Ok(page) if page.status.is_success() => page,
                other => return sending.outcome(other),
            };
            bytes += page.body.len() as u64;
            let body: Json = serde_json::from_slice(&page.body).map_err(|error| {
                Failure::permanent(format!(
                    "{} answers with a page that is no JSON: {error}",
                    sending.shown
                ))
            })?;
            let found = pagination.read(&body, &sending.shown.to_string())?;
            let next = pagination.next(&sending.url, &page, &body, found.len(), number)?;
            items.extend(found);
            let Some(next) = next else {
                let answer = sending.outcome(Ok(page))?;
                return Ok(answer
                    .with("body", Value::Json(items.into()))
                    .with("pages", i64::from(number)));
            };
            if number >= pagination.max_pages() {
                return Err(Failure::permanent(format!(
                    "{} has more than {number} pages: ask for fewer, or raise `max_pages` of the input `pagination`",
                    sending.shown
                ))
                .into());
            }
            (sending, received) = self.ask(context, Some(&next), bytes).await?;
        }
        Err(Failure::permanent("there are more pages than can be counted").into())
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
    shown: Shown,
    /// The token that it carries, where a service may have ceased to take it.
    token: Option<Secret>,
    /// Where it goes, without a login.
    url: Url,
    /// As what the answer's body is given.
    form: Form,
    mapping: Mapping,
    pagination: Option<Pagination>,
}

impl Sending<'_> {
    /// What came of it, as the task has it.
    fn outcome(&self, received: Result<Received, SendError>) -> Outcome {
        match received {
            Ok(received) => {
                let received = self.without_key(received);
                answer::outcome(received, &self.accepted, self.form, &self.shown, &self.url)
            }
            Err(error) => {
                let place = format!("services.http.{}", self.connection_name);
                Err(http_client::failure(&error, &self.shown.to_string(), &place).into())
            }
        }
    }

    /// An answer whose address does not hold the connection's key.
    fn without_key(&self, mut received: Received) -> Received {
        if let Some(Auth::ApiKey(ApiKey { query: Some(_), .. })) = &self.connection.settings.auth
            && let Ok(uri) = self.url.as_str().parse()
        {
            received.uri = uri;
        }
        received
    }

    fn take_request(&mut self) -> Request<Full<Bytes>> {
        std::mem::take(&mut self.request)
    }
}

#[async_trait]
impl Adapter for HttpAdapter {
    fn description(&self) -> AdapterDescription {
        let topic = TopicDescription::new::<Inputs, HttpAnswer>(TOPIC, "Sends an HTTP request")
            .asks(["method", "url", "connection", "query", "headers", "body"])
            .keeps(["status", "body"])
            .version(2)
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
        let (mut sending, received) = self.ask(&context, None, 0).await.map_err(Failure::nothing_done)?;
        let mapping = std::mem::take(&mut sending.mapping);
        let answer = match sending.pagination.take() {
            Some(pagination) => self.pages(&context, &pagination, sending, received).await?,
            None => {
                let is_behind = received.as_ref().is_ok_and(|received| received.is_behind);
                match sending.outcome(received) {
                    // It is not the request that was refused.
                    Err(TaskError::Bpmn(error)) if is_behind && self.effect(&context) == Effect::Once => {
                        let message = format!("the request was taken, and {}", error.message);
                        return Err(Failure::permanent(message).into());
                    }
                    outcome => outcome?,
                }
            }
        };
        mapping.add(answer, &context).await
    }

    /// Whether every connection's secrets can be had and its certificates read. Nothing is sent anywhere.
    async fn health(&self) -> Result<(), String> {
        for (name, Connection { settings, .. }) in self.connections.iter() {
            for setting in settings.secrets() {
                setting
                    .resolve(&self.secrets)
                    .map_err(|error| format!("services.http.{name}: {error}"))?;
            }
            let trust = settings.trust();
            if trust != Trust::default() {
                let read = tokio::task::spawn_blocking(move || trust.check());
                let read = read.await.map_err(|error| error.to_string())?;
                read.map_err(|error| {
                    let key = match &error {
                        TlsError::Key { .. } => ".key_file",
                        TlsError::Certificates { file, .. } if Some(file) == settings.ca_file.as_ref() => {
                            ".ca_file"
                        }
                        TlsError::Certificates { .. } => ".certificate_file",
                        _ => "",
                    };
                    format!("services.http.{name}{key}: {error}")
                })?;
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
        follow: if inputs.follow_redirects {
            settings.redirects
        } else {
            Follow::Never
        },
    })
}
