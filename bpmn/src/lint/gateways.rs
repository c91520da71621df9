//! Gateways that may find no way on.

use diagnostics::Diagnostic;

use crate::codes;
use crate::juel::{self, Binary, Expr, Kind as Term, Unary};
use crate::model::{Flow, Kind, Process};

const MOST_COMPARED: usize = 32;

pub(super) fn check(file: &str, process: &Process, findings: &mut Vec<Diagnostic>) {
    for node in &process.nodes {
        if !matches!(node.kind, Kind::ExclusiveGateway | Kind::InclusiveGateway) {
            continue;
        }
        let leaving: Vec<&Flow> = process
            .flows
            .iter()
            .filter(|it| it.source == node.id && it.parent == node.parent)
            .collect();
        let is_default = |flow: &Flow| node.default.as_deref() == Some(flow.id.as_str());
        if leaving.len() < 2 {
            continue;
        }
        let mut open = false;
        for flow in leaving
            .iter()
            .filter(|it| it.condition.is_none() && !is_default(it))
        {
            open = true;
            let message = format!(
                "the sequence flow {} leaves the gateway `{}` without a condition and is not its default",
                flow.called(),
                node.id
            );
            // An inclusive gateway takes it always, which may well be meant; but then its default never.
            if node.kind == Kind::ExclusiveGateway || node.default.is_some() {
                findings.push(codes::FLOW_WITHOUT_CONDITION.warning(file, flow.range, message));
            }
        }
        if !open && !leaving.iter().any(|it| is_default(it)) && !covers_all(&leaving) {
            let message = format!(
                "the gateway `{}` has no default: where no condition holds the instance stops with an incident",
                node.id
            );
            findings.push(codes::GATEWAY_WITHOUT_DEFAULT.warning(file, node.range, message));
        }
    }
}

/// Whether one of two conditions always holds, as far as that can be seen: one is the other's opposite.
fn covers_all(flows: &[&Flow]) -> bool {
    // Each is compared with all others, and who has so many does not count on two.
    if flows.len() > MOST_COMPARED {
        return false;
    }
    let read = |flow: &Flow| {
        let template = juel::parse(flow.condition.as_deref()?).ok()?;
        template.expressions().next().cloned()
    };
    let conditions: Vec<Expr> = flows.iter().filter_map(|it| read(it)).collect();
    let opposite = |one: &Expr, other: &Expr| is_opposite(one, other) || is_opposite(other, one);
    conditions
        .iter()
        .enumerate()
        .any(|(at, one)| conditions[..at].iter().any(|other| opposite(one, other)))
}

fn is_opposite(one: &Expr, other: &Expr) -> bool {
    match (&one.kind, &other.kind) {
        (Term::Unary(Unary::Not, negated), _) => same(negated, other),
        (Term::Unary(Unary::Empty, _), _) => false,
        (Term::Binary(one, a, b), Term::Binary(other, c, d)) => {
            let opposite = matches!(
                (one, other),
                (Binary::Equal, Binary::NotEqual)
                    | (Binary::Less, Binary::GreaterOrEqual)
                    | (Binary::LessOrEqual, Binary::Greater)
            );
            let truth = |it: &Expr| match it.kind {
                Term::Boolean(value) => Some(value),
                _ => None,
            };
            // `x == true` and `x == false`.
            let truths = *one == Binary::Equal
                && *other == Binary::Equal
                && truth(b).is_some()
                && truth(b) == truth(d).map(|it| !it);
            same(a, c) && (opposite && same(b, d) || truths)
        }
        _ => false,
    }
}

/// Whether two expressions say the same, wherever they stand.
fn same(one: &Expr, other: &Expr) -> bool {
    let all = |a: &[Expr], b: &[Expr]| a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b));
    match (&one.kind, &other.kind) {
        (Term::Property(a, x), Term::Property(b, y)) => x == y && same(a, b),
        (Term::Index(a, x), Term::Index(b, y)) => same(a, b) && same(x, y),
        (Term::Method(a, x, p), Term::Method(b, y, q)) => x == y && same(a, b) && all(p, q),
        (Term::Function(x, p), Term::Function(y, q)) => x == y && all(p, q),
        (Term::Unary(x, a), Term::Unary(y, b)) => x == y && same(a, b),
        (Term::Binary(x, a, b), Term::Binary(y, c, d)) => x == y && same(a, c) && same(b, d),
        (Term::Ternary(..), _) | (Term::IndexedMethod(..), _) => false,
        (one, other) => one == other,
    }
}
