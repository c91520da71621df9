//! The client and a server on the network: logins, encryption, time, connections, and every way for an answer not to
//! come. The server is on the loopback interface; what answers is scripted by each test.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "test code"
)]

mod authority;
mod clock;
mod connections;
mod downloads;
mod logins;
mod refusals;
mod rollbacks;
mod server;
mod timeouts;
mod tls;
mod token_failures;
mod tokens;
