//! `worker-runtime` and `engine-client` as libraries: their examples as programs on the real engine, and what a
//! worker of one's own promises there.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "test code"
)]

mod client;
mod example;
mod handlers;
mod workers;
