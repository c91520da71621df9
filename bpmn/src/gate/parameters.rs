//! Input and output parameters, where the engine looks at local names alone.
//!
//! `BpmnParseUtil.parseNestedParamValueProvider` and `parseParamValueProvider`: one child element is the value,
//! whatever it is called: a `list`, a `map` whose `entry` elements have evaluated keys, a `script` that is run, or
//! anything else, whose text is evaluated. Without a child the parameter's own text is.

use super::expression::Source;
use super::extensions::{attributes, text};
use super::walk::Walk;
use crate::codes;
use crate::juel;
use crate::tree::Element;
use crate::xml::Namespace;

pub(super) fn check(walk: &mut Walk<'_, '_>, owner: &Element<'_>, mapping: &Element<'_>) {
    for parameter in &mapping.children {
        match (parameter.namespace, parameter.name) {
            (Namespace::Camunda, "inputParameter" | "outputParameter") => value(walk, owner, parameter),
            // Where connectors are, they have parameters of their own, and this one is none of theirs.
            _ => walk.foreign(parameter),
        }
    }
}

fn value(walk: &mut Walk<'_, '_>, owner: &Element<'_>, parameter: &Element<'_>) {
    let code = parameter.name == "inputParameter"
        && parameter.value("name").is_some_and(|it| it.trim() == "script")
        && is_script_task(walk);
    for element in parameter.descendants() {
        if element.name == "script" {
            let name = parameter.value("name").unwrap_or_default();
            let message = format!(
                "the parameter `{name}` of {} is a script, which the engine would run",
                walk.name(owner)
            );
            walk.refuse(&codes::INPUT_SCRIPT, element, message);
            continue;
        }
        if element.namespace != Namespace::Camunda {
            walk.foreign(element);
        }
        attributes(walk, element, &["key"], &[]);
        let source = Source::text(element);
        if code && source.is_dynamic() {
            let place = walk.tree.range(source.whole());
            let message = format!(
                "the code in the parameter `script` of {} has ${{ or #{{ in it, which the engine would evaluate before the worker sees it",
                walk.name(owner)
            );
            walk.findings
                .refuse(&codes::SCRIPT_PARAMETER, Some(place), message);
        } else {
            text(walk, element);
        }
    }
}

/// Whether the parameter `script` is code: the topic is one of scripts, or nobody can know.
fn is_script_task(walk: &Walk<'_, '_>) -> bool {
    let Some(topic) = &walk.topic else { return false };
    juel::is_dynamic(topic) || walk.findings.context().script_topics.contains(topic.trim())
}
