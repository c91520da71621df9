//! The worker on the real engine: every promise of `worker-runtime`, with adapters that the tests script.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "test code"
)]

mod bench;
mod chain;
mod effects;
mod errors;
mod files;
mod inbounds;
mod locks;
mod policy;
mod ports;
mod values;
