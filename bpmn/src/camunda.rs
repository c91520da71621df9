//! Camunda's extensions of an element, typed: what debuggers show and what tools write.
//!
//! They are read as `BpmnParse` and `BpmnParseUtil` of Camunda 7.24 read them, whatever the prefix, in the
//! namespaces that the engine takes for its own. Nothing is judged here: that is [`crate::gate`]'s.

use diagnostics::Range;
use serde::Serialize;

use crate::model::Property;
use crate::tree::{Element, Tree};
use crate::xml::Namespace;

/// The extensions of one element.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Extensions {
    /// Input parameters.
    pub inputs: Vec<Parameter>,
    /// Output parameters.
    pub outputs: Vec<Parameter>,
    /// Extension properties; those without a name are left out.
    pub properties: Vec<Property>,
    /// What a call activity hands in.
    pub ins: Vec<Mapping>,
    /// What a call activity hands out.
    pub outs: Vec<Mapping>,
    /// When and how often a failed job is tried again, as it is written.
    pub retry: Option<String>,
    /// Which failures of an external task are BPMN errors.
    pub errors: Vec<ErrorMapping>,
    /// The fields of a form that stands in the model itself.
    pub fields: Vec<FormField>,
    /// Execution and task listeners.
    pub listeners: Vec<Listener>,
    /// The id of the connector; empty where there is one without an id.
    pub connector: Option<String>,
}

/// An input or output parameter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Parameter {
    /// The variable's name.
    pub name: String,
    /// What it becomes.
    pub value: Value,
    /// The element's opening tag.
    pub range: Range,
}

/// What a parameter becomes. Texts may be expressions; they are as the file has them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum Value {
    /// Nothing.
    Null,
    /// A text.
    Text(String),
    /// A list.
    List(Vec<Value>),
    /// Names with their values.
    Map(Vec<(String, Value)>),
    /// A script that the engine would run.
    Script {
        /// Its language.
        format: String,
        /// The script itself; empty where it is in a resource.
        source: String,
        /// The resource that it is in.
        resource: Option<String>,
    },
}

/// What a call activity hands in or out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Mapping {
    /// From where.
    pub source: Source,
    /// The variable that it goes to; none where all go, and for the business key.
    pub target: Option<String>,
    /// Whether only the activity's own variables are meant.
    pub local: bool,
    /// The element's opening tag.
    pub range: Range,
}

/// Where a mapping takes its value from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum Source {
    /// All variables.
    All,
    /// The variable of this name.
    Variable(String),
    /// This expression.
    Expression(String),
    /// The business key of the process that is called, maybe as an expression.
    BusinessKey(String),
    /// It does not say.
    Missing,
}

/// A failure of an external task that is a BPMN error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ErrorMapping {
    /// The id of the error.
    pub error: Option<String>,
    /// When it is one.
    pub expression: Option<String>,
    /// The element's opening tag.
    pub range: Range,
}

/// A field of a form in the model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FormField {
    /// The id, which is the variable's name.
    pub id: String,
    /// What people read.
    pub label: Option<String>,
    /// What it holds.
    pub kind: Option<String>,
    /// What it holds at first.
    pub default: Option<String>,
    /// Its constraints: name and configuration.
    pub constraints: Vec<(String, Option<String>)>,
    /// The element's opening tag.
    pub range: Range,
}

/// A listener.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Listener {
    /// Whether it is a task listener rather than an execution listener.
    pub of_task: bool,
    /// What it waits for.
    pub event: Option<String>,
    /// What runs: class, expression, object or script.
    pub runs: Option<String>,
    /// The element's opening tag.
    pub range: Range,
}

impl Extensions {
    /// Reads the extensions of an element of a file.
    pub fn of(tree: &Tree<'_>, element: &Element<'_>) -> Self {
        let mut extensions = Self::default();
        for it in element.extensions() {
            let range = tree.range(it.tag.clone());
            match (it.namespace, it.name) {
                // The engine looks at these local names alone.
                (_, "errorEventDefinition") => extensions.errors.push(ErrorMapping {
                    error: owned(it, "errorRef"),
                    expression: owned(it, "expression"),
                    range,
                }),
                (_, "connector") => {
                    let id = it.children.iter().find(|it| it.name == "connectorId");
                    extensions.connector = Some(id.map(|it| trimmed(it)).unwrap_or_default());
                }
                (Namespace::Camunda | Namespace::Fox, "failedJobRetryTimeCycle") => {
                    extensions.retry = Some(trimmed(it));
                }
                (Namespace::Camunda, name) => extensions.camunda(tree, it, name, range),
                _ => {}
            }
        }
        extensions
    }

    fn camunda(&mut self, tree: &Tree<'_>, it: &Element<'_>, name: &str, range: Range) {
        match name {
            "inputOutput" => {
                self.inputs.extend(parameters(tree, it, "inputParameter"));
                self.outputs.extend(parameters(tree, it, "outputParameter"));
            }
            "properties" => {
                let properties = it.children(Namespace::Camunda, "property");
                self.properties.extend(properties.filter_map(|it| {
                    Some(Property {
                        name: owned(it, "name")?,
                        value: owned(it, "value").unwrap_or_default(),
                        range: tree.range(it.tag.clone()),
                    })
                }));
            }
            "in" => self.ins.push(mapping(it, range)),
            "out" => self.outs.push(mapping(it, range)),
            "formData" => {
                let fields = it.children(Namespace::Camunda, "formField");
                self.fields.extend(fields.map(|it| field(tree, it)));
            }
            "executionListener" | "taskListener" => self.listeners.push(Listener {
                of_task: name == "taskListener",
                event: owned(it, "event"),
                runs: ["class", "expression", "delegateExpression"]
                    .into_iter()
                    .find_map(|what| owned(it, what))
                    .or_else(|| it.child(Namespace::Camunda, "script").map(trimmed)),
                range,
            }),
            _ => {}
        }
    }

    /// The input parameter with this name.
    pub fn input(&self, name: &str) -> Option<&Value> {
        self.inputs.iter().find(|it| it.name == name).map(|it| &it.value)
    }
}

fn owned(element: &Element<'_>, name: &str) -> Option<String> {
    element.value(name).map(str::to_owned)
}

fn trimmed(element: &Element<'_>) -> String {
    element.text().trim().to_owned()
}

fn parameters(tree: &Tree<'_>, mapping: &Element<'_>, kind: &str) -> Vec<Parameter> {
    let found = mapping.children.iter();
    found
        .filter(|it| it.is(Namespace::Camunda, kind))
        .map(|it| Parameter {
            name: owned(it, "name").unwrap_or_default(),
            value: nested(it),
            range: tree.range(it.tag.clone()),
        })
        .collect()
}

/// `BpmnParseUtil.parseNestedParamValueProvider`: one child is the value, without one the text is.
fn nested(element: &Element<'_>) -> Value {
    value(element.children.first().unwrap_or(element))
}

/// `BpmnParseUtil.parseParamValueProvider`.
fn value(element: &Element<'_>) -> Value {
    match element.name {
        "list" => Value::List(element.children.iter().map(value).collect()),
        "map" => {
            let entries = element.children.iter().filter(|it| it.name == "entry");
            Value::Map(
                entries
                    .map(|it| (owned(it, "key").unwrap_or_default(), nested(it)))
                    .collect(),
            )
        }
        "script" => Value::Script {
            format: owned(element, "scriptFormat").unwrap_or_default(),
            source: trimmed(element),
            resource: owned(element, "resource"),
        },
        _ => match trimmed(element) {
            text if text.is_empty() => Value::Null,
            text => Value::Text(text),
        },
    }
}

/// `BpmnParse.parseInputParameter` and `parseCallableElementProvider`.
fn mapping(element: &Element<'_>, range: Range) -> Mapping {
    let source = if let Some(key) = owned(element, "businessKey") {
        Source::BusinessKey(key)
    } else if element.value("variables") == Some("all") {
        Source::All
    } else if let Some(name) = owned(element, "source") {
        Source::Variable(name)
    } else {
        owned(element, "sourceExpression").map_or(Source::Missing, Source::Expression)
    };
    Mapping {
        source,
        target: owned(element, "target"),
        local: element.value("local") == Some("true"),
        range,
    }
}

fn field(tree: &Tree<'_>, element: &Element<'_>) -> FormField {
    let validation = element.children(Namespace::Camunda, "validation");
    FormField {
        id: owned(element, "id").unwrap_or_default(),
        label: owned(element, "label"),
        kind: owned(element, "type"),
        default: owned(element, "defaultValue"),
        constraints: validation
            .flat_map(|it| it.children(Namespace::Camunda, "constraint"))
            .map(|it| (owned(it, "name").unwrap_or_default(), owned(it, "config")))
            .collect(),
        range: tree.range(element.tag.clone()),
    }
}
