//! The adapters as a user has them: `procos worker` on a real engine, and the real services that they speak to.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "test code"
)]

mod ai;
mod broker;
mod dispatch;
mod email;
mod file;
mod letters;
mod program;
mod slack;
mod sql;
mod tickets;
mod webhook;
mod world;
