//! Script tasks as a user has them: `procos up` against a real engine, and scripts in real sandboxes (bubblewrap's).
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "test code"
)]

mod deployed;
mod documents;
mod errors;
mod expressions;
mod files;
mod languages;
mod limits;
mod policy;
mod refused;
mod world;
