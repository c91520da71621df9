//! DMN 1.1 to 1.5 as Camunda 7 runs it: decisions, and every cell with its language.

use diagnostics::{Diagnostic, Range};
use serde::Serialize;

use crate::codes;
use crate::tree::{Element, Tree};
use crate::xml::Namespace;

/// A DMN file.
#[derive(Debug)]
pub struct Dmn<'e, 't> {
    /// The decisions in the order of the file.
    pub decisions: Vec<Decision>,
    /// Everything that is evaluated.
    pub cells: Vec<Cell<'e, 't>>,
}

/// One decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Decision {
    /// The id, which is the key of its definitions.
    pub id: String,
    /// The name that people read.
    pub name: Option<String>,
    /// The opening tag.
    pub range: Range,
}

/// Something that the engine evaluates: an input's expression, a rule's entry, a literal expression.
#[derive(Debug)]
pub struct Cell<'e, 't> {
    /// The id of the decision that it lies in; empty for what lies in none.
    pub decision: String,
    /// Its own id; may be empty.
    pub id: String,
    /// `inputExpression`, `inputEntry`, `outputEntry` or `literalExpression`.
    pub kind: &'t str,
    /// What it is written in.
    pub language: Language,
    /// The element.
    pub element: &'e Element<'t>,
    /// The element that holds its text.
    pub text: &'e Element<'t>,
}

/// What a cell is written in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum Language {
    /// FEEL, also where nothing is said.
    Feel,
    /// JUEL, with `${}` or without.
    Juel,
    /// Anything else: a script.
    Script(String),
}

/// The names of FEEL (`ExpressionEvaluationHandler.isFeelExpressionLanguage`).
const FEEL: &[&str] = &[
    "http://www.omg.org/spec/FEEL/20140401",
    "http://www.omg.org/spec/DMN/20180521/FEEL/",
    "https://www.omg.org/spec/DMN/20191111/FEEL/",
    "https://www.omg.org/spec/DMN/20211108/FEEL/",
    "https://www.omg.org/spec/DMN/20230324/FEEL/",
];

impl<'e, 't> Dmn<'e, 't> {
    /// Reads a file that is DMN.
    ///
    /// # Errors
    /// Where its root is not DMN's `definitions`.
    pub fn of(file: &str, tree: &'e Tree<'t>) -> Result<Self, Box<Diagnostic>> {
        let root = tree.root();
        if !root.is(Namespace::Dmn, "definitions") {
            let message = format!("the root element is `{}`, not DMN's `definitions`", root.name);
            return Err(codes::NOT_DMN
                .error(file, tree.range(root.tag.clone()), message)
                .into());
        }
        let mut dmn = Self {
            decisions: Vec::new(),
            cells: Vec::new(),
        };
        dmn.walk(tree, root, "", root.value("expressionLanguage"));
        Ok(dmn)
    }

    fn walk(&mut self, tree: &Tree<'t>, element: &'e Element<'t>, decision: &str, inherited: Option<&str>) {
        for child in &element.children {
            let id = child.value("id").unwrap_or_default();
            if child.name == "decision" {
                self.decisions.push(Decision {
                    id: id.to_owned(),
                    name: child.value("name").map(str::to_owned),
                    range: tree.range(child.tag.clone()),
                });
            }
            let decision = if child.name == "decision" { id } else { decision };
            // A language may stand on any of them; what is meant by one further out the engine does not ask, but
            // another reader may.
            let language = child.value("expressionLanguage").or(inherited);
            // `text` holds what is evaluated. A second one is a mistake, and no less looked at.
            let texts = child.children.iter().filter(|it| it.name == "text");
            for text in texts.filter(|_| child.name != "textAnnotation") {
                self.cells.push(Cell {
                    decision: decision.to_owned(),
                    id: id.to_owned(),
                    kind: child.name,
                    language: Language::of(language),
                    element: child,
                    text,
                });
            }
            self.walk(tree, child, decision, language);
        }
    }
}

impl Language {
    fn of(name: Option<&str>) -> Self {
        match name {
            None => Self::Feel,
            Some(name) if FEEL.contains(&name) || name.eq_ignore_ascii_case("feel") => Self::Feel,
            Some(name) if name.eq_ignore_ascii_case("juel") => Self::Juel,
            Some(name) => Self::Script(name.to_owned()),
        }
    }
}
