//! The deploy gate: what in a model would run code in the engine, by the places where the engine looks.
//!
//! Camunda 7.24 evaluates expressions and loads classes in some fifty places ([`places`]). The gate knows them all;
//! an expression anywhere else, and an element of a namespace that nobody knows, is refused rather than passed.

mod context;
mod dmn;
mod exceptions;
mod expression;
mod extensions;
mod feel;
mod findings;
mod forms;
mod kind;
mod parameters;
pub mod places;
mod topics;
mod walk;

pub use context::{Allowance, GateContext, SCRIPT_TOPICS};
pub use kind::FileKind;

use diagnostics::Diagnostic;
use exceptions::Scope;

use crate::lint::{self, Checked};
use crate::tree::Tree;
use crate::{codes, decode, read};

/// What the gate says about models.
#[derive(Debug, Default)]
pub struct Judgement {
    /// What was found, file by file in the order given, in the order of their places, and then what is about all
    /// files together.
    pub findings: Vec<Diagnostic>,
    /// The exceptions that let something pass, each once.
    pub used: Vec<Allowance>,
}

/// Checks models as [`judge`] does, and gives what was found.
pub fn check(files: &[(&str, &[u8])], context: &GateContext) -> Vec<Diagnostic> {
    judge(files, context).findings
}

/// Checks models, each by itself and all together: whether they can be read, whether they keep code out of the
/// engine, and whether they are likely to do what is meant.
pub fn judge(files: &[(&str, &[u8])], context: &GateContext) -> Judgement {
    let mut all = Judgement::default();
    let (mut checked, mut scopes) = (Vec::new(), Vec::new());
    // Trees borrow from the texts.
    let texts: Vec<_> = files.iter().map(|(file, bytes)| decode(file, bytes)).collect();
    for ((file, bytes), text) in files.iter().zip(&texts) {
        let before = all.findings.len();
        checked.extend(one(
            file,
            bytes,
            text.as_deref().map_err(|fatal| &**fatal),
            context,
            &mut all,
            &mut scopes,
        ));
        in_order(&mut all.findings[before..]);
    }
    lint::together(&checked, context, &mut all.findings);
    exceptions::unused(&scopes, context, &mut all);
    all
}

/// By place; what is about the file as a whole comes first. Findings of one place stay in the order they were made.
fn in_order(findings: &mut [Diagnostic]) {
    findings.sort_by_key(|it| it.range.map(|range| (range.start, range.end)));
}

fn one<'t>(
    file: &str,
    bytes: &[u8],
    text: Result<&'t str, &Diagnostic>,
    context: &GateContext,
    found: &mut Judgement,
    scopes: &mut Vec<Scope>,
) -> Option<Checked<'t>> {
    match FileKind::of(file, bytes) {
        FileKind::Bpmn => {
            let tree = tree(file, text, &mut found.findings)?;
            let model = match read::from_tree(file, &tree, &mut found.findings) {
                Ok(model) => model,
                Err(fatal) => {
                    found.findings.push(*fatal);
                    return None;
                }
            };
            walk::check(file, &tree, context, found);
            scopes.extend(Scope::of(file, &tree));
            let checked = Checked::new(file, tree, model);
            lint::alone(&checked, context, &mut found.findings);
            Some(checked)
        }
        FileKind::Dmn => {
            if let Some(tree) = tree(file, text, &mut found.findings) {
                dmn::check(file, &tree, context, found);
                scopes.extend(Scope::of(file, &tree));
            }
            None
        }
        FileKind::Cmmn => {
            let message =
                "the file is a CMMN case, whose sentries, listeners and tasks run code in the engine";
            let mut sink = findings::Findings::new(file, context, found);
            sink.refuse(&codes::CMMN, None, message.into());
            None
        }
        FileKind::Form => {
            forms::check(file, bytes, &mut found.findings);
            None
        }
        FileKind::Other => None,
    }
}

fn tree<'t>(
    file: &str,
    text: Result<&'t str, &Diagnostic>,
    findings: &mut Vec<Diagnostic>,
) -> Option<Tree<'t>> {
    text.map_err(|fatal| Box::new(fatal.clone()))
        .and_then(|text| Tree::read(file, text))
        .map_err(|fatal| findings.push(*fatal))
        .ok()
}
