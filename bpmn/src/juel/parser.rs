//! From words to a tree: one function a level of binding, from the loosest to the tightest.

use std::ops::Range;

use super::SyntaxError;
use super::ast::{Binary, Expr, Kind, Part, Template, Unary};
use super::lexer::{self, Word};

/// How deep an expression may be nested. The engine's own parser is recursive, too.
pub const MAX_DEPTH: usize = 64;
/// How many operators, properties and calls an expression may chain: as deep a tree comes of it.
pub const MAX_LINKS: usize = 1_000;
/// How long a text may be, in bytes: beyond, no expression is meant.
pub const MAX_LENGTH: usize = 1 << 20;

/// Reads a text with `${…}` and `#{…}` in it.
///
/// # Errors
/// Where an expression breaks the grammar or is nested deeper than [`MAX_DEPTH`].
pub fn parse(text: &str) -> Result<Template, SyntaxError> {
    let mut parts = Vec::new();
    let mut at = 0;
    if text.len() > MAX_LENGTH {
        return Err(limit(0..0, "the text is too long to be an expression"));
    }
    loop {
        let (plain, end) = lexer::next_text(text, at);
        if !plain.is_empty() {
            parts.push(Part::Text(plain));
        }
        if end == text.len() {
            return Ok(Template { parts });
        }
        let mut parser = Parser::new(text, end + 2)?;
        let expression = parser.expression()?;
        // What ends an expression is its brace, not the text's end.
        if parser.word != Word::End || parser.span.is_empty() {
            return Err(parser.unexpected("the closing }"));
        }
        at = parser.span.end;
        parts.push(Part::Expression(expression));
    }
}

/// Reads an expression that stands by itself, without `${` and `}` around it.
///
/// # Errors
/// As [`parse`].
pub fn parse_bare(text: &str) -> Result<Expr, SyntaxError> {
    if text.len() > MAX_LENGTH {
        return Err(limit(0..0, "the text is too long to be an expression"));
    }
    let mut parser = Parser::new(text, 0)?;
    let expression = parser.expression()?;
    if parser.word != Word::End || !parser.span.is_empty() {
        return Err(parser.unexpected("the end"));
    }
    Ok(expression)
}

fn limit(span: Range<usize>, message: &str) -> SyntaxError {
    SyntaxError {
        message: message.to_owned(),
        span,
        limit: true,
    }
}

/// Operators between two operands, each level binding tighter than the one before.
const LEVELS: &[&[(&str, Binary)]] = &[
    &[("||", Binary::Or), ("or", Binary::Or)],
    &[("&&", Binary::And), ("and", Binary::And)],
    &[
        ("==", Binary::Equal),
        ("eq", Binary::Equal),
        ("!=", Binary::NotEqual),
        ("ne", Binary::NotEqual),
    ],
    &[
        ("<", Binary::Less),
        ("lt", Binary::Less),
        ("<=", Binary::LessOrEqual),
        ("le", Binary::LessOrEqual),
        (">", Binary::Greater),
        ("gt", Binary::Greater),
        (">=", Binary::GreaterOrEqual),
        ("ge", Binary::GreaterOrEqual),
        ("instanceof", Binary::InstanceOf),
    ],
    &[("+", Binary::Add), ("-", Binary::Subtract)],
    &[
        ("*", Binary::Multiply),
        ("/", Binary::Divide),
        ("div", Binary::Divide),
        ("%", Binary::Modulo),
        ("mod", Binary::Modulo),
    ],
];

struct Parser<'t> {
    text: &'t str,
    word: Word,
    span: Range<usize>,
    /// Where the word before ended.
    last: usize,
    depth: usize,
    links: usize,
}

impl<'t> Parser<'t> {
    fn new(text: &'t str, from: usize) -> Result<Self, SyntaxError> {
        let (word, span) = lexer::next_word(text, from)?;
        Ok(Self {
            text,
            word,
            span,
            last: from,
            depth: 0,
            links: 0,
        })
    }

    fn expression(&mut self) -> Result<Expr, SyntaxError> {
        self.deeper(|parser| {
            let condition = parser.binary(0)?;
            if !parser.take("?")? {
                return Ok(condition);
            }
            let one = parser.expression()?;
            parser.expect(":")?;
            let other = parser.expression()?;
            let span = condition.span.start..other.span.end;
            let kind = Kind::Ternary(Box::new(condition), Box::new(one), Box::new(other));
            Ok(Expr { kind, span })
        })
    }

    fn binary(&mut self, level: usize) -> Result<Expr, SyntaxError> {
        let Some(operators) = LEVELS.get(level) else {
            return self.unary();
        };
        let mut left = self.binary(level + 1)?;
        while let Some(operator) = self.operator(operators) {
            self.link()?;
            self.advance()?;
            let right = self.binary(level + 1)?;
            let span = left.span.start..right.span.end;
            let kind = Kind::Binary(operator, Box::new(left), Box::new(right));
            left = Expr { kind, span };
        }
        Ok(left)
    }

    fn operator(&self, among: &[(&str, Binary)]) -> Option<Binary> {
        let Word::Mark(mark) = self.word else { return None };
        among.iter().find(|(it, _)| *it == mark).map(|(_, it)| *it)
    }

    fn unary(&mut self) -> Result<Expr, SyntaxError> {
        let operator = match self.word {
            Word::Mark("!" | "not") => Unary::Not,
            Word::Mark("-") => Unary::Negative,
            Word::Mark("empty") => Unary::Empty,
            _ => return self.value(),
        };
        let start = self.span.start;
        self.advance()?;
        self.deeper(|parser| {
            let operand = parser.unary()?;
            let span = start..operand.span.end;
            let kind = Kind::Unary(operator, Box::new(operand));
            Ok(Expr { kind, span })
        })
    }

    /// A primary, and what is asked of it: properties, entries, calls.
    fn value(&mut self) -> Result<Expr, SyntaxError> {
        let mut value = self.primary()?;
        loop {
            let base = value.span.start;
            let kind = if self.take(".")? {
                let name = self.name("a name")?;
                match self.arguments()? {
                    Some(arguments) => Kind::Method(Box::new(value), name, arguments),
                    None => Kind::Property(Box::new(value), name),
                }
            } else if self.take("[")? {
                let key = Box::new(self.expression()?);
                self.expect("]")?;
                match self.arguments()? {
                    Some(arguments) => Kind::IndexedMethod(Box::new(value), key, arguments),
                    None => Kind::Index(Box::new(value), key),
                }
            } else {
                return Ok(value);
            };
            self.link()?;
            let span = base..self.last;
            value = Expr { kind, span };
        }
    }

    fn primary(&mut self) -> Result<Expr, SyntaxError> {
        let span = self.span.clone();
        let written = &self.text[span.clone()];
        let kind = match &self.word {
            Word::Integer => Kind::Integer(written.to_owned()),
            Word::Float => Kind::Float(written.to_owned()),
            Word::Text(text) => Kind::Text(text.clone()),
            Word::Mark("true") => Kind::Boolean(true),
            Word::Mark("false") => Kind::Boolean(false),
            Word::Mark("null") => Kind::Null,
            Word::Mark("(") => {
                self.advance()?;
                let inner = self.expression()?;
                self.expect(")")?;
                return Ok(inner);
            }
            Word::Name => return self.named(),
            _ => return Err(self.unexpected("a value")),
        };
        self.advance()?;
        Ok(Expr { kind, span })
    }

    /// A variable, or a function, whose name may have a prefix.
    fn named(&mut self) -> Result<Expr, SyntaxError> {
        let start = self.span.start;
        let mut name = self.name("a name")?;
        if self.word == Word::Mark(":")
            && let Some((rest, after)) = self.prefixed()
        {
            name = format!("{name}:{rest}");
            (self.word, self.span) = lexer::next_word(self.text, after)?;
        }
        let kind = match self.arguments()? {
            Some(arguments) => Kind::Function(name, arguments),
            None => Kind::Variable(name),
        };
        Ok(Expr {
            kind,
            span: start..self.last,
        })
    }

    /// Behind a colon: a name with a parenthesis behind it. Anything else is a ternary's other half.
    fn prefixed(&self) -> Option<(&'t str, usize)> {
        let (word, name) = lexer::next_word(self.text, self.span.end).ok()?;
        let (next, _) = lexer::next_word(self.text, name.end).ok()?;
        (word == Word::Name && next == Word::Mark("(")).then(|| (&self.text[name.clone()], name.end))
    }

    fn arguments(&mut self) -> Result<Option<Vec<Expr>>, SyntaxError> {
        if !self.take("(")? {
            return Ok(None);
        }
        let mut arguments = Vec::new();
        if self.take(")")? {
            return Ok(Some(arguments));
        }
        loop {
            arguments.push(self.expression()?);
            if !self.take(",")? {
                self.expect(")")?;
                return Ok(Some(arguments));
            }
        }
    }

    fn name(&mut self, what: &str) -> Result<String, SyntaxError> {
        if self.word != Word::Name {
            return Err(self.unexpected(what));
        }
        let name = self.text[self.span.clone()].to_owned();
        self.advance()?;
        Ok(name)
    }

    fn take(&mut self, mark: &str) -> Result<bool, SyntaxError> {
        let there = matches!(self.word, Word::Mark(it) if it == mark);
        if there {
            self.advance()?;
        }
        Ok(there)
    }

    fn expect(&mut self, mark: &str) -> Result<(), SyntaxError> {
        if self.take(mark)? {
            return Ok(());
        }
        Err(self.unexpected(mark))
    }

    fn advance(&mut self) -> Result<(), SyntaxError> {
        self.last = self.span.end;
        if self.word != Word::End {
            (self.word, self.span) = lexer::next_word(self.text, self.span.end)?;
        }
        Ok(())
    }

    /// A long chain leans to the left as deep as it is long, and whoever walks the tree goes down there.
    fn link(&mut self) -> Result<(), SyntaxError> {
        self.links += 1;
        if self.links > MAX_LINKS {
            return Err(limit(self.span.clone(), "the expression is too long"));
        }
        Ok(())
    }

    fn deeper<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, SyntaxError>,
    ) -> Result<T, SyntaxError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(limit(self.span.clone(), "the expression is nested too deep"));
        }
        let result = read(self);
        self.depth -= 1;
        result
    }

    fn unexpected(&self, wanted: &str) -> SyntaxError {
        let found = match &self.word {
            Word::End => "the expression ends".to_owned(),
            _ => format!("`{}` stands", &self.text[self.span.clone()]),
        };
        SyntaxError {
            message: format!("{found} where {wanted} is expected"),
            span: self.span.clone(),
            limit: false,
        }
    }
}
