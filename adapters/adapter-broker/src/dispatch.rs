//! Tasks that are offered on a direct exchange, in a queue for each topic.
//!
//! Who offers holds an exclusive queue, which the broker gives to one connection at a time. Who takes asks for as many as he
//! has room for, and leaves nothing in his hands: what has come beyond that goes back with his channel.

use std::collections::HashSet;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use futures::future::try_join_all;
use futures::stream::select_all;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, BasicQosOptions, ExchangeDeclareOptions,
    QueueBindOptions, QueueDeclareOptions,
};
use lapin::protocol::{AMQPErrorKind, AMQPSoftError};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Confirmation, Connection, Consumer, ErrorKind, ExchangeKind};
use tokio::time::{Instant, timeout, timeout_at};
use worker_api::{Dispatch, Failure, Lead, Offer, async_trait};

use crate::link::Broker;

/// The exchange, and what the names of its queues begin with.
pub(crate) const EXCHANGE: &str = "procos.dispatch";

/// The queue whose owner offers.
const LEADER: &str = "procos.dispatch.leader";

/// After the first offer: how long nothing may come until what is there is all that there is.
const GATHER: Duration = Duration::from_millis(5);

/// When the broker deletes a queue that nobody uses, in milliseconds: a day.
const EXPIRES: i32 = 24 * 60 * 60 * 1000;

/// The offers on a connection.
pub(crate) struct Offers {
    broker: Arc<Broker>,
    /// Topics whose queues are there.
    declared: Mutex<HashSet<String>>,
}

impl Offers {
    pub(crate) fn new(broker: Arc<Broker>) -> Self {
        Self {
            broker,
            declared: Mutex::default(),
        }
    }

    /// Makes the exchange and the topics' queues, unless they were made by this one before.
    async fn declare(&self, connection: &Connection, topics: &[&str]) -> Result<(), Failure> {
        let unknown: Vec<&str> = {
            let declared = self.declared();
            let unknown = topics.iter().filter(|topic| !declared.contains(**topic));
            unknown.copied().collect()
        };
        if unknown.is_empty() {
            return Ok(());
        }
        let declaring = async {
            let channel = connection.create_channel().await?;
            declare_exchange(&channel).await?;
            try_join_all(unknown.iter().map(|topic| declare_queue(&channel, topic))).await
        };
        self.broker.within(declaring).await?;
        self.declared().extend(unknown.into_iter().map(str::to_owned));
        Ok(())
    }

    /// A channel on which offers of the topics come, no more for each of them than its share.
    async fn consume(
        &self,
        connection: &Connection,
        topics: &[&str],
        at_most: usize,
    ) -> Result<(Channel, Vec<Consumer>), Failure> {
        let share = u16::try_from(at_most.div_ceil(topics.len().max(1))).unwrap_or(u16::MAX);
        let consuming = async {
            let channel = connection.create_channel().await?;
            channel.basic_qos(share, BasicQosOptions::default()).await?;
            let queues: Vec<String> = topics.iter().map(|topic| queue(topic)).collect();
            let consumers = queues.iter().map(|queue| {
                channel.basic_consume(
                    queue.as_str().into(),
                    "".into(),
                    BasicConsumeOptions::default(),
                    FieldTable::default(),
                )
            });
            let consumers = try_join_all(consumers).await?;
            Ok((channel, consumers))
        };
        let consumers = self.broker.within(consuming).await;
        if consumers.is_err() {
            // Somebody may have deleted the queues.
            self.declared().clear();
        }
        consumers
    }

    fn declared(&self) -> std::sync::MutexGuard<'_, HashSet<String>> {
        self.declared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Offers {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Offers").field(&self.broker.name).finish()
    }
}

#[async_trait]
impl Dispatch for Offers {
    async fn take(&self, topics: &[&str], at_most: usize, within: Duration) -> Result<Vec<Offer>, Failure> {
        let connection = self.broker.shared().await?;
        self.declare(&connection, topics).await?;
        let (channel, consumers) = self.consume(&connection, topics, at_most).await?;
        let mut deliveries = select_all(consumers);
        let (mut offers, mut until) = (Vec::new(), Instant::now() + within);
        while offers.len() < at_most {
            let Ok(delivery) = timeout_at(until, deliveries.next()).await else {
                break;
            };
            let delivery = match delivery {
                Some(Ok(delivery)) => delivery,
                Some(Err(error)) => return Err(self.broker.trouble(&error)),
                None => return Err(Failure::retryable("the broker has ended the consumer of offers")),
            };
            let acknowledged = delivery.ack(BasicAckOptions::default()).await;
            acknowledged.map_err(|error| self.broker.trouble(&error))?;
            if let Ok(task_id) = String::from_utf8(delivery.data) {
                let topic = delivery.routing_key.to_string();
                offers.push(Offer { topic, task_id });
            }
            until = Instant::now() + GATHER;
        }
        // What has come and was not acknowledged goes back at once, not when the last of its users is dropped.
        self.broker.within(channel.close(200, "enough".into())).await?;
        Ok(offers)
    }

    async fn lead(&self) -> Result<Option<Box<dyn Lead>>, Failure> {
        let connection = self.broker.connect("dispatcher").await?;
        let channel = self.broker.open(&connection).await?;
        let mine = QueueDeclareOptions {
            exclusive: true,
            ..QueueDeclareOptions::default()
        };
        let declared = channel.queue_declare(LEADER.into(), mine, FieldTable::default());
        match timeout(self.broker.settings.timeout, declared).await {
            Ok(Err(error)) if is_locked(&error) => return Ok(None),
            Ok(Err(error)) => return Err(self.broker.trouble(&error)),
            Ok(Ok(_)) => {}
            Err(_) => return Err(Failure::retryable("the broker has not said who offers tasks")),
        }
        self.broker.within(declare_exchange(&channel)).await?;
        Ok(Some(Box::new(Leading {
            broker: Arc::clone(&self.broker),
            channel,
            _connection: connection,
        })))
    }
}

/// The right to offer: it ends with the connection.
struct Leading {
    broker: Arc<Broker>,
    channel: Channel,
    _connection: Connection,
}

#[async_trait]
impl Lead for Leading {
    async fn waiting(&self, topic: &str) -> Result<usize, Failure> {
        let count = self.broker.within(declare_queue(&self.channel, topic)).await?;
        Ok(usize::try_from(count).unwrap_or(usize::MAX))
    }

    async fn offer(&self, offers: &[Offer], lifetime: Duration) -> Result<(), Failure> {
        let properties = BasicProperties::default()
            .with_app_id("procos".into())
            .with_expiration(lifetime.as_millis().to_string().into());
        let offering = async {
            let published = offers.iter().map(|offer| {
                self.channel.basic_publish(
                    EXCHANGE.into(),
                    offer.topic.as_str().into(),
                    BasicPublishOptions::default(),
                    offer.task_id.as_bytes(),
                    properties.clone(),
                )
            });
            try_join_all(try_join_all(published).await?).await
        };
        let confirmed = self.broker.within(offering).await?;
        match confirmed.iter().all(|it| matches!(it, Confirmation::Ack(_))) {
            true => Ok(()),
            false => Err(Failure::retryable("the broker does not take offers now")),
        }
    }
}

fn queue(topic: &str) -> String {
    format!("{EXCHANGE}.{topic}")
}

async fn declare_exchange(channel: &Channel) -> lapin::Result<()> {
    let durable = ExchangeDeclareOptions {
        durable: true,
        ..ExchangeDeclareOptions::default()
    };
    channel
        .exchange_declare(
            EXCHANGE.into(),
            ExchangeKind::Direct,
            durable,
            FieldTable::default(),
        )
        .await
}

/// Makes a topic's queue where it is not there, and says how many offers are in it.
async fn declare_queue(channel: &Channel, topic: &str) -> lapin::Result<u32> {
    let mut arguments = FieldTable::default();
    arguments.insert("x-expires".into(), AMQPValue::LongInt(EXPIRES));
    let queue = queue(topic);
    let declared = channel
        .queue_declare(queue.as_str().into(), QueueDeclareOptions::durable(), arguments)
        .await?;
    channel
        .queue_bind(
            queue.as_str().into(),
            EXCHANGE.into(),
            topic.into(),
            QueueBindOptions::default(),
            FieldTable::default(),
        )
        .await?;
    Ok(declared.message_count())
}

/// Whether another connection has the queue.
fn is_locked(error: &lapin::Error) -> bool {
    let ErrorKind::ProtocolError(refused) = error.kind() else {
        return false;
    };
    matches!(refused.kind(), AMQPErrorKind::Soft(AMQPSoftError::RESOURCELOCKED))
}
