//! What the processes of a file may do, as their `procos:security` says.

use std::collections::HashMap;
use std::sync::Arc;

use bpmn::Namespace;
use bpmn::security::{self, Security};
use bpmn::tree::Tree;
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
        let misplaced = security::misplaced(id, &tree);
        if let Some(first) = misplaced.first() {
            return Self::Unreadable(told(std::slice::from_ref(first)));
        }
        let mut read = HashMap::new();
        for process in tree.root().children(Namespace::Bpmn, "process") {
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

/// The findings with their lines. The place alone: what the file is called tells nobody anything.
fn told(findings: &[Diagnostic]) -> String {
    let one = |finding: &Diagnostic| match finding.range {
        Some(range) => format!("line {}: {}", range.start.line, finding.message),
        None => finding.message.clone(),
    };
    findings.iter().map(one).collect::<Vec<_>>().join("; ")
}

fn of(security: Security) -> ProcessSecurity {
    let topics = security.allowed_tasks.as_ref().map(|tasks| {
        let entry = |topic: &String| (topic.clone(), security.sandbox_level(topic).map(level));
        tasks.iter().map(|task| entry(&task.topic)).collect()
    });
    ProcessSecurity {
        allowed_tasks: topics,
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

/// The same level where models are read.
pub(crate) fn declared(level: SandboxLevel) -> security::SandboxLevel {
    match level {
        SandboxLevel::None => security::SandboxLevel::None,
        SandboxLevel::Low => security::SandboxLevel::Low,
        SandboxLevel::Medium => security::SandboxLevel::Medium,
        SandboxLevel::High => security::SandboxLevel::High,
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
