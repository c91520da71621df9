//! Decision tables: which language each cell is in, and what it says.

use super::expression::{self, Source};
use super::findings::Findings;
use super::walk::schema_location;
use super::{GateContext, Judgement, feel};
use crate::codes;
use crate::dmn::{Dmn, Language};
use crate::tree::Tree;

pub(super) fn check(file: &str, tree: &Tree<'_>, context: &GateContext, found: &mut Judgement) {
    let mut findings = Findings::new(file, context, found);
    let dmn = match Dmn::of(file, tree) {
        Ok(dmn) => dmn,
        Err(finding) => return findings.extend(vec![*finding]),
    };
    for element in tree.root().descendants() {
        schema_location(&mut findings, tree, element);
    }
    for cell in &dmn.cells {
        cell.decision.clone_into(&mut findings.process);
        cell.id.clone_into(&mut findings.element);
        let source = Source::text(cell.text);
        let what = match cell.id.as_str() {
            "" => format!("a {} of the decision `{}`", cell.kind, cell.decision),
            id => format!("the {} `{id}` of the decision `{}`", cell.kind, cell.decision),
        };
        match &cell.language {
            Language::Feel => feel::check(&mut findings, tree, &source, &what),
            Language::Juel => expression::bare(&mut findings, tree, &source, &what),
            Language::Script(name) => {
                let place = tree.range(cell.element.tag.clone());
                let message = format!("{what} is a script in `{name}`, which the engine would run");
                findings.refuse(&codes::DMN_SCRIPT, Some(place), message);
            }
        }
    }
}
