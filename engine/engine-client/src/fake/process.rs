//! Processes that the fake engine runs: external tasks one after another.

use std::collections::BTreeMap;

use quick_xml::escape::escape;

/// A process of external tasks, one after another, that the fake engine runs. [`LinearProcess::to_bpmn`] is the same
/// process for a real engine.
///
/// ```
/// use engine_client::fake::{LinearProcess, TaskStep};
///
/// let order = LinearProcess::new("order")
///     .then(
///         TaskStep::new("check", "check-topic")
///             .input("item", "${item}")
///             .property("retry", "R3/PT1M")
///             .catches("OUT_OF_STOCK", "rejected"),
///     )
///     .then(TaskStep::new("ship", "ship-topic"));
/// assert!(order.to_bpmn().contains(r#"camunda:topic="check-topic""#));
/// ```
#[derive(Clone, Debug)]
pub struct LinearProcess {
    pub(super) key: String,
    pub(super) tenant: Option<String>,
    pub(super) version_tag: Option<String>,
    pub(super) extensions: String,
    pub(super) steps: Vec<TaskStep>,
}

/// One external task of a [`LinearProcess`].
///
/// Input and output parameters are text, or one variable as `${name}`; the fake engine evaluates no other expressions.
#[derive(Clone, Debug)]
pub struct TaskStep {
    pub(super) id: String,
    pub(super) topic: String,
    pub(super) priority: Option<i64>,
    pub(super) properties: Vec<(Option<String>, Option<String>)>,
    pub(super) inputs: Vec<(String, String)>,
    pub(super) outputs: Vec<(String, String)>,
    pub(super) catches: Vec<Catch>,
}

/// An error boundary event and the end event that it leads to.
#[derive(Clone, Debug)]
pub(super) struct Catch {
    /// None catches every code.
    pub(super) code: Option<String>,
    pub(super) end: String,
}

impl LinearProcess {
    /// A process that begins and ends, with nothing between yet. Its end event is called `end`.
    #[must_use]
    pub fn new(key: impl Into<String>) -> Self {
        Self {
            key: key.into(),
            tenant: None,
            version_tag: None,
            extensions: String::new(),
            steps: Vec::new(),
        }
    }

    /// Deploys it for this tenant.
    #[must_use]
    pub fn tenant(mut self, id: impl Into<String>) -> Self {
        self.tenant = Some(id.into());
        self
    }

    /// Gives this version of it a tag.
    #[must_use]
    pub fn version_tag(mut self, tag: impl Into<String>) -> Self {
        self.version_tag = Some(tag.into());
        self
    }

    /// Gives the process these extension elements, which declare their namespaces themselves. The fake engine passes them
    /// on and does nothing with them.
    #[must_use]
    pub fn extensions(mut self, xml: impl Into<String>) -> Self {
        self.extensions = xml.into();
        self
    }

    /// Appends a task.
    #[must_use]
    pub fn then(mut self, step: TaskStep) -> Self {
        self.steps.push(step);
        self
    }

    /// The key of its definitions.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The tenant it is deployed for.
    #[must_use]
    pub fn tenant_id(&self) -> Option<&str> {
        self.tenant.as_deref()
    }

    /// The process as BPMN XML, as a real engine takes it.
    #[must_use]
    pub fn to_bpmn(&self) -> String {
        let extensions = match self.extensions.as_str() {
            "" => String::new(),
            xml => format!("<extensionElements>{xml}</extensionElements>\n"),
        };
        let mut flows = String::new();
        let mut tasks = String::new();
        let mut errors = BTreeMap::new();
        let mut from = "start";
        for step in &self.steps {
            flows += &flow(from, &step.id);
            tasks += &step.to_bpmn(&mut errors);
            from = &step.id;
        }
        flows += &flow(from, "end");
        let errors: String = errors
            .iter()
            .map(|(code, id)| format!("<error id=\"{id}\" errorCode=\"{}\"/>\n", escape(*code)))
            .collect();
        format!(
            r#"<?xml version="1.0" encoding="UTF-8"?>
<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL" xmlns:camunda="http://camunda.org/schema/1.0/bpmn" targetNamespace="urn:procos:fake">
{errors}<process id="{key}" isExecutable="true" camunda:historyTimeToLive="P1D"{tag}>
{extensions}<startEvent id="start"/>
{tasks}<endEvent id="end"/>
{flows}</process>
</definitions>
"#,
            key = escape(&self.key),
            tag = attribute("camunda:versionTag", self.version_tag.as_ref()),
        )
    }
}

impl TaskStep {
    /// A task with this element id and topic.
    #[must_use]
    pub fn new(id: impl Into<String>, topic: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            topic: topic.into(),
            priority: None,
            properties: Vec::new(),
            inputs: Vec::new(),
            outputs: Vec::new(),
            catches: Vec::new(),
        }
    }

    /// Gives it a priority; without one it is 0.
    #[must_use]
    pub fn priority(mut self, priority: i64) -> Self {
        self.priority = Some(priority);
        self
    }

    /// Adds an extension property.
    #[must_use]
    pub fn property(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.properties.push((Some(name.into()), Some(value.into())));
        self
    }

    /// Adds an extension property without a value, which comes as null.
    #[must_use]
    pub fn property_without_value(mut self, name: impl Into<String>) -> Self {
        self.properties.push((Some(name.into()), None));
        self
    }

    /// Adds an extension property without a name: engines lock the task and then cannot answer with it.
    #[must_use]
    pub fn property_without_name(mut self, value: impl Into<String>) -> Self {
        self.properties.push((None, Some(value.into())));
        self
    }

    /// Adds an input parameter: a variable of the task's own scope.
    #[must_use]
    pub fn input(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.inputs.push((name.into(), value.into()));
        self
    }

    /// Adds an output parameter: a variable of the process, computed when the task is completed.
    #[must_use]
    pub fn output(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.outputs.push((name.into(), value.into()));
        self
    }

    /// Catches a BPMN error of this code: the instance then ends at an end event of the id `end`.
    #[must_use]
    pub fn catches(mut self, code: impl Into<String>, end: impl Into<String>) -> Self {
        self.catches.push(Catch {
            code: Some(code.into()),
            end: end.into(),
        });
        self
    }

    /// Catches every other BPMN error: the instance then ends at an end event of the id `end`.
    #[must_use]
    pub fn catches_all(mut self, end: impl Into<String>) -> Self {
        self.catches.push(Catch {
            code: None,
            end: end.into(),
        });
        self
    }

    /// The boundary event that takes an error of this code.
    pub(super) fn catcher(&self, code: &str) -> Option<&Catch> {
        let own = self.catches.iter().find(|it| it.code.as_deref() == Some(code));
        own.or_else(|| self.catches.iter().find(|it| it.code.is_none()))
    }

    fn to_bpmn<'a>(&'a self, errors: &mut BTreeMap<&'a str, String>) -> String {
        let properties: String = self
            .properties
            .iter()
            .map(|(name, value)| {
                let (name, value) = (
                    attribute("name", name.as_ref()),
                    attribute("value", value.as_ref()),
                );
                format!("<camunda:property{name}{value}/>")
            })
            .collect();
        let parameter = |tag: &str, (name, value): &(String, String)| {
            let (name, value) = (escape(name.as_str()), escape(value.as_str()));
            format!("<camunda:{tag} name=\"{name}\">{value}</camunda:{tag}>")
        };
        let mapping: String = (self.inputs.iter().map(|one| parameter("inputParameter", one)))
            .chain(self.outputs.iter().map(|one| parameter("outputParameter", one)))
            .collect();
        let priority = self.priority.map(|priority| priority.to_string());
        let mut xml = format!(
            "<serviceTask id=\"{id}\" camunda:type=\"external\" camunda:topic=\"{topic}\"{priority}><extensionElements>\
             {properties}{mapping}</extensionElements></serviceTask>\n",
            id = escape(&self.id),
            topic = escape(&self.topic),
            priority = attribute("camunda:taskPriority", priority.as_ref()),
            properties = within("camunda:properties", &properties),
            mapping = within("camunda:inputOutput", &mapping),
        );
        for catch in &self.catches {
            let reference = catch.code.as_deref().map(|code| {
                let next = format!("error-{}", errors.len() + 1);
                errors.entry(code).or_insert(next).clone()
            });
            let (boundary, end) = (catch.boundary(), escape(&catch.end));
            xml += &format!(
                "<boundaryEvent id=\"{boundary}\" attachedToRef=\"{id}\"><outgoing>{boundary}-{end}</outgoing>\
                 <errorEventDefinition{error}/></boundaryEvent><endEvent id=\"{end}\"/>\n{flow}",
                boundary = escape(&boundary),
                id = escape(&self.id),
                error = attribute("errorRef", reference.as_ref()),
                flow = flow(&boundary, &catch.end),
            );
        }
        xml
    }
}

impl Catch {
    /// The boundary event's id.
    pub(super) fn boundary(&self) -> String {
        format!("caught-{}", self.end)
    }
}

/// Nothing where there is no value.
fn attribute(name: &str, value: Option<&String>) -> String {
    value.map_or_else(String::new, |value| {
        format!(" {name}=\"{}\"", escape(value.as_str()))
    })
}

fn flow(from: &str, to: &str) -> String {
    let (from, to) = (escape(from), escape(to));
    format!("<sequenceFlow id=\"{from}-{to}\" sourceRef=\"{from}\" targetRef=\"{to}\"/>\n")
}

fn within(tag: &str, content: &str) -> String {
    if content.is_empty() {
        String::new()
    } else {
        format!("<{tag}>{content}</{tag}>")
    }
}
