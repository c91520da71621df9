//! FEEL: reads data by itself, but its interpreter can be led to Java's methods and to functions in Java.

use super::expression::Source;
use super::findings::Findings;
use crate::codes;
use crate::tree::Tree;

/// Names behind which is the Java machine or the engine. FEEL's interpreter (feel-scala) hands out the properties
/// and methods of any object, and `execution` is one.
const FORBIDDEN: &[&str] = &[
    "class",
    "classloader",
    "execution",
    "external",
    "getclass",
    "java",
    "processengine",
    "processengineservices",
    "variablecontext",
];

/// Judges a FEEL expression: simple ones pass.
pub(super) fn check(findings: &mut Findings<'_>, tree: &Tree<'_>, source: &Source<'_>, what: &str) {
    let text = source.as_str();
    let mut at = 0;
    let mut behind_dot = false;
    while let Some(c) = text[at..].chars().next() {
        if c == '"' {
            at = end_of_text(text, at);
            behind_dot = false;
        } else if c.is_alphabetic() || c == '_' {
            let rest = &text[at..];
            let length = rest
                .find(|c: char| !c.is_alphanumeric() && c != '_')
                .unwrap_or(rest.len());
            let name = &rest[..length];
            let called = rest[length..].trim_start().starts_with('(');
            let reason = if FORBIDDEN.contains(&name.to_lowercase().as_str()) {
                Some(format!("uses `{name}`, behind which is no data"))
            } else if behind_dot && called {
                Some(format!("calls the method `{name}`"))
            } else {
                None
            };
            if let Some(reason) = reason {
                let place = tree.range(source.place(&(at..at + length)));
                let message = format!("the FEEL expression in {what} {reason}");
                findings.refuse(&codes::FEEL_CODE, Some(place), message);
            }
            at += length;
            behind_dot = false;
        } else if text[at..].starts_with("..") {
            // A range, such as `1..count(list)`.
            at += "..".len();
            behind_dot = false;
        } else {
            behind_dot = c == '.' || behind_dot && c.is_whitespace();
            at += c.len_utf8();
        }
    }
}

/// Behind the quote that ends a text.
fn end_of_text(text: &str, from: usize) -> usize {
    let mut escaped = false;
    for (at, c) in text[from + 1..].char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return from + 1 + at + 1,
            _ => {}
        }
    }
    text.len()
}
