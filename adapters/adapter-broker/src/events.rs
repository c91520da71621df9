//! What has happened, told on a topic exchange as CloudEvents, whose routing keys are their types.

use std::fmt;
use std::sync::Arc;

use futures::future::try_join_all;
use lapin::options::{BasicPublishOptions, ExchangeDeclareOptions};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Confirmation, ExchangeKind};
use serde_json::json;
use worker_api::{EventSink, Failure, ProcessEvent, async_trait};

use crate::link::Broker;
use crate::message::CLOUD_EVENT;

/// The exchange for events on a connection.
pub(crate) struct Events {
    broker: Arc<Broker>,
    exchange: String,
}

impl Events {
    pub(crate) fn new(broker: Arc<Broker>, exchange: &str) -> Self {
        Self {
            broker,
            exchange: exchange.to_owned(),
        }
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { broker, exchange } = self;
        formatter
            .debug_struct("Events")
            .field("connection", &broker.name)
            .field("exchange", exchange)
            .finish()
    }
}

#[async_trait]
impl EventSink for Events {
    async fn tell(&self, events: &[ProcessEvent]) -> Result<(), Failure> {
        let channel = self.broker.channel().await?;
        let durable = ExchangeDeclareOptions {
            durable: true,
            ..ExchangeDeclareOptions::default()
        };
        let declared = channel.exchange_declare(
            self.exchange.as_str().into(),
            ExchangeKind::Topic,
            durable,
            FieldTable::default(),
        );
        self.broker.within(declared).await?;
        let bodies: Vec<Vec<u8>> = events.iter().map(cloud_event).collect();
        let telling = async {
            let published = events.iter().zip(&bodies).map(|(event, body)| {
                let properties = BasicProperties::default()
                    .with_message_id(event.id.as_str().into())
                    .with_content_type(CLOUD_EVENT.into())
                    .with_delivery_mode(2)
                    .with_app_id("procos".into());
                channel.basic_publish(
                    self.exchange.as_str().into(),
                    event.kind.as_str().into(),
                    BasicPublishOptions::default(),
                    body,
                    properties,
                )
            });
            try_join_all(try_join_all(published).await?).await
        };
        let confirmed = self.broker.within(telling).await?;
        self.broker.give_back(channel);
        match confirmed.iter().all(|it| matches!(it, Confirmation::Ack(_))) {
            true => Ok(()),
            false => Err(Failure::retryable(format!(
                "the broker does not take events on `{}` now",
                self.exchange
            ))),
        }
    }
}

/// The event in the JSON format of CloudEvents 1.0.
fn cloud_event(event: &ProcessEvent) -> Vec<u8> {
    let mut told = json!({
        "specversion": "1.0", "id": event.id, "source": "urn:procos", "type": event.kind,
        "datacontenttype": "application/json", "data": event.data,
    });
    if let Some(time) = event.time {
        told["time"] = time.to_string().into();
    }
    if let Some(subject) = &event.subject {
        told["subject"] = subject.as_str().into();
    }
    told.to_string().into_bytes()
}
