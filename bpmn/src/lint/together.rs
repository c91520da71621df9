//! What only shows when all files are looked at.

use std::collections::{HashMap, HashSet};

use diagnostics::{Diagnostic, Range, Related};

use super::{Checked, errors};
use crate::codes;
use crate::gate::GateContext;
use crate::juel;
use crate::model::Kind;

pub(crate) fn together(checked: &[Checked<'_>], context: &GateContext, findings: &mut Vec<Diagnostic>) {
    clashes(checked, findings);
    calls(checked, context, findings);
    errors::uncaught(checked, context, findings);
}

/// The same key twice: the engine refuses a deployment with both.
fn clashes(checked: &[Checked<'_>], findings: &mut Vec<Diagnostic>) {
    let mut first: HashMap<&str, (&str, Range)> = HashMap::new();
    for file in checked {
        for process in file
            .model
            .processes
            .iter()
            .filter(|it| it.executable && !it.id.is_empty())
        {
            match first.get(process.id.as_str()) {
                Some((other, range)) => {
                    let message = format!("the process `{}` is also in {other}", process.id);
                    let related = Related {
                        message: "here, too".to_owned(),
                        file: (*other).to_owned(),
                        range: Some(*range),
                    };
                    findings.push(
                        codes::DUPLICATE_PROCESS
                            .error(&file.file, process.range, message)
                            .related(related),
                    );
                }
                None => {
                    first.insert(&process.id, (&file.file, process.range));
                }
            }
        }
    }
}

/// A call activity that always calls the same process.
struct Call<'c> {
    file: &'c str,
    caller: &'c str,
    activity: &'c str,
    called: &'c str,
    range: Range,
}

fn calls(checked: &[Checked<'_>], context: &GateContext, findings: &mut Vec<Diagnostic>) {
    let mut calls = Vec::new();
    let mut keys = HashSet::new();
    for file in checked {
        for process in file.model.processes.iter().filter(|it| it.executable) {
            keys.insert(process.id.as_str());
            for node in &process.nodes {
                let Kind::CallActivity {
                    called_element: Some(called),
                } = &node.kind
                else {
                    continue;
                };
                if !juel::is_dynamic(called) {
                    calls.push(Call {
                        file: &file.file,
                        caller: &process.id,
                        activity: &node.id,
                        called,
                        range: node.range,
                    });
                }
            }
        }
    }
    if let Some(deployed) = &context.deployed {
        for call in calls
            .iter()
            .filter(|it| !keys.contains(it.called) && !deployed.contains(it.called))
        {
            let message = format!(
                "`{}` calls the process `{}`, which is nowhere",
                call.activity, call.called
            );
            findings.push(codes::UNKNOWN_CALL.warning(call.file, call.range, message));
        }
    }
    recursion(&calls, findings);
}

/// Each circle of calls is said once, at the call in the files' order that begins it. Goes down the calls with a path
/// of its own rather than by recursion: chains may be as long as files are.
fn recursion(calls: &[Call<'_>], findings: &mut Vec<Diagnostic>) {
    let mut by_caller: HashMap<&str, Vec<&Call<'_>>> = HashMap::new();
    for call in calls {
        by_caller.entry(call.caller).or_default().push(call);
    }
    let calls_of = |process: &str| by_caller.get(process).map(Vec::as_slice).unwrap_or_default();
    let mut done: HashSet<&str> = HashSet::new();
    for start in calls {
        if !done.insert(start.caller) {
            continue;
        }
        // Each process on the way with the calls that it has still to follow, and the call that is followed.
        let mut path: Vec<(&str, &[&Call<'_>])> = vec![(start.caller, calls_of(start.caller))];
        let mut way: Vec<&Call<'_>> = Vec::new();
        let mut places = HashMap::from([(start.caller, 0)]);
        while let Some((process, rest)) = path.last_mut() {
            let Some((call, others)) = rest.split_first() else {
                places.remove(*process);
                path.pop();
                way.pop();
                continue;
            };
            *rest = others;
            if let Some(&from) = places.get(call.called) {
                let circle = way.iter().skip(from).chain([call]);
                say(circle.copied().collect(), findings);
            } else if done.insert(call.called) {
                places.insert(call.called, path.len());
                path.push((call.called, calls_of(call.called)));
                way.push(call);
            }
        }
    }
}

fn say(circle: Vec<&Call<'_>>, findings: &mut Vec<Diagnostic>) {
    let Some(first) = circle.first() else { return };
    let names: Vec<_> = circle.iter().map(|it| format!("`{}`", it.called)).collect();
    let chain = match names.as_slice() {
        [one, .., last] if names.len() > 5 => {
            format!("{one}, which after {} more calls {last}", names.len() - 2)
        }
        names => names.join(", which calls "),
    };
    let message = format!(
        "`{}` of `{}` calls {chain}: without a way out that is endless",
        first.activity, first.caller
    );
    findings.push(codes::CALL_RECURSION.warning(first.file, first.range, message));
}
