//! Goes through a BPMN model and looks at every element, attribute and text.

use super::expression::{self, Source};
use super::findings::Findings;
use super::places::{self, Effect, Part};
use super::{GateContext, Judgement, extensions, feel, topics};
use crate::codes;
use crate::security::{self, Security};
use crate::tree::{Attribute, Element, Tree};
use crate::xml::Namespace;

pub(super) fn check(file: &str, tree: &Tree<'_>, context: &GateContext, found: &mut Judgement) {
    let mut walk = Walk {
        tree,
        findings: Findings::new(file, context, found),
        topic: None,
    };
    walk.element(tree.root());
    let misplaced = security::misplaced(file, tree);
    walk.findings.extend(misplaced);
}

pub(super) struct Walk<'c, 't> {
    pub(super) tree: &'c Tree<'t>,
    pub(super) findings: Findings<'c>,
    /// The topic of the external task that is looked at.
    pub(super) topic: Option<String>,
}

/// Elements of BPMN that people know by their id and that are found in configurations.
const NAMED: &[&str] = &[
    "process",
    "sequenceFlow",
    "message",
    "signal",
    "error",
    "escalation",
    "collaboration",
    "participant",
];

impl Walk<'_, '_> {
    fn element(&mut self, element: &Element<'_>) {
        let outer = (
            self.findings.process.clone(),
            self.findings.element.clone(),
            self.topic.clone(),
        );
        self.enter(element);
        self.schema_location(element);
        for attribute in &element.attributes {
            self.attribute(element, attribute);
        }
        self.text(element);
        match element.name {
            "scriptTask" => {
                let what = self.name(element);
                let instead = element.value("scriptFormat").and_then(topic_for);
                let instead = instead.map_or_else(String::new, |it| format!("; the topic for it is `{it}`"));
                let message = format!("{what} runs a script in the engine{instead}");
                self.refuse(&codes::SCRIPT_TASK, element, message);
            }
            "import" => {
                let message = "the engine would import another file by an address".to_owned();
                self.refuse(&codes::IMPORT, element, message);
            }
            "userTask" => self.documentation(element),
            "process" => {
                let (policy, mistakes) = Security::read(self.findings.file(), self.tree, element);
                self.findings.extend(mistakes);
                topics::check(self, element, policy.as_ref());
            }
            _ => {}
        }
        // The engine takes the text of these alone.
        if !matches!(element.name, "documentation" | "text") {
            for child in &element.children {
                self.child(element, child);
            }
        }
        (self.findings.process, self.findings.element, self.topic) = outer;
    }

    fn child(&mut self, parent: &Element<'_>, child: &Element<'_>) {
        match (child.namespace, child.name) {
            (Namespace::Bpmn, "extensionElements") => {
                for extension in &child.children {
                    extensions::check(self, parent, extension);
                }
            }
            (Namespace::Bpmn, "script") if parent.name == "scriptTask" => self.script(child),
            (Namespace::Bpmn, _) => self.element(child),
            (Namespace::Diagram, "BPMNDiagram") if parent.name == "definitions" => {
                for element in child.descendants() {
                    self.schema_location(element);
                }
            }
            _ => self.foreign(child),
        }
    }

    /// The code of a script task, which is refused as one: an expression in it is no other finding.
    fn script(&mut self, script: &Element<'_>) {
        self.schema_location(script);
        for attribute in &script.attributes {
            self.attribute(script, attribute);
        }
        for child in &script.children {
            self.child(script, child);
        }
    }

    /// The parser finds BPMN's elements by their local names, whosever they are.
    pub(super) fn foreign(&mut self, element: &Element<'_>) {
        let whose = match &*element.uri {
            "" => "no namespace".to_owned(),
            uri => format!("the namespace {uri}"),
        };
        let message = format!("the element `{}` of {whose} has no place here", element.name);
        self.refuse(&codes::FOREIGN_ELEMENT, element, message);
    }

    fn enter(&mut self, element: &Element<'_>) {
        let id = element.value("id").unwrap_or_default();
        if element.name == "process" {
            id.clone_into(&mut self.findings.process);
        }
        if crate::read::is_flow_node(element) || NAMED.contains(&element.name) {
            id.clone_into(&mut self.findings.element);
            self.topic = None;
        }
        let external = element
            .camunda("type")
            .is_some_and(|it| it.eq_ignore_ascii_case("external"));
        if external {
            self.topic = element.camunda("topic").map(str::to_owned);
        } else if self.topic.is_none() {
            // A throwing message event is worked by its definition, whose parameters are the event's.
            let definition = element.child(Namespace::Bpmn, "messageEventDefinition");
            self.topic = definition.and_then(|it| it.camunda("topic")).map(str::to_owned);
        }
    }

    fn attribute(&mut self, element: &Element<'_>, attribute: &Attribute<'_>) {
        let part = match attribute.namespace {
            Namespace::None => Part::Own(attribute.name),
            Namespace::Camunda => Part::Camunda(attribute.name),
            _ => return self.unknown(element, attribute),
        };
        let what = format!("`{}` of {}", shown(attribute), self.name(element));
        if part == Part::Camunda("type") {
            return self.kind_of_work(attribute, &what);
        }
        match places::effect(element.name, part) {
            Some(Effect::Runs(code)) => {
                let place = self.tree.range(attribute.range.clone());
                let message = format!("{what} runs code in the engine: `{}`", attribute.value);
                self.findings.refuse(code, Some(place), message);
            }
            Some(Effect::Evaluates) => {
                expression::evaluated(
                    &mut self.findings,
                    self.tree,
                    &Source::attribute(attribute),
                    &what,
                );
            }
            Some(Effect::Keeps) => {}
            None => self.unknown(element, attribute),
        }
    }

    /// `camunda:type`: the engine does not look at its case.
    fn kind_of_work(&mut self, attribute: &Attribute<'_>, what: &str) {
        let code = match attribute.value.trim().to_lowercase().as_str() {
            "shell" => &codes::SHELL_TASK,
            "mail" => &codes::MAIL_TASK,
            _ => return,
        };
        let place = self.tree.range(attribute.range.clone());
        let message = format!("{what} is `{}`: the engine itself would do it", attribute.value);
        self.findings.refuse(code, Some(place), message);
    }

    pub(super) fn unknown(&mut self, element: &Element<'_>, attribute: &Attribute<'_>) {
        let source = Source::attribute(attribute);
        if source.is_dynamic() {
            let what = format!("`{}` of {}", shown(attribute), self.name(element));
            self.unknown_place(&source, &what);
        }
    }

    pub(super) fn unknown_place(&mut self, source: &Source<'_>, what: &str) {
        let place = self.tree.range(source.whole());
        let message = format!("there is an expression in {what}, where none is known to be evaluated");
        self.findings.refuse(&codes::UNKNOWN_PLACE, Some(place), message);
    }

    fn text(&mut self, element: &Element<'_>) {
        let source = Source::text(element);
        if source.as_str().trim().is_empty() {
            return;
        }
        let what = format!("the text of {}", self.name(element));
        if matches!(element.name, "conditionExpression" | "condition")
            && let Some(language) = element.attribute(Namespace::None, "language")
        {
            if !language.value.eq_ignore_ascii_case("feel") {
                let place = self.tree.range(language.range.clone());
                let message = format!(
                    "{what} is a script in `{}`, which the engine would run",
                    language.value
                );
                self.findings
                    .refuse(&codes::SCRIPT_CONDITION, Some(place), message);
                return;
            }
            // A source with an expression in it is evaluated first, and what comes out is run.
            if source.is_dynamic() {
                return self.unknown_place(&source, &what);
            }
            return feel::check(&mut self.findings, self.tree, &source, &what);
        }
        match places::effect(element.name, Part::Text) {
            Some(Effect::Evaluates) => {
                expression::evaluated(&mut self.findings, self.tree, &source, &what);
            }
            Some(_) => {}
            None if source.is_dynamic() => self.unknown_place(&source, &what),
            None => {}
        }
    }

    fn documentation(&mut self, task: &Element<'_>) {
        let documentation: Vec<_> = task.children(Namespace::Bpmn, "documentation").collect();
        let what = format!("the documentation of {}", self.name(task));
        let source = Source::documentation(&documentation);
        expression::evaluated(&mut self.findings, self.tree, &source, &what);
    }

    pub(super) fn schema_location(&mut self, element: &Element<'_>) {
        schema_location(&mut self.findings, self.tree, element);
    }

    pub(super) fn refuse(&mut self, code: &'static codes::Code, element: &Element<'_>, message: String) {
        let place = self.tree.range(element.tag.clone());
        self.findings.refuse(code, Some(place), message);
    }

    /// How messages call an element: by its own id, else by the element that people know.
    pub(super) fn name(&self, element: &Element<'_>) -> String {
        match element.value("id") {
            Some(id) => format!("the {} `{id}`", element.name),
            None if self.findings.element.is_empty() => format!("the {}", element.name),
            None => format!("the {} in `{}`", element.name, self.findings.element),
        }
    }
}

/// The engine's XML reader fetches schemas from the addresses that a file names: tried with its own settings, every
/// namespace's but that of BPMN itself, which it has; diagrams' even where the file has none of their elements.
pub(super) fn schema_location(findings: &mut Findings<'_>, tree: &Tree<'_>, element: &Element<'_>) {
    let own = [Namespace::Bpmn, Namespace::Dmn];
    let root = tree.root().namespace;
    for attribute in element
        .attributes
        .iter()
        .filter(|it| it.namespace == Namespace::Xsi)
    {
        let fetched = match attribute.name {
            "schemaLocation" => attribute
                .value
                .split_ascii_whitespace()
                .step_by(2)
                .map(Namespace::of)
                .any(|it| it != root || !own.contains(&it)),
            "noNamespaceSchemaLocation" => true,
            _ => false,
        };
        if fetched {
            let place = tree.range(attribute.range.clone());
            let message = format!(
                "the engine would fetch a schema from an address in `{}`",
                attribute.value
            );
            findings.refuse(&codes::SCHEMA_LOCATION, Some(place), message);
        }
    }
}

/// The topic that runs the scripts of a script task's language.
fn topic_for(format: &str) -> Option<&'static str> {
    Some(match format.trim().to_lowercase().as_str() {
        "python" | "jython" | "text/x-python" => "python_script",
        "javascript" | "ecmascript" | "js" | "text/javascript" | "application/javascript" => {
            "javascript_script"
        }
        "shell" | "bash" | "sh" => "shell_script",
        "scilab" => "scilab_compute",
        _ => return None,
    })
}

/// How messages call an attribute.
pub(super) fn shown(attribute: &Attribute<'_>) -> String {
    match attribute.namespace {
        Namespace::Camunda => format!("camunda:{}", attribute.name),
        _ => attribute.name.to_owned(),
    }
}
