//! Where Camunda 7.24 evaluates expressions or loads code in BPMN, and where it certainly does not.
//!
//! Read out of the engine's jar: each row names the method that reads the place. The parser asks for elements by
//! their local names and for its attributes in two namespaces (`CAMUNDA_BPMN_EXTENSIONS_NS`: Camunda's and
//! Activiti's). Elements inside `extensionElements` are in `gate/extensions.rs` and `gate/parameters.rs`.

use crate::codes::{self, Code};

/// A place, and what the engine does there.
#[derive(Debug)]
pub struct Place {
    /// The BPMN elements that have it; empty for all.
    pub elements: &'static [&'static str],
    /// What of the element.
    pub part: Part<'static>,
    /// What the engine does there.
    pub effect: Effect,
    /// The method of the engine that does it.
    pub source: &'static str,
}

/// What of an element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part<'n> {
    /// An attribute without a prefix.
    Own(&'n str),
    /// An attribute of Camunda's.
    Camunda(&'n str),
    /// The text directly inside.
    Text,
}

/// What the engine does with it.
#[derive(Debug, Clone, Copy)]
pub enum Effect {
    /// It evaluates expressions.
    Evaluates,
    /// It keeps or shows it as it is.
    Keeps,
    /// It loads or runs code: refused whatever it says.
    Runs(&'static Code),
}

use Effect::{Evaluates, Keeps, Runs};
use Part::{Camunda, Own, Text};

const fn place(
    elements: &'static [&'static str],
    part: Part<'static>,
    effect: Effect,
    source: &'static str,
) -> Place {
    Place {
        elements,
        part,
        effect,
        source,
    }
}

/// All of them. An expression at a place that is not here is refused.
pub const ALL: &[Place] = &[
    // Code, by name. On elements that the engine does not read it from, it is a mistake and no less refused.
    place(
        &[],
        Camunda("class"),
        Runs(&codes::CODE_CLASS),
        "BpmnParse.parseServiceTaskLike",
    ),
    place(
        &[],
        Camunda("delegateExpression"),
        Runs(&codes::DELEGATE_EXPRESSION),
        "BpmnParse.parseServiceTaskLike",
    ),
    place(
        &[],
        Camunda("expression"),
        Runs(&codes::EXPRESSION_TASK),
        "BpmnParse.parseServiceTaskLike",
    ),
    place(
        &[],
        Camunda("formHandlerClass"),
        Runs(&codes::FORM_HANDLER),
        "BpmnParse.parseTaskDefinition, parseStartFormHandlers",
    ),
    place(
        &[],
        Camunda("variableMappingClass"),
        Runs(&codes::VARIABLE_MAPPING),
        "BpmnParse.parseCallActivity",
    ),
    place(
        &[],
        Camunda("variableMappingDelegateExpression"),
        Runs(&codes::VARIABLE_MAPPING),
        "BpmnParse.parseCallActivity",
    ),
    place(
        &[],
        Camunda("resource"),
        Runs(&codes::SCRIPT_RESOURCE),
        "BpmnParse.parseScriptTaskElement, parseConditionExpression",
    ),
    place(
        &[],
        Camunda("caseRef"),
        Runs(&codes::CMMN),
        "BpmnParse.parseCallActivity",
    ),
    // Work.
    place(&[], Camunda("topic"), Evaluates, "BpmnParse.parseTopic"),
    place(&[], Camunda("taskPriority"), Evaluates, "BpmnParse.parsePriority"),
    place(&[], Camunda("jobPriority"), Evaluates, "BpmnParse.parsePriority"),
    place(&[], Camunda("errorMessage"), Evaluates, "BpmnParse.parseErrors"),
    place(&["message"], Own("name"), Evaluates, "BpmnParse.parseMessages"),
    place(&["signal"], Own("name"), Evaluates, "BpmnParse.parseSignals"),
    // Calls and decisions.
    place(
        &["callActivity"],
        Own("calledElement"),
        Evaluates,
        "BpmnParse.parseCallActivity",
    ),
    place(
        &[],
        Camunda("calledElementVersion"),
        Evaluates,
        "BpmnParse.parseVersion",
    ),
    place(
        &[],
        Camunda("calledElementVersionTag"),
        Evaluates,
        "BpmnParse.parseVersionTag",
    ),
    place(
        &[],
        Camunda("calledElementTenantId"),
        Evaluates,
        "BpmnParse.parseTenantId",
    ),
    place(
        &[],
        Camunda("decisionRef"),
        Evaluates,
        "BpmnParse.parseDmnBusinessRuleTask",
    ),
    place(
        &[],
        Camunda("decisionRefVersion"),
        Evaluates,
        "BpmnParse.parseVersion",
    ),
    place(
        &[],
        Camunda("decisionRefVersionTag"),
        Evaluates,
        "BpmnParse.parseVersionTag",
    ),
    place(
        &[],
        Camunda("decisionRefTenantId"),
        Evaluates,
        "BpmnParse.parseTenantId",
    ),
    place(&[], Camunda("caseVersion"), Evaluates, "BpmnParse.parseVersion"),
    place(&[], Camunda("caseTenantId"), Evaluates, "BpmnParse.parseTenantId"),
    // People. A user task's documentation is joined before it is evaluated: see `walk`.
    place(
        &["userTask"],
        Own("name"),
        Evaluates,
        "BpmnParse.parseTaskDefinition",
    ),
    place(
        &[],
        Camunda("assignee"),
        Evaluates,
        "BpmnParse.parseUserTaskCustomExtensions",
    ),
    place(
        &[],
        Camunda("candidateUsers"),
        Evaluates,
        "BpmnParse.parseUserTaskCustomExtensions",
    ),
    place(
        &[],
        Camunda("candidateGroups"),
        Evaluates,
        "BpmnParse.parseUserTaskCustomExtensions",
    ),
    place(
        &[],
        Camunda("dueDate"),
        Evaluates,
        "BpmnParse.parseUserTaskCustomExtensions",
    ),
    place(
        &[],
        Camunda("followUpDate"),
        Evaluates,
        "BpmnParse.parseUserTaskCustomExtensions",
    ),
    place(
        &[],
        Camunda("priority"),
        Evaluates,
        "BpmnParse.parseUserTaskCustomExtensions",
    ),
    place(
        &[],
        Camunda("formKey"),
        Evaluates,
        "BpmnParse.parseFormDefinition",
    ),
    place(
        &[],
        Camunda("formRef"),
        Evaluates,
        "BpmnParse.parseFormDefinition",
    ),
    place(
        &[],
        Camunda("formRefVersion"),
        Evaluates,
        "BpmnParse.parseFormDefinition",
    ),
    place(
        &[],
        Camunda("candidateStarterUsers"),
        Evaluates,
        "BpmnParse.parseStartAuthorization, at deployment",
    ),
    place(
        &[],
        Camunda("candidateStarterGroups"),
        Evaluates,
        "BpmnParse.parseStartAuthorization, at deployment",
    ),
    place(
        &["formalExpression"],
        Text,
        Evaluates,
        "BpmnParse.parseHumanPerformerResourceAssignment, parsePotentialOwnerResourceAssignment, parsePotentialStarterResourceAssignment",
    ),
    // Flow.
    place(
        &["conditionExpression"],
        Text,
        Evaluates,
        "BpmnParse.parseConditionExpression",
    ),
    place(
        &["condition"],
        Text,
        Evaluates,
        "BpmnParse.parseConditionalEventDefinition",
    ),
    place(
        &["timeDate"],
        Text,
        Evaluates,
        "BpmnParse.parseTimer; in a timer start at deployment",
    ),
    place(
        &["timeCycle"],
        Text,
        Evaluates,
        "BpmnParse.parseTimer; in a timer start at deployment",
    ),
    place(
        &["timeDuration"],
        Text,
        Evaluates,
        "BpmnParse.parseTimer; in a timer start at deployment",
    ),
    place(
        &["loopCardinality"],
        Text,
        Evaluates,
        "BpmnParse.parseMultiInstanceLoopCharacteristics",
    ),
    place(
        &["completionCondition"],
        Text,
        Evaluates,
        "BpmnParse.parseMultiInstanceLoopCharacteristics",
    ),
    place(
        &["loopDataInputRef"],
        Text,
        Evaluates,
        "BpmnParse.parseMultiInstanceLoopCharacteristics",
    ),
    place(
        &[],
        Camunda("collection"),
        Evaluates,
        "BpmnParse.parseMultiInstanceLoopCharacteristics",
    ),
    // Variables that BPMN's own `property` declares on user tasks.
    place(
        &["property"],
        Camunda("srcExpr"),
        Evaluates,
        "BpmnParse.parsePropertyCustomExtensions",
    ),
    place(
        &["property"],
        Camunda("dstExpr"),
        Evaluates,
        "BpmnParse.parsePropertyCustomExtensions",
    ),
    place(
        &["property"],
        Camunda("linkExpr"),
        Evaluates,
        "BpmnParse.parsePropertyCustomExtensions",
    ),
    // What is only kept. Names and documentation of anything but a user task are for people.
    place(
        &[],
        Own("name"),
        Keeps,
        "BpmnParse.createActivityOnScope and others: a property",
    ),
    place(
        &[],
        Own("errorCode"),
        Keeps,
        "BpmnParse.parseErrors: compared as it is",
    ),
    place(
        &[],
        Own("escalationCode"),
        Keeps,
        "BpmnParse.createEscalation: compared as it is",
    ),
    place(
        &["documentation"],
        Text,
        Keeps,
        "BpmnParse.parseDocumentation: a property",
    ),
    place(&["text"], Text, Keeps, "nothing reads text annotations"),
];

/// What the engine does with a part of an element; none for a place that nobody knows.
pub(super) fn effect(element: &str, part: Part<'_>) -> Option<Effect> {
    let mut rows = ALL.iter().filter(|place| place.part == part);
    // A row for the element comes before one for all.
    let own = rows.clone().find(|place| place.elements.contains(&element));
    own.or_else(|| rows.find(|place| place.elements.is_empty()))
        .map(|place| place.effect)
}
