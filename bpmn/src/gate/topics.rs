//! A process's own list of topics: `procos:allowedTasks`.

use super::walk::Walk;
use crate::codes;
use crate::juel;
use crate::security::Security;
use crate::tree::Element;
use crate::xml::Namespace;

/// Topics that the process uses and does not allow itself. One that an expression gives is known to the worker alone,
/// which looks again.
pub(super) fn check(walk: &mut Walk<'_, '_>, process: &Element<'_>, policy: &Security) {
    if policy.allowed_tasks.is_none() {
        return;
    }
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
        if !juel::is_dynamic(&topic.value) && policy.allowed(&topic.value).is_none() {
            let place = walk.tree.range(topic.range.clone());
            let message = format!(
                "`{owner}` uses the topic `{}`, which `procos:allowedTasks` of the process does not list",
                topic.value
            );
            let process = std::mem::replace(&mut walk.findings.element, owner.to_owned());
            walk.findings
                .refuse(&codes::TOPIC_NOT_ALLOWED, Some(place), message);
            walk.findings.element = process;
        }
    }
}
