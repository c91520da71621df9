//! Puts models on an engine: [`load()`] reads files and directories into a [`Bundle`], [`Bundle::check`] says what
//! is wrong with it, and [`deploy`] hands it to the engine in one transaction. All of it is deployed or none;
//! what has not changed stays as it is.

mod bundle;
mod check;
mod deployer;
#[cfg(test)]
mod fixtures;
mod load;
mod refused;
mod scripts;

pub use bpmn::{Allowance, FileKind, GateContext, MAX_BYTES};
pub use bundle::{Bundle, Model};
pub use check::Judgement;
pub use deployer::{DeployError, DeployedDefinition, Outcome, deploy};
pub use diagnostics::{Report, Severity};
pub use load::{LoadError, load, load_to_check};
pub use scripts::{NamedScript, named_scripts};
