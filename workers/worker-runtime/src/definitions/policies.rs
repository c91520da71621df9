//! What the processes of a file may do, as their `procos:security` says.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use bpmn::Namespace;
use bpmn::security::{self, Security};
use bpmn::tree::{Element, Tree};
use diagnostics::Diagnostic;
use worker_api::{DataClassification, ProcessSecurity, SandboxLevel};

/// The policies of a file's processes.
#[derive(Debug)]
pub(crate) enum Policies {
    /// By the processes' ids, which are the keys of their definitions.
    Read(HashMap<String, Declared>),
    /// None of them can be told: why.
    Unreadable(String),
}

/// What one process says.
#[derive(Clone, Debug)]
pub(crate) enum Declared {
    /// Nothing.
    Nothing,
    /// This.
    Security(Arc<ProcessSecurity>),
    /// Something that is no policy: what is wrong with it, and where.
    Unreadable(String),
}

/// What this project's namespaces begin with. One that is none of them is a slip.
const OWN: &str = "urn:procos:";

impl Policies {
    /// Reads a file. Whatever might be meant as a policy and is none makes it unreadable: what it was to forbid is not
    /// known.
    pub(super) fn read(id: &str, model: &[u8]) -> Self {
        let text = match bpmn::decode(id, model) {
            Ok(text) => text,
            Err(finding) => return Self::Unreadable(told(&[*finding])),
        };
        let tree = match Tree::read(id, &text) {
            Ok(tree) => tree,
            Err(finding) => return Self::Unreadable(told(&[*finding])),
        };
        let processes = || tree.root().children(Namespace::Bpmn, "process");
        let places: Vec<&Element<'_>> = processes()
            .flat_map(Element::extensions)
            .filter(|it| it.namespace == Namespace::Procos)
            .collect();
        let is_in_place = |it: &Element<'_>| places.iter().any(|place| std::ptr::eq(*place, it));
        let misplaced = tree
            .root()
            .descendants()
            .find(|it| is_meant(it) && !is_in_place(it));
        if let Some(element) = misplaced {
            let line = tree.range(element.tag.clone()).start.line;
            return Self::Unreadable(match element.namespace {
                Namespace::Procos => format!(
                    "line {line}: `procos:security` stands in the extension elements of a process and nowhere else"
                ),
                _ => format!(
                    "line {line}: the namespace of `security` is `{}`, not `{}`",
                    element.uri,
                    security::NAMESPACE
                ),
            });
        }
        let mut read = HashMap::new();
        for process in processes() {
            let key = process.value("id").unwrap_or_default().to_owned();
            let declared = match Security::read(id, &tree, process) {
                (_, findings) if !findings.is_empty() => Declared::Unreadable(told(&findings)),
                (None, _) => Declared::Nothing,
                (Some(security), _) => Declared::Security(Arc::new(of(security))),
            };
            if read.insert(key.clone(), declared).is_some() {
                return Self::Unreadable(format!("two processes of the file have the id `{key}`"));
            }
        }
        Self::Read(read)
    }

    /// What the process with this key says.
    pub(crate) fn of(&self, key: &str) -> Declared {
        match self {
            Self::Unreadable(why) => Declared::Unreadable(why.clone()),
            Self::Read(by_key) => by_key.get(key).cloned().unwrap_or_else(|| {
                Declared::Unreadable("the definition's model has no process with this id".to_owned())
            }),
        }
    }
}

/// Whether it is a policy, or was to be one.
fn is_meant(element: &Element<'_>) -> bool {
    element.name == "security"
        && (element.namespace == Namespace::Procos || element.uri.trim().starts_with(OWN))
}

/// The findings with their lines. The place alone: what the file is called tells nobody anything.
fn told(findings: &[Diagnostic]) -> String {
    let one = |finding: &Diagnostic| match finding.range {
        Some(range) => format!("line {}: {}", range.start.line, finding.message),
        None => finding.message.clone(),
    };
    findings.iter().map(one).collect::<Vec<_>>().join("; ")
}

fn of(security: Security) -> ProcessSecurity {
    let allowed = security.allowed_tasks.map(|tasks| {
        let mut allowed = BTreeMap::<String, Option<SandboxLevel>>::new();
        for task in tasks {
            let level = task.sandbox_level.map(level);
            let strictest = allowed.entry(task.topic).or_default();
            // Of a topic that is listed twice the stricter word counts.
            *strictest = level.max(*strictest);
        }
        allowed
    });
    ProcessSecurity {
        allowed_tasks: allowed,
        data_classification: security.data_classification.map(classification),
        roles: security.roles,
        encrypted: security.encrypted,
    }
}

fn level(level: security::SandboxLevel) -> SandboxLevel {
    match level {
        security::SandboxLevel::None => SandboxLevel::None,
        security::SandboxLevel::Low => SandboxLevel::Low,
        security::SandboxLevel::Medium => SandboxLevel::Medium,
        security::SandboxLevel::High => SandboxLevel::High,
    }
}

fn classification(level: security::DataClassification) -> DataClassification {
    match level {
        security::DataClassification::Public => DataClassification::Public,
        security::DataClassification::Internal => DataClassification::Internal,
        security::DataClassification::Confidential => DataClassification::Confidential,
        security::DataClassification::Restricted => DataClassification::Restricted,
    }
}
