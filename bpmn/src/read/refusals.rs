//! What the engine would refuse of a model that can be read, or skip in silence.

use diagnostics::{Diagnostic, LineIndex, Related};

use super::{is_executable, properties};
use crate::codes;
use crate::tree::Element;
use crate::xml::Namespace;

/// As long as the column of the engine's database that keeps it (`ACT_RE_PROCDEF.KEY_`).
const LONGEST_KEY: usize = 255;

/// What the engine would refuse, or skip in silence.
pub(super) fn check(file: &str, root: &Element<'_>, lines: &LineIndex<'_>, findings: &mut Vec<Diagnostic>) {
    let range = |element: &Element<'_>| lines.range(element.tag.clone());
    let processes: Vec<_> = root.children(Namespace::Bpmn, "process").collect();
    if let Some((first, others)) = processes.split_first() {
        if !processes.iter().any(|it| is_executable(it)) {
            let message = match first.value("id") {
                Some(id) if others.is_empty() => format!("the process `{id}` is not executable"),
                _ => "no process in the file is executable".into(),
            };
            let finding = codes::NO_EXECUTABLE_PROCESS.error(file, range(first), message);
            findings.push(others.iter().fold(finding, |finding, other| {
                let message = "nor is this one executable".into();
                finding.related(Related {
                    message,
                    file: file.into(),
                    range: Some(range(other)),
                })
            }));
        }
    } else {
        findings.push(codes::NO_PROCESS.error(file, range(root), "the file has no process".into()));
    }
    for process in processes {
        let id = process.value("id").filter(|id| !id.is_empty());
        if id.is_none() {
            findings.push(codes::MISSING_PROCESS_ID.error(
                file,
                range(process),
                "the process has no id".into(),
            ));
        }
        if !is_executable(process) {
            continue;
        }
        if let Some(length) = id
            .map(|id| id.chars().count())
            .filter(|length| *length > LONGEST_KEY)
        {
            let message = format!("the process's id has {length} characters, {LONGEST_KEY} is the most");
            findings.push(codes::PROCESS_ID_TOO_LONG.error(file, range(process), message));
        }
        let name = id.map_or_else(|| "the process".into(), |id| format!("the process `{id}`"));
        let attribute = process.attribute(Namespace::Camunda, "historyTimeToLive");
        match attribute.filter(|it| !it.value.is_empty()) {
            None => {
                let message = format!("{name} does not say how long to keep its history");
                findings.push(codes::MISSING_HISTORY_TIME_TO_LIVE.error(file, range(process), message));
            }
            Some(it) if !is_days(&it.value) => {
                let message = format!(
                    "the history time to live of {name} is not in days: `{}`",
                    it.value
                );
                let place = lines.range(it.range.clone());
                findings.push(codes::INVALID_HISTORY_TIME_TO_LIVE.error(file, place, message));
            }
            Some(_) => {}
        }
        check_properties(file, process, lines, findings);
    }
}

fn check_properties(
    file: &str,
    element: &Element<'_>,
    lines: &LineIndex<'_>,
    findings: &mut Vec<Diagnostic>,
) {
    for property in properties(element).filter(|it| it.value("name").is_none()) {
        let message = match element.value("id") {
            Some(id) => format!("an extension property of `{id}` has no name"),
            None => "an extension property has no name".into(),
        };
        findings.push(codes::NAMELESS_PROPERTY.error(file, lines.range(property.tag.clone()), message));
    }
    for child in element
        .children
        .iter()
        .filter(|it| it.namespace == Namespace::Bpmn)
    {
        check_properties(file, child, lines, findings);
    }
}

/// As `ParseUtil.parseHistoryTimeToLive` reads it: `P30D` or a number of days, not negative.
fn is_days(value: &str) -> bool {
    let digits = value
        .strip_prefix('P')
        .and_then(|it| it.strip_suffix('D'))
        .unwrap_or(value);
    digits.parse::<i32>().is_ok_and(|days| days >= 0) && !(digits != value && digits.starts_with('+'))
}
