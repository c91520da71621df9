//! Offers the tasks that wait, as long as it has the right to.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use engine_client::{EngineClient, EngineError};
use tokio::time::sleep;
use worker_api::{Dispatch, Failure, Inbound, InboundContext, Lead, async_trait};

use crate::book::Book;

/// Asked again this soon while there is work.
const BUSY: Duration = Duration::from_millis(50);

/// How often it is looked whether the one who offers is gone.
const STANDBY: Duration = Duration::from_secs(2);

/// Bytes that the name of a topic may have to be part of a queue's name.
const LONGEST_TOPIC: usize = 200;

/// How offers are made.
#[derive(Clone, Copy, Debug)]
pub struct DispatcherSettings {
    /// How long after a question that has found nothing the engine is asked again.
    pub interval: Duration,
    /// How many tasks of a topic are on offer at once.
    pub ahead: usize,
    /// How long an offer stands that nobody takes; then it is made anew.
    pub lifetime: Duration,
}

/// Offers the engine's waiting tasks. Of several, one works and the others stand by.
#[derive(Debug)]
pub struct Dispatcher {
    engine: EngineClient,
    dispatch: Arc<dyn Dispatch>,
    settings: DispatcherSettings,
}

impl Dispatcher {
    /// One that offers this engine's tasks. Its login has to be allowed to read external tasks.
    #[must_use]
    pub fn new(engine: EngineClient, dispatch: Arc<dyn Dispatch>, settings: DispatcherSettings) -> Self {
        Self {
            engine,
            dispatch,
            settings,
        }
    }

    /// Offers what waits and is not on offer. Says whether there was anything.
    async fn offer(
        &self,
        lead: &dyn Lead,
        book: &mut Book,
        too_long: &mut HashSet<String>,
    ) -> Result<bool, Failure> {
        let now = Instant::now();
        book.forget(now);
        let topics = self.engine.waiting_topics().await.map_err(failure)?;
        let mut any = false;
        for topic in topics {
            if topic.len() > LONGEST_TOPIC {
                if too_long.insert(topic.clone()) {
                    tracing::error!(
                        topic,
                        "the topic's name is longer than {LONGEST_TOPIC} bytes, so that no queue can be called so: its tasks \
                         are not offered; have a pool that is not `dispatched` serve it"
                    );
                }
                continue;
            }
            let waiting = lead.waiting(&topic).await?;
            let ahead = self.settings.ahead;
            // Half of it is still there: enough until the next question.
            if waiting > ahead / 2 {
                continue;
            }
            let tasks = self.engine.waiting_tasks(&topic, ahead).await.map_err(failure)?;
            let offers = book.choose(tasks, waiting, now);
            if !offers.is_empty() {
                any = true;
                lead.offer(&offers, self.settings.lifetime).await?;
                tracing::debug!(topic, offers = offers.len(), "offered");
            }
        }
        Ok(any)
    }

    async fn work(&self, context: &InboundContext) -> Result<(), Failure> {
        let lead = loop {
            match self.dispatch.lead().await? {
                Some(lead) => break lead,
                None => {
                    // It stands by, and that is what it is there for.
                    context.ready();
                    sleep(STANDBY).await;
                }
            }
        };
        tracing::info!("offers the tasks that wait");
        context.ready();
        let (mut book, mut too_long) = (Book::new(self.settings.lifetime), HashSet::new());
        loop {
            let any = self.offer(lead.as_ref(), &mut book, &mut too_long).await?;
            sleep(if any { BUSY } else { self.settings.interval }).await;
        }
    }
}

#[async_trait]
impl Inbound for Dispatcher {
    fn name(&self) -> &str {
        "dispatcher"
    }

    async fn run(&self, context: InboundContext) -> Result<(), Failure> {
        // Offers are hints: there is nothing to end in order.
        let worked = context.stop.run_until_cancelled(self.work(&context)).await;
        worked.unwrap_or(Ok(()))
    }
}

/// What an engine's error means for what is run again and again.
pub(crate) fn failure(error: EngineError) -> Failure {
    let message = format!("the engine cannot be asked: {error}");
    Failure::retryable(message).caused_by(&error)
}
