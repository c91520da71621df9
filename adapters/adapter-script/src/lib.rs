//! Script tasks: Python, JavaScript, shell and Scilab, each run in a sandbox of its own.
//!
//! What a model gives (`inputs`) becomes a script with its inputs and files (`given`); its source stands in the model, in
//! a file of the process's deployment, or in a directory of the operator's (`source`). The sandbox is opened once, by the
//! worker at its start or by the first task (`opening`), and what comes of a run becomes an answer, a BPMN error or a
//! failure (`outcome`).

mod adapter;
mod config;
mod given;
mod inputs;
mod opening;
mod outcome;
mod source;

#[cfg(test)]
mod tests;

pub use adapter::{NAME, ScriptAdapter, TOPICS};
pub use source::ScriptSettings;
