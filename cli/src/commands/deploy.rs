//! `procos deploy`: checks models, then puts them on the engine.

use std::borrow::Cow;
use std::collections::HashMap;

use ::deploy::{Bundle, DeployError, DeployedDefinition, Outcome, Report};
use diagnostics::Diagnostic;
use serde::Serialize;

use super::besides;
use crate::args::DeployArgs;
use crate::context::{Context, connect};
use crate::exit::{Status, Trouble};
use crate::gate;
use crate::output::{Table, Theme, remark, say, say_json, short_id};

/// The answer of `procos deploy --json`. The names are what scripts rely on.
#[derive(Serialize)]
struct Answer<'a> {
    /// None where nothing was deployed.
    deployment_id: Option<&'a str>,
    definitions: &'a [DeployedDefinition],
    diagnostics: &'a [Diagnostic],
}

pub(super) async fn run(args: &DeployArgs, context: &Context) -> Result<Status, Trouble> {
    let bundle = ::deploy::load(&args.paths).map_err(|error| Trouble::usage(error.to_string()))?;
    let mut gate = gate::context(&context.config)?;
    let mut findings = besides::check(&bundle, &context.config)?;
    if args.dry_run {
        findings.splice(0..0, bundle.check(&gate).diagnostics);
        return tell(
            None,
            findings,
            &bundle,
            context,
            "nothing was deployed: --dry-run only checks",
        );
    }
    let engine = connect(&context.config)?;
    // Models that are wrong are told as such whether or not the engine answers.
    match engine.latest_definitions(None).await {
        Ok(definitions) => gate.deployed = Some(definitions.into_iter().map(|it| it.key).collect()),
        Err(error) if !bundle.check(&gate).has_errors() => return Err(error.into()),
        Err(_) => {}
    }
    let tenant = args.tenant.tenant.as_deref();
    let deployed = ::deploy::deploy(&engine, &bundle, None, tenant, &gate).await;
    match deployed {
        Ok(mut outcome) => {
            findings.splice(0..0, std::mem::take(&mut outcome.diagnostics));
            tell(Some(&outcome), findings, &bundle, context, "")
        }
        Err(DeployError::Engine(error)) => Err(error.into()),
        Err(DeployError::Findings(report)) => {
            findings.splice(0..0, report.diagnostics);
            tell(None, findings, &bundle, context, "nothing was deployed")
        }
        Err(DeployError::Refused(report)) => {
            findings.splice(0..0, report.diagnostics);
            tell(
                None,
                findings,
                &bundle,
                context,
                "nothing was deployed: the engine refuses it",
            )
        }
    }
}

/// Says what came of it.
fn tell(
    outcome: Option<&Outcome>,
    findings: Vec<Diagnostic>,
    bundle: &Bundle,
    context: &Context,
    otherwise: &str,
) -> Result<Status, Trouble> {
    let report = Report::new(findings);
    if context.json {
        say_json(&Answer {
            deployment_id: outcome.map(|outcome| outcome.deployment_id.as_str()),
            definitions: outcome.map_or(&[], |outcome| &outcome.definitions),
            diagnostics: &report.diagnostics,
        })?;
    } else {
        say(&text(outcome, &report, bundle, &Theme::stdout()))?;
        if outcome.is_none() {
            remark(&format!("procos: {otherwise}"));
        }
    }
    Ok(if report.has_errors() {
        Status::No
    } else {
        Status::Done
    })
}

pub(super) fn text(outcome: Option<&Outcome>, report: &Report, bundle: &Bundle, theme: &Theme) -> String {
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
    let findings = diagnostics::render_report(
        report,
        |file| sources.get(file).map(|text| &**text),
        theme.is_coloured(),
    );
    let Some(outcome) = outcome else {
        return match findings.is_empty() {
            true => format!("{} no findings", theme.good("✓")),
            false => findings,
        };
    };
    let mut table = Table::new();
    for definition in &outcome.definitions {
        let (mark, what) = if definition.new {
            (theme.good("✓"), theme.good("new"))
        } else {
            (" ".to_owned(), theme.dim("unchanged"))
        };
        table.row([
            format!("{mark} {}", theme.strong(&definition.key)),
            format!("version {}", definition.version),
            what,
        ]);
    }
    let mut text = String::new();
    if !findings.is_empty() {
        text = findings + "\n\n";
    }
    if outcome.definitions.is_empty() {
        text + &format!(
            "{} deployed as {}",
            theme.good("✓"),
            short_id(&outcome.deployment_id)
        )
    } else {
        text + &table.render(theme)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_and_unchanged_definitions_are_told_apart() {
        let definition = |key: &str, new| DeployedDefinition {
            key: key.into(),
            version: 2,
            id: format!("{key}:2:x"),
            new,
        };
        let outcome = Outcome {
            deployment_id: "73061df6-e56e".into(),
            definitions: vec![definition("order-check", true), definition("supplier", false)],
            diagnostics: Vec::new(),
        };
        insta::assert_snapshot!(text(
            Some(&outcome),
            &Report::default(),
            &Bundle::new("p", Vec::new()),
            &Theme::plain()
        ));
    }
}
