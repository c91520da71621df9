//! An HTTP service of a test's own.

use std::net::{Ipv4Addr, TcpListener};
use std::thread;

use axum::Router;
use tokio::sync::oneshot;

/// A service on a free port of loopback. It has a thread and a runtime of its own and ends with the value.
#[derive(Debug)]
pub(crate) struct Served {
    address: String,
    _stop: oneshot::Sender<()>,
}

impl Served {
    /// Serves this.
    pub(crate) fn start(app: Router) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        listener.set_nonblocking(true).expect("as tokio wants it");
        let address = format!("http://{}", listener.local_addr().expect("bound"));
        let (stop, stopped) = oneshot::channel();
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
                tokio::select! {
                    ended = axum::serve(listener, app) => ended.expect("it serves"),
                    _ = stopped => {}
                }
            });
        });
        Self { address, _stop: stop }
    }

    /// Where it listens, as `http://127.0.0.1:PORT`.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }
}
