//! Waiting for a condition, with a deadline.

use std::fmt::Display;
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

use tokio::time::Instant;
use uuid::Uuid;

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

/// A TCP port on loopback that nobody has, and that the system gives to no outgoing connection either: those
/// hold theirs for a minute after their end. It is not reserved, so prefer programs that choose their own and say
/// which.
///
/// # Panics
/// Where no port is free.
#[must_use]
pub fn free_port() -> u16 {
    let above = outgoing_from();
    assert!(
        above > FIRST_PORT,
        "outgoing connections may have every port from {above}"
    );
    // Anew each time, so that tests that run at once seldom choose the same one.
    let any = |_| FIRST_PORT + (Uuid::new_v4().as_u128() % u128::from(above - FIRST_PORT)) as u16;
    // Asked by a connection: a socket that tries to listen is held on by whatever is started at this moment.
    let free = |port: &u16| TcpStream::connect((Ipv4Addr::LOCALHOST, *port)).is_err();
    (0..ATTEMPTS).map(any).find(free).expect("a free port")
}

/// Below are those that well-known services have.
const FIRST_PORT: u16 = 10_000;

/// How many ports are tried.
const ATTEMPTS: usize = 100;

/// The first port that Linux gives to outgoing connections (`ip_local_port_range` in ip(7)).
fn outgoing_from() -> u16 {
    let range = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").expect("the range");
    let first = range.split_whitespace().next().expect("two numbers");
    first.parse().expect("a port")
}
