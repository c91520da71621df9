//! The adapter itself: its connections, and one task from end to end.

use std::collections::BTreeMap;
use std::sync::Arc;

use secrets::SecretStore;
use serde_json::Value as Json;
use worker_api::{
    Adapter, AdapterDescription, Answer, Connections, Effect, Failure, Inbound, Outcome, SettingsError,
    TaskContext, TopicDescription, Value, async_trait,
};

use crate::compose::{compose, too_large};
use crate::fill::fill;
use crate::inbox::{FetchInputs, Fetched, Mailbox, Place, effect, fetch, open};
use crate::inputs::{Inputs, Sent};
use crate::problem::{NO_MAILBOX, Problem, REFUSED, REFUSED_RECIPIENT, TOO_LARGE};
use crate::send::send;
use crate::server::Server;
use crate::settings::ConnectionSettings;

/// The adapter's name in routes and under `services`.
pub const NAME: &str = "email";

const SEND: &str = "email_send";

const FETCH: &str = "email_fetch";

/// The adapter of the topics `email_send` and `email_fetch`.
pub struct EmailAdapter {
    connections: Connections<Connection>,
    secrets: SecretStore,
}

struct Connection {
    settings: Arc<ConnectionSettings>,
    server: Server,
}

impl EmailAdapter {
    /// The adapter with its named connections. Nothing is connected yet, and no secret read.
    ///
    /// # Errors
    /// Where the settings of a connection contradict each other or cannot be meant.
    pub fn new(
        connections: BTreeMap<String, ConnectionSettings>,
        secrets: SecretStore,
    ) -> Result<Self, SettingsError> {
        let make = |_: &str, settings: ConnectionSettings| {
            settings.check()?;
            Ok(Connection {
                settings: Arc::new(settings),
                server: Server::default(),
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
            .map(|(name, connection)| (name, connection.settings.as_ref()))
    }

    /// What takes the mails of the mailboxes that are configured, one for each mailbox.
    #[must_use]
    pub fn inbounds(&self) -> Vec<Arc<dyn Inbound>> {
        let mailboxes = self.connections.iter().flat_map(|(name, connection)| {
            let names = connection.settings.receive.keys();
            names.map(move |mailbox| {
                let settings = Arc::clone(&connection.settings);
                Arc::new(Mailbox::new(settings, self.secrets.clone(), name, mailbox)) as _
            })
        });
        mailboxes.collect()
    }

    async fn send(&self, context: &TaskContext) -> Outcome {
        let mut inputs: Inputs = context.inputs()?;
        let Connection { settings, server } = self.connections.get(&inputs.connection)?;
        let place = format!("services.email.{}.smtp", inputs.connection);
        let smtp = settings.smtp.as_ref().ok_or_else(|| {
            Failure::permanent(format!("{place} is not there: the connection sends nothing")).nothing_done()
        })?;
        fill(&mut inputs, context).await?;
        let composed = compose(&inputs, settings, context).await?;
        let mail = composed.message.formatted();
        if mail.len() as u64 > settings.max_bytes {
            return Err(too_large(settings));
        }
        let envelope = composed.message.envelope();
        let sent = async {
            let mut connection = server.connection(smtp, &self.secrets).await?;
            let sent = send(&mut connection, envelope, &mail, smtp.timeout).await;
            if matches!(sent, Ok(()) | Err(Problem::Recipients(_))) {
                server.keep(connection);
            }
            sent
        };
        sent.await.map_err(|problem: Problem| problem.outcome(&place))?;
        let accepted: Json = envelope
            .to()
            .iter()
            .map(|address| Json::from(address.to_string()))
            .collect();
        Ok(Answer::new()
            .with("message_id", composed.id)
            .with("accepted", Value::Json(accepted)))
    }
}

#[async_trait]
impl Adapter for EmailAdapter {
    fn description(&self) -> AdapterDescription {
        AdapterDescription::new(NAME, "Sends email, and takes it from mailboxes").topic(
            TopicDescription::new::<Inputs, Sent>(SEND, "Sends an email")
                .asks(["to", "cc", "subject", "body", "html", "attachments", "connection"])
                .keeps(["message_id"])
                .error(
                    REFUSED_RECIPIENT,
                    "The server refuses one of the recipients; the mail went to nobody, and `refused` says who and why",
                )
                .error(REFUSED, "The server refuses the mail")
                .error(TOO_LARGE, "The mail has more bytes than the connection or the server allows"),
        )
        .topic(
            TopicDescription::new::<FetchInputs, Fetched>(FETCH, "Fetches emails from a mailbox")
                .asks(["mailbox", "from", "subject", "since", "limit", "attachments", "after", "connection"])
                .keeps(["mails"])
                .error(NO_MAILBOX, "The mailbox is not there, or may not be opened"),
        )
    }

    /// A mail cannot be called back, and no server knows one again. What was fetched and marked is not found again.
    fn effect(&self, context: &TaskContext) -> Effect {
        match context.operation.as_str() {
            FETCH => effect(context),
            _ => Effect::Once,
        }
    }

    async fn execute(&self, context: TaskContext) -> Outcome {
        match context.operation.as_str() {
            SEND => self.send(&context).await,
            FETCH => {
                let inputs: FetchInputs = context.inputs()?;
                let connection = self.connections.get(&inputs.connection)?;
                fetch(&inputs, &connection.settings, &self.secrets).await
            }
            other => Err(Failure::permanent(format!(
                "the adapter {NAME} has no topic `{other}`: use {SEND} or {FETCH}"
            ))
            .nothing_done()
            .into()),
        }
    }

    /// Whether every server can be reached and takes the login. Nothing is sent.
    async fn health(&self) -> Result<(), String> {
        for (name, Connection { settings, server }) in self.connections.iter() {
            if let Some(smtp) = &settings.smtp {
                let connection = server
                    .connection(smtp, &self.secrets)
                    .await
                    .map_err(|problem| format!("services.email.{name}.smtp: {problem}"))?;
                server.keep(connection);
            }
            if let Some(imap) = &settings.imap {
                let place = Place {
                    imap,
                    name: format!("services.email.{name}.imap"),
                };
                let session = open(&place, &self.secrets).await;
                let mut session = session.map_err(|failure| failure.message)?;
                let _ = place.within(session.logout()).await;
            }
        }
        Ok(())
    }
}
