//! RabbitMQ: tasks that publish (the topic `message_publish`), and queues whose messages start processes and continue them.
//!
//! A connection ([`ConnectionSettings`]) is opened when it is first needed and again where it broke. A message counts as
//! published when the broker has confirmed it; one that is taken from a queue is acknowledged when the engine has it.

mod adapter;
mod consume;
mod dispatch;
mod events;
mod inputs;
mod link;
mod message;
mod publish;
mod settings;
mod socket;

#[cfg(test)]
mod tests;

pub use adapter::{BrokerAdapter, NAME};
pub use settings::{ConnectionSettings, QueueSettings};
