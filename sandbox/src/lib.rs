//! Runs code nobody trusts: one interface, two backends, and a self-test that a backend has to pass.
//!
//! A [`Sandbox`] runs a [`Script`] within [`Limits`] and gives a [`Report`]. Each run has a cell of its own, made by a
//! backend (`cell`) and used once: no network, a read-only root, an unprivileged user without capabilities, a system call
//! filter, and a bounded working directory in memory. Cells are made ahead (`shelf`), so that neither the start of a
//! container nor that of an interpreter is on a task's path. Within a cell waits a harness (`protocol`); who watches the run,
//! counts what it writes and ends it is outside (`conduct`).
//!
//! Before a backend is used it has to stop hostile probes (`selftest`). One that lets a single one through is refused.

#[cfg(target_os = "linux")]
mod bubblewrap;
mod cell;
mod conduct;
mod docker;
mod error;
mod language;
mod launcher;
mod limits;
mod owner;
mod protocol;
mod sandbox;
mod scilab;
mod script;
mod seccomp;
mod selftest;
mod settings;
mod shelf;

#[cfg(test)]
mod harness_tests;

pub use error::SandboxError;
pub use language::{Language, UnknownLanguage};
pub use launcher::{LauncherError, serve};
pub use limits::{Level, Limit, Limits, Tightened};
pub use sandbox::Sandbox;
pub use script::{Ending, InputFile, LimitHit, OutputFile, Report, Script, ScriptError};
#[cfg(feature = "weakened")]
pub use selftest::attack;
pub use selftest::{Probe, SelfTest};
#[cfg(feature = "weakened")]
pub use settings::Weakened;
pub use settings::{BackendChoice, Settings};
