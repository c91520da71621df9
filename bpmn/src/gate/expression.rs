//! Expressions at a place: their text out of the tree, their findings back to where they stand.

use std::borrow::Cow;
use std::ops::Range;

use super::findings::Findings;
use crate::codes;
use crate::juel;
use crate::policy::{self, Refusal};
use crate::tree::{Attribute, Element, Text, Tree};

/// A text that the engine sees as one, and where its pieces stand in the file.
pub(super) struct Source<'e> {
    text: Cow<'e, str>,
    /// For each piece: where it begins in the text, where it stands, and whether letter by letter.
    pieces: Vec<(usize, Range<usize>, bool)>,
}

impl<'e> Source<'e> {
    pub(super) fn attribute(attribute: &'e Attribute<'_>) -> Self {
        let range = attribute.range.clone();
        // What is borrowed stands between the quotes.
        let (place, exact) = match &attribute.value {
            Cow::Borrowed(value) => (range.end.saturating_sub(value.len() + 1)..range.end, true),
            Cow::Owned(_) => (range, false),
        };
        Self {
            text: Cow::Borrowed(&attribute.value),
            pieces: vec![(0, place, exact)],
        }
    }

    pub(super) fn text(element: &'e Element<'_>) -> Self {
        let mut source = Self {
            text: element.text(),
            pieces: Vec::new(),
        };
        source.locate(&element.texts, 0);
        source
    }

    /// The documentation of a user task: all of it, with an empty line between, is one text to the engine.
    pub(super) fn documentation(documentation: &[&'e Element<'_>]) -> Self {
        let mut source = Self {
            text: Cow::Borrowed(""),
            pieces: Vec::new(),
        };
        let mut all = String::new();
        for element in documentation {
            if !all.is_empty() {
                all.push_str("\n\n");
            }
            source.locate(&element.texts, all.len());
            all.push_str(&element.text());
        }
        source.text = Cow::Owned(all);
        source
    }

    fn locate(&mut self, texts: &[Text<'_>], mut at: usize) {
        for text in texts {
            let exact = matches!(text.value, Cow::Borrowed(_));
            let cdata = text.span.len() - text.value.len().min(text.span.len());
            let start = if exact && cdata > 0 {
                text.span.start + "<![CDATA[".len()
            } else {
                text.span.start
            };
            self.pieces.push((at, start..text.span.end, exact));
            at += text.value.len();
        }
    }

    pub(super) fn is_dynamic(&self) -> bool {
        juel::is_dynamic(&self.text)
    }

    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    /// Where a stretch of the text stands in the file.
    pub(super) fn place(&self, span: &Range<usize>) -> Range<usize> {
        let start = self.offset(span.start);
        let end = self.offset(span.end.saturating_sub(1).max(span.start));
        start.start..end.end.max(start.end)
    }

    fn offset(&self, at: usize) -> Range<usize> {
        let behind = self.pieces.partition_point(|(from, ..)| *from <= at);
        let piece = behind.checked_sub(1).and_then(|it| self.pieces.get(it));
        match piece {
            Some((from, place, true)) => {
                let here = (place.start + at - from).min(place.end);
                here..(here + 1).min(place.end)
            }
            Some((_, place, false)) => place.clone(),
            None => 0..0,
        }
    }

    /// The text as a whole.
    pub(super) fn whole(&self) -> Range<usize> {
        match (self.pieces.first(), self.pieces.last()) {
            (Some((_, first, _)), Some((_, last, _))) => first.start..last.end,
            _ => 0..0,
        }
    }
}

/// Judges a text that the engine evaluates. `what` names it: "`camunda:assignee` of the userTask `approve`".
pub(super) fn evaluated(findings: &mut Findings<'_>, tree: &Tree<'_>, source: &Source<'_>, what: &str) {
    if !source.is_dynamic() {
        return;
    }
    let refusals = match juel::parse(source.as_str()) {
        Ok(template) => policy::refusals(&template),
        Err(error) => vec![broken(error)],
    };
    say(findings, tree, source, what, refusals);
}

/// Judges an expression that stands by itself, without `${` and `}`, as JUEL does in decision tables.
pub(super) fn bare(findings: &mut Findings<'_>, tree: &Tree<'_>, source: &Source<'_>, what: &str) {
    let text = source.as_str().trim();
    if text.starts_with("${") || text.starts_with("#{") {
        return evaluated(findings, tree, source, what);
    }
    if text.is_empty() {
        return;
    }
    let refusals = match juel::parse_bare(source.as_str()) {
        Ok(expression) => policy::refusals_of(&expression),
        Err(error) => vec![broken(error)],
    };
    say(findings, tree, source, what, refusals);
}

fn broken(error: juel::SyntaxError) -> Refusal {
    Refusal {
        code: &codes::EXPRESSION_SYNTAX,
        reason: format!("cannot be read: {}", error.message),
        span: error.span,
    }
}

fn say(
    findings: &mut Findings<'_>,
    tree: &Tree<'_>,
    source: &Source<'_>,
    what: &str,
    refusals: Vec<Refusal>,
) {
    for refusal in refusals {
        let place = tree.range(source.place(&refusal.span));
        let message = format!("the expression in {what} {}", refusal.reason);
        findings.refuse(refusal.code, Some(place), message);
    }
}
