//! Words of the expression language, as `Scanner` of Camunda's JUEL cuts them.

use std::ops::Range;

use super::SyntaxError;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Word {
    /// The text's end, or the `}` that ends an expression.
    End,
    Integer,
    Float,
    Text(String),
    Name,
    /// A keyword or a mark.
    Mark(&'static str),
}

/// The words that are no names.
const KEYWORDS: &[&str] = &[
    "and",
    "div",
    "empty",
    "eq",
    "false",
    "ge",
    "gt",
    "instanceof",
    "le",
    "lt",
    "mod",
    "ne",
    "not",
    "null",
    "or",
    "true",
];

/// The longest first.
const MARKS: &[&str] = &[
    "==", "!=", "<=", ">=", "&&", "||", "<", ">", "+", "-", "*", "/", "%", "!", "?", ":", ".", ",", "(", ")",
    "[", "]",
];

/// Plain text from a place on, with its escapes resolved, and where it ends: at `${`, `#{` or the text's end.
pub(super) fn next_text(input: &str, from: usize) -> (String, usize) {
    let mut text = String::new();
    let mut escaped = false;
    for (at, c) in input[from..].char_indices() {
        let at = from + at;
        match c {
            // As the engine: a second backslash is taken, and what follows stays escaped.
            '\\' if escaped => text.push('\\'),
            '\\' => escaped = true,
            '$' | '#' if input[at + 1..].starts_with('{') => {
                if !escaped {
                    return (text, at);
                }
                text.push(c);
                escaped = false;
            }
            c => {
                if escaped {
                    text.push('\\');
                }
                text.push(c);
                escaped = false;
            }
        }
    }
    if escaped {
        text.push('\\');
    }
    (text, input.len())
}

/// The next word of an expression, and where it stands.
pub(super) fn next_word(input: &str, from: usize) -> Result<(Word, Range<usize>), SyntaxError> {
    let rest = input[from..].trim_start_matches(is_blank);
    let at = input.len() - rest.len();
    let Some(first) = rest.chars().next() else {
        return Ok((Word::End, at..at));
    };
    match first {
        '}' => Ok((Word::End, at..at + 1)),
        '\'' | '"' => quoted(input, at, first),
        '0'..='9' => Ok(number(rest, at)),
        '.' if rest[1..].starts_with(|c: char| c.is_ascii_digit()) => Ok(number(rest, at)),
        c if starts_name(c) => {
            let length = rest.find(|c| !continues_name(c)).unwrap_or(rest.len());
            let name = &rest[..length];
            let word = KEYWORDS
                .iter()
                .find(|it| **it == name)
                .map_or(Word::Name, |it| Word::Mark(it));
            Ok((word, at..at + length))
        }
        c => MARKS
            .iter()
            .find(|mark| rest.starts_with(**mark))
            .map(|mark| (Word::Mark(mark), at..at + mark.len()))
            .ok_or_else(|| SyntaxError {
                message: format!("`{}` means nothing here", c.escape_debug()),
                span: at..at + c.len_utf8(),
                limit: false,
            }),
    }
}

/// Java's white space, as far as it can be in XML.
fn is_blank(c: char) -> bool {
    c.is_ascii_whitespace()
        || (c.is_whitespace() && !matches!(c, '\u{a0}' | '\u{2007}' | '\u{202f}' | '\u{85}'))
}

/// Narrower than Java's: an unusual name is refused rather than taken for another.
fn starts_name(c: char) -> bool {
    c.is_alphabetic() || matches!(c, '_' | '$')
}

fn continues_name(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '$')
}

fn quoted(input: &str, at: usize, quote: char) -> Result<(Word, Range<usize>), SyntaxError> {
    let mut text = String::new();
    let mut chars = input[at + 1..].char_indices();
    while let Some((offset, c)) = chars.next() {
        if c == quote {
            return Ok((Word::Text(text), at..at + 1 + offset + 1));
        }
        if c != '\\' {
            text.push(c);
            continue;
        }
        match chars.next() {
            Some((_, c)) if c == '\\' || c == quote => text.push(c),
            _ => {
                return Err(SyntaxError {
                    message: format!(
                        "in quotes a backslash stands before {quote} or another backslash alone"
                    ),
                    span: at + 1 + offset..at + 1 + offset + 1,
                    limit: false,
                });
            }
        }
    }
    Err(SyntaxError {
        message: format!("the text that begins here has no closing {quote}"),
        span: at..at + 1,
        limit: false,
    })
}

/// Digits, maybe a point and digits, maybe an exponent.
fn number(rest: &str, at: usize) -> (Word, Range<usize>) {
    let digits = |from: usize| {
        let after = &rest[from..];
        from + after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len())
    };
    let mut end = digits(0);
    let mut word = Word::Integer;
    if rest[end..].starts_with('.') {
        (end, word) = (digits(end + 1), Word::Float);
    }
    if rest[end..].starts_with(['e', 'E']) {
        let sign = usize::from(rest[end + 1..].starts_with(['+', '-']));
        let exponent = digits(end + 1 + sign);
        if exponent > end + 1 + sign {
            (end, word) = (exponent, Word::Float);
        }
    }
    (word, at..at + end)
}
