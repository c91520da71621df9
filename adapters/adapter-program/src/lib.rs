//! Adapters that are programs, in Python or JavaScript, which nobody has to build into ProcOS.
//!
//! A program is a folder with a manifest, `adapter.json`, which says what an adapter in Rust says about itself: its topics, with
//! the schemas of inputs and answers, and their errors (`manifest`). For each task it is run in a cell of the sandbox, gets one
//! line of JSON on standard input, and writes lines of JSON to standard output (`talk`). It is run by the adapter for scripts,
//! so that it has no more rights than a script.

mod adapter;
mod manifest;
mod talk;

#[cfg(test)]
mod tests;

pub use adapter::{NAME, ProgramAdapter, ProgramSettings};
