//! What can be said about a bundle without an engine.

use std::collections::{BTreeMap, HashMap};

use diagnostics::{Diagnostic, Range, Related, Report};

use crate::Bundle;

impl Bundle {
    /// Everything that is wrong with the models, each by itself and together, in the order of the files.
    #[must_use]
    pub fn check(&self) -> Report {
        self.read().report
    }

    pub(crate) fn read(&self) -> Reading {
        let mut reading = Reading::default();
        let mut findings = Vec::new();
        let mut seen: HashMap<String, (&str, Range)> = HashMap::new();
        for model in self.models().iter().filter(|model| model.is_bpmn()) {
            let (read, its_findings) = bpmn::read(&model.file, &model.content);
            findings.extend(its_findings);
            for process in read.into_iter().flat_map(|read| read.processes) {
                // Twice in one file is the reader's finding.
                match seen.get(&process.id) {
                    Some((file, first)) if *file != model.file => {
                        findings.push(twice(&process, &model.file, file, *first));
                    }
                    Some(_) => {}
                    None => {
                        if process.executable {
                            reading.keys.insert(process.id.clone(), model.file.clone());
                        }
                        seen.insert(process.id, (&model.file, process.range));
                    }
                }
            }
        }
        reading.report = Report::new(findings);
        reading
    }
}

/// A bundle as it has been read.
#[derive(Default)]
pub(crate) struct Reading {
    /// What was found.
    pub(crate) report: Report,
    /// The keys of the processes that the engine will make definitions of, with their files.
    pub(crate) keys: BTreeMap<String, String>,
}

fn twice(process: &bpmn::Process, file: &str, other: &str, first: Range) -> Diagnostic {
    let message = format!("the process `{}` is also in {other}", process.id);
    Diagnostic::error("duplicate-process", file, message)
        .at(process.range)
        .help("give one of the two another id: the id is the key by which a process is started")
        .related(Related {
            message: "here, too".to_owned(),
            file: other.to_owned(),
            range: Some(first),
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{bundle, process};

    #[test]
    fn models_that_are_right_give_no_finding() {
        let reading = bundle(&[("a.bpmn", &process("a")), ("b.bpmn", &process("b"))]).read();
        assert_eq!(reading.report, Report::default());
        assert_eq!(reading.keys.into_keys().collect::<Vec<_>>(), ["a", "b"]);
    }

    #[test]
    fn a_key_in_two_files_is_an_error_at_the_second_that_names_the_first() {
        let report = bundle(&[("a.bpmn", &process("same")), ("b.bpmn", &process("same"))]).check();
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
        let report = bundle(&[("a.bpmn", &process("a")), ("b.bpmn", "not XML")]).check();
        assert_eq!(report.errors, 1);
        assert_eq!(report.diagnostics[0].file, "b.bpmn");
    }
}
