//! What a process may use: its own list of topics (`procos:allowedTasks`), else the operator's.

use super::walk::Walk;
use crate::codes;
use crate::juel;
use crate::security::{Security, Unmet, fits};
use crate::tree::Element;
use crate::xml::Namespace;

pub(super) fn check(walk: &mut Walk<'_, '_>, process: &Element<'_>, policy: Option<&Security>) {
    if let Some(policy) = policy {
        levels(walk, policy);
    }
    used(walk, process, policy);
}

/// Sandbox levels that the workers would refuse. An entry that another for the same topic outdoes is not looked at.
fn levels(walk: &mut Walk<'_, '_>, policy: &Security) {
    for entry in policy.allowed_tasks.iter().flatten() {
        let topic = entry.topic.as_str();
        if entry.sandbox_level != policy.sandbox_level(topic) {
            continue;
        }
        let sandboxed = walk.findings.context().is_sandboxed(topic);
        let message = match sandboxed.map(|it| fits(entry.sandbox_level, it)) {
            Some(Err(Unmet::NeedsSandbox)) => format!(
                "the policy gives the topic `{topic}` the sandboxLevel none, and the topic runs code of users, which \
                 needs a sandbox"
            ),
            Some(Err(Unmet::HasNoSandbox)) => format!(
                "the policy asks for a sandbox for the topic `{topic}`, which has none, as it runs no code of users"
            ),
            Some(Ok(())) | None => continue,
        };
        // No exception makes the workers run it.
        let finding = codes::SANDBOX_LEVEL.error(walk.findings.file(), entry.range, message);
        walk.findings.extend(vec![finding]);
    }
}

/// Topics that the process uses and may not. One that an expression gives is known to the worker alone, which looks
/// again.
fn used(walk: &mut Walk<'_, '_>, process: &Element<'_>, policy: Option<&Security>) {
    let own = policy.filter(|policy| policy.allowed_tasks.is_some());
    let defaults = walk.findings.context().default_topics.as_ref();
    let is_allowed = |topic: &str| match (own, defaults) {
        (Some(policy), _) => policy.allowed(topic).next().is_some(),
        (None, Some(defaults)) => defaults.contains(topic),
        (None, None) => true,
    };
    let by = match own {
        Some(_) => "which `procos:allowedTasks` of the process does not list",
        None => {
            "which `security.default.allowed_tasks` of the configuration does not list, and the process has no \
             `procos:allowedTasks` that would"
        }
    };
    let mut owner = process.value("id").unwrap_or_default();
    for element in process.descendants() {
        if crate::read::is_flow_node(element) {
            owner = element.value("id").unwrap_or_default();
        }
        let external = element
            .camunda("type")
            .is_some_and(|it| it.eq_ignore_ascii_case("external"));
        let topic = element.attribute(Namespace::Camunda, "topic");
        let Some(topic) = topic.filter(|_| external) else {
            continue;
        };
        if !juel::is_dynamic(&topic.value) && !is_allowed(&topic.value) {
            let place = walk.tree.range(topic.range.clone());
            let message = format!("`{owner}` uses the topic `{}`, {by}", topic.value);
            let process = std::mem::replace(&mut walk.findings.element, owner.to_owned());
            walk.findings
                .refuse(&codes::TOPIC_NOT_ALLOWED, Some(place), message);
            walk.findings.element = process;
        }
    }
}
