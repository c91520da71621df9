//! What can be said about a bundle without an engine.

use std::collections::BTreeMap;

use bpmn::{Allowance, GateContext};
use diagnostics::Report;

use crate::Bundle;

/// What the gate says about a bundle.
#[derive(Debug, Default)]
pub struct Judgement {
    /// What was found.
    pub report: Report,
    /// The exceptions that let something pass, each once.
    pub used: Vec<Allowance>,
}

impl Judgement {
    /// Writes the exceptions into the log that let something of a deployment pass.
    pub fn log(&self, deployment: &str) {
        for used in &self.used {
            let Allowance {
                process,
                element,
                code,
                why,
            } = used;
            tracing::warn!(
                deployment,
                process,
                element,
                code,
                why,
                "deployed by an exception to the gate"
            );
        }
    }
}

impl Bundle {
    /// Everything that is wrong with the models, each by itself and together, in the order of the files.
    #[must_use]
    pub fn check(&self, context: &GateContext) -> Report {
        self.judge(context).report
    }

    /// As [`check`](Self::check), with the exceptions that were used.
    #[must_use]
    pub fn judge(&self, context: &GateContext) -> Judgement {
        // Scripts go along for the workers; the engine only keeps them.
        let models = self.models().iter().filter(|model| !model.is_script());
        let files: Vec<(&str, &[u8])> = models
            .map(|model| (model.file.as_str(), &*model.content))
            .collect();
        let judgement = bpmn::judge(&files, context);
        Judgement {
            report: Report::new(judgement.findings),
            used: judgement.used,
        }
    }

    /// The keys of the processes that the engine will make definitions of, with their files.
    pub(crate) fn keys(&self) -> BTreeMap<String, String> {
        let models = self.models().iter().filter(|model| model.is_bpmn());
        let processes = models.flat_map(|model| {
            let (read, _) = bpmn::read(&model.file, &model.content);
            let processes = read.into_iter().flat_map(|read| read.processes);
            processes.map(|process| (process, model.file.clone()))
        });
        processes
            .filter(|(process, _)| process.executable)
            .map(|(process, file)| (process.id, file))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{bundle, process};

    #[test]
    fn models_that_are_right_give_no_finding() {
        let bundle = bundle(&[("a.bpmn", &process("a")), ("b.bpmn", &process("b"))]);
        assert_eq!(bundle.check(&GateContext::default()), Report::default());
        assert_eq!(bundle.keys().into_keys().collect::<Vec<_>>(), ["a", "b"]);
    }

    #[test]
    fn a_key_in_two_files_is_an_error_at_the_second_that_names_the_first() {
        let report = bundle(&[("a.bpmn", &process("same")), ("b.bpmn", &process("same"))])
            .check(&GateContext::default());
        let [finding] = report.diagnostics.as_slice() else {
            panic!("{report:?}")
        };
        assert_eq!(
            finding.to_string(),
            "b.bpmn:2:3: error[duplicate-process]: the process `same` is also in a.bpmn"
        );
        assert_eq!(finding.related[0].file, "a.bpmn");
    }

    #[test]
    fn what_is_wrong_with_one_file_is_found_in_it() {
        let report =
            bundle(&[("a.bpmn", &process("a")), ("b.bpmn", "not XML")]).check(&GateContext::default());
        assert_eq!(report.errors, 1);
        assert_eq!(report.diagnostics[0].file, "b.bpmn");
    }

    #[test]
    fn code_in_models_decisions_and_forms_is_found_and_scripts_are_left_alone() {
        let code = process("a").replace("<userTask", "<serviceTask camunda:class=\"X\"");
        let report = bundle(&[
            ("a.bpmn", &code),
            ("b.dmn", "<definitions/>"),
            ("c.form", "[]"),
            ("d.js", "<b/>"),
        ])
        .check(&GateContext::default());
        let found: Vec<_> = report
            .diagnostics
            .iter()
            .map(|it| (&*it.file, &*it.code))
            .collect();
        assert_eq!(
            found,
            [
                ("a.bpmn", "java-class"),
                ("b.dmn", "not-dmn"),
                ("c.form", "not-a-form")
            ]
        );
    }

    #[test]
    fn an_exception_lets_pass_and_is_told() {
        let code = process("a").replace("<userTask", "<serviceTask camunda:class=\"X\"");
        let allowed = Allowance {
            process: "a".to_owned(),
            element: "task".to_owned(),
            code: "java-class".to_owned(),
            why: "until May".to_owned(),
        };
        let context = GateContext {
            allowances: vec![allowed.clone()],
            ..GateContext::default()
        };
        let judgement = bundle(&[("a.bpmn", &code)]).judge(&context);
        assert_eq!(judgement.report.errors, 0);
        assert!(
            judgement.report.diagnostics[0].message.contains("until May"),
            "{judgement:?}"
        );
        assert_eq!(judgement.used, [allowed]);
    }
}
