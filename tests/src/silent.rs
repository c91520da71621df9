//! A service that takes what is asked and never answers.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};

/// How long closing a connection may take on a busy machine.
const SOON: Duration = Duration::from_secs(60);

/// A silent service on a free port of loopback.
#[derive(Debug)]
pub struct Silent(TcpListener);

impl Silent {
    /// Starts one.
    ///
    /// # Panics
    /// Where there is no port.
    pub async fn start() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").await.expect("a free port"))
    }

    /// Where it listens.
    ///
    /// # Panics
    /// Never: it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.0.local_addr().expect("bound")
    }

    /// Lets a task ask the service, gives the task up, and waits until it has closed its connection.
    ///
    /// # Panics
    /// Where the task ends by itself, or its connection stays open.
    pub async fn gives_up<T: std::fmt::Debug>(self, task: impl Future<Output = T>) {
        let asked = async {
            let (mut stream, _) = self.0.accept().await.expect("a connection");
            assert!(stream.read(&mut [0; 4096]).await.expect("a request") > 0);
            stream
        };
        let stream = {
            let mut task = Box::pin(task);
            tokio::select! {
                ended = &mut task => panic!("it ended: {ended:?}"),
                stream = asked => stream,
            }
        };
        let closed = tokio::time::timeout(SOON, closes(stream)).await;
        closed.expect("a task that is given up closes its connection");
    }
}

/// Reads until the other side closes.
async fn closes(mut stream: TcpStream) {
    while stream.read(&mut [0; 4096]).await.is_ok_and(|read| read > 0) {}
}
