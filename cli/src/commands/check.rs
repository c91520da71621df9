//! `procos check`: the deploy gate without an engine.

use std::borrow::Cow;
use std::collections::HashMap;

use ::deploy::{Bundle, Report};
use bpmn::codes;
use serde::Serialize;

use super::besides;
use crate::args::CheckArgs;
use crate::context::Context;
use crate::exit::{Status, Trouble};
use crate::gate;
use crate::output::{Table, Theme, say, say_json};

/// The answer of `procos check --explain CODE --json`.
#[derive(Serialize)]
struct Page<'a> {
    code: &'a str,
    page: &'a str,
}

pub(super) fn run(args: &CheckArgs, context: &Context) -> Result<Status, Trouble> {
    if let Some(code) = &args.explain {
        return explain(code, context);
    }
    let bundle = ::deploy::load_to_check(&args.paths).map_err(|error| Trouble::usage(error.to_string()))?;
    let mut findings = bundle.check(&gate::context(&context.config)?).diagnostics;
    findings.extend(besides::check(&bundle, &context.config)?);
    let report = Report::new(findings);
    if context.json {
        say_json(&report)?;
    } else {
        let theme = Theme::stdout();
        if context.verbose > 0 {
            say(&format!("{}\n", complexities(&bundle, &theme)))?;
        }
        say(&text(&report, &bundle, &theme))?;
    }
    Ok(if report.has_errors() {
        Status::No
    } else {
        Status::Done
    })
}

fn explain(code: &str, context: &Context) -> Result<Status, Trouble> {
    let Some(page) = page(code) else {
        let near = codes::near(code);
        let help = if near.is_empty() {
            "docs/checks.md lists them all".to_owned()
        } else {
            format!("did you mean {}?", near.join(" or "))
        };
        return Err(Trouble::no(format!("no finding has the code `{code}`: {help}")));
    };
    if context.json {
        say_json(&Page { code, page })?;
    } else {
        say(page)?;
    }
    Ok(Status::Done)
}

fn page(code: &str) -> Option<&'static str> {
    let besides = || besides::PAGES.iter().find(|it| it.code == code).map(|it| it.page);
    bpmn::explain(code).or_else(besides)
}

/// The findings with their places, and a line that sums up.
fn text(report: &Report, bundle: &Bundle, theme: &Theme) -> String {
    let sources: HashMap<&str, Cow<'_, str>> = bundle
        .models()
        .iter()
        .filter_map(|model| {
            Some((
                model.file.as_str(),
                bpmn::decode(&model.file, &model.content).ok()?,
            ))
        })
        .collect();
    let source = |file: &str| sources.get(file).map(|text| &**text);
    let mut parts: Vec<String> = report
        .diagnostics
        .iter()
        .map(|finding| diagnostics::render(finding, source, theme.is_coloured()))
        .collect();
    let models = bundle.models().iter().filter(|model| !model.is_script()).count();
    let files = counted(models, "file");
    parts.push(match (report.errors, report.warnings) {
        (0, 0) => format!("{} no errors, no warnings in {files}", theme.good("✓")),
        (0, warnings) => format!("no errors, {} in {files}", counted(warnings, "warning")),
        (errors, 0) => format!("{} in {files}", counted(errors, "error")),
        (errors, warnings) => format!(
            "{}, {} in {files}",
            counted(errors, "error"),
            counted(warnings, "warning")
        ),
    });
    parts.join("\n\n")
}

fn counted(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

/// The cyclomatic complexity of each process.
fn complexities(bundle: &Bundle, theme: &Theme) -> String {
    let mut table = Table::new();
    for file in bundle.models().iter().filter(|model| !model.is_script()) {
        if bpmn::FileKind::of(&file.file, &file.content) != bpmn::FileKind::Bpmn {
            continue;
        }
        let (model, _) = bpmn::read(&file.file, &file.content);
        for process in model.iter().flat_map(|model| &model.processes) {
            table.row([
                theme.strong(&process.id),
                format!("complexity {}", bpmn::complexity(process)),
                theme.dim(&file.file),
            ]);
        }
    }
    table.render(theme)
}

#[cfg(test)]
mod tests;
