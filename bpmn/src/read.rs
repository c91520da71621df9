use std::collections::HashMap;

use diagnostics::{Diagnostic, LineIndex};

use crate::codes;
use crate::model::{
    ErrorDefinition, Event, Flow, FlowNode, Input, Kind, Message, Model, Process, Property, Topic,
};
use crate::tree::{Element, Tree};
use crate::xml::{self, Namespace};

mod refusals;

/// Reads a BPMN 2.0 file. `file` is what findings call it.
///
/// There is a model wherever the file is well-formed XML within the limits and has BPMN's `definitions` at its
/// root; findings may be there beside it. Never panics, whatever the bytes.
pub fn read(file: &str, bytes: &[u8]) -> (Option<Model>, Vec<Diagnostic>) {
    match xml::decode(file, bytes) {
        Ok(text) => read_text(file, &text),
        Err(fatal) => (None, vec![*fatal]),
    }
}

/// As [`read`], of a text that somebody has decoded already, such as the engine.
pub fn read_text(file: &str, text: &str) -> (Option<Model>, Vec<Diagnostic>) {
    let mut findings = Vec::new();
    let model = Tree::read(file, text)
        .and_then(|tree| from_tree(file, &tree, &mut findings))
        .map_err(|fatal| findings.push(*fatal))
        .ok();
    (model, findings)
}

pub(crate) fn from_tree(
    file: &str,
    tree: &Tree<'_>,
    findings: &mut Vec<Diagnostic>,
) -> Result<Model, Box<Diagnostic>> {
    let (root, lines) = (tree.root(), tree.lines());
    if !root.is(Namespace::Bpmn, "definitions") {
        let message = match &*root.uri {
            "" => format!(
                "the root element is `{}` without a namespace, not BPMN's `definitions`",
                root.name
            ),
            uri => format!(
                "the root element is `{}` of {uri}, not BPMN's `definitions`",
                root.name
            ),
        };
        return Err(codes::NOT_BPMN
            .error(file, lines.range(root.tag.clone()), message)
            .into());
    }
    let reader = Reader::new(lines, root);
    let processes = root
        .children(Namespace::Bpmn, "process")
        .map(|it| reader.process(it))
        .collect();
    refusals::check(file, root, lines, findings);
    Ok(Model {
        processes,
        errors: reader.errors,
        messages: reader.messages,
    })
}

/// The elements of an element's extension properties.
fn properties<'e, 't>(element: &'e Element<'t>) -> impl Iterator<Item = &'e Element<'t>> {
    element
        .children(Namespace::Bpmn, "extensionElements")
        .flat_map(|it| it.children(Namespace::Camunda, "properties"))
        .flat_map(|it| it.children(Namespace::Camunda, "property"))
}

/// As `BpmnParse.parseProcessDefinitions` reads it for a new deployment: absent means no.
fn is_executable(process: &Element<'_>) -> bool {
    process
        .value("isExecutable")
        .is_some_and(|it| it.trim().eq_ignore_ascii_case("true"))
}

struct Reader<'l> {
    lines: &'l LineIndex<'l>,
    errors: Vec<ErrorDefinition>,
    messages: Vec<Message>,
    /// Error codes by error id: the last of two equal ids counts, as in the engine.
    codes: HashMap<String, Option<String>>,
    /// Message names by message id.
    names: HashMap<String, Option<String>>,
}

impl<'l> Reader<'l> {
    fn new(lines: &'l LineIndex<'l>, root: &Element<'_>) -> Self {
        let owned = |element: &Element<'_>, name| element.value(name).map(str::to_owned);
        let errors: Vec<_> = root
            .children(Namespace::Bpmn, "error")
            .map(|it| ErrorDefinition {
                id: owned(it, "id").unwrap_or_default(),
                name: owned(it, "name"),
                code: owned(it, "errorCode"),
                range: lines.range(it.tag.clone()),
            })
            .collect();
        let messages: Vec<_> = root
            .children(Namespace::Bpmn, "message")
            .map(|it| Message {
                id: owned(it, "id").unwrap_or_default(),
                name: owned(it, "name"),
                range: lines.range(it.tag.clone()),
            })
            .collect();
        Self {
            lines,
            codes: errors.iter().map(|it| (it.id.clone(), it.code.clone())).collect(),
            names: messages
                .iter()
                .map(|it| (it.id.clone(), it.name.clone()))
                .collect(),
            errors,
            messages,
        }
    }

    fn process(&self, element: &Element<'_>) -> Process {
        let (mut nodes, mut flows) = (Vec::new(), Vec::new());
        self.scope(element, None, &mut nodes, &mut flows);
        Process {
            id: element.value("id").unwrap_or_default().to_owned(),
            name: element.value("name").map(str::to_owned),
            executable: is_executable(element),
            range: self.lines.range(element.tag.clone()),
            nodes,
            flows,
        }
    }

    fn scope(
        &self,
        scope: &Element<'_>,
        parent: Option<usize>,
        nodes: &mut Vec<FlowNode>,
        flows: &mut Vec<Flow>,
    ) {
        for element in scope.children.iter().filter(|it| it.namespace == Namespace::Bpmn) {
            if element.name == "sequenceFlow" {
                flows.push(self.flow(element, parent));
            }
            let Some(kind) = kind(element) else { continue };
            let is_scope = matches!(
                kind,
                Kind::SubProcess { .. } | Kind::Transaction | Kind::AdHocSubProcess
            );
            nodes.push(FlowNode {
                kind,
                id: element.value("id").unwrap_or_default().to_owned(),
                name: element.value("name").map(str::to_owned),
                parent,
                range: self.lines.range(element.tag.clone()),
                topic: self.topic(element),
                properties: self.properties(element),
                inputs: self.inputs(element),
                has_output_parameters: has_output_parameters(element),
                events: element.children.iter().filter_map(|it| self.event(it)).collect(),
                default: element.value("default").map(str::to_owned),
                for_compensation: element
                    .value("isForCompensation")
                    .is_some_and(|it| it.trim() == "true"),
            });
            if is_scope {
                self.scope(element, Some(nodes.len() - 1), nodes, flows);
            }
        }
    }

    fn flow(&self, element: &Element<'_>, parent: Option<usize>) -> Flow {
        let owned = |name| element.value(name).unwrap_or_default().to_owned();
        Flow {
            id: owned("id"),
            name: element.value("name").map(str::to_owned),
            source: owned("sourceRef"),
            target: owned("targetRef"),
            condition: element
                .child(Namespace::Bpmn, "conditionExpression")
                .map(|it| it.text().trim().to_owned()),
            parent,
            range: self.lines.range(element.tag.clone()),
        }
    }

    /// Where the engine looks for external tasks (`BpmnParse.parseServiceTaskLike` and its callers): on the task,
    /// and for throwing message events on their definition.
    fn topic(&self, element: &Element<'_>) -> Option<Topic> {
        let work = match element.name {
            "serviceTask" | "sendTask" | "businessRuleTask" => element,
            "intermediateThrowEvent" | "endEvent" => element
                .children(Namespace::Bpmn, "messageEventDefinition")
                .next()?,
            _ => return None,
        };
        let kind = work.attribute(Namespace::Camunda, "type")?;
        let topic = work.attribute(Namespace::Camunda, "topic")?;
        kind.value.eq_ignore_ascii_case("external").then(|| Topic {
            name: topic.value.clone().into_owned(),
            range: self.lines.range(topic.range.clone()),
        })
    }

    fn properties(&self, element: &Element<'_>) -> Vec<Property> {
        properties(element)
            .filter_map(|it| {
                Some(Property {
                    name: it.value("name")?.to_owned(),
                    value: it.value("value").unwrap_or_default().to_owned(),
                    range: self.lines.range(it.tag.clone()),
                })
            })
            .collect()
    }

    fn inputs(&self, element: &Element<'_>) -> Vec<Input> {
        let parameters = element
            .children(Namespace::Bpmn, "extensionElements")
            .flat_map(|it| it.children(Namespace::Camunda, "inputOutput"))
            .flat_map(|it| it.children(Namespace::Camunda, "inputParameter"));
        parameters
            .filter_map(|it| {
                Some(Input {
                    name: it.value("name")?.to_owned(),
                    // Lists, maps and scripts stand in an element.
                    value: it.children.is_empty().then(|| it.text().trim().to_owned()),
                    range: self.lines.range(it.tag.clone()),
                })
            })
            .collect()
    }

    fn event(&self, definition: &Element<'_>) -> Option<Event> {
        if definition.namespace != Namespace::Bpmn {
            return None;
        }
        Some(match definition.name {
            "errorEventDefinition" => Event::Error {
                code: definition
                    .value("errorRef")
                    .and_then(|id| match self.codes.get(id) {
                        Some(code) => code.clone(),
                        None => Some(id.to_owned()),
                    }),
            },
            "messageEventDefinition" => Event::Message {
                name: definition.value("messageRef").and_then(|reference| {
                    // A qualified name: its prefix stands for the file's own target namespace.
                    let id = reference.rsplit(':').next().unwrap_or(reference);
                    self.names.get(id).cloned().flatten()
                }),
            },
            "signalEventDefinition" => Event::Signal,
            "timerEventDefinition" => Event::Timer,
            "escalationEventDefinition" => Event::Escalation,
            "compensateEventDefinition" => Event::Compensation {
                activity: definition.value("activityRef").map(str::to_owned),
            },
            "conditionalEventDefinition" => Event::Conditional,
            "cancelEventDefinition" => Event::Cancel,
            "linkEventDefinition" => Event::Link,
            "terminateEventDefinition" => Event::Terminate,
            _ => return None,
        })
    }
}

fn has_output_parameters(element: &Element<'_>) -> bool {
    element
        .children(Namespace::Bpmn, "extensionElements")
        .flat_map(|it| it.children(Namespace::Camunda, "inputOutput"))
        .any(|it| {
            it.children(Namespace::Camunda, "outputParameter")
                .next()
                .is_some()
        })
}

pub(crate) fn is_flow_node(element: &Element<'_>) -> bool {
    kind(element).is_some()
}

fn kind(element: &Element<'_>) -> Option<Kind> {
    Some(match element.name {
        "startEvent" => Kind::StartEvent,
        "endEvent" => Kind::EndEvent,
        "intermediateCatchEvent" => Kind::IntermediateCatchEvent,
        "intermediateThrowEvent" => Kind::IntermediateThrowEvent,
        "boundaryEvent" => Kind::BoundaryEvent {
            attached_to: element.value("attachedToRef").unwrap_or_default().to_owned(),
        },
        "task" => Kind::Task,
        "serviceTask" => Kind::ServiceTask,
        "sendTask" => Kind::SendTask,
        "receiveTask" => Kind::ReceiveTask,
        "userTask" => Kind::UserTask,
        "manualTask" => Kind::ManualTask,
        "businessRuleTask" => Kind::BusinessRuleTask,
        "scriptTask" => Kind::ScriptTask,
        "callActivity" => Kind::CallActivity {
            called_element: element.value("calledElement").map(str::to_owned),
        },
        "subProcess" => Kind::SubProcess {
            by_event: element
                .value("triggeredByEvent")
                .is_some_and(|it| it.trim() == "true"),
        },
        "transaction" => Kind::Transaction,
        "adHocSubProcess" => Kind::AdHocSubProcess,
        "exclusiveGateway" => Kind::ExclusiveGateway,
        "inclusiveGateway" => Kind::InclusiveGateway,
        "parallelGateway" => Kind::ParallelGateway,
        "eventBasedGateway" => Kind::EventBasedGateway,
        "complexGateway" => Kind::ComplexGateway,
        _ => return None,
    })
}
