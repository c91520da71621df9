//! Time: a clock that only the test moves, and an end to waiting by the real one.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use tokio::task::JoinHandle;

/// While it lives, the runtime's time stands still but for [`Clock::advance`], while sockets go on: what takes an hour
/// by the clock is tested in no time, and a slow machine changes nothing.
///
/// tokio's paused clock moves by itself where nothing can run, except while a blocking task does: here is one.
pub(crate) struct Clock {
    _running: mpsc::Sender<()>,
}

impl Clock {
    pub(crate) fn stopped() -> Self {
        let (running, _) = watch(Duration::from_secs(60));
        tokio::time::pause();
        Self { _running: running }
    }

    pub(crate) async fn advance(&self, by: Duration) {
        tokio::time::advance(by).await;
    }
}

/// What a future gives that is to end by itself; fails the test where it does not, whatever the runtime's clock says.
pub(crate) async fn soon<F: Future>(future: F) -> F::Output {
    let (_running, late) = watch(Duration::from_secs(20));
    tokio::select! {
        output = future => output,
        _ = late => panic!("it does not end"),
    }
}

/// Ends after some real time, or when what it gives is dropped.
fn watch(time: Duration) -> (mpsc::Sender<()>, JoinHandle<bool>) {
    let (running, ended) = mpsc::channel::<()>();
    let late =
        tokio::task::spawn_blocking(move || ended.recv_timeout(time) == Err(RecvTimeoutError::Timeout));
    (running, late)
}
