//! What a file is, as the engine tells it.

use crate::xml;

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// A BPMN model.
    Bpmn,
    /// Decision tables.
    Dmn,
    /// A case.
    Cmmn,
    /// A Camunda Form.
    Form,
    /// Something that the engine only keeps.
    Other,
}

/// The engine looks at the name's end without a dot before it: `orderbpmn` is a model. (`BpmnDeployer`,
/// `DecisionDefinitionDeployer`, `CmmnDeployer`, `CamundaFormDefinitionDeployer`.)
const SUFFIXES: &[(&str, FileKind)] = &[
    ("bpmn20.xml", FileKind::Bpmn),
    ("bpmn", FileKind::Bpmn),
    ("dmn11.xml", FileKind::Dmn),
    ("dmn", FileKind::Dmn),
    ("cmmn11.xml", FileKind::Cmmn),
    ("cmmn10.xml", FileKind::Cmmn),
    ("cmmn", FileKind::Cmmn),
    ("form", FileKind::Form),
];

impl FileKind {
    /// By the name's end; where that says nothing, by the bytes: XML is taken for a model.
    pub fn of(name: &str, bytes: &[u8]) -> Self {
        let name = name.to_lowercase();
        if let Some((_, kind)) = SUFFIXES.iter().find(|(suffix, _)| name.ends_with(suffix)) {
            return *kind;
        }
        let head = xml::head(bytes);
        let head = head.trim_start();
        if !head.starts_with('<') {
            Self::Other
        } else if head.contains("/spec/DMN/") {
            Self::Dmn
        } else if head.contains("/spec/CMMN/") {
            Self::Cmmn
        } else {
            Self::Bpmn
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_as_they_tell_the_engine() {
        for (name, kind) in [
            ("a.bpmn", FileKind::Bpmn),
            ("orderbpmn", FileKind::Bpmn),
            ("x.bpmn20.xml", FileKind::Bpmn),
            ("A.BPMN", FileKind::Bpmn),
            ("a.dmn", FileKind::Dmn),
            ("a.dmn11.xml", FileKind::Dmn),
            ("casecmmn", FileKind::Cmmn),
            ("a.cmmn10.xml", FileKind::Cmmn),
            ("a.form", FileKind::Form),
            ("a.py", FileKind::Other),
        ] {
            assert_eq!(FileKind::of(name, b""), kind, "{name}");
        }
        assert_eq!(
            FileKind::of("id:1:2", b"\xef\xbb\xbf <definitions/>"),
            FileKind::Bpmn
        );
        let dmn = br#"<definitions xmlns="https://www.omg.org/spec/DMN/20191111/MODEL/"/>"#;
        assert_eq!(FileKind::of("id:1:2", dmn), FileKind::Dmn);
    }
}
