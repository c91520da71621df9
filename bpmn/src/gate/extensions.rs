//! What stands in `extensionElements`: each element that the engine reads there, and what it does with it.

use super::expression::{self, Source};
use super::parameters;
use super::walk::{Walk, shown};
use crate::codes::{self, Code};
use crate::security;
use crate::tree::Element;
use crate::xml::Namespace;

/// Looks at one extension of an element.
pub(super) fn check(walk: &mut Walk<'_, '_>, owner: &Element<'_>, extension: &Element<'_>) {
    walk.schema_location(extension);
    // `BpmnParse.parseCamundaErrorEventDefinitions` and `hasConnector` look at local names alone.
    match (extension.namespace, extension.name) {
        (_, "connector") => refuse(
            walk,
            &codes::CONNECTOR,
            owner,
            extension,
            "is called by the engine itself",
        ),
        (_, "errorEventDefinition") => attributes(walk, extension, &["expression"], &[]),
        // `DefaultFailedJobParseListener.setFailedJobRetryTimeCycleValue` looks into both namespaces.
        (Namespace::Camunda | Namespace::Fox, "failedJobRetryTimeCycle") => text(walk, extension),
        // It is told as a policy that is none.
        _ if security::is_slip(extension) => {}
        (Namespace::Camunda, _) => camunda(walk, owner, extension),
        (Namespace::Procos, _) => quiet(walk, extension),
        (Namespace::Tool, _) => quiet(walk, extension),
        _ => walk.foreign(extension),
    }
}

fn camunda(walk: &mut Walk<'_, '_>, owner: &Element<'_>, extension: &Element<'_>) {
    match extension.name {
        "executionListener" => {
            refuse(
                walk,
                &codes::EXECUTION_LISTENER,
                owner,
                extension,
                "runs code in the engine",
            );
        }
        "taskListener" => refuse(
            walk,
            &codes::TASK_LISTENER,
            owner,
            extension,
            "runs code in the engine",
        ),
        "field" => refuse(
            walk,
            &codes::FIELD_INJECTION,
            owner,
            extension,
            "is set on an object in the engine",
        ),
        "script" => refuse(walk, &codes::INPUT_SCRIPT, owner, extension, "runs in the engine"),
        "inputOutput" => parameters::check(walk, owner, extension),
        "properties" => properties(walk, extension),
        // `BpmnParse.parseInputParameter`, `parseOutputParameter`, `parseCallableElementProvider`.
        "in" | "out" => attributes(
            walk,
            extension,
            &["businessKey", "sourceExpression"],
            &["source", "target"],
        ),
        // `DefaultFormHandler.parseFormData`, `parseFormProperties`.
        "formData" => {
            attributes(walk, extension, &[], &[]);
            for field in &extension.children {
                form_field(walk, owner, field);
            }
        }
        "formProperty" => {
            attributes(walk, extension, &["expression", "default"], &["name"]);
            for value in &extension.children {
                attributes(walk, value, &[], &["name"]);
            }
        }
        // `BpmnParse.parseStartAuthorization`, at deployment.
        "potentialStarter" => {
            for element in extension.descendants() {
                attributes(walk, element, &[], &[]);
                text(walk, element);
            }
        }
        _ => {
            let message = format!("the engine knows no extension `camunda:{}` here", extension.name);
            walk.refuse(&codes::UNKNOWN_EXTENSION, extension, message);
        }
    }
}

/// `DefaultFormHandler.parseFormField`: a start form's labels and defaults are evaluated when it is only looked at.
fn form_field(walk: &mut Walk<'_, '_>, owner: &Element<'_>, field: &Element<'_>) {
    if !field.is(Namespace::Camunda, "formField") {
        return walk.foreign(field);
    }
    attributes(walk, field, &["label", "defaultValue"], &[]);
    for part in &field.children {
        match (part.namespace, part.name) {
            (Namespace::Camunda, "properties") => properties(walk, part),
            (Namespace::Camunda, "value") => attributes(walk, part, &[], &["name"]),
            (Namespace::Camunda, "validation") => {
                for constraint in &part.children {
                    // `FormValidators.createValidator`.
                    if constraint
                        .value("name")
                        .is_some_and(|it| it.trim() == "validator")
                    {
                        refuse(
                            walk,
                            &codes::FORM_VALIDATOR,
                            owner,
                            constraint,
                            "runs code in the engine",
                        );
                    } else {
                        attributes(walk, constraint, &[], &[]);
                    }
                }
            }
            _ => walk.foreign(part),
        }
    }
}

/// `BpmnParseUtil.parseCamundaExtensionProperties`: plain text, whatever it says.
fn properties(walk: &mut Walk<'_, '_>, properties: &Element<'_>) {
    for property in &properties.children {
        if property.is(Namespace::Camunda, "property") {
            attributes(walk, property, &[], &["name", "value", "id"]);
        } else {
            walk.foreign(property);
        }
    }
}

/// Attributes without a prefix: those that are evaluated, those that are only kept. No other may be an expression.
pub(super) fn attributes(walk: &mut Walk<'_, '_>, element: &Element<'_>, evaluated: &[&str], kept: &[&str]) {
    for attribute in &element.attributes {
        let own = attribute.namespace == Namespace::None;
        if own && evaluated.contains(&attribute.name) {
            let what = format!("`{}` of {}", shown(attribute), walk.name(element));
            let source = Source::attribute(attribute);
            expression::evaluated(&mut walk.findings, walk.tree, &source, &what);
        } else if !(own && kept.contains(&attribute.name)) {
            walk.unknown(element, attribute);
        }
    }
}

/// The element's own text, which is evaluated.
pub(super) fn text(walk: &mut Walk<'_, '_>, element: &Element<'_>) {
    let what = format!("the text of {}", walk.name(element));
    expression::evaluated(&mut walk.findings, walk.tree, &Source::text(element), &what);
}

/// What only tools and this project's workers read.
fn quiet(walk: &mut Walk<'_, '_>, extension: &Element<'_>) {
    for element in extension.descendants() {
        if !matches!(element.namespace, Namespace::Procos | Namespace::Tool) {
            walk.foreign(element);
        }
        attributes(walk, element, &[], &[]);
        let source = Source::text(element);
        if source.is_dynamic() {
            let what = format!("the text of {}", walk.name(element));
            walk.unknown_place(&source, &what);
        }
    }
}

fn refuse(
    walk: &mut Walk<'_, '_>,
    code: &'static Code,
    owner: &Element<'_>,
    extension: &Element<'_>,
    does: &str,
) {
    let message = format!("`{}` of {} {does}", extension.name, walk.name(owner));
    walk.refuse(code, extension, message);
}
