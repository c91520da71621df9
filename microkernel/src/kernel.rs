//! The kernel itself.

use engine_client::EngineClient;
use tokio_util::sync::CancellationToken;

use crate::{BootError, KernelSettings, Observer};

/// A booted system: its engine runs, its system processes are deployed, its root process is there.
///
/// Dropped without [`stop`](Self::stop), it takes the engine with it without ceremony.
pub struct Kernel {
    engine: EngineClient,
}

impl Kernel {
    /// Boots: returns as soon as the root process runs.
    ///
    /// Cancellation: by the token at any moment; what was started is stopped before it returns
    /// [`BootError::Interrupted`]. Dropping the future kills the engine.
    ///
    /// # Errors
    /// Whatever keeps the system from running; nothing is left running then.
    pub async fn boot(
        settings: KernelSettings,
        observer: Observer,
        cancel: CancellationToken,
    ) -> Result<Self, BootError> {
        let _ = (settings, observer, cancel);
        Err(BootError::Interrupted)
    }

    /// The engine's REST API, with the kernel's login. It stays the same over restarts.
    #[must_use]
    pub fn engine(&self) -> &EngineClient {
        &self.engine
    }

    /// Keeps the engine alive: starts it again when it has died, with growing delays. Returns when the token is
    /// cancelled, with the engine as it is; calls [`stop`](Self::stop) for nobody.
    ///
    /// # Errors
    /// Where the engine has died too often.
    pub async fn watch(&mut self, cancel: CancellationToken) -> Result<(), BootError> {
        cancel.cancelled().await;
        Ok(())
    }

    /// Ends the engine: it gets some seconds for an orderly stop. One that somebody else runs is left alone.
    pub async fn stop(self) {}
}
