//! Whether a model is likely to do what is meant: warnings, not refusals.

mod complexity;
mod errors;
mod flow;
mod gateways;
mod references;
mod timers;
mod together;

pub use complexity::complexity;
pub(crate) use together::together;

use diagnostics::Diagnostic;

use crate::Model;
use crate::gate::GateContext;
use crate::tree::Tree;

/// A BPMN file that could be read.
pub(crate) struct Checked<'t> {
    pub(crate) file: String,
    pub(crate) tree: Tree<'t>,
    pub(crate) model: Model,
}

impl<'t> Checked<'t> {
    pub(crate) fn new(file: &str, tree: Tree<'t>, model: Model) -> Self {
        Self {
            file: file.to_owned(),
            tree,
            model,
        }
    }
}

/// What can be said about a file by itself.
pub(crate) fn alone(checked: &Checked<'_>, context: &GateContext, findings: &mut Vec<Diagnostic>) {
    let file = checked.file.as_str();
    for process in checked.model.processes.iter().filter(|it| it.executable) {
        flow::check(file, process, findings);
        gateways::check(file, process, findings);
        complexity::check(file, process, findings);
        errors::topics(file, process, context, findings);
    }
    references::check(file, &checked.tree, &checked.model, findings);
    timers::check(file, &checked.tree, context, findings);
}
