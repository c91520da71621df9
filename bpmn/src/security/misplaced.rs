//! What may be meant as a policy and is none: nobody would read it, and what it was to forbid would be allowed.

use diagnostics::Diagnostic;

use super::NAMESPACE;
use crate::codes;
use crate::tree::{Element, Tree};
use crate::xml::Namespace;

/// What this project's namespaces begin with. One that is none of them is a slip.
const OWN: &str = "urn:procos";

/// So many letters away from the namespace's address another is a slip of it.
const SLIP: usize = 3;

/// Policies that do not stand in the extension elements of a process, and such whose namespace is a slip.
pub fn misplaced(file: &str, tree: &Tree<'_>) -> Vec<Diagnostic> {
    let mut search = Search {
        file,
        tree,
        findings: Vec::new(),
    };
    search.element(tree.root(), Place::Elsewhere);
    search.findings
}

/// A slip, in bytes, with blanks around it.
const LONGEST: usize = 64;

/// Whether an element is meant as a policy, or a part of one, and its namespace is nearly this project's.
pub(crate) fn is_slip(element: &Element<'_>) -> bool {
    // A `security` of a namespace of the model's own, or of none, has lost its prefix.
    let has_no_prefix = matches!(
        element.namespace,
        Namespace::None | Namespace::Bpmn | Namespace::Camunda
    );
    match element.namespace {
        Namespace::Other => is_near(&element.uri),
        _ => has_no_prefix && element.name.eq_ignore_ascii_case("security"),
    }
}

fn is_near(uri: &str) -> bool {
    // Files may have many elements of it; one so long is no slip.
    if uri.len() > LONGEST {
        return false;
    }
    let uri = uri.trim();
    let begins = uri
        .get(..OWN.len())
        .is_some_and(|it| it.eq_ignore_ascii_case(OWN));
    begins || strsim::damerau_levenshtein(&uri.to_lowercase(), NAMESPACE) <= SLIP
}

/// Where an element stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Process,
    /// In the extension elements of a process: here a policy is read.
    Extensions,
    /// In something of this project's, which is looked at elsewhere or has been told already.
    Own,
    Elsewhere,
}

struct Search<'f, 't> {
    file: &'f str,
    tree: &'f Tree<'t>,
    findings: Vec<Diagnostic>,
}

impl Search<'_, '_> {
    fn element(&mut self, element: &Element<'_>, place: Place) {
        let is_own = element.namespace == Namespace::Procos;
        if is_own && matches!(place, Place::Process | Place::Elsewhere) {
            let message = format!(
                "`procos:security` stands in the extension elements of a process and nowhere else; nobody reads \
                 `procos:{}` here",
                element.name
            );
            self.say(&codes::SECURITY_MISPLACED, element.tag.clone(), message);
        } else if place != Place::Own && is_slip(element) {
            let message = format!(
                "the namespace of `{}` is `{}`, not `{NAMESPACE}`",
                element.name, element.uri
            );
            self.say(&codes::SECURITY_NAMESPACE, element.tag.clone(), message);
        } else {
            self.attributes(element);
        }
        let inside = match (place, element.namespace, element.name) {
            _ if is_own || is_slip(element) => Place::Own,
            (Place::Own, ..) => Place::Own,
            (_, Namespace::Bpmn, "process") => Place::Process,
            (Place::Process, Namespace::Bpmn, "extensionElements") => Place::Extensions,
            _ => Place::Elsewhere,
        };
        for child in &element.children {
            self.element(child, inside);
        }
    }

    /// A rule as an attribute, such as `procos:sandboxLevel` on a task.
    fn attributes(&mut self, element: &Element<'_>) {
        if element.namespace == Namespace::Procos {
            return;
        }
        for attribute in &element.attributes {
            if attribute.namespace == Namespace::Procos {
                let message = format!(
                    "rules are elements in the `procos:security` of a process; nobody reads the attribute `procos:{}`",
                    attribute.name
                );
                self.say(&codes::SECURITY_MISPLACED, attribute.range.clone(), message);
            }
        }
    }

    fn say(&mut self, code: &codes::Code, place: std::ops::Range<usize>, message: String) {
        let range = self.tree.range(place);
        self.findings.push(code.error(self.file, range, message));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(inside: &str) -> Vec<String> {
        let text = format!(
            "<b:definitions xmlns:b=\"http://www.omg.org/spec/BPMN/20100524/MODEL\" xmlns:p=\"{NAMESPACE}\" \
             xmlns:c=\"http://camunda.org/schema/1.0/bpmn\" xmlns:v=\"http://vendor.example/security\">\n{inside}\n\
             </b:definitions>"
        );
        let tree = Tree::read("a", &text).unwrap();
        let of = |it: &Diagnostic| format!("{} {}", it.range.unwrap().start.line, it.code);
        misplaced("a", &tree).iter().map(of).collect()
    }

    fn in_process(content: &str) -> Vec<String> {
        found(&format!(
            "<b:process><b:extensionElements>{content}</b:extensionElements></b:process>"
        ))
    }

    #[test]
    fn a_policy_is_in_place_in_a_process_alone() {
        assert_eq!(in_process("<p:security><p:encrypted/></p:security>"), [""; 0]);
        let policy = "<p:security><p:allowedTasks/></p:security>";
        for elsewhere in [
            policy.to_owned(),
            format!("<b:extensionElements>{policy}</b:extensionElements>"),
            format!("<b:process>{policy}</b:process>"),
            format!("<b:collaboration><b:extensionElements>{policy}</b:extensionElements></b:collaboration>"),
            format!(
                "<b:process><b:task><b:extensionElements>{policy}</b:extensionElements></b:task></b:process>"
            ),
            format!(
                "<b:process><b:subProcess><b:extensionElements>{policy}</b:extensionElements></b:subProcess></b:process>"
            ),
            format!("<b:process><b:documentation>{policy}</b:documentation></b:process>"),
            format!(
                "<b:process><b:extensionElements><c:properties>{policy}</c:properties></b:extensionElements></b:process>"
            ),
            "<b:process><b:task p:sandboxLevel=\"high\"/></b:process>".to_owned(),
        ] {
            assert_eq!(found(&elsewhere), ["2 security-misplaced"], "{elsewhere}");
        }
    }

    #[test]
    fn a_slip_of_the_namespace_is_told_and_a_vendors_is_not() {
        for slip in [
            "urn:procos:bpmn:1",
            "urn:procos:bpmn:2.0",
            "urn:procos",
            "URN:PROCOS:BPMN:1.0",
            " urn:procos:bpmn:1.0",
            "urn:porcos:bpmn:1.0",
            "url:procos:bpmn:1.0",
        ] {
            let policy = format!("<s:security xmlns:s=\"{slip}\"><s:allowedTasks/></s:security>");
            assert_eq!(in_process(&policy), ["2 security-namespace"], "{slip}");
        }
        for unprefixed in ["<security/>", "<b:security/>", "<c:security/>", "<b:Security/>"] {
            assert_eq!(in_process(unprefixed), ["2 security-namespace"], "{unprefixed}");
        }
        assert_eq!(in_process("<v:security/><v:policy v:level=\"1\"/>"), [""; 0]);
    }
}
