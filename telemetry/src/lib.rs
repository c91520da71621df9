//! Logging and metrics set-up, called by the binary alone.
//!
//! Other crates log with `tracing` and tell observers what happens; what becomes of it is decided here.

pub mod logging;
pub mod metrics;
