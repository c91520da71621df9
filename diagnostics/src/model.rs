use std::fmt;

use serde::{Deserialize, Serialize};

/// One finding. Its JSON form is what `--json` prints, and part of what scripts rely on.
///
/// ```
/// use diagnostics::{Diagnostic, Position, Range};
/// let finding = Diagnostic::error("history-time-to-live", "order.bpmn", "process `order` keeps its history for ever")
///     .at(Range::new(Position::new(3, 5), Position::new(3, 42)))
///     .help("add camunda:historyTimeToLive=\"P30D\" to the process");
/// assert_eq!(finding.to_string(), "order.bpmn:3:5: error[history-time-to-live]: process `order` keeps its history for ever");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnostic {
    /// What kind of finding it is: kebab-case, never renamed once released.
    pub code: String,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong, in one sentence that names the thing.
    pub message: String,
    /// The file as its caller named it.
    pub file: String,
    /// The place in the file; none where the file as a whole is meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub range: Option<Range>,
    /// What to do about it.
    #[serde(default)]
    pub help: Option<String>,
    /// Other places that explain the finding.
    #[serde(default)]
    pub related: Vec<Related>,
    /// A change of the text that a tool may make.
    #[serde(default)]
    pub fix: Option<Fix>,
}

impl Diagnostic {
    /// A finding about the file as a whole; say where with [`at`](Self::at).
    pub fn new(
        severity: Severity,
        code: impl Into<String>,
        file: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        Self {
            code: code.into(),
            severity,
            message: message.into(),
            file: file.into(),
            range: None,
            help: None,
            related: Vec::new(),
            fix: None,
        }
    }

    /// [`new`](Self::new) with [`Severity::Error`].
    pub fn error(code: impl Into<String>, file: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, code, file, message)
    }

    /// [`new`](Self::new) with [`Severity::Warning`].
    pub fn warning(code: impl Into<String>, file: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, code, file, message)
    }

    /// Says where in the file it is.
    #[must_use]
    pub fn at(mut self, range: impl Into<Option<Range>>) -> Self {
        self.range = range.into();
        self
    }

    /// Says what to do about it.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Adds a place that explains the finding.
    #[must_use]
    pub fn related(mut self, related: Related) -> Self {
        self.related.push(related);
        self
    }

    /// Says which change of the text repairs it.
    #[must_use]
    pub fn fix(mut self, fix: Fix) -> Self {
        self.fix = Some(fix);
        self
    }
}

/// One line: `file:line:column: severity[code]: message`, without the help.
impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(Range { start, .. }) = self.range {
            write!(f, ":{}:{}", start.line, start.column)?;
        }
        write!(f, ": {}[{}]: {}", self.severity, self.code, self.message)
    }
}

/// How bad a finding is. An error makes the answer "no", a warning does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// Works, but probably not as meant.
    Warning,
    /// Cannot work, or must not.
    Error,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

/// A place between two characters. Both numbers count from 1; columns count Unicode scalars.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Position {
    /// The line, from 1.
    pub line: u32,
    /// The column, from 1, in Unicode scalars.
    pub column: u32,
}

impl Position {
    /// A place from its line and column.
    pub const fn new(line: u32, column: u32) -> Self {
        Self { line, column }
    }
}

/// A stretch of text; the end is exclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Range {
    /// Where it begins.
    pub start: Position,
    /// The first place that no longer belongs to it.
    pub end: Position,
}

impl Range {
    /// A stretch from its two ends.
    pub const fn new(start: Position, end: Position) -> Self {
        Self { start, end }
    }
}

/// Another place that explains a finding, such as the first of two equal names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Related {
    /// What that place has to do with it.
    pub message: String,
    /// The file as its caller named it.
    pub file: String,
    /// The place; none where the file as a whole is meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub range: Option<Range>,
}

/// A change of the text that repairs a finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fix {
    /// What the change does, such as "add the attribute".
    pub title: String,
    /// The edits, not overlapping, all of them against the text as it was read.
    pub edits: Vec<Edit>,
}

/// One replacement in one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Edit {
    /// The file as its caller named it.
    pub file: String,
    /// What is replaced; empty to insert.
    pub range: Range,
    /// The new text.
    pub text: String,
}

/// All findings of one run, and how many of each weight. Its JSON form is a checker's whole answer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The findings in the order in which they are shown.
    pub diagnostics: Vec<Diagnostic>,
    /// How many of them are errors.
    pub errors: usize,
    /// How many of them are warnings.
    pub warnings: usize,
}

impl Report {
    /// Counts the findings.
    pub fn new(diagnostics: Vec<Diagnostic>) -> Self {
        let count = |severity| diagnostics.iter().filter(|it| it.severity == severity).count();
        Self {
            errors: count(Severity::Error),
            warnings: count(Severity::Warning),
            diagnostics,
        }
    }

    /// Whether the answer is "no".
    pub fn has_errors(&self) -> bool {
        self.errors > 0
    }
}

impl From<Vec<Diagnostic>> for Report {
    fn from(diagnostics: Vec<Diagnostic>) -> Self {
        Self::new(diagnostics)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn json_is_what_scripts_rely_on() {
        let range = Range::new(Position::new(3, 5), Position::new(3, 9));
        let whole = Diagnostic::warning("empty-file", "a.bpmn", "the file is empty");
        let placed = Diagnostic::error("duplicate-id", "a.bpmn", "`x` is there twice")
            .at(range)
            .help("rename one")
            .related(Related {
                message: "first here".into(),
                file: "b.bpmn".into(),
                range: None,
            })
            .fix(Fix {
                title: "rename".into(),
                edits: vec![Edit {
                    file: "a.bpmn".into(),
                    range,
                    text: "y".into(),
                }],
            });
        let report = Report::new(vec![whole, placed]);
        let expected = json!({
            "diagnostics": [
                {
                    "code": "empty-file", "severity": "warning", "message": "the file is empty",
                    "file": "a.bpmn", "help": null, "related": [], "fix": null
                },
                {
                    "code": "duplicate-id", "severity": "error", "message": "`x` is there twice", "file": "a.bpmn",
                    "range": {"start": {"line": 3, "column": 5}, "end": {"line": 3, "column": 9}},
                    "help": "rename one",
                    "related": [{"message": "first here", "file": "b.bpmn"}],
                    "fix": {"title": "rename", "edits": [{
                        "file": "a.bpmn",
                        "range": {"start": {"line": 3, "column": 5}, "end": {"line": 3, "column": 9}},
                        "text": "y"
                    }]}
                }
            ],
            "errors": 1,
            "warnings": 1
        });
        assert_eq!(serde_json::to_value(&report).unwrap(), expected);
        assert_eq!(serde_json::from_value::<Report>(expected).unwrap(), report);
    }

    #[test]
    fn keys_come_in_the_documented_order() {
        let text = serde_json::to_string(&Diagnostic::error("c", "f", "m")).unwrap();
        assert_eq!(
            text,
            r#"{"code":"c","severity":"error","message":"m","file":"f","help":null,"related":[],"fix":null}"#
        );
    }
}
