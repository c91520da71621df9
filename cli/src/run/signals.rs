//! When to stop, and when to stop at once.

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Told by SIGINT and SIGTERM: the first asks for an orderly stop, the second ends everything at once.
#[derive(Clone, Debug, Default)]
pub(crate) struct Signals {
    /// Cancelled at the first signal.
    pub stop: CancellationToken,
    /// Cancelled at the second.
    pub force: CancellationToken,
}

impl Signals {
    /// Listens from now on, as long as the process lives.
    ///
    /// # Errors
    /// Where the system does not let it.
    pub(crate) fn listen() -> std::io::Result<Self> {
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let signals = Self::default();
        let told = signals.clone();
        tokio::spawn(async move {
            for token in [&told.stop, &told.force] {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
                token.cancel();
            }
        });
        Ok(signals)
    }
}
