//! References that lead nowhere.

use std::collections::HashSet;

use diagnostics::Diagnostic;

use crate::codes;
use crate::model::{Event, FlowNode, Kind, Model, Process};
use crate::tree::{Element, Tree};
use crate::xml::Namespace;

/// Attributes that name an element at the top of the file, and what it is.
const TOP: &[(&str, &str)] = &[
    ("messageRef", "message"),
    ("signalRef", "signal"),
    ("errorRef", "error"),
    ("escalationRef", "escalation"),
];

pub(super) fn check(file: &str, tree: &Tree<'_>, model: &Model, findings: &mut Vec<Diagnostic>) {
    let top: HashSet<(&str, &str)> = tree
        .root()
        .children
        .iter()
        .filter(|it| it.namespace == Namespace::Bpmn)
        .filter_map(|it| Some((it.name, it.value("id")?)))
        .collect();
    for element in tree.root().descendants() {
        for (attribute, kind) in TOP {
            let Some(found) = element.attribute(Namespace::None, attribute) else {
                continue;
            };
            // A qualified name: its prefix stands for the file's own target namespace.
            let id = found.value.rsplit(':').next().unwrap_or_default();
            if !top.contains(&(*kind, id)) {
                let message = format!("`{attribute}` names the {kind} `{id}`, which is not in the file");
                let place = tree.range(found.range.clone());
                findings.push(codes::UNRESOLVED_REFERENCE.warning(file, place, message));
            }
        }
        if element.is(Namespace::Bpmn, "participant") {
            participant(file, tree, element, &top, findings);
        }
    }
    for process in &model.processes {
        let here: HashSet<_> = process
            .nodes
            .iter()
            .map(|it| (it.parent, it.id.as_str()))
            .collect();
        for node in &process.nodes {
            compensation(file, process, node, &here, findings);
        }
        for flow in &process.flows {
            for (end, id) in [("sourceRef", &flow.source), ("targetRef", &flow.target)] {
                if !here.contains(&(flow.parent, id.as_str())) {
                    let message = format!(
                        "`{end}` of the sequence flow {} names `{id}`, which is not in the same process or subprocess",
                        flow.called()
                    );
                    findings.push(codes::UNRESOLVED_REFERENCE.warning(file, flow.range, message));
                }
            }
        }
        for node in &process.nodes {
            if let Kind::BoundaryEvent { attached_to } = &node.kind
                && !here.contains(&(node.parent, attached_to.as_str()))
            {
                let message = format!("`{}` sits on `{attached_to}`, which is not beside it", node.id);
                findings.push(codes::UNRESOLVED_REFERENCE.warning(file, node.range, message));
            }
            let leaves = |id: &str| {
                let mut flows = process.flows.iter();
                flows.any(|it| it.id == id && it.source == node.id && it.parent == node.parent)
            };
            if let Some(default) = node.default.as_deref().filter(|id| !leaves(id)) {
                let message = format!(
                    "the default `{default}` of `{}` is no sequence flow that leaves it",
                    node.id
                );
                findings.push(codes::UNRESOLVED_REFERENCE.warning(file, node.range, message));
            }
        }
    }
}

/// What a compensation that is thrown compensates: an activity beside it, and out of an event subprocess one beside that
/// (`BpmnParse.parseThrowCompensateEventDefinition`).
fn compensation(
    file: &str,
    process: &Process,
    node: &FlowNode,
    here: &HashSet<(Option<usize>, &str)>,
    findings: &mut Vec<Diagnostic>,
) {
    if !matches!(node.kind, Kind::IntermediateThrowEvent | Kind::EndEvent) {
        return;
    }
    let around = process
        .parent(node)
        .filter(|it| it.kind == Kind::SubProcess { by_event: true })
        .map(|it| it.parent);
    for event in &node.events {
        let Event::Compensation { activity: Some(id) } = event else {
            continue;
        };
        let is_there = |parent| here.contains(&(parent, id.as_str()));
        if !is_there(node.parent) && !around.is_some_and(is_there) {
            let message = format!(
                "`activityRef` of the compensation `{}` names `{id}`, which is no activity beside it",
                node.id
            );
            findings.push(codes::UNRESOLVED_REFERENCE.warning(file, node.range, message));
        }
    }
}

fn participant(
    file: &str,
    tree: &Tree<'_>,
    element: &Element<'_>,
    top: &HashSet<(&str, &str)>,
    findings: &mut Vec<Diagnostic>,
) {
    let Some(found) = element.attribute(Namespace::None, "processRef") else {
        return;
    };
    let id = found.value.rsplit(':').next().unwrap_or_default();
    if !top.contains(&("process", id)) {
        let message = format!("`processRef` names the process `{id}`, which is not in the file");
        let place = tree.range(found.range.clone());
        findings.push(codes::UNRESOLVED_REFERENCE.warning(file, place, message));
    }
}
