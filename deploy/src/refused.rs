//! A refusal of the engine, as findings.

use diagnostics::{Diagnostic, Position, Range, Report, Severity};
use engine_client::{EngineError, ModelProblem};

use crate::{Bundle, DeployError};

/// The engine's no to a bundle, or its failure to answer.
pub(crate) fn explain(bundle: &Bundle, error: EngineError) -> DeployError {
    match error {
        EngineError::ModelsRefused { problems, .. } => DeployError::Refused(Report::new(
            problems.iter().map(|problem| finding(bundle, problem)).collect(),
        )),
        // A decision table that is no XML gives a 500.
        error if error.is_bad_request() || error.is_internal() => match error.engine_message() {
            Some(message) => DeployError::Refused(Report::new(vec![whole(bundle, message)])),
            None => DeployError::Engine(error),
        },
        error => DeployError::Engine(error),
    }
}

fn finding(bundle: &Bundle, problem: &ModelProblem) -> Diagnostic {
    let severity = if problem.is_warning {
        Severity::Warning
    } else {
        Severity::Error
    };
    let element = problem.element.as_ref().map(|id| format!(" (element `{id}`)"));
    let message = format!("{}{}", problem.message, element.unwrap_or_default());
    Diagnostic::new(
        severity,
        "engine-refused",
        file(bundle, &problem.resource),
        message,
    )
    .at(place(problem))
}

/// The engine names the end of an opening tag.
fn place(problem: &ModelProblem) -> Option<Range> {
    let line = problem.line.filter(|&line| line > 0)?;
    let place = Position::new(line, problem.column.unwrap_or(1).max(1));
    Some(Range::new(place, place))
}

/// Decision tables, forms and the like: the engine has only a sentence, which may name the resource.
fn whole(bundle: &Bundle, message: &str) -> Diagnostic {
    let mut named = bundle
        .models()
        .iter()
        .filter(|model| message.contains(&model.resource));
    let file = match (named.next(), named.next(), bundle.models()) {
        (Some(one), None, _) => one.file.as_str(),
        (None, _, [only]) => only.file.as_str(),
        _ => bundle.name(),
    };
    Diagnostic::error("engine-refused", file, message)
}

fn file<'a>(bundle: &'a Bundle, resource: &'a str) -> &'a str {
    let mut models = bundle.models().iter();
    models
        .find(|model| model.resource == resource)
        .map_or(resource, |model| model.file.as_str())
}
