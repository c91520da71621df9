//! What a user can get wrong, end to end: each time the exit status, a message that names file, place and remedy,
//! and nothing half done. One boot serves all tests.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "test code"
)]

mod configuration;
mod connections;
mod incidents;
mod instances;
mod models;
mod random;
mod system;
