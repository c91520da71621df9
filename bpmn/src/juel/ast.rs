//! What an expression says.

use std::ops::Range;

/// A text with expressions in it.
#[derive(Debug, Clone, PartialEq)]
pub struct Template {
    /// The pieces in their order.
    pub parts: Vec<Part>,
}

/// A piece of a [`Template`].
#[derive(Debug, Clone, PartialEq)]
pub enum Part {
    /// Text that stands for itself, with `\${` resolved.
    Text(String),
    /// `${…}` or `#{…}`.
    Expression(Expr),
}

impl Template {
    /// The expressions in it.
    pub fn expressions(&self) -> impl Iterator<Item = &Expr> {
        self.parts.iter().filter_map(|part| match part {
            Part::Expression(expression) => Some(expression),
            Part::Text(_) => None,
        })
    }

    /// Whether it is text alone.
    pub fn is_literal(&self) -> bool {
        self.expressions().next().is_none()
    }
}

/// An expression, and where in the text it stands, in bytes.
#[derive(Debug, Clone, PartialEq)]
pub struct Expr {
    /// What it is.
    pub kind: Kind,
    /// Where it stands.
    pub span: Range<usize>,
}

/// What an expression is.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// `null`.
    Null,
    /// `true` or `false`.
    Boolean(bool),
    /// A whole number, as it is written.
    Integer(String),
    /// A number with a point or an exponent, as it is written.
    Float(String),
    /// Text in quotes, with its escapes resolved.
    Text(String),
    /// A name by itself.
    Variable(String),
    /// `base.name`.
    Property(Box<Expr>, String),
    /// `base[key]`.
    Index(Box<Expr>, Box<Expr>),
    /// `base.name(arguments)`.
    Method(Box<Expr>, String, Vec<Expr>),
    /// `base[key](arguments)`.
    IndexedMethod(Box<Expr>, Box<Expr>, Vec<Expr>),
    /// `name(arguments)` or `prefix:name(arguments)`.
    Function(String, Vec<Expr>),
    /// An operator before its operand.
    Unary(Unary, Box<Expr>),
    /// An operator between its operands.
    Binary(Binary, Box<Expr>, Box<Expr>),
    /// `condition ? one : other`.
    Ternary(Box<Expr>, Box<Expr>, Box<Expr>),
}

/// An operator with one operand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Unary {
    Not,
    Negative,
    Empty,
}

/// An operator with two operands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Binary {
    Or,
    And,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    /// Reserved: the engine knows the word, and no expression with it.
    InstanceOf,
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
}
