use diagnostics::Range;
use serde::Serialize;

/// What a BPMN file says, as far as running and checking need it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Model {
    /// The processes in the order of the file, executable or not.
    pub processes: Vec<Process>,
    /// The `error` elements.
    pub errors: Vec<ErrorDefinition>,
    /// The `message` elements.
    pub messages: Vec<Message>,
}

impl Model {
    /// The process with this id, which is the key of its definitions.
    pub fn process(&self, id: &str) -> Option<&Process> {
        self.processes.iter().find(|it| it.id == id)
    }

    /// Every external task's topic, with where it is used.
    pub fn topics(&self) -> impl Iterator<Item = TopicUse<'_>> {
        self.processes.iter().flat_map(|process| {
            let nodes = process.nodes.iter();
            nodes.filter_map(move |node| {
                Some(TopicUse {
                    topic: node.topic.as_ref()?,
                    process,
                    node,
                })
            })
        })
    }
}

/// One process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Process {
    /// The id, which is the key of its definitions; empty where the file gives none.
    pub id: String,
    /// The name that people read.
    pub name: Option<String>,
    /// Whether the engine takes it; it skips other processes in silence.
    pub executable: bool,
    /// The opening tag.
    pub range: Range,
    /// The flow nodes of all levels, each behind the subprocess that it lies in.
    pub nodes: Vec<FlowNode>,
    /// The sequence flows of all levels.
    pub flows: Vec<Flow>,
}

impl Process {
    /// The flow node with this id.
    pub fn node(&self, id: &str) -> Option<&FlowNode> {
        self.nodes.iter().find(|it| it.id == id)
    }

    /// The subprocess that a flow node lies in; none at the level of the process.
    pub fn parent(&self, node: &FlowNode) -> Option<&FlowNode> {
        self.nodes.get(node.parent?)
    }
}

/// An activity, event or gateway.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FlowNode {
    /// What it is.
    pub kind: Kind,
    /// The id, which the engine calls the activity id; empty where the file gives none.
    pub id: String,
    /// The name that people read.
    pub name: Option<String>,
    /// The subprocess that it lies in, as an index into [`Process::nodes`]; none at the level of the process.
    pub parent: Option<usize>,
    /// The opening tag.
    pub range: Range,
    /// The topic, where a worker does its work (`camunda:type="external"`).
    pub topic: Option<Topic>,
    /// Camunda's extension properties.
    pub properties: Vec<Property>,
    /// Its input parameters (`camunda:inputOutput`).
    pub inputs: Vec<Input>,
    /// Whether it has output parameters (`camunda:inputOutput`), and with them a scope of its own.
    pub has_output_parameters: bool,
    /// What its event definitions catch or throw.
    pub events: Vec<Event>,
    /// The id of the sequence flow that is taken where no condition holds.
    pub default: Option<String>,
    /// Whether it undoes another activity, and so is reached without a sequence flow.
    pub for_compensation: bool,
}

impl FlowNode {
    /// The input parameter of this name.
    pub fn input(&self, name: &str) -> Option<&Input> {
        self.inputs.iter().find(|it| it.name == name)
    }

    /// The value of an extension property.
    pub fn property(&self, name: &str) -> Option<&str> {
        self.properties
            .iter()
            .find(|it| it.name == name)
            .map(|it| it.value.as_str())
    }
}

/// A sequence flow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Flow {
    /// The id; empty where the file gives none.
    pub id: String,
    /// The name that people read.
    pub name: Option<String>,
    /// The id of the flow node that it leaves.
    pub source: String,
    /// The id of the flow node that it leads to.
    pub target: String,
    /// The condition as it is written, whatever its language.
    pub condition: Option<String>,
    /// The subprocess that it lies in, as an index into [`Process::nodes`]; none at the level of the process.
    pub parent: Option<usize>,
    /// The opening tag.
    pub range: Range,
}

impl Flow {
    /// How messages call it: by its id, else by its ends.
    pub(crate) fn called(&self) -> String {
        match self.id.as_str() {
            "" => format!("from `{}` to `{}`", self.source, self.target),
            id => format!("`{id}`"),
        }
    }
}

/// What a flow node is, in BPMN's words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the names are BPMN's own")]
pub enum Kind {
    StartEvent,
    EndEvent,
    IntermediateCatchEvent,
    IntermediateThrowEvent,
    BoundaryEvent {
        /// The id of the activity on whose edge it sits.
        attached_to: String,
    },
    Task,
    ServiceTask,
    SendTask,
    ReceiveTask,
    UserTask,
    ManualTask,
    BusinessRuleTask,
    ScriptTask,
    CallActivity {
        /// The key of the process that is called, maybe as an expression.
        called_element: Option<String>,
    },
    SubProcess {
        /// Whether an event starts it rather than a sequence flow: an event subprocess.
        by_event: bool,
    },
    Transaction,
    AdHocSubProcess,
    ExclusiveGateway,
    InclusiveGateway,
    ParallelGateway,
    EventBasedGateway,
    ComplexGateway,
}

/// What an event catches or throws. Names and codes may be expressions; they are as the file has them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the names are BPMN's own")]
pub enum Event {
    Error {
        /// The code; where there is none, a catching event catches every error.
        code: Option<String>,
    },
    Message {
        /// The name that messages are correlated by; none where the reference leads nowhere.
        name: Option<String>,
    },
    Signal,
    Timer,
    Escalation,
    Compensation {
        /// The activity that alone is compensated, by its id; none where all are.
        activity: Option<String>,
    },
    Conditional,
    Cancel,
    Link,
    Terminate,
}

/// The topic of an external task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Topic {
    /// The topic's name, maybe an expression.
    pub name: String,
    /// The attribute, name and value.
    pub range: Range,
}

/// A topic, and the flow node that uses it.
#[derive(Debug, Clone, Copy)]
pub struct TopicUse<'m> {
    /// The topic.
    pub topic: &'m Topic,
    /// The process.
    pub process: &'m Process,
    /// The flow node.
    pub node: &'m FlowNode,
}

/// An entry of `camunda:properties`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Property {
    /// The name.
    pub name: String,
    /// The value.
    pub value: String,
    /// The element's opening tag.
    pub range: Range,
}

/// A `camunda:inputParameter`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Input {
    /// The name.
    pub name: String,
    /// The text without blanks around it, maybe an expression; none where it is a list, a map or a script.
    pub value: Option<String>,
    /// The element's opening tag.
    pub range: Range,
}

/// An `error` element, which gives error events their code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ErrorDefinition {
    /// The id that error events refer to.
    pub id: String,
    /// The name that people read.
    pub name: Option<String>,
    /// The code; an event that refers to an error without one catches every error.
    pub code: Option<String>,
    /// The opening tag.
    pub range: Range,
}

/// A `message` element, which gives message events their name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Message {
    /// The id that message events refer to.
    pub id: String,
    /// The name that messages are correlated by, maybe an expression.
    pub name: Option<String>,
    /// The opening tag.
    pub range: Range,
}
