//! Waiting for a condition, with a deadline.

use std::fmt::Display;
use std::net::{Ipv4Addr, TcpListener};
use std::time::Duration;

use tokio::time::Instant;

/// Asks `probe` again and again until it says `Ok`, and gives what it says. `Err` is what is still missing.
///
/// # Panics
/// After `within`, with `what` was waited for and the last `Err`.
pub async fn until<T, E: Display>(
    what: &str,
    within: Duration,
    mut probe: impl AsyncFnMut() -> Result<T, E>,
) -> T {
    let deadline = Instant::now() + within;
    let mut pause = Duration::from_millis(10);
    let mut missing = "the question itself had no answer in time".to_owned();
    let asking = async {
        loop {
            match probe().await {
                Ok(answer) => return answer,
                Err(still) => missing = still.to_string(),
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_millis(200));
        }
    };
    match tokio::time::timeout_at(deadline, asking).await {
        Ok(answer) => answer,
        Err(_) => panic!("waited {within:?} in vain until {what}: {missing}"),
    }
}

/// A TCP port on loopback that nobody listens on. It is not reserved: somebody may take it before its user does,
/// so prefer programs that choose their own and say which.
#[must_use]
pub fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("its number").port()
}
