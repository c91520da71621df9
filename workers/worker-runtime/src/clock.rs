//! The clock of the runtime: tests pause it.

use std::time::Instant;

/// The present moment.
pub(crate) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
