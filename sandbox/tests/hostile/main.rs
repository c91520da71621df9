//! Hostile scripts: each is stopped on both backends, and each has a twin without the barrier, in which it succeeds.
//!
//! `cargo test -p sandbox --features weakened --test hostile -- --nocapture` prints what stopped each. The bubblewrap half
//! runs as whoever runs it, and as root once more as an ordinary user.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "test code")]

mod cases;
mod more;
mod user;
mod world;
