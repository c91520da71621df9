//! An element template of Camunda Modeler, for Camunda 7, made of what an adapter says of a topic.
//!
//! Templates of Camunda 7 know neither icons nor conditions nor optional properties: whatever a template lists is
//! written into the model, a field left empty as a parameter or property without a value. The workers take such a one for
//! not given.

use serde::Serialize;
use serde_json::Value as Json;
use worker_api::TopicDescription;

use super::control::{Control, control};
use super::schema::{Field, fields};

/// Without a version: Modeler refuses templates that name one later than its own, whatever is in them.
const SCHEMA: &str = "https://unpkg.com/@camunda/element-templates-json-schema/resources/schema.json";

/// What stands before a topic in the id of its template.
pub(super) const ID_PREFIX: &str = "procos.";

/// An element template. The fields are written in this order.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Template {
    #[serde(rename = "$schema")]
    schema: &'static str,
    name: String,
    id: String,
    description: String,
    version: u32,
    keywords: Vec<String>,
    applies_to: [&'static str; 2],
    element_type: ElementType,
    groups: Vec<Group>,
    entries_visible: bool,
    properties: Vec<Property>,
}

#[derive(Debug, Serialize)]
struct ElementType {
    value: &'static str,
}

#[derive(Debug, Serialize)]
struct Group {
    id: &'static str,
    label: &'static str,
}

/// One field of the form, or a hidden value.
#[derive(Debug, Default, Serialize)]
struct Property {
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    placeholder: Option<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    choices: Vec<Named>,
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<&'static str>,
    binding: Binding,
    #[serde(skip_serializing_if = "Option::is_none")]
    constraints: Option<Constraints>,
}

/// A value to choose.
#[derive(Debug, Serialize)]
struct Named {
    name: String,
    value: String,
}

#[derive(Debug, Default, Serialize)]
struct Binding {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Constraints {
    not_empty: bool,
}

const INPUTS: Group = Group {
    id: "inputs",
    label: "What it is given",
};
const MORE: Group = Group {
    id: "more",
    label: "More inputs",
};
const ANSWER: Group = Group {
    id: "answer",
    label: "The whole answer",
};
const FAILURE: Group = Group {
    id: "failure",
    label: "When it fails",
};
const TURNS: Group = Group {
    id: "turns",
    label: "Not too many at once",
};

/// What there is to know of a topic for its template.
pub(super) struct Subject<'a> {
    /// The topic as models name it.
    pub(super) topic: &'a str,
    /// The adapter's name.
    pub(super) adapter: &'a str,
    /// The adapter's own topic that is meant.
    pub(super) described: &'a TopicDescription,
    /// Whether the operator fixes an input.
    pub(super) is_fixed: &'a dyn Fn(&str) -> bool,
}

/// The template of a topic.
pub(super) fn template(subject: &Subject<'_>) -> Template {
    let Subject {
        topic,
        adapter,
        described,
        ..
    } = *subject;
    let is_own = topic == described.topic;
    let mut properties = vec![
        hidden("camunda:type", "external".to_owned()),
        hidden("camunda:topic", topic.to_owned()),
    ];
    properties.extend(inputs(subject));
    properties.extend(described.keeps.iter().map(|name| output(name, described)));
    properties.push(whole_answer(described));
    properties.extend(on_failure(described));
    properties.extend(turns());
    let groups = [INPUTS, MORE, ANSWER, FAILURE, TURNS].into_iter();
    let is_used = |group: &Group| properties.iter().any(|it| it.group == Some(group.id));
    Template {
        schema: SCHEMA,
        name: if is_own {
            described.summary.clone()
        } else {
            format!("{topic}: {}", described.summary)
        },
        id: format!("{ID_PREFIX}{topic}"),
        description: format!("Topic {topic} of ProcOS"),
        version: described.version,
        keywords: vec![topic.to_owned(), adapter.to_owned()],
        applies_to: ["bpmn:Task", "bpmn:ServiceTask"],
        element_type: ElementType {
            value: "bpmn:ServiceTask",
        },
        groups: groups.filter(is_used).collect(),
        // Where a task may have inputs of its own choice, the ordinary list of inputs has to be there for them.
        entries_visible: described.inputs.as_value()["additionalProperties"] == true,
        properties,
    }
}

fn hidden(name: &str, value: String) -> Property {
    Property {
        kind: Some("Hidden"),
        value: Some(value),
        binding: Binding {
            kind: "property",
            name: Some(name.to_owned()),
            source: None,
        },
        ..Property::default()
    }
}

/// The inputs that a form asks for, in its order, then all others. What the operator fixes is left out, and so is what
/// says which topic is meant: the topic says it already.
fn inputs(subject: &Subject<'_>) -> Vec<Property> {
    let described = subject.described;
    let schema = described.inputs.as_value();
    let chooses = |name: &str| described.chosen_by.as_ref().is_some_and(|it| it.input == name);
    let mut inputs: Vec<_> = fields(schema, &described.asks)
        .into_iter()
        .filter(|field| !(subject.is_fixed)(&field.name) && !chooses(&field.name))
        .map(|field| {
            let is_asked = field.required || described.asks.contains(&field.name);
            (is_asked, input(field, schema, is_asked))
        })
        .collect();
    inputs.sort_by_key(|(is_asked, _)| !is_asked);
    inputs.into_iter().map(|(_, input)| input).collect()
}

fn input(field: Field, schema: &Json, is_asked: bool) -> Property {
    let control = control(&schema["properties"][&field.name], schema);
    let default = field.default.as_ref().map(text);
    let (kind, choices) = match control {
        Control::Line => ("String", Vec::new()),
        Control::Lines => ("Text", Vec::new()),
        Control::Choice(values) => {
            let none = (!field.required && default.is_none()).then(|| Named {
                name: "(not set)".to_owned(),
                value: String::new(),
            });
            let values = values.into_iter().map(|choice| {
                let help = choice.help.trim_end_matches('.').replace('`', "");
                Named {
                    name: if help.is_empty() {
                        choice.value.clone()
                    } else {
                        format!("{}: {help}", choice.value)
                    },
                    value: choice.value,
                }
            });
            ("Dropdown", none.into_iter().chain(values).collect())
        }
    };
    Property {
        label: Some(label(&field.name)),
        description: (!field.help.is_empty()).then(|| html(&field.help)),
        kind: Some(kind),
        value: default,
        choices,
        group: Some(if is_asked { INPUTS.id } else { MORE.id }),
        binding: Binding {
            kind: "camunda:inputParameter",
            name: Some(field.name),
            source: None,
        },
        constraints: field.required.then_some(Constraints { not_empty: true }),
        ..Property::default()
    }
}

/// An output parameter. Without a type, Modeler lists it with a switch for it.
fn output(name: &str, described: &TopicDescription) -> Property {
    let field = fields(described.answer.as_value(), &[]).into_iter();
    let help = field
        .filter(|field| field.name == name)
        .map(|field| html(&field.help))
        .next();
    Property {
        label: Some(label(name)),
        description: help,
        value: Some(name.to_owned()),
        binding: Binding {
            kind: "camunda:outputParameter",
            name: None,
            // Some engines compute outputs also where a boundary event has caught an error, and there is no answer then.
            source: Some(format!("${{execution.hasVariable('{name}') ? {name} : null}}")),
        },
        ..Property::default()
    }
}

fn whole_answer(described: &TopicDescription) -> Property {
    let fields = fields(described.answer.as_value(), &described.keeps);
    let names: Vec<_> = fields.iter().map(|field| format!("`{}`", field.name)).collect();
    let has = match names.as_slice() {
        [] => String::new(),
        names => format!(" Its fields: {}.", names.join(", ")),
    };
    extension(
        "resultVariable",
        "Result variable",
        &format!(
            "The process variable that gets the whole answer as one object, and what a business error tells.{has} Empty: none."
        ),
        None,
        ANSWER.id,
    )
}

fn on_failure(described: &TopicDescription) -> [Property; 3] {
    let mut map = extension(
        "errorMap",
        "Turn errors into others",
        "Rules with commas between; the first that matches counts. On the left a code, `failure` for any technical failure, \
         or `*`; on the right a code, `retry` or `incident`; `at once` behind a code: without other attempts.",
        Some("HTTP_404 -> CUSTOMER_UNKNOWN, failure -> incident"),
        FAILURE.id,
    );
    if !described.errors.is_empty() {
        let errors = described.errors.iter();
        let errors: String = errors
            .map(|error| {
                format!(
                    "<br/><code>{}</code>: {}",
                    html(&error.code),
                    html(&error.meaning)
                )
            })
            .collect();
        let rules = map.description.unwrap_or_default();
        // Lists would be written larger than the text around them.
        map.description = Some(format!(
            "{rules}<br/><br/>Business errors of this task, for boundary events to catch:{errors}"
        ));
    }
    [
        extension(
            "retry",
            "Attempts",
            "How often it is tried, and how far apart: `R5/PT1M` is five attempts a minute apart, `PT5S,PT1M` a list of \
             delays. Empty: three attempts ten seconds apart, unless the operator says otherwise.",
            Some("R5/PT1M"),
            FAILURE.id,
        ),
        extension(
            "timeout",
            "Time for one attempt",
            "How long one attempt may take, such as `2m` or `PT2M`. Empty: as long as the operator allows.",
            Some("2m"),
            FAILURE.id,
        ),
        map,
    ]
}

fn turns() -> [Property; 2] {
    [
        extension(
            "concurrencyKey",
            "What it needs for itself",
            "Of all tasks with the same key only one runs at a time, such as `cash-register`. A fixed text. Empty: no limit.",
            Some("cash-register"),
            TURNS.id,
        ),
        extension(
            "concurrencyLimit",
            "How many may run at once",
            "Of the tasks with the same key. Empty: one.",
            Some("1"),
            TURNS.id,
        ),
    ]
}

fn extension(
    name: &str,
    label: &str,
    help: &str,
    placeholder: Option<&'static str>,
    group: &'static str,
) -> Property {
    Property {
        label: Some(label.to_owned()),
        description: Some(html(help)),
        kind: Some("String"),
        placeholder,
        group: Some(group),
        binding: Binding {
            kind: "camunda:property",
            name: Some(name.to_owned()),
            source: None,
        },
        ..Property::default()
    }
}

fn text(value: &Json) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// `script_path` as a person would write it: "Script path".
fn label(name: &str) -> String {
    if ["url", "id"].contains(&name) {
        return name.to_uppercase();
    }
    let words = name.replace('_', " ");
    let mut letters = words.chars();
    let first = letters.next().into_iter().flat_map(char::to_uppercase);
    first.chain(letters).collect()
}

/// Help as Modeler shows it: descriptions are HTML there.
fn html(help: &str) -> String {
    let escaped = help
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;");
    let mut text = String::new();
    for (index, part) in escaped.split('`').enumerate() {
        if index % 2 == 1 {
            text.push_str(&format!("<code>{part}</code>"));
        } else {
            text.push_str(part);
        }
    }
    text
}

#[cfg(test)]
#[path = "template_tests.rs"]
mod tests;
