//! Topics: whether somebody works them, and whether the errors that their adapters throw are caught.

use std::collections::{HashMap, HashSet};

use diagnostics::Diagnostic;

use super::Checked;
use crate::codes;
use crate::gate::GateContext;
use crate::juel;
use crate::model::{Event, FlowNode, Kind, Model, Process};

/// Topics that no adapter works.
pub(super) fn topics(file: &str, process: &Process, context: &GateContext, findings: &mut Vec<Diagnostic>) {
    let Some(known) = &context.topics else { return };
    for node in &process.nodes {
        let Some(topic) = &node.topic else { continue };
        if !juel::is_dynamic(&topic.name) && !known.contains_key(&topic.name) {
            let message = format!(
                "the topic `{}` of {} has no route: nobody works it",
                topic.name,
                called(node)
            );
            let finding = codes::TOPIC_WITHOUT_ROUTE.warning(file, topic.range, message);
            let near = codes::nearest(&topic.name, known.keys().map(String::as_str));
            findings.push(if near.is_empty() {
                finding
            } else {
                finding.help(format!("did you mean {}?", near.join(" or ")))
            });
        }
    }
}

/// Error codes that an adapter can throw and neither the process catches nor one among the files that calls it.
pub(super) fn uncaught(checked: &[Checked<'_>], context: &GateContext, findings: &mut Vec<Diagnostic>) {
    let Some(known) = &context.topics else { return };
    let catchers = Catchers::new(checked);
    for file in checked {
        for used in file.model.topics().filter(|it| it.process.executable) {
            let Some(codes) = known.get(&used.topic.name) else {
                continue;
            };
            let caught = |code: &str| {
                catchers.catch(
                    &file.model,
                    &used.process.id,
                    &used.node.id,
                    code,
                    &mut HashSet::new(),
                )
            };
            let uncaught: Vec<_> = codes
                .iter()
                .filter(|code| !caught(code))
                .map(|code| format!("`{code}`"))
                .collect();
            if !uncaught.is_empty() {
                let message = format!(
                    "nothing catches {} that `{}` of {} can throw: the instance would stop with an incident",
                    uncaught.join(", "),
                    used.topic.name,
                    called(used.node)
                );
                findings.push(codes::UNCAUGHT_ERROR.warning(&file.file, used.node.range, message));
            }
        }
    }
}

/// The name that people gave it, and its id.
fn called(node: &FlowNode) -> String {
    match &node.name {
        Some(name) => format!("`{name}` ({})", node.id),
        None => format!("`{}`", node.id),
    }
}

/// Who catches errors, and who calls whom, gathered once: there are many tasks, and each has many codes.
struct Catchers<'c> {
    /// The codes that some event of a process catches, `None` for all; by the process's key.
    codes: HashMap<&'c str, HashSet<Option<&'c str>>>,
    /// The call activities that call a process, by its key.
    callers: HashMap<&'c str, Vec<(&'c Model, &'c str, &'c str)>>,
}

impl<'c> Catchers<'c> {
    fn new(checked: &'c [Checked<'_>]) -> Self {
        let mut catchers = Self {
            codes: HashMap::new(),
            callers: HashMap::new(),
        };
        for model in checked.iter().map(|it| &it.model) {
            for process in &model.processes {
                let codes = catchers.codes.entry(process.id.as_str()).or_default();
                for node in &process.nodes {
                    codes.extend(node.events.iter().filter_map(|event| match event {
                        Event::Error { code } => Some(code.as_deref()),
                        _ => None,
                    }));
                    if let Kind::CallActivity {
                        called_element: Some(called),
                    } = &node.kind
                    {
                        let caller = (model, process.id.as_str(), node.id.as_str());
                        catchers.callers.entry(called).or_default().push(caller);
                    }
                }
            }
        }
        catchers
    }

    fn catch<'p>(
        &self,
        model: &Model,
        process: &'p str,
        activity: &str,
        code: &str,
        seen: &mut HashSet<&'p str>,
    ) -> bool
    where
        'c: 'p,
    {
        let some = self.codes.get(process);
        let worth_a_look = some.is_some_and(|it| it.contains(&None) || it.contains(&Some(code)));
        if worth_a_look && model.catches(process, activity, code) {
            return true;
        }
        let callers = self.callers.get(process).map(Vec::as_slice).unwrap_or_default();
        seen.insert(process)
            && callers
                .iter()
                .any(|(model, process, activity)| self.catch(model, process, activity, code, seen))
    }
}
