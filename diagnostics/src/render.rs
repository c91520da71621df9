use std::iter;

use annotate_snippets::renderer::{DEFAULT_TERM_WIDTH, Renderer};
use annotate_snippets::{AnnotationKind, Element, Group, Level, Origin, Snippet, normalize_untrusted_str};

use crate::{Diagnostic, LineIndex, Range, Report, Severity};

/// Draws one finding for a person: severity, code, message, `file:line:column`, the source line with the place
/// underlined, help and related places. No line break at the end.
///
/// `source` answers a file's text by the name that the finding uses; where it has none, the place is given
/// without the line. `colour` asks for ANSI colours: whether a terminal wants them is the caller's to know.
/// Control characters in any text come out as visible ones.
pub fn render<'s>(diagnostic: &Diagnostic, source: impl Fn(&str) -> Option<&'s str>, colour: bool) -> String {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Info => Level::INFO,
    };
    let title = level
        .primary_title(&diagnostic.message)
        .id(normalize_untrusted_str(&diagnostic.code));
    let mut main = title.element(place(
        &diagnostic.file,
        diagnostic.range,
        source(&diagnostic.file),
    ));
    if let Some(help) = &diagnostic.help {
        main = main.element(Level::HELP.message(normalize_untrusted_str(help)));
    }
    let related = diagnostic.related.iter().map(|it| {
        let title = Level::NOTE.secondary_title(normalize_untrusted_str(&it.message));
        title.element(place(&it.file, it.range, source(&it.file)))
    });
    let groups: Vec<Group<'_>> = iter::once(main).chain(related).collect();
    let renderer = if colour {
        Renderer::styled()
    } else {
        Renderer::plain()
    };
    renderer.term_width(DEFAULT_TERM_WIDTH).render(&groups)
}

/// Draws all findings, an empty line between two, and at the end how many there are: `2 errors, 1 warning`.
/// Nothing at all where there are none.
pub fn render_report<'s>(report: &Report, source: impl Fn(&str) -> Option<&'s str>, colour: bool) -> String {
    let findings = report.diagnostics.iter().map(|it| render(it, &source, colour));
    let summary = [(report.errors, "error"), (report.warnings, "warning")]
        .iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, what)| format!("{number} {what}{}", if *number == 1 { "" } else { "s" }))
        .collect::<Vec<_>>()
        .join(", ");
    let parts = findings.chain(iter::once(summary).filter(|it| !it.is_empty()));
    parts.collect::<Vec<_>>().join("\n\n")
}

fn place<'a>(file: &'a str, range: Option<Range>, source: Option<&'a str>) -> Element<'a> {
    // The renderer makes control characters visible in titles and source, but (0.12.17) not in ids and paths.
    let file = normalize_untrusted_str(file);
    let Some(range) = range else {
        return Origin::path(file).into();
    };
    let Some(source) = source else {
        return Origin::path(file)
            .line(wide(range.start.line))
            .char_column(wide(range.start.column))
            .into();
    };
    // Editors do not count a byte order mark as a column, so neither do our readers.
    let source = source.strip_prefix('\u{feff}').unwrap_or(source);
    let index = LineIndex::new(source);
    // Only the lines that are shown: the renderer would otherwise walk the whole file for each finding.
    let shown = index.line(range.start.line).start..index.line(range.end.line.max(range.start.line)).end;
    let (start, end) = (index.offset(range.start), index.offset(range.end));
    let span = start - shown.start..end.clamp(start, shown.end) - shown.start;
    Snippet::source(&source[shown])
        .path(file)
        .line_start(wide(range.start.line))
        .annotation(AnnotationKind::Primary.span(span))
        .into()
}

fn wide(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
