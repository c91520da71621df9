//! How long to wait before the next try.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};

/// The longest of [`delays`], before its jitter.
pub(crate) const LONGEST: Duration = Duration::from_secs(10);

/// Delays without end that double from a tenth of a second up to [`LONGEST`], each with jitter, so that many
/// workers do not come back at once.
pub(crate) fn delays() -> impl Iterator<Item = Duration> + Send {
    ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(100))
        .with_max_delay(LONGEST)
        .with_jitter()
        .without_max_times()
        .build()
}
