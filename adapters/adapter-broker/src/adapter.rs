//! The adapter itself: its connections, one task from end to end, and its queues.

use std::collections::BTreeMap;
use std::sync::Arc;

use secrets::SecretStore;
use worker_api::{
    Adapter, AdapterDescription, Connections, Dispatch, Effect, EventSink, Failure, Inbound, Outcome,
    SettingsError, TaskContext, TopicDescription, async_trait,
};

use crate::consume::Queue;
use crate::dispatch::Offers;
use crate::events::Events;
use crate::inputs::{Inputs, Published};
use crate::link::Broker;
use crate::publish::{NO_EXCHANGE, REFUSED, UNROUTABLE, publish};
use crate::settings::ConnectionSettings;

/// The adapter's name in routes and under `services`.
pub const NAME: &str = "broker";

const PUBLISH: &str = "message_publish";

/// The adapter of the topic `message_publish`.
pub struct BrokerAdapter {
    connections: Connections<Arc<Broker>>,
}

impl BrokerAdapter {
    /// The adapter with its named connections. Nothing is connected yet, and no secret read.
    ///
    /// # Errors
    /// Where the settings of a connection contradict each other or cannot be meant.
    pub fn new(
        connections: BTreeMap<String, ConnectionSettings>,
        secrets: SecretStore,
    ) -> Result<Self, SettingsError> {
        let make = |name: &str, settings| Broker::new(name, settings, secrets.clone()).map(Arc::new);
        Ok(Self {
            connections: Connections::build("connection", NAME, connections, make)?,
        })
    }

    /// The connections' settings as they are in force, by name.
    pub fn connections(&self) -> impl Iterator<Item = (&str, &ConnectionSettings)> {
        self.connections
            .iter()
            .map(|(name, broker)| (name, &broker.settings))
    }

    /// What takes the messages of the queues that are configured, one for each queue.
    #[must_use]
    pub fn inbounds(&self) -> Vec<Arc<dyn Inbound>> {
        let queues = self.connections.iter().flat_map(|(_, broker)| {
            let names = broker.settings.consume.keys();
            names.map(|name| Arc::new(Queue::new(Arc::clone(broker), name)) as _)
        });
        queues.collect()
    }

    /// The tasks that are offered on a connection.
    ///
    /// # Errors
    /// Where there is no connection of that name.
    pub fn dispatch(&self, connection: &str) -> Result<Arc<dyn Dispatch>, Failure> {
        let broker = self.connections.get(connection)?;
        Ok(Arc::new(Offers::new(Arc::clone(broker))))
    }

    /// Where events are told on a connection: an exchange, made where it is not there.
    ///
    /// # Errors
    /// Where there is no connection of that name.
    pub fn events(&self, connection: &str, exchange: &str) -> Result<Arc<dyn EventSink>, Failure> {
        let broker = self.connections.get(connection)?;
        Ok(Arc::new(Events::new(Arc::clone(broker), exchange)))
    }
}

#[async_trait]
impl Adapter for BrokerAdapter {
    fn description(&self) -> AdapterDescription {
        AdapterDescription::new(NAME, "Publishes messages to RabbitMQ, and takes them from its queues").topic(
            TopicDescription::new::<Inputs, Published>(PUBLISH, "Publishes a message to RabbitMQ")
                .asks(["exchange", "routing_key", "payload", "event_type", "subject", "connection"])
                .keeps(["message_id"])
                .error(NO_EXCHANGE, "The exchange is not there")
                .error(UNROUTABLE, "No queue gets the message, and it is `mandatory`")
                .error(
                    REFUSED,
                    "The broker does not take the message, as it is too large, or the operator lets tasks publish to other \
                     exchanges alone",
                ),
        )
    }

    /// Whoever takes it takes it twice, unless its id is looked at.
    fn effect(&self, context: &TaskContext) -> Effect {
        let is_repeatable = context
            .inputs_named::<Inputs>(&["repeatable"])
            .is_ok_and(|inputs| inputs.repeatable);
        if is_repeatable {
            Effect::Repeatable
        } else {
            Effect::Once
        }
    }

    async fn execute(&self, context: TaskContext) -> Outcome {
        if context.operation != PUBLISH {
            return Err(Failure::permanent(format!(
                "the adapter {NAME} has no topic `{}`: use {PUBLISH}",
                context.operation
            ))
            .nothing_done()
            .into());
        }
        let inputs: Inputs = context.inputs()?;
        publish(&inputs, self.connections.get(&inputs.connection)?, &context).await
    }

    /// Whether every broker can be reached and takes its login.
    async fn health(&self) -> Result<(), String> {
        for (_, broker) in self.connections.iter() {
            let channel = broker.channel().await.map_err(|failure| failure.message)?;
            broker.give_back(channel);
        }
        Ok(())
    }
}
