//! `procos deploy`: checks models, then puts them on the engine.

use std::collections::HashMap;
use std::path::PathBuf;

use ::deploy::{Bundle, DeployError, DeployedDefinition, NamedScript, Outcome, Report};
use adapter_catalog::Catalogue;
use diagnostics::Diagnostic;
use engine_client::limits::LONGEST_STRING;
use serde::Serialize;
use worker_api::Router;

use super::find;
use crate::args::DeployArgs;
use crate::context::{Context, connect};
use crate::exit::{Status, Trouble};
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
    let catalogue = context.config.catalogue()?;
    let mut findings = unrouted(&bundle, &catalogue.topics());
    findings.extend(too_long(&bundle));
    findings.extend(missing_scripts(
        &bundle,
        &catalogue,
        &context.config.settings().sandbox.script_directories,
    ));
    if args.dry_run {
        findings.splice(0..0, bundle.check().diagnostics);
        return tell(
            None,
            findings,
            &bundle,
            context,
            "nothing was deployed: --dry-run only checks",
        );
    }
    let engine = connect(&context.config)?;
    let deployed = ::deploy::deploy(&engine, &bundle, None, args.tenant.tenant.as_deref()).await;
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

/// A warning for each topic that no worker of this configuration serves: its tasks would wait without end.
fn unrouted(bundle: &Bundle, topics: &[String]) -> Vec<Diagnostic> {
    let mut findings = Vec::new();
    for file in bundle.models().iter().filter(|model| model.is_bpmn()) {
        let (model, _) = bpmn::read(&file.file, &file.content);
        for used in model.iter().flat_map(bpmn::Model::topics) {
            let topic = &used.topic.name;
            // What an expression comes to is known when the task is made.
            if topics.contains(topic) || topic.contains("${") || topic.contains("#{") {
                continue;
            }
            let (id, name) = (&used.node.id, used.node.name.as_deref().unwrap_or(&used.node.id));
            let message =
                format!("no worker serves the topic {topic} of `{name}` ({id}): the task will wait");
            let near = find::hint(topic, topics).filter(|hint| hint.starts_with("did"));
            let help = near.unwrap_or_else(|| {
                format!("add a route for {topic} to procos.yml, or have a worker of your own serve it; `procos adapters` lists the topics that there are")
            });
            findings.push(
                Diagnostic::warning("unrouted-topic", &file.file, message)
                    .at(used.topic.range)
                    .help(help),
            );
        }
    }
    findings
}

/// A warning for each script that a task names and that neither the deployment nor the operator's directories hold.
fn missing_scripts(bundle: &Bundle, catalogue: &Catalogue, directories: &[PathBuf]) -> Vec<Diagnostic> {
    let mut findings = Vec::new();
    for file in bundle.models().iter().filter(|model| model.is_bpmn()) {
        let (model, _) = bpmn::read(&file.file, &file.content);
        for script in model.iter().flat_map(::deploy::named_scripts) {
            let NamedScript { task, input, path } = script;
            let is_there = bundle.holds_script(&file.resource, path)
                || directories.iter().any(|directory| directory.join(path).is_file());
            if is_there || !catalogue.is_script(&task.topic.name) {
                continue;
            }
            let (id, name) = (&task.node.id, task.node.name.as_deref().unwrap_or(&task.node.id));
            let message = format!("the script {path} of `{name}` ({id}) is not there: the task will fail");
            findings.push(
                Diagnostic::warning("missing-script", &file.file, message)
                    .at(input.range)
                    .help("put the file beside the model, give it to `procos deploy`, or lay it into one of sandbox.script_directories"),
            );
        }
    }
    findings
}

/// A warning for each input parameter with more text than the engine keeps: an instance that comes to it fails, and one whose
/// first task it is cannot even be started.
fn too_long(bundle: &Bundle) -> Vec<Diagnostic> {
    let mut findings = Vec::new();
    for file in bundle.models().iter().filter(|model| model.is_bpmn()) {
        let (model, _) = bpmn::read(&file.file, &file.content);
        let nodes = model
            .iter()
            .flat_map(|model| &model.processes)
            .flat_map(|process| &process.nodes);
        for (node, input) in nodes.flat_map(|node| node.inputs.iter().map(move |input| (node, input))) {
            let text = input.value.as_deref().unwrap_or_default();
            let length = text.encode_utf16().count();
            // What an expression comes to is known when the task is made.
            if length <= LONGEST_STRING || text.contains("${") || text.contains("#{") {
                continue;
            }
            let (id, name) = (&node.id, node.name.as_deref().unwrap_or(&node.id));
            let message = format!(
                "the input parameter {} of `{name}` ({id}) has {length} characters, and the engine keeps {LONGEST_STRING}",
                input.name
            );
            let help = match input.name.as_str() {
                "script" => "put the script into a file beside the model, and its name into script_path",
                _ => "shorten it, or hand it over in a process variable",
            };
            findings.push(
                Diagnostic::warning("text-too-long", &file.file, message)
                    .at(input.range)
                    .help(help),
            );
        }
    }
    findings
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

fn text(outcome: Option<&Outcome>, report: &Report, bundle: &Bundle, theme: &Theme) -> String {
    let sources: HashMap<&str, &str> = bundle
        .models()
        .iter()
        .filter_map(|model| Some((model.file.as_str(), std::str::from_utf8(&model.content).ok()?)))
        .collect();
    let findings = diagnostics::render_report(report, |file| sources.get(file).copied(), theme.is_coloured());
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

    const MODEL: &str = r#"<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL" xmlns:camunda="http://camunda.org/schema/1.0/bpmn" targetNamespace="t">
  <process id="p" isExecutable="true" camunda:historyTimeToLive="P1D">
    <startEvent id="s"/>
    <serviceTask id="a" name="Ask" camunda:type="external" camunda:topic="http_requests"/>
    <serviceTask id="b" camunda:type="external" camunda:topic="${x}"/>
    <serviceTask id="c" camunda:type="external" camunda:topic="legacy"/>
  </process>
</definitions>"#;

    fn bundle() -> Bundle {
        let content = MODEL.as_bytes().to_vec().into();
        let model = ::deploy::Model {
            resource: "p.bpmn".into(),
            file: "p.bpmn".into(),
            content,
        };
        Bundle::new("p", vec![model])
    }

    #[test]
    fn a_topic_that_nobody_serves_is_a_warning_at_its_place() {
        let findings = unrouted(&bundle(), &["http_request".to_owned()]);
        insta::assert_snapshot!(text(None, &Report::new(findings), &bundle(), &Theme::plain()));
    }

    #[test]
    fn a_script_that_is_nowhere_is_a_warning_at_its_place() {
        let script = |path: &str| {
            format!(
                r#"<extensionElements><camunda:inputOutput>
      <camunda:inputParameter name="script_path">{path}</camunda:inputParameter></camunda:inputOutput></extensionElements>"#
            )
        };
        let task = |id: &str, topic: &str, path: &str| {
            format!(
                r#"    <serviceTask id="{id}" name="Do {id}" camunda:type="external" camunda:topic="{topic}">{}</serviceTask>
"#,
                script(path)
            )
        };
        let tasks = task("a", "python_script", "missing.py")
            + &task("b", "python_script", "there.py")
            + &task("c", "python_script", "operators.py")
            + &task("d", "http_request", "missing.py");
        let text = MODEL.replace(
            "    <serviceTask id=\"a\"",
            &(tasks + "    <serviceTask id=\"z\""),
        );
        let file = |name: &str, content: String| ::deploy::Model {
            resource: name.into(),
            file: name.into(),
            content: content.into(),
        };
        let bundle = Bundle::new("p", vec![file("p.bpmn", text), file("there.py", "pass".into())]);
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("operators.py"), "pass").unwrap();
        let secrets = secrets::SecretStore::default();
        let (services, routes) = (serde_json::Map::new(), std::collections::BTreeMap::new());
        let scripts = adapter_catalog::ScriptSettings::new(directory.path());
        let catalogue = Catalogue::build(&services, &routes, &secrets, scripts).unwrap();
        let findings = missing_scripts(&bundle, &catalogue, &[directory.path().into()]);
        insta::assert_snapshot!(super::text(
            None,
            &Report::new(findings),
            &bundle,
            &Theme::plain()
        ));
    }

    #[test]
    fn a_text_that_the_engine_cannot_keep_is_a_warning_at_its_place() {
        let model = |text: &str| {
            let inputs = format!(
                r#"id="z"><extensionElements><camunda:inputOutput><camunda:inputParameter name="script">{text}</camunda:inputParameter></camunda:inputOutput></extensionElements></serviceTask><serviceTask id="y""#
            );
            let text = MODEL.replacen("id=\"a\"", &inputs, 1);
            let model = ::deploy::Model {
                resource: "p.bpmn".into(),
                file: "p.bpmn".into(),
                content: text.into(),
            };
            too_long(&Bundle::new("p", vec![model]))
        };
        assert!(
            model(&"x".repeat(4000)).is_empty() && model(&format!("${{x}}{}", "x".repeat(4000))).is_empty()
        );
        let [finding] = model(&"\u{1F600}".repeat(2001)).try_into().unwrap();
        assert!(
            finding
                .to_string()
                .contains("has 4002 characters, and the engine keeps 4000"),
            "{finding}"
        );
        assert!(finding.help.unwrap().contains("script_path"));
    }

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
            &bundle(),
            &Theme::plain()
        ));
    }
}
