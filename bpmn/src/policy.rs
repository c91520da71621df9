//! Which expressions pass: those that read data and compute. All else is refused, with the reason.
//!
//! What is listed passes, so that what nobody thought of does not. Values are whatever a process variable holds:
//! a Java object's property is a call of its getter, and a method is found by its name alone.

use std::ops::Range;

use crate::codes::{self, Code};
use crate::juel::{Binary, Expr, Kind, Template};

/// Something in an expression that does not pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The kind of finding.
    pub code: &'static Code,
    /// What it is, in words that fit behind "the expression".
    pub reason: String,
    /// Where in the text, in bytes.
    pub span: Range<usize>,
}

/// What does not pass in a text with expressions.
pub fn refusals(template: &Template) -> Vec<Refusal> {
    let mut judge = Judge::default();
    template.expressions().for_each(|it| judge.value(it));
    judge.refusals
}

/// What does not pass in one expression.
pub fn refusals_of(expression: &Expr) -> Vec<Refusal> {
    let mut judge = Judge::default();
    judge.value(expression);
    judge.refusals
}

/// Names of properties and keys behind which is no data but the Java machine or the engine.
const FORBIDDEN: &[&str] = &[
    "class",
    "classloader",
    "contextclassloader",
    "declaringclass",
    "protectiondomain",
    "processengine",
    "processengineservices",
    "processengineconfiguration",
    "bpmnmodelinstance",
    "bpmnmodelelementinstance",
    "cmmnmodelinstance",
    "cmmnmodelelementinstance",
    "beanfactory",
    "applicationcontext",
    "commandcontext",
    "superexecution",
    "supercaseexecution",
    "processinstance",
];

/// The engine's services, as properties and as beans.
const SERVICES: &[&str] = &[
    "authorizationservice",
    "caseservice",
    "decisionservice",
    "externaltaskservice",
    "filterservice",
    "formservice",
    "historyservice",
    "identityservice",
    "managementservice",
    "repositoryservice",
    "runtimeservice",
    "taskservice",
];

/// Beans that Spring and the engine give names to: as variables they would not be the process's.
const BEANS: &[&str] = &[
    "applicationcontext",
    "beanfactory",
    "datasource",
    "entitymanagerfactory",
    "environment",
    "processengine",
    "processengineconfiguration",
    "processengineservices",
    "systemenvironment",
    "systemproperties",
    "transactionmanager",
];

/// What may be read of `execution`, as a property; as a method with `get` before it.
const EXECUTION: &[&str] = &[
    "activityInstanceId",
    "businessKey",
    "currentActivityId",
    "currentActivityName",
    "currentTransitionId",
    "eventName",
    "id",
    "parentActivityInstanceId",
    "parentId",
    "processBusinessKey",
    "processDefinitionId",
    "processInstanceId",
    "tenantId",
];

/// Methods of `execution` that take a variable's name.
const EXECUTION_VARIABLES: &[&str] = &[
    "getVariable",
    "getVariableLocal",
    "hasVariable",
    "hasVariableLocal",
];

/// What may be read of `externalTask`, where an external task's error events decide.
const EXTERNAL_TASK: &[&str] = &["errorMessage", "errorDetails"];

/// What may not be read of `task`. Where a user task is the scope it is the engine's object, elsewhere a variable may
/// be called so: what is not the engine's passes.
const TASK: &[&str] = &[
    "caseexecution",
    "caseinstance",
    "delegationstate",
    "execution",
    "identitylinks",
    "processdefinition",
    "taskdefinition",
    "variablesinternal",
];

/// Functions that come from nowhere but the engine, and how many arguments they take.
const FUNCTIONS: &[(&str, usize)] = &[
    ("now", 0),
    ("dateTime", 0),
    ("currentUser", 0),
    ("S", 1),
    ("JSON", 1),
];

/// Methods of texts, lists and Spin's JSON that read, and how many arguments they take. The number matters: Spin's
/// `prop` with two sets.
const METHODS: &[(&str, usize)] = &[
    ("size", 0),
    ("isEmpty", 0),
    ("contains", 1),
    ("length", 0),
    ("equals", 1),
    ("startsWith", 1),
    ("endsWith", 1),
    ("toLowerCase", 0),
    ("toUpperCase", 0),
    ("trim", 0),
    ("prop", 1),
    ("hasProp", 1),
    ("elements", 0),
    ("value", 0),
    ("stringValue", 0),
    ("numberValue", 0),
    ("boolValue", 0),
    ("jsonPath", 1),
];

/// Methods of dates, behind `now()` and `dateTime()` alone.
const DATES: &[(&str, usize)] = &[
    ("getTime", 0),
    ("toDate", 0),
    ("getMillis", 0),
    ("getYear", 0),
    ("getMonthOfYear", 0),
    ("getDayOfMonth", 0),
    ("getDayOfWeek", 0),
    ("getDayOfYear", 0),
    ("getHourOfDay", 0),
    ("getMinuteOfHour", 0),
    ("getSecondOfMinute", 0),
    ("plusYears", 1),
    ("plusMonths", 1),
    ("plusWeeks", 1),
    ("plusDays", 1),
    ("plusHours", 1),
    ("plusMinutes", 1),
    ("plusSeconds", 1),
    ("plusMillis", 1),
    ("minusYears", 1),
    ("minusMonths", 1),
    ("minusWeeks", 1),
    ("minusDays", 1),
    ("minusHours", 1),
    ("minusMinutes", 1),
    ("minusSeconds", 1),
    ("minusMillis", 1),
    ("withTimeAtStartOfDay", 0),
    ("withYear", 1),
    ("withMonthOfYear", 1),
    ("withDayOfMonth", 1),
    ("withDayOfWeek", 1),
    ("withHourOfDay", 1),
    ("withMinuteOfHour", 1),
    ("withSecondOfMinute", 1),
    ("withMillisOfSecond", 1),
    ("isBefore", 1),
    ("isAfter", 1),
    ("before", 1),
    ("after", 1),
];

#[derive(Default)]
struct Judge {
    refusals: Vec<Refusal>,
}

impl Judge {
    fn value(&mut self, it: &Expr) {
        match &it.kind {
            Kind::Null | Kind::Boolean(_) | Kind::Integer(_) | Kind::Float(_) | Kind::Text(_) => {}
            Kind::Variable(name) => self.variable(name, it),
            Kind::Property(base, name) => self.property(base, name, it),
            Kind::Index(base, key) => self.index(base, key, it),
            Kind::Method(base, name, arguments) => self.method(base, name, arguments, it),
            Kind::IndexedMethod(base, key, arguments) => match &key.kind {
                Kind::Text(name) => self.method(base, name, arguments, it),
                _ => self.refuse(
                    &codes::EXPRESSION_COMPUTED_KEY,
                    "calls a method by a computed name",
                    it,
                ),
            },
            Kind::Function(name, arguments) => self.function(name, arguments, it),
            Kind::Unary(_, operand) => self.value(operand),
            Kind::Binary(Binary::InstanceOf, ..) => {
                self.refuse(
                    &codes::EXPRESSION_SYNTAX,
                    "uses `instanceof`, which the engine cannot evaluate",
                    it,
                );
            }
            Kind::Binary(_, left, right) => {
                self.value(left);
                self.value(right);
            }
            Kind::Ternary(condition, one, other) => {
                self.value(condition);
                self.value(one);
                self.value(other);
            }
        }
    }

    fn variable(&mut self, name: &str, it: &Expr) {
        let lower = name.to_lowercase();
        if ["execution", "caseExecution", "externalTask"].contains(&name) {
            let reason = format!("uses `{name}` itself, the engine's object");
            self.refuse(&codes::EXPRESSION_ENGINE_OBJECT, reason, it);
        } else if SERVICES.contains(&lower.as_str()) || BEANS.contains(&lower.as_str()) {
            let reason = format!("uses `{name}`, which is called as a bean of the engine's server");
            self.refuse(&codes::EXPRESSION_BEAN, reason, it);
        }
    }

    fn property(&mut self, base: &Expr, name: &str, it: &Expr) {
        match engine_object(base) {
            Some("externalTask") if EXTERNAL_TASK.contains(&name) => {}
            Some("execution" | "caseExecution") if EXECUTION.contains(&name) => {}
            Some(object) => {
                let reason = format!(
                    "reads `{name}` of `{object}`, of which only ids, the business key and variables may be read"
                );
                let code = forbidden(name).unwrap_or(&codes::EXPRESSION_ENGINE_OBJECT);
                self.refuse(code, reason, it);
            }
            None => {
                let of_task = matches!(&base.kind, Kind::Variable(it) if it == "task");
                if let Some(code) = forbidden(name) {
                    self.refuse(code, format!("reads `{name}`, behind which is no data"), it);
                } else if of_task && TASK.contains(&name.to_lowercase().as_str()) {
                    let reason = format!("reads `{name}` of `task`, the engine's object");
                    self.refuse(&codes::EXPRESSION_ENGINE_OBJECT, reason, it);
                }
                self.value(base);
            }
        }
    }

    fn index(&mut self, base: &Expr, key: &Expr, it: &Expr) {
        match &key.kind {
            Kind::Text(name) => self.property(base, name, it),
            Kind::Integer(_) => self.property(base, "", it),
            _ => {
                self.refuse(
                    &codes::EXPRESSION_COMPUTED_KEY,
                    "reads an entry by a computed key, which can become any property",
                    it,
                );
                self.value(base);
                self.value(key);
            }
        }
    }

    fn method(&mut self, base: &Expr, name: &str, arguments: &[Expr], it: &Expr) {
        let count = arguments.len();
        let takes = |list: &[(&str, usize)]| list.contains(&(name, count));
        let object = engine_object(base);
        let property = name.strip_prefix("get").map(decapitalize).unwrap_or_default();
        let passes = match object {
            Some("externalTask") => count == 0 && EXTERNAL_TASK.contains(&property.as_str()),
            Some(_) => {
                count == 0 && EXECUTION.contains(&property.as_str())
                    || EXECUTION_VARIABLES.contains(&name) && count == 1 && is_plain(&arguments[0])
            }
            None => takes(METHODS) || takes(DATES) && is_date(base),
        };
        if !passes {
            let (code, reason) = match object {
                Some(object) => (
                    &codes::EXPRESSION_ENGINE_OBJECT,
                    format!("calls `{name}` of `{object}` with {count} arguments"),
                ),
                None => (
                    &codes::EXPRESSION_CALL,
                    format!("calls the method `{name}` with {count} arguments, which is not on the list"),
                ),
            };
            let code = forbidden(&property).or_else(|| forbidden(name)).unwrap_or(code);
            self.refuse(code, reason, it);
        }
        if object.is_none() {
            self.value(base);
        }
        arguments.iter().for_each(|it| self.value(it));
    }

    fn function(&mut self, name: &str, arguments: &[Expr], it: &Expr) {
        if !FUNCTIONS.contains(&(name, arguments.len())) {
            let count = arguments.len();
            let reason =
                format!("calls the function `{name}` with {count} arguments, which is not on the list");
            self.refuse(&codes::EXPRESSION_CALL, reason, it);
        }
        arguments.iter().for_each(|it| self.value(it));
    }

    fn refuse(&mut self, code: &'static Code, reason: impl Into<String>, it: &Expr) {
        self.refusals.push(Refusal {
            code,
            reason: reason.into(),
            span: it.span.clone(),
        });
    }
}

/// The engine's own objects, of which only named things may be read.
fn engine_object(base: &Expr) -> Option<&str> {
    match &base.kind {
        Kind::Variable(name) => ["execution", "caseExecution", "externalTask"]
            .into_iter()
            .find(|it| it == name),
        _ => None,
    }
}

/// Beans have getters for both spellings of a first letter, and maps are asked for any: case does not count.
fn forbidden(name: &str) -> Option<&'static Code> {
    let lower = name.to_lowercase();
    (FORBIDDEN.contains(&lower.as_str()) || SERVICES.contains(&lower.as_str()))
        .then_some(&codes::EXPRESSION_FORBIDDEN_NAME)
}

/// A literal or a variable: nothing that is computed.
fn is_plain(it: &Expr) -> bool {
    matches!(
        it.kind,
        Kind::Null | Kind::Boolean(_) | Kind::Integer(_) | Kind::Float(_) | Kind::Text(_) | Kind::Variable(_)
    )
}

/// Whether a value comes from `now()` or `dateTime()` by dates' methods alone.
fn is_date(it: &Expr) -> bool {
    match &it.kind {
        Kind::Function(name, arguments) => {
            arguments.is_empty() && ["now", "dateTime"].contains(&name.as_str())
        }
        Kind::Method(base, name, _) => DATES.iter().any(|(known, _)| known == name) && is_date(base),
        _ => false,
    }
}

fn decapitalize(name: &str) -> String {
    let mut chars = name.chars();
    chars
        .next()
        .map(|first| first.to_lowercase().chain(chars).collect())
        .unwrap_or_default()
}
