//! What comes from outside and goes on in a process: mail, queues, webhooks.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use crate::{Failure, ProcessPort};

/// A source that turns what arrives into starts and correlations.
///
/// It acknowledges what has arrived only after the engine has taken it, so that nothing is lost where the worker is
/// killed in between; and since that means that the same may arrive twice, it starts processes
/// [once per](crate::StartProcess::once_per) an id of the source.
#[async_trait]
pub trait Inbound: Send + Sync + 'static {
    /// Its name in health, logs and configuration.
    fn name(&self) -> &str;

    /// Works until [`InboundContext::stop`] is cancelled, then ends what is in its hands and returns.
    ///
    /// # Errors
    /// Where it cannot go on. It is run again: as [`Failure::retry`] says after a delay that grows, not before a
    /// moment, or, where the failure is permanent, never.
    ///
    /// Cancellation: the future is dropped where it has not ended some time after the stop. A panic counts as a
    /// failure that is retried.
    async fn run(&self, context: InboundContext) -> Result<(), Failure>;
}

/// What an inbound works with.
#[derive(Clone)]
pub struct InboundContext {
    /// Where starts and correlations go.
    pub processes: Arc<dyn ProcessPort>,
    /// Cancelled when it is to take nothing more.
    pub stop: CancellationToken,
    ready: Arc<dyn Fn() + Send + Sync>,
}

impl InboundContext {
    /// A context; `ready` is called when the inbound says that it takes what arrives.
    #[must_use]
    pub fn new(
        processes: Arc<dyn ProcessPort>,
        stop: CancellationToken,
        ready: impl Fn() + Send + Sync + 'static,
    ) -> Self {
        Self {
            processes,
            stop,
            ready: Arc::new(ready),
        }
    }

    /// Says that the source is connected and what arrives is taken. Until then the worker is not ready.
    pub fn ready(&self) {
        (self.ready)();
    }
}

impl fmt::Debug for InboundContext {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("InboundContext")
            .field("processes", &self.processes)
            .finish_non_exhaustive()
    }
}
