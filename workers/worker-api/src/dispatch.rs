//! Tasks that are offered to workers, so that these need not ask the engine; and what has happened, told to others.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::Value as Json;

use crate::Failure;

/// A task that waits for a worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// Its topic.
    pub topic: String,
    /// Its id in the engine.
    pub task_id: String,
}

/// Where tasks are offered and taken.
///
/// An offer is a hint: it may come twice, and one that gets lost is made again. The task is his whose lock the engine takes.
#[async_trait]
pub trait Dispatch: fmt::Debug + Send + Sync + 'static {
    /// Takes offers of these topics, at most so many; waits for the first at most so long.
    ///
    /// # Errors
    /// Where the offers cannot be reached.
    ///
    /// Cancellation: dropped, it may lose what it had taken; that is offered again.
    async fn take(&self, topics: &[&str], at_most: usize, within: Duration) -> Result<Vec<Offer>, Failure>;

    /// The right to offer, which one at a time has, for as long as he keeps it and lives; none while another has it.
    ///
    /// # Errors
    /// Where the offers cannot be reached.
    async fn lead(&self) -> Result<Option<Box<dyn Lead>>, Failure>;
}

/// The right to offer.
#[async_trait]
pub trait Lead: Send + Sync {
    /// How many offers of a topic nobody has taken yet.
    ///
    /// # Errors
    /// Where the offers cannot be reached, or the right is lost.
    async fn waiting(&self, topic: &str) -> Result<usize, Failure>;

    /// Offers tasks to whoever serves their topics. What nobody takes within the lifetime is withdrawn.
    ///
    /// # Errors
    /// As [`Self::waiting`]. Some may have been offered then.
    async fn offer(&self, offers: &[Offer], lifetime: Duration) -> Result<(), Failure>;
}

/// Something that has happened in the engine.
#[derive(Clone, Debug, PartialEq)]
pub struct ProcessEvent {
    /// Its id, the same whenever it is told again.
    pub id: String,
    /// What has happened, such as `procos.instance.started`.
    pub kind: String,
    /// When.
    pub time: Option<Timestamp>,
    /// To what: the process instance's business key, else its id.
    pub subject: Option<String>,
    /// What there is to say of it.
    pub data: Json,
}

/// Who is told what has happened.
#[async_trait]
pub trait EventSink: fmt::Debug + Send + Sync + 'static {
    /// Tells it, in this order; done once it is kept there. Where there is nothing to tell, it makes sure that it could be told.
    ///
    /// # Errors
    /// Where it cannot be told. Some may have been told then.
    async fn tell(&self, events: &[ProcessEvent]) -> Result<(), Failure>;
}
