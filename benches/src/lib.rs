//! What the benchmarks in `src/bin/` stand on. Each of them runs the release build on the real engine and prints a
//! table of figures beside their targets. None of them is a test: what a clock says on a busy machine is for a
//! person to judge.

mod load;
mod machine;
mod rest;
mod setup;
mod spread;
mod started;
mod system;
mod usage;

pub mod bare;

pub use load::run_order_checks;
pub use machine::Machine;
pub use rest::Rest;
pub use setup::{Setup, interrupted, workspace};
pub use spread::Spread;
pub use started::Started;
pub use system::{Boot, System};
pub use usage::Usage;
