//! Whose name it is, and what a name may be made of.

use serde::Serialize;

/// Whose name it is. Prefixes are resolved: they carry no meaning of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Namespace {
    /// Nobody's: an attribute without a prefix, an element where no default namespace is declared.
    None,
    /// BPMN 2.0.
    Bpmn,
    /// BPMN's diagrams: DI, DC and BPMNDI.
    Diagram,
    /// Camunda 7's extensions, also by their older name, Activiti's.
    Camunda,
    /// The namespace of Camunda's predecessor, in which the engine still reads the retry cycle.
    Fox,
    /// DMN 1.1 to 1.5.
    Dmn,
    /// CMMN 1.0 and 1.1.
    Cmmn,
    /// This project's own extensions.
    Procos,
    /// XML Schema's instance attributes, such as `xsi:type`.
    Xsi,
    /// What the engine does not look at in BPMN: marks of Camunda Modeler, colours, Camunda 8's extensions, Signavio's,
    /// and Camunda's own for DMN.
    Tool,
    /// Anybody else's.
    Other,
}

/// Camunda's extensions.
pub(crate) const CAMUNDA: &str = "http://camunda.org/schema/1.0/bpmn";

/// By address. Activiti's is read as Camunda's (`BpmnParse.CAMUNDA_BPMN_EXTENSIONS_NS` names both).
const KNOWN: &[(&str, Namespace)] = &[
    ("http://www.omg.org/spec/BPMN/20100524/MODEL", Namespace::Bpmn),
    ("http://www.omg.org/spec/BPMN/20100524/DI", Namespace::Diagram),
    ("http://www.omg.org/spec/DD/20100524/DI", Namespace::Diagram),
    ("http://www.omg.org/spec/DD/20100524/DC", Namespace::Diagram),
    ("http://www.omg.org/spec/DMN/20180521/DI/", Namespace::Diagram),
    ("http://www.omg.org/spec/DMN/20180521/DC/", Namespace::Diagram),
    ("https://www.omg.org/spec/DMN/20191111/DMNDI/", Namespace::Diagram),
    ("https://www.omg.org/spec/DMN/20230324/DMNDI/", Namespace::Diagram),
    (CAMUNDA, Namespace::Camunda),
    ("http://activiti.org/bpmn", Namespace::Camunda),
    ("http://camunda.org/schema/1.0/dmn", Namespace::Tool),
    ("http://www.camunda.com/fox", Namespace::Fox),
    ("http://www.omg.org/spec/DMN/20151101/dmn.xsd", Namespace::Dmn),
    ("http://www.omg.org/spec/DMN/20151101/dmn11.xsd", Namespace::Dmn),
    ("http://www.omg.org/spec/DMN/20151130", Namespace::Dmn),
    ("http://www.omg.org/spec/DMN/20180521/MODEL/", Namespace::Dmn),
    ("https://www.omg.org/spec/DMN/20191111/MODEL/", Namespace::Dmn),
    ("https://www.omg.org/spec/DMN/20211108/MODEL/", Namespace::Dmn),
    ("https://www.omg.org/spec/DMN/20230324/MODEL/", Namespace::Dmn),
    ("http://www.omg.org/spec/CMMN/20131201/MODEL", Namespace::Cmmn),
    ("http://www.omg.org/spec/CMMN/20151109/MODEL", Namespace::Cmmn),
    (crate::security::NAMESPACE, Namespace::Procos),
    ("http://www.w3.org/2001/XMLSchema-instance", Namespace::Xsi),
    ("http://camunda.org/schema/modeler/1.0", Namespace::Tool),
    ("http://bpmn.io/schema/bpmn", Namespace::Tool),
    ("http://bpmn.io/schema/bpmn/biocolor/1.0", Namespace::Tool),
    ("http://bpmn.io/schema/dmn/biodi/2.0", Namespace::Tool),
    (
        "http://www.omg.org/spec/BPMN/non-normative/color/1.0",
        Namespace::Tool,
    ),
    ("http://camunda.org/schema/zeebe/1.0", Namespace::Tool),
    ("http://www.signavio.com", Namespace::Tool),
    ("http://www.w3.org/XML/1998/namespace", Namespace::Tool),
];

impl Namespace {
    pub(crate) fn of(uri: &str) -> Self {
        KNOWN
            .iter()
            .find(|(known, _)| *known == uri)
            .map_or(Self::Other, |(_, namespace)| *namespace)
    }
}

/// XML 1.0's Char.
pub(super) fn is_xml_char(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{fffd}' | '\u{10000}'..)
}

/// Whether it is a name with at most one prefix. Every character counts, not the first alone: XML 1.1 takes some,
/// such as U+0085, for blanks, and what looks like one long name here would be a name and attributes there.
pub(super) fn is_name(name: &str) -> bool {
    let mut parts = name.split(':');
    parts.by_ref().take(2).all(is_part) && parts.next().is_none()
}

/// XML 1.0's NCName.
fn is_part(part: &str) -> bool {
    part.starts_with(starts_name) && part.chars().all(|c| starts_name(c) || continues_name(c))
}

fn starts_name(c: char) -> bool {
    matches!(c, 'A'..='Z' | '_' | 'a'..='z' | '\u{c0}'..='\u{d6}' | '\u{d8}'..='\u{f6}' | '\u{f8}'..='\u{2ff}'
        | '\u{370}'..='\u{37d}' | '\u{37f}'..='\u{1fff}' | '\u{200c}'..='\u{200d}' | '\u{2070}'..='\u{218f}'
        | '\u{2c00}'..='\u{2fef}' | '\u{3001}'..='\u{d7ff}' | '\u{f900}'..='\u{fdcf}' | '\u{fdf0}'..='\u{fffd}'
        | '\u{10000}'..='\u{effff}')
}

fn continues_name(c: char) -> bool {
    matches!(c, '-' | '.' | '0'..='9' | '\u{b7}' | '\u{300}'..='\u{36f}' | '\u{203f}'..='\u{2040}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_by_every_character() {
        for good in ["a", "bpmn:task", "größe", "a-1.b", "_"] {
            assert!(is_name(good), "{good}");
        }
        for bad in [
            "",
            "1",
            "a:",
            ":a",
            "a:b:c",
            "a\u{85}b",
            "a\u{2028}b",
            "a=b",
            "-a",
            "a<b",
        ] {
            assert!(!is_name(bad), "{bad:?}");
        }
    }
}
