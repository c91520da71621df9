//! The policy that a process carries: `procos:security` in its extension elements.

use diagnostics::{Diagnostic, Range};
use serde::Serialize;

use crate::codes;
use crate::tree::{Attribute, Element, Tree};
use crate::xml::Namespace;

mod misplaced;

pub(crate) use misplaced::is_slip;
pub use misplaced::misplaced;

/// The namespace of this project's extensions.
pub const NAMESPACE: &str = "urn:procos:bpmn:1.0";

/// What a process may do, and what its data is worth.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Security {
    /// The topics that its tasks may use; none where the process does not say.
    pub allowed_tasks: Option<Vec<AllowedTask>>,
    /// How far its data may go.
    pub data_classification: Option<DataClassification>,
    /// The roles that may use it; none where the process does not say.
    pub roles: Option<Vec<String>>,
    /// The variables that are kept encrypted.
    pub encrypted: Vec<String>,
}

/// A topic that a process may use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AllowedTask {
    /// The topic.
    pub topic: String,
    /// How strictly its work is walled in, at least; none where the operator's policy decides.
    pub sandbox_level: Option<SandboxLevel>,
    /// The element's opening tag.
    pub range: Range,
}

/// How strictly work is walled in. Later ones are stricter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SandboxLevel {
    /// Not at all: only where the adapter runs no code of users.
    None,
    /// Somewhat.
    Low,
    /// More.
    Medium,
    /// As strictly as can be.
    High,
}

/// How far data may go. Later ones are more confined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum DataClassification {
    /// Anywhere.
    Public,
    /// Within the organisation.
    Internal,
    /// To those who need it.
    Confidential,
    /// To those who are named.
    Restricted,
}

impl SandboxLevel {
    const ALL: &[(&str, Self)] = &[
        ("none", Self::None),
        ("low", Self::Low),
        ("medium", Self::Medium),
        ("high", Self::High),
    ];
}

impl DataClassification {
    const ALL: &[(&str, Self)] = &[
        ("public", Self::Public),
        ("internal", Self::Internal),
        ("confidential", Self::Confidential),
        ("restricted", Self::Restricted),
    ];
}

impl Security {
    /// The policy of a process. Where the process has none there is none: the operator's applies. Where it has one
    /// with mistakes there is one all the same, beside findings that keep it from being deployed.
    pub fn read(file: &str, tree: &Tree<'_>, process: &Element<'_>) -> (Option<Self>, Vec<Diagnostic>) {
        let mut reader = Reader {
            file,
            tree,
            findings: Vec::new(),
        };
        let mut policies = process
            .extensions()
            .filter(|it| it.namespace == Namespace::Procos);
        let policy = policies.next().map(|first| {
            let mut policy = Self::default();
            if reader.expect(first, &["security"]) {
                reader.attributes(first, &[]);
                for part in &first.children {
                    reader.part(part, &mut policy);
                }
            }
            policy
        });
        for other in policies {
            reader.say(
                &codes::SECURITY_TWICE,
                other,
                "a process has one `procos:security`".into(),
            );
        }
        (policy, reader.findings)
    }

    /// The entries for a topic; none where the topic is not allowed or the process does not limit topics.
    pub fn allowed<'s>(&'s self, topic: &'s str) -> impl Iterator<Item = &'s AllowedTask> {
        self.allowed_tasks
            .iter()
            .flatten()
            .filter(move |it| it.topic == topic)
    }

    /// The sandbox level that is asked for with a topic: of entries for the same topic the strictest counts.
    pub fn sandbox_level(&self, topic: &str) -> Option<SandboxLevel> {
        self.allowed(topic).filter_map(|it| it.sandbox_level).max()
    }
}

/// Why work cannot be walled in as a process asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unmet {
    /// It runs code of users, which needs a sandbox, and none is asked for.
    NeedsSandbox,
    /// It runs no code of users and has no sandbox, and one is asked for.
    HasNoSandbox,
}

/// Whether the work of a topic can be walled in as a process asks for. The rule of the deploy gate and of the workers.
///
/// # Errors
/// Why not.
pub fn fits(asked: Option<SandboxLevel>, is_sandboxed: bool) -> Result<(), Unmet> {
    match (asked, is_sandboxed) {
        (Some(SandboxLevel::None), true) => Err(Unmet::NeedsSandbox),
        (Some(SandboxLevel::Low | SandboxLevel::Medium | SandboxLevel::High), false) => {
            Err(Unmet::HasNoSandbox)
        }
        _ => Ok(()),
    }
}

struct Reader<'f, 't> {
    file: &'f str,
    tree: &'f Tree<'t>,
    findings: Vec<Diagnostic>,
}

impl Reader<'_, '_> {
    fn part(&mut self, part: &Element<'_>, policy: &mut Security) {
        if !self.expect(
            part,
            &["allowedTasks", "dataClassification", "accessControl", "encrypted"],
        ) {
            return;
        }
        match part.name {
            "allowedTasks" => {
                self.attributes(part, &[]);
                let tasks = policy.allowed_tasks.get_or_insert_default();
                for task in &part.children {
                    if self.expect(task, &["task"]) {
                        tasks.extend(self.task(task));
                    }
                }
                return;
            }
            "dataClassification" => {
                self.attributes(part, &["level"]);
                let level = self.required(part, "level");
                policy.data_classification =
                    level.and_then(|it| self.one_of(part, it, DataClassification::ALL));
            }
            "accessControl" => {
                self.attributes(part, &["roles"]);
                policy.roles = self.required(part, "roles").map(|it| list(&it.value));
            }
            _ => {
                self.attributes(part, &["variables"]);
                let variables = self.required(part, "variables");
                policy
                    .encrypted
                    .extend(variables.into_iter().flat_map(|it| list(&it.value)));
            }
        }
        for child in &part.children {
            self.expect(child, &[]);
        }
    }

    fn task(&mut self, task: &Element<'_>) -> Option<AllowedTask> {
        self.attributes(task, &["topic", "sandboxLevel"]);
        let topic = self.required(task, "topic")?.value.clone().into_owned();
        let level = task.attribute(Namespace::None, "sandboxLevel");
        Some(AllowedTask {
            topic,
            sandbox_level: level.and_then(|it| self.one_of(task, it, SandboxLevel::ALL)),
            range: self.tree.range(task.tag.clone()),
        })
    }

    fn required<'e, 't>(&mut self, element: &'e Element<'t>, name: &str) -> Option<&'e Attribute<'t>> {
        let found = element
            .attribute(Namespace::None, name)
            .filter(|it| !it.value.trim().is_empty());
        if found.is_none() {
            let message = format!("`procos:{}` has no `{name}`", element.name);
            self.say(&codes::SECURITY_INCOMPLETE, element, message);
        }
        found
    }

    fn one_of<T: Copy>(
        &mut self,
        element: &Element<'_>,
        it: &Attribute<'_>,
        known: &[(&str, T)],
    ) -> Option<T> {
        let found = known.iter().find(|(name, _)| *name == it.value);
        if found.is_none() {
            let names: Vec<_> = known.iter().map(|(name, _)| *name).collect();
            let message = format!(
                "`{}` of `procos:{}` is `{}`, not one of {}",
                it.name,
                element.name,
                it.value,
                names.join(", ")
            );
            let range = self.tree.range(it.range.clone());
            self.findings
                .push(codes::SECURITY_UNKNOWN_LEVEL.error(self.file, range, message));
        }
        found.map(|(_, value)| *value)
    }

    fn expect(&mut self, element: &Element<'_>, known: &[&str]) -> bool {
        let good = element.namespace == Namespace::Procos && known.contains(&element.name);
        if !good {
            let instead = match known {
                [] => "nothing".to_owned(),
                known => known.join(", "),
            };
            let message = format!("`{}` is not known here, only {instead}", element.name);
            self.say(&codes::SECURITY_UNKNOWN_ELEMENT, element, message);
        }
        good
    }

    fn attributes(&mut self, element: &Element<'_>, known: &[&str]) {
        for it in &element.attributes {
            if it.namespace != Namespace::None || !known.contains(&it.name) {
                let message = format!("`procos:{}` has no attribute `{}`", element.name, it.name);
                let range = self.tree.range(it.range.clone());
                self.findings
                    .push(codes::SECURITY_UNKNOWN_ELEMENT.error(self.file, range, message));
            }
        }
    }

    fn say(&mut self, code: &codes::Code, element: &Element<'_>, message: String) {
        let range = self.tree.range(element.tag.clone());
        self.findings.push(code.error(self.file, range, message));
    }
}

/// Names with commas or blanks between them.
fn list(value: &str) -> Vec<String> {
    value
        .split([',', ' ', '\t', '\n'])
        .filter(|it| !it.is_empty())
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(content: &str) -> (Option<Security>, Vec<String>) {
        let text = format!(
            "<b:definitions xmlns:b=\"http://www.omg.org/spec/BPMN/20100524/MODEL\" xmlns:p=\"{NAMESPACE}\">\
             <b:process><b:extensionElements>\n{content}</b:extensionElements></b:process></b:definitions>"
        );
        let tree = Tree::read("a.bpmn", &text).unwrap();
        let (policy, findings) = Security::read("a.bpmn", &tree, &tree.root().children[0]);
        (policy, findings.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn a_policy_says_what_it_says_in_any_prefix() {
        let (policy, findings) = read(
            "<p:security><p:allowedTasks><p:task topic=\"a\" sandboxLevel=\"high\"/><p:task topic=\"b\"/>\
             </p:allowedTasks><p:dataClassification level=\"confidential\"/>\
             <p:accessControl roles=\"clerk, boss\"/><p:encrypted variables=\"iban\"/></p:security>",
        );
        assert_eq!(findings, [""; 0]);
        let policy = policy.unwrap();
        assert_eq!(policy.sandbox_level("a"), Some(SandboxLevel::High));
        assert_eq!(policy.allowed("b").count(), 1);
        assert_eq!(policy.sandbox_level("b"), None);
        assert_eq!(policy.allowed("c").count(), 0);
        assert_eq!(policy.data_classification, Some(DataClassification::Confidential));
        assert_eq!(policy.roles, Some(vec!["clerk".to_owned(), "boss".to_owned()]));
        assert_eq!(policy.encrypted, ["iban"]);
        assert!(SandboxLevel::High > SandboxLevel::Medium && SandboxLevel::Low > SandboxLevel::None);
    }

    #[test]
    fn what_is_not_known_is_said_with_its_place() {
        let cases = [
            ("<p:securty/>", "security-unknown-element"),
            (
                "<p:security>\n<p:allow/></p:security>",
                "security-unknown-element",
            ),
            ("<p:security x=\"1\"/>", "security-unknown-element"),
            (
                "<p:security><p:encrypted variables=\"a\"><p:task/></p:encrypted></p:security>",
                "security-unknown-element",
            ),
            (
                "<p:security><p:allowedTasks><p:task topic=\"a\" sandboxLevel=\"High\"/></p:allowedTasks></p:security>",
                "security-unknown-level",
            ),
            (
                "<p:security><p:dataClassification level=\"secret\"/></p:security>",
                "security-unknown-level",
            ),
            (
                "<p:security><p:dataClassification/></p:security>",
                "security-incomplete",
            ),
            (
                "<p:security><p:allowedTasks><p:task/></p:allowedTasks></p:security>",
                "security-incomplete",
            ),
            ("<p:security/><p:security/>", "security-twice"),
        ];
        for (content, code) in cases {
            let (_, findings) = read(content);
            assert_eq!(findings.len(), 1, "{content}: {findings:?}");
            assert!(findings[0].contains(&format!("error[{code}]")), "{findings:?}");
        }
        let (_, findings) = read("<p:security>\n<p:allow/></p:security>");
        assert!(findings[0].starts_with("a.bpmn:3:1:"), "{findings:?}");
        assert_eq!(read("").0, None);
    }
}
