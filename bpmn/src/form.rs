//! Camunda Forms: JSON, read with places.

use std::collections::BTreeSet;

use diagnostics::{Diagnostic, LineIndex, Range};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::codes;
use crate::xml;

/// How deep groups and lists of a form may be nested.
pub const MAX_DEPTH: usize = 64;

/// A form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Form {
    /// The id, by which user tasks refer to it.
    pub id: String,
    /// The fields of all levels, in the order of the file.
    pub fields: Vec<Field>,
}

/// A field, text, button or group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Field {
    /// What it is: `textfield`, `number`, `group`.
    pub kind: String,
    /// The variable that it reads and writes; none for what has no value.
    pub key: Option<String>,
    /// What people read.
    pub label: Option<String>,
    /// The whole of it.
    pub range: Range,
}

/// As it is written. Other keys are the form's own business.
#[derive(Deserialize)]
struct Written<'t> {
    id: Option<String>,
    #[serde(borrow, default)]
    components: Vec<&'t RawValue>,
}

#[derive(Deserialize)]
struct Component<'t> {
    #[serde(rename = "type")]
    kind: Option<String>,
    key: Option<String>,
    label: Option<String>,
    #[serde(borrow, default)]
    components: Vec<&'t RawValue>,
}

impl Form {
    /// Reads a form. There is one wherever the file is JSON with an id; findings may be there beside it.
    pub fn read(file: &str, bytes: &[u8]) -> (Option<Self>, Vec<Diagnostic>) {
        let text = match xml::decode_utf8(file, bytes) {
            Ok(text) => text,
            Err(fatal) => return (None, vec![*fatal]),
        };
        let mut reader = Reader {
            file,
            text,
            lines: LineIndex::new(text),
            fields: Vec::new(),
            findings: Vec::new(),
        };
        let Some(written) = reader.object::<Written<'_>>(text) else {
            return (None, reader.findings);
        };
        reader.components(&written.components, 0);
        let id = written.id.filter(|id| !id.is_empty());
        if id.is_none() {
            let message = "the form has no id".to_owned();
            reader
                .findings
                .push(codes::FORM_WITHOUT_ID.error(file, None, message));
        }
        let fields = reader.fields;
        (id.map(|id| Self { id, fields }), reader.findings)
    }

    /// The variables that it reads and writes.
    pub fn keys(&self) -> BTreeSet<&str> {
        self.fields.iter().filter_map(|it| it.key.as_deref()).collect()
    }
}

struct Reader<'f, 't> {
    file: &'f str,
    text: &'t str,
    lines: LineIndex<'t>,
    fields: Vec<Field>,
    findings: Vec<Diagnostic>,
}

impl<'t> Reader<'_, 't> {
    fn components(&mut self, components: &[&'t RawValue], depth: usize) {
        for raw in components {
            let written: &'t str = raw.get();
            let start = self.offset(written);
            let range = self.lines.range(start..start + written.len());
            if depth == MAX_DEPTH {
                let message = format!("more than {MAX_DEPTH} groups are nested in each other");
                self.findings
                    .push(codes::TOO_DEEP.error(self.file, range, message));
                return;
            }
            let Some(component) = self.object::<Component<'t>>(written) else {
                continue;
            };
            self.fields.push(Field {
                kind: component.kind.unwrap_or_default(),
                key: component.key,
                label: component.label,
                range,
            });
            self.components(&component.components, depth + 1);
        }
    }

    /// Reads a stretch of the text. serde would take a list for a structure, too.
    fn object<T: Deserialize<'t>>(&mut self, written: &'t str) -> Option<T> {
        let start = self.offset(written);
        if !written.trim_start().starts_with('{') {
            let place = self.lines.range(start..start);
            let message = "this is no form: an object `{…}` is expected".to_owned();
            self.findings
                .push(codes::NOT_A_FORM.error(self.file, place, message));
            return None;
        }
        serde_json::from_str(written)
            .map_err(|error| self.broken(&error, start))
            .ok()
    }

    /// Raw JSON is a stretch of the text itself, so that this is plain subtraction.
    fn offset(&self, written: &str) -> usize {
        (written.as_ptr() as usize).saturating_sub(self.text.as_ptr() as usize)
    }

    /// serde counts lines and bytes from where it began to read.
    fn broken(&mut self, error: &serde_json::Error, start: usize) {
        let rest = &self.text[start..];
        let before: usize = rest
            .split_inclusive('\n')
            .take(error.line().saturating_sub(1))
            .map(str::len)
            .sum();
        let at = self
            .text
            .floor_char_boundary(start + before + error.column().saturating_sub(1));
        let place = self.lines.range(at..at);
        let said = error.to_string();
        let said = said.split(" at line ").next().unwrap_or_default();
        let message = format!("this is no form: {said}");
        self.findings
            .push(codes::NOT_A_FORM.error(self.file, place, message));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Option<Form>, Vec<String>) {
        let (form, findings) = Form::read("a.form", text.as_bytes());
        (form, findings.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn fields_of_all_levels_have_their_places() {
        let (form, findings) = read(
            "{\"id\": \"f\", \"components\": [\n {\"type\": \"group\", \"components\": [\n  {\"type\": \"number\", \"key\": \"é\"}]},\n \
             {\"type\": \"text\", \"text\": \"${x}\"}]}",
        );
        assert_eq!(findings, [""; 0]);
        let form = form.unwrap();
        assert_eq!(form.keys().into_iter().collect::<Vec<_>>(), ["é"]);
        let places: Vec<_> = form
            .fields
            .iter()
            .map(|it| (it.kind.as_str(), it.range.start.line, it.range.start.column))
            .collect();
        assert_eq!(places, [("group", 2, 2), ("number", 3, 3), ("text", 4, 2)]);
    }

    #[test]
    fn what_is_no_form_is_said_with_its_place() {
        for (text, expected) in [
            ("{", "a.form:1:1: error[not-a-form]"),
            ("{\"id\": 1}", "a.form:1:8: error[not-a-form]"),
            ("{\"components\": []}", "a.form: error[form-without-id]"),
            (
                "{\"id\": \"f\", \"components\": [\n{\"key\": 1}]}",
                "a.form:2:9: error[not-a-form]",
            ),
            ("[]", "a.form:1:1: error[not-a-form]"),
        ] {
            let (_, findings) = read(text);
            assert!(
                findings.iter().any(|it| it.starts_with(expected)),
                "{text}: {findings:?}"
            );
        }
    }

    #[test]
    fn deep_nesting_does_no_harm() {
        let deep = "{\"id\":\"f\",\"components\":[".repeat(50_000);
        assert!(!read(&deep).1.is_empty());
        let closed = format!(
            "{}{}",
            "{\"id\":\"f\",\"components\":[".repeat(200),
            "]}".repeat(200)
        );
        assert!(
            read(&closed).1.iter().any(|it| it.contains("too-deep")),
            "{:?}",
            read(&closed).1
        );
    }
}
