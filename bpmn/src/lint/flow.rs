//! Nodes that nothing leads to, and nodes that lead nowhere.

use std::collections::{HashMap, HashSet};

use diagnostics::Diagnostic;

use crate::codes;
use crate::model::{Event, FlowNode, Kind, Process};

pub(super) fn check(file: &str, process: &Process, findings: &mut Vec<Diagnostic>) {
    let graph = Graph::new(process);
    unreachable(file, process, &graph, findings);
    dead_ends(file, process, &graph, findings);
}

/// Sequence flows as indices of nodes, within one scope each.
struct Graph {
    leaving: HashMap<usize, Vec<usize>>,
    arriving: HashMap<usize, Vec<usize>>,
    /// Boundary events by the activity that they sit on.
    boundary: HashMap<usize, Vec<usize>>,
    /// The activity by the boundary event that sits on it.
    host: HashMap<usize, usize>,
}

impl Graph {
    fn new(process: &Process) -> Self {
        let mut ids = HashMap::new();
        for (at, node) in process.nodes.iter().enumerate() {
            ids.entry((node.parent, node.id.as_str())).or_insert(at);
        }
        let mut graph = Self {
            leaving: HashMap::new(),
            arriving: HashMap::new(),
            boundary: HashMap::new(),
            host: HashMap::new(),
        };
        for flow in &process.flows {
            let ends = (
                ids.get(&(flow.parent, flow.source.as_str())),
                ids.get(&(flow.parent, flow.target.as_str())),
            );
            if let (Some(&source), Some(&target)) = ends {
                graph.leaving.entry(source).or_default().push(target);
                graph.arriving.entry(target).or_default().push(source);
            }
        }
        for (at, node) in process.nodes.iter().enumerate() {
            if let Kind::BoundaryEvent { attached_to } = &node.kind
                && let Some(&host) = ids.get(&(node.parent, attached_to.as_str()))
            {
                graph.boundary.entry(host).or_default().push(at);
                graph.host.insert(at, host);
            }
        }
        graph
    }

    /// Adds what can be reached from these nodes, themselves included.
    fn spread(&self, from: impl IntoIterator<Item = usize>, reached: &mut HashSet<usize>) {
        let mut todo: Vec<usize> = from.into_iter().collect();
        while let Some(node) = todo.pop() {
            if reached.insert(node) {
                todo.extend(self.leaving.get(&node).into_iter().flatten());
                todo.extend(self.boundary.get(&node).into_iter().flatten());
            }
        }
    }
}

fn unreachable(file: &str, process: &Process, graph: &Graph, findings: &mut Vec<Diagnostic>) {
    let mut reached = HashSet::new();
    let begins = process.nodes.iter().enumerate();
    let begins = begins.filter(|(_, node)| begins_by_itself(process, node));
    graph.spread(begins.map(|(at, _)| at), &mut reached);
    // What lies in an unreachable subprocess is not said again.
    let parent = |at: usize| process.nodes.get(at).and_then(|it| it.parent);
    let is_silent =
        |at: usize| std::iter::successors(parent(at), |it| parent(*it)).any(|it| !reached.contains(&it));
    let lost: Vec<usize> = (0..process.nodes.len())
        .filter(|at| !reached.contains(at) && !is_silent(*at))
        .collect();
    // Where a chain is cut off its first node is said; of a circle that nothing leads into, any.
    let has_lost_before = |at: &usize| {
        let before = graph.arriving.get(at).into_iter().flatten();
        let mut before = before.chain(graph.host.get(at));
        before.any(|it| it != at && !reached.contains(it))
    };
    let (later, first): (Vec<_>, Vec<_>) = lost.iter().partition(|at| has_lost_before(at));
    let mut said = HashSet::new();
    for at in first.into_iter().chain(later) {
        if said.contains(&at) {
            continue;
        }
        graph.spread([at], &mut said);
        let node = &process.nodes[at];
        let message = format!("nothing leads to `{}`: it is never reached", node.id);
        findings.push(codes::UNREACHABLE.warning(file, node.range, message));
    }
}

fn begins_by_itself(process: &Process, node: &FlowNode) -> bool {
    let in_ad_hoc = process
        .parent(node)
        .is_some_and(|it| it.kind == Kind::AdHocSubProcess);
    in_ad_hoc
        || node.for_compensation
        || match node.kind {
            Kind::StartEvent | Kind::SubProcess { by_event: true } => true,
            Kind::IntermediateCatchEvent => node.events.contains(&Event::Link),
            _ => false,
        }
}

fn dead_ends(file: &str, process: &Process, graph: &Graph, findings: &mut Vec<Diagnostic>) {
    for (at, node) in process.nodes.iter().enumerate() {
        let ends = match node.kind {
            Kind::EndEvent | Kind::SubProcess { by_event: true } => true,
            Kind::IntermediateThrowEvent => node.events.contains(&Event::Link),
            Kind::BoundaryEvent { .. } => node
                .events
                .iter()
                .any(|it| matches!(it, Event::Compensation { .. })),
            _ => node.for_compensation,
        };
        let in_ad_hoc = process
            .parent(node)
            .is_some_and(|it| it.kind == Kind::AdHocSubProcess);
        if !ends && !in_ad_hoc && !graph.leaving.contains_key(&at) {
            let message = format!("`{}` leads nowhere: no sequence flow leaves it", node.id);
            findings.push(codes::DEAD_END.warning(file, node.range, message));
        }
    }
}
