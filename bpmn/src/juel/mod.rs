//! The engine's expression language, JUEL: text with `${…}` and `#{…}` in it.
//!
//! [`parse`] takes what the engine takes, by the scanner and parser of `org.camunda.bpm.impl.juel` 7.24, and a
//! little more: a text may mix `${}` and `#{}`, which the engine refuses.

mod ast;
mod lexer;
mod parser;

pub use ast::{Binary, Expr, Kind, Part, Template, Unary};
pub use parser::{MAX_DEPTH, MAX_LENGTH, MAX_LINKS, parse, parse_bare};

/// Why a text is no expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyntaxError {
    /// What is wrong.
    pub message: String,
    /// Where in the text, in bytes.
    pub span: std::ops::Range<usize>,
    /// Whether it is only too long or too deep for this parser.
    pub limit: bool,
}

impl std::fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for SyntaxError {}

/// Whether the engine would evaluate something in this text.
pub fn is_dynamic(text: &str) -> bool {
    lexer::next_text(text, 0).1 < text.len()
}
