//! The adapter itself: its connections, and one task from end to end.

use std::collections::BTreeMap;

use secrets::SecretStore;
use serde_json::json;
use worker_api::{
    Adapter, AdapterDescription, Connections, Effect, Failure, Inquiry, Outcome, SettingsError, TaskContext,
    TaskError, TopicDescription, async_trait,
};

use crate::api::{NO_CHANNEL, REFUSED, Slack};
use crate::inputs::{Inputs, Posted};
use crate::send::{look, send};
use crate::settings::ConnectionSettings;

/// The adapter's name in routes and under `services`.
pub const NAME: &str = "slack";

const MESSAGE: &str = "slack_message";

/// The adapter of the topic `slack_message`.
pub struct SlackAdapter {
    connections: Connections<Slack>,
}

impl SlackAdapter {
    /// The adapter with its named connections. Nothing is sent yet, and no secret read.
    ///
    /// # Errors
    /// Where the settings of a connection contradict each other or cannot be meant.
    pub fn new(
        connections: BTreeMap<String, ConnectionSettings>,
        secrets: SecretStore,
    ) -> Result<Self, SettingsError> {
        let make = |name: &str, settings| Slack::new(name, settings, secrets.clone());
        Ok(Self {
            connections: Connections::build("connection", NAME, connections, make)?,
        })
    }

    /// The connections' settings as they are in force, by name.
    pub fn connections(&self) -> impl Iterator<Item = (&str, &ConnectionSettings)> {
        self.connections
            .iter()
            .map(|(name, slack)| (name, &slack.settings))
    }
}

#[async_trait]
impl Adapter for SlackAdapter {
    fn description(&self) -> AdapterDescription {
        AdapterDescription::new(NAME, "Writes to Slack").topic(
            TopicDescription::new::<Inputs, Posted>(MESSAGE, "Posts a message to Slack")
                .asks(["channel", "message", "blocks", "thread", "update", "files", "connection"])
                .keeps(["message_id", "channel"])
                .error(
                    NO_CHANNEL,
                    "The channel is not there, is archived, or the app is not in it; `reason` has Slack's word for it",
                )
                .error(
                    REFUSED,
                    "Slack refuses the message, or the operator lets tasks write to other channels alone; `reason` says why",
                ),
        )
    }

    /// Whoever reads it reads it twice. To replace a message by the same again does nothing.
    fn effect(&self, context: &TaskContext) -> Effect {
        let updates = context
            .inputs_named::<Inputs>(&["update"])
            .is_ok_and(|inputs| inputs.update.is_some());
        if updates { Effect::Repeatable } else { Effect::Once }
    }

    /// Looks into the channel, where the app may.
    async fn inquire(&self, context: &TaskContext) -> Inquiry {
        let Ok(inputs) = context.inputs::<Inputs>() else {
            return Inquiry::Unknown;
        };
        match self.connections.get(&inputs.connection) {
            Ok(slack) => look(&inputs, slack, context).await,
            Err(_) => Inquiry::Unknown,
        }
    }

    async fn execute(&self, context: TaskContext) -> Outcome {
        if context.operation != MESSAGE {
            return Err(Failure::permanent(format!(
                "the adapter {NAME} has no topic `{}`: use {MESSAGE}",
                context.operation
            ))
            .nothing_done()
            .into());
        }
        let inputs: Inputs = context.inputs()?;
        let slack = self.connections.get(&inputs.connection)?;
        send(&inputs, slack, &context).await
    }

    /// Whether every token is taken. Incoming webhooks cannot be asked.
    async fn health(&self) -> Result<(), String> {
        for (_, slack) in self.connections.iter() {
            if slack.settings.token.is_none() {
                continue;
            }
            match slack.call("auth.test", &json!({})).await {
                Ok(_) => {}
                Err(TaskError::Failure(failure)) => return Err(failure.message),
                Err(error) => return Err(error.to_string()),
            }
        }
        Ok(())
    }
}
