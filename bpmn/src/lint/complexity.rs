//! How complex a process is.

use diagnostics::Diagnostic;

use crate::codes;
use crate::model::{Kind, Process};

/// Above this people lose the thread.
const HIGH: usize = 40;

/// McCabe's cyclomatic complexity: one, and one more for each way that execution may take besides the one that goes
/// on. Those are the sequence flows that leave a node beyond its first, boundary events, and event subprocesses.
pub fn complexity(process: &Process) -> usize {
    let mut leaving = std::collections::HashMap::new();
    for flow in &process.flows {
        *leaving
            .entry((flow.parent, flow.source.as_str()))
            .or_insert(0usize) += 1;
    }
    let forks: usize = leaving.values().map(|count| count - 1).sum();
    let asides = process.nodes.iter().filter(|node| {
        matches!(
            node.kind,
            Kind::BoundaryEvent { .. } | Kind::SubProcess { by_event: true }
        )
    });
    1 + forks + asides.count()
}

pub(super) fn check(file: &str, process: &Process, findings: &mut Vec<Diagnostic>) {
    let figure = complexity(process);
    if figure > HIGH {
        let message = format!(
            "the process `{}` has a cyclomatic complexity of {figure}, more than {HIGH}",
            process.id
        );
        findings.push(codes::COMPLEX_PROCESS.warning(file, process.range, message));
    }
}
