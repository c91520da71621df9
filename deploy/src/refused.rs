//! A refusal of the engine, as findings.

use diagnostics::{Diagnostic, LineIndex, Position, Range, Report, Severity};
use engine_client::{EngineError, ModelProblem};

use crate::{Bundle, DeployError};

/// The code of everything that the engine says.
const CODE: &str = "engine-refused";

/// What to do about what Camunda 7.24's `BpmnParse`, or the schema that it reads with, says. The first that fits.
const REMEDIES: &[(&str, &str)] = &[
    (
        "Invalid 'messageRef'",
        "choose a message of this file, or add one with that id beside the process: <message id=\"…\" name=\"…\"/>",
    ),
    (
        "multiple none start events",
        "keep one start event without a trigger, and give the others a message, a signal or another trigger",
    ),
    (
        "Error parsing '",
        "repair the expression, such as ${amount > 100}",
    ),
    (
        "There are multiple occurrences of ID",
        "give each element an id of its own",
    ),
    ("duplicate activity id", "give each element an id of its own"),
    (
        "no ID/IDREF binding",
        "let the reference name the id of an element that is there",
    ),
    (
        "Invalid source",
        "let the sequence flow begin at an element of the same process or subprocess",
    ),
    (
        "Invalid destination",
        "let the sequence flow end at an element of the same process or subprocess",
    ),
    (
        "is mandatory on serviceTask",
        "make it an external task with a topic, such as camunda:type=\"external\" camunda:topic=\"http_request\"; \
         `procos adapters` lists the topics",
    ),
    (
        "is not a valid value for 'NCName'",
        "begin the id with a letter or _, and use letters, digits, -, _ and . alone",
    ),
    (
        "DMN resource",
        "open the decision table in Camunda Modeler and save it anew",
    ),
    (
        "Camunda Form resource",
        "open the form in Camunda Modeler and save it anew",
    ),
];

/// What to do about anything else.
const REMEDY: &str = "change the model there, such as with Camunda Modeler, and deploy it again";

/// The engine's no to a bundle, or its failure to answer.
pub(crate) fn explain(bundle: &Bundle, error: EngineError) -> DeployError {
    match error {
        EngineError::ModelsRefused { problems, .. } => DeployError::Refused(Report::new(
            problems
                .iter()
                .filter(|problem| !is_echo(problem, &problems))
                .map(|problem| finding(bundle, problem))
                .collect(),
        )),
        // A decision table that is no XML gives a 500.
        error if error.is_bad_request() || error.is_internal() => match error.engine_message() {
            Some(message) => DeployError::Refused(Report::new(vec![whole(bundle, message)])),
            None => DeployError::Engine(error),
        },
        error => DeployError::Engine(error),
    }
}

/// The schema's reader says first what is wrong with a value, and then that the attribute is therefore wrong.
fn is_echo(problem: &ModelProblem, problems: &[ModelProblem]) -> bool {
    problem.message.starts_with("cvc-attribute.3:")
        && problems.iter().any(|other| {
            other.message != problem.message
                && (&other.resource, other.line, other.column)
                    == (&problem.resource, problem.line, problem.column)
        })
}

fn finding(bundle: &Bundle, problem: &ModelProblem) -> Diagnostic {
    let severity = if problem.is_warning {
        Severity::Warning
    } else {
        Severity::Error
    };
    // The schema's rules have names such as `cvc-id.2`.
    let said = match problem.message.split_once(": ") {
        Some((rule, said)) if rule.starts_with("cvc-") => said,
        _ => &problem.message,
    };
    let element = problem.element.as_ref().map(|id| format!(" (element `{id}`)"));
    let message = format!("{said}{}", element.unwrap_or_default());
    Diagnostic::new(severity, CODE, file(bundle, &problem.resource), message)
        .at(place(problem))
        .help(remedy(&problem.message))
}

fn remedy(message: &str) -> &'static str {
    REMEDIES
        .iter()
        .find(|(part, _)| message.contains(part))
        .map_or(REMEDY, |(_, remedy)| remedy)
}

/// The engine names the end of an opening tag.
fn place(problem: &ModelProblem) -> Option<Range> {
    let line = problem.line.filter(|&line| line > 0)?;
    let place = Position::new(line, problem.column.unwrap_or(1).max(1));
    Some(Range::new(place, place))
}

/// Expressions, decision tables, forms and the like: the engine has only a sentence, which may name the resource
/// or quote the expression.
fn whole(bundle: &Bundle, message: &str) -> Diagnostic {
    let said = |file: &str| Diagnostic::error(CODE, file, message).help(remedy(message));
    if let [(file, range)] = quoted(bundle, message).as_slice() {
        return said(file).at(*range);
    }
    let named = bundle
        .models()
        .iter()
        .filter(|model| message.contains(&model.resource));
    let mut files = Vec::from_iter(named.map(|model| model.file.as_str()));
    if files.is_empty() {
        files.extend(bundle.models().iter().map(|model| model.file.as_str()));
    }
    match files.as_slice() {
        [file] => said(file),
        _ => {
            let message = format!("{message} (in one of {})", files.join(", "));
            Diagnostic::error(CODE, bundle.name(), &message).help(remedy(&message))
        }
    }
}

/// Where the expression stands that a message quotes.
fn quoted<'b>(bundle: &'b Bundle, message: &str) -> Vec<(&'b str, Range)> {
    let expression = message
        .split_once("Error parsing '")
        .and_then(|(_, rest)| Some(rest.split_once("': ")?.0));
    let Some(expression) = expression.filter(|expression| !expression.is_empty()) else {
        return Vec::new();
    };
    let mut places = Vec::new();
    for model in bundle.models().iter().filter(|model| model.is_bpmn()) {
        let text = bpmn::decode(&model.file, &model.content).unwrap_or_default();
        let mut end = 0;
        for line in text.split_inclusive('\n') {
            end += line.len();
            if quick_xml::escape::unescape(line).is_ok_and(|line| line.contains(expression)) {
                let begin = end - line.trim_start().len();
                let range = LineIndex::new(&text).range(begin..begin + line.trim().len());
                places.push((model.file.as_str(), range));
            }
        }
    }
    places
}

fn file<'a>(bundle: &'a Bundle, resource: &'a str) -> &'a str {
    let mut models = bundle.models().iter();
    models
        .find(|model| model.resource == resource)
        .map_or(resource, |model| model.file.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{bundle, process};

    fn with_condition(key: &str, condition: &str) -> String {
        process(key).replace(
            "targetRef=\"task\"/>",
            &format!(
                "targetRef=\"task\">\n      <conditionExpression>{condition}</conditionExpression></sequenceFlow>"
            ),
        )
    }

    const SAID: &str =
        "ENGINE-01009 Error while parsing process. Error parsing '${a > }': syntax error at position 5";

    #[test]
    fn an_expression_is_found_where_it_stands() {
        let (good, bad) = (process("good"), with_condition("bad", "${a &gt; }"));
        let found = whole(&bundle(&[("good.bpmn", &good), ("bad.bpmn", &bad)]), SAID);
        let headline = found.to_string();
        assert!(
            headline.starts_with("bad.bpmn:5:7: error[engine-refused]"),
            "{headline}"
        );
        assert!(found.help.is_some_and(|help| help.contains("expression")));
    }

    #[test]
    fn where_nothing_tells_the_file_all_are_named() {
        let bad = with_condition("bad", "${a &gt; }");
        let found = whole(&bundle(&[("a.bpmn", &bad), ("b.bpmn", &bad)]), SAID);
        assert!(found.message.contains("(in one of a.bpmn, b.bpmn)"), "{found}");
        let found = whole(
            &bundle(&[("a.bpmn", &bad), ("b.dmn", "")]),
            "cannot transform 'b.dmn'",
        );
        assert_eq!(found.file, "b.dmn");
    }

    #[test]
    fn what_the_schema_says_twice_is_told_once() {
        let problem = |message: &str| ModelProblem {
            resource: "a.bpmn".to_owned(),
            message: message.to_owned(),
            line: Some(4),
            column: Some(9),
            element: None,
            is_warning: false,
        };
        let problems = vec![
            problem("cvc-id.2: There are multiple occurrences of ID value 't'."),
            problem("cvc-attribute.3: The value 't' of attribute 'id' is not valid."),
        ];
        let bundle = bundle(&[("a.bpmn", &process("a"))]);
        let message = "refused".to_owned();
        let error = explain(&bundle, EngineError::ModelsRefused { message, problems });
        let [finding] = error.report().unwrap().diagnostics.as_slice() else {
            panic!("{error:?}")
        };
        assert_eq!(
            finding.to_string(),
            "a.bpmn:4:9: error[engine-refused]: There are multiple occurrences of ID value 't'."
        );
        assert_eq!(
            finding.help.as_deref(),
            Some("give each element an id of its own")
        );
    }
}
