//! Takes the messages of one queue, gives each to the engine, and only then acknowledges it.

use std::sync::Arc;
use std::time::Duration;

use arrival::{Arrival, Fate, plain};
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use lapin::message::Delivery;
use lapin::options::{
    BasicAckOptions, BasicCancelOptions, BasicConsumeOptions, BasicNackOptions, BasicPublishOptions,
    BasicQosOptions, QueueDeclareOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, Confirmation, Connection};
use serde_json::Value as Json;
use tokio::time::timeout;
use worker_api::{Failure, Inbound, InboundContext, Message, async_trait};

use crate::link::Broker;
use crate::settings::QueueSettings;

/// The header that says why a message lies among the dead letters.
pub(crate) const REASON: &str = "procos-reason";

/// The header that says from which queue it came there.
pub(crate) const QUEUE: &str = "procos-queue";

/// How long the consumer's end may take, so that the broker gives out at once what is not acknowledged.
const FAREWELL: Duration = Duration::from_secs(5);

/// A queue of a connection.
pub(crate) struct Queue {
    broker: Arc<Broker>,
    queue: String,
    name: String,
}

impl Queue {
    pub(crate) fn new(broker: Arc<Broker>, name: &str) -> Self {
        Self {
            name: format!("broker.{}.{name}", broker.name),
            queue: name.to_owned(),
            broker,
        }
    }

    fn settings(&self) -> &QueueSettings {
        // It was made of one of them.
        &self.broker.settings.consume[&self.queue]
    }

    fn dead_letters(&self) -> String {
        let own = self.settings().dead_letters.clone();
        own.unwrap_or_else(|| format!("{}.dead", self.queue))
    }

    /// Makes the queue and that of its dead letters where they are not there.
    async fn declare(&self, connection: &Connection) -> Result<(), Failure> {
        let dead_letters = self.dead_letters();
        for queue in [&self.queue, &dead_letters] {
            // Whoever made it may have made it otherwise: what is there is left as it is. A queue that is not there closes the
            // channel.
            let channel = self.broker.open(connection).await?;
            let there = channel.queue_declare(
                queue.as_str().into(),
                QueueDeclareOptions::durable().passive(),
                FieldTable::default(),
            );
            if there.await.is_ok() {
                continue;
            }
            if !self.settings().declare {
                return Err(Failure::retryable(format!(
                    "there is no queue `{queue}`; make it, or set `declare: true` at {}.consume.{}",
                    self.broker.place(),
                    self.queue
                )));
            }
            let channel = self.broker.open(connection).await?;
            let arguments = arguments((*queue != dead_letters).then_some(&dead_letters));
            let made =
                channel.queue_declare(queue.as_str().into(), QueueDeclareOptions::durable(), arguments);
            made.await.map_err(|error| self.broker.trouble(&error))?;
            tracing::info!(queue, "made a quorum queue");
        }
        Ok(())
    }

    /// Gives a message to the engine, and to the broker what became of it.
    async fn take(
        &self,
        delivery: Delivery,
        channel: &Channel,
        context: &InboundContext,
    ) -> Result<(), Failure> {
        let fate = match self.read(&delivery) {
            Ok(arrival) => {
                arrival
                    .settle(&self.name, self.settings().patience, context)
                    .await?
            }
            Err(reason) => Fate::Refused(reason),
        };
        let acknowledged = match fate {
            Fate::Taken => delivery.ack(BasicAckOptions::default()).await,
            Fate::Stopped => {
                let back = BasicNackOptions {
                    requeue: true,
                    ..BasicNackOptions::default()
                };
                delivery.nack(back).await
            }
            Fate::Nobody(reason) | Fate::Refused(reason) => {
                self.bury(&delivery, &reason, channel).await?;
                delivery.ack(BasicAckOptions::default()).await
            }
        };
        acknowledged
            .map(drop)
            .map_err(|error| self.broker.trouble(&error))
    }

    /// What a message is for the engine, or why it is nothing.
    fn read(&self, delivery: &Delivery) -> Result<Arrival, String> {
        let settings = self.settings();
        let most = self.broker.settings.max_bytes;
        if delivery.data.len() as u64 > most {
            return Err(format!(
                "it has {} bytes, and {most} are allowed",
                delivery.data.len()
            ));
        }
        let payload: Json =
            serde_json::from_slice(&delivery.data).map_err(|error| format!("it is no JSON: {error}"))?;
        let Some(destination) = settings.destination() else {
            return cloud_event(payload, settings);
        };
        let id = match &settings.id {
            Some(path) => path.first(&payload).and_then(plain),
            None => delivery.properties.message_id().as_ref().map(ToString::to_string),
        };
        destination.read(id, payload)
    }

    /// Lays a message among the dead letters, with the reason.
    async fn bury(&self, delivery: &Delivery, reason: &str, channel: &Channel) -> Result<(), Failure> {
        let dead_letters = self.dead_letters();
        tracing::error!(
            queue = self.queue,
            dead_letters,
            reason,
            message_id = delivery.properties.message_id().as_ref().map(ToString::to_string),
            "a message cannot be taken and lies among the dead letters"
        );
        let mut headers = delivery.properties.headers().clone().unwrap_or_default();
        headers.insert(REASON.into(), AMQPValue::LongString(reason.into()));
        headers.insert(QUEUE.into(), AMQPValue::LongString(self.queue.as_str().into()));
        let mandatory = BasicPublishOptions {
            mandatory: true,
            ..BasicPublishOptions::default()
        };
        let burying = async {
            channel
                .basic_publish(
                    "".into(),
                    dead_letters.as_str().into(),
                    mandatory,
                    &delivery.data,
                    delivery.properties.clone().with_headers(headers),
                )
                .await?
                .await
        };
        match timeout(self.broker.settings.timeout, burying).await {
            Ok(Ok(Confirmation::Ack(None))) => Ok(()),
            Ok(Err(error)) => Err(self.broker.trouble(&error)),
            Ok(Ok(_)) | Err(_) => Err(Failure::retryable(format!(
                "the queue `{dead_letters}` does not take a dead letter; make it, or name another as `dead_letters` of {}.consume.{}",
                self.broker.place(),
                self.queue
            ))),
        }
    }
}

/// The arguments of a queue that lasts. What the broker gives up by itself, as it was given out too often for one, goes to the
/// dead letters, too.
pub(crate) fn arguments(dead_letters: Option<&String>) -> FieldTable {
    let mut arguments = FieldTable::default();
    let mut say = |name: &str, value: &str| {
        arguments.insert(name.into(), AMQPValue::LongString(value.into()));
    };
    say("x-queue-type", "quorum");
    if let Some(queue) = dead_letters {
        say("x-dead-letter-exchange", "");
        say("x-dead-letter-routing-key", queue);
    }
    arguments
}

/// A CloudEvent in its JSON format: its type is the message, its subject the business key, the fields of its data the variables.
fn cloud_event(mut event: Json, settings: &QueueSettings) -> Result<Arrival, String> {
    let text = |key: &str| event.get(key).and_then(Json::as_str).map(str::to_owned);
    let (Some(name), Some(id)) = (text("type"), text("id")) else {
        return Err(
            "it is no CloudEvent: it lacks `type` or `id`; for messages of another kind name a `message` or a `process`"
                .to_owned(),
        );
    };
    // The same id from another source is another event.
    let source = text("source").unwrap_or_default();
    let mut message = Message::new(name).once_per(format!("{source} {id}"));
    message.business_key = text("subject");
    message.tenant_id.clone_from(&settings.tenant);
    message.variables = match event.get_mut("data").map(Json::take) {
        None | Some(Json::Null) => worker_api::Variables::new(),
        Some(Json::Object(fields)) => fields
            .into_iter()
            .map(|(name, value)| (name, value.into()))
            .collect(),
        Some(other) => [("payload".to_owned(), other.into())].into(),
    };
    Ok(Arrival::Message(message))
}

#[async_trait]
impl Inbound for Queue {
    fn name(&self) -> &str {
        &self.name
    }

    async fn run(&self, context: InboundContext) -> Result<(), Failure> {
        let connection = self.broker.connect(&self.queue).await?;
        self.declare(&connection).await?;
        let channel = self.broker.open(&connection).await?;
        let trouble = |error: lapin::Error| self.broker.trouble(&error);
        channel
            .basic_qos(self.settings().prefetch, BasicQosOptions::default())
            .await
            .map_err(trouble)?;
        let mut consumer = channel
            .basic_consume(
                self.queue.as_str().into(),
                "procos".into(),
                BasicConsumeOptions::default(),
                FieldTable::default(),
            )
            .await
            .map_err(trouble)?;
        context.ready();
        let mut in_hand = FuturesUnordered::new();
        loop {
            tokio::select! {
                () = context.stop.cancelled() => break,
                Some(taken) = in_hand.next(), if !in_hand.is_empty() => taken?,
                delivery = consumer.next() => match delivery {
                    Some(Ok(delivery)) => in_hand.push(self.take(delivery, &channel, &context)),
                    Some(Err(error)) => return Err(self.broker.trouble(&error)),
                    None => {
                        return Err(Failure::retryable(format!("the broker has ended the consumer of `{}`", self.queue)));
                    }
                },
            }
        }
        let farewell = async {
            let _ = channel
                .basic_cancel("procos".into(), BasicCancelOptions::default())
                .await;
            while let Some(taken) = in_hand.next().await {
                taken?;
            }
            // What has come and was not taken goes back with the connection.
            let _ = connection.close(200, "procos stops".into()).await;
            Ok(())
        };
        timeout(FAREWELL, farewell).await.unwrap_or(Ok(()))
    }
}
