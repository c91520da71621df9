//! Where findings go: refused, or known and wanted by the operator's configuration.

use diagnostics::{Diagnostic, Range, Severity};

use super::{GateContext, Judgement};
use crate::codes::Code;

pub(super) struct Findings<'c> {
    file: &'c str,
    context: &'c GateContext,
    found: &'c mut Judgement,
    /// The process that is looked at; empty outside of processes.
    pub(super) process: String,
    /// The element that people know: an activity, an event, a sequence flow, the process.
    pub(super) element: String,
}

impl<'c> Findings<'c> {
    pub(super) fn new(file: &'c str, context: &'c GateContext, found: &'c mut Judgement) -> Self {
        Self {
            file,
            context,
            found,
            process: String::new(),
            element: String::new(),
        }
    }

    pub(super) fn file(&self) -> &'c str {
        self.file
    }

    pub(super) fn context(&self) -> &'c GateContext {
        self.context
    }

    pub(super) fn refuse(&mut self, code: &'static Code, place: Option<Range>, message: String) {
        let allowance = self.context.allows(&self.process, &self.element, code.code);
        let finding = match allowance {
            None => code.error(self.file, place, message),
            Some(allowance) => {
                if !self.found.used.contains(allowance) {
                    self.found.used.push(allowance.clone());
                }
                let message = format!("{message} (allowed by configuration: {})", allowance.why);
                Diagnostic::new(Severity::Info, code.code, self.file, message).at(place)
            }
        };
        self.found.findings.push(finding);
    }

    /// What has been judged elsewhere and knows no exception.
    pub(super) fn extend(&mut self, findings: Vec<Diagnostic>) {
        self.found.findings.extend(findings);
    }
}
