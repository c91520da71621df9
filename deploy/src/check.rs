//! What can be said about a bundle without an engine.

use diagnostics::Report;

use crate::Bundle;

impl Bundle {
    /// Everything that is wrong with the models, each by itself and together, in the order of the files.
    #[must_use]
    pub fn check(&self) -> Report {
        Report::default()
    }
}
