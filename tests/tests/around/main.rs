//! Models that come around the gate to an engine that the kernel is attached to: how they are found, told and stopped,
//! and what somebody may try so that they are not.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "test code"
)]

mod attempts;
mod log;
mod world;
