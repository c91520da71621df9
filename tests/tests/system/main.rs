//! The whole of ProcOS as a user runs it: `procos up` boots the engine, and the other commands talk to it.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "test code"
)]

mod dispatch;
mod docker;
mod encodings;
mod gate;
mod gateway;
mod java;
mod journeys;
mod templates;
mod world;
