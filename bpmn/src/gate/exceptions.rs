//! Exceptions that let nothing pass.

use diagnostics::Range;

use super::{GateContext, Judgement};
use crate::codes;
use crate::tree::Tree;

/// A process or a decision that an exception can be for.
pub(super) struct Scope {
    id: String,
    file: String,
    range: Range,
}

impl Scope {
    /// Those of a file.
    pub(super) fn of(file: &str, tree: &Tree<'_>) -> Vec<Self> {
        let scopes = tree
            .root()
            .children
            .iter()
            .filter(|it| matches!(it.name, "process" | "decision"));
        scopes
            .filter_map(|it| {
                Some(Self {
                    id: it.value("id")?.to_owned(),
                    file: file.to_owned(),
                    range: tree.range(it.tag.clone()),
                })
            })
            .collect()
    }
}

/// Says which exceptions for processes of these files let nothing pass. Of others, and of those outside of processes,
/// nothing is known: what they are for may lie in files that are not here.
pub(super) fn unused(scopes: &[Scope], context: &GateContext, found: &mut Judgement) {
    for allowance in &context.allowances {
        let scope = scopes.iter().find(|it| it.id == allowance.process);
        let Some(scope) = scope.filter(|_| !found.used.contains(allowance)) else {
            continue;
        };
        let message = format!(
            "`security.gate.allow` lists `{}` at `{}` of the process `{}` ({}), and nothing there needs it",
            allowance.code, allowance.element, allowance.process, allowance.why
        );
        found
            .findings
            .push(codes::UNUSED_EXCEPTION.warning(&scope.file, scope.range, message));
    }
}
