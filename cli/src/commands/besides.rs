//! What the gate does not know: what the engine cannot keep, and files that are not there.

use std::path::PathBuf;

use ::deploy::{Bundle, NamedScript};
use adapter_catalog::Catalogue;
use bpmn::Code;
use diagnostics::Diagnostic;
use engine_client::limits::LONGEST_STRING;

use crate::config::{Config, ConfigError};

/// The codes of what is said here, by the deployment and by the engine.
pub(super) const PAGES: &[Code] = &[
    Code {
        code: "missing-script",
        help: "put the file beside the model, give it to `procos deploy`, or lay it into one of sandbox.script_directories",
        page: include_str!("pages/missing-script.md"),
    },
    Code {
        code: "text-too-long",
        help: "shorten it, put a script into a file, or hand the text over in a process variable",
        page: include_str!("pages/text-too-long.md"),
    },
    Code {
        code: "not-in-force",
        help: "delete that deployment, or change the model to have it deployed anew",
        page: include_str!("pages/not-in-force.md"),
    },
    Code {
        code: "engine-refused",
        help: "change the model at the place that the engine names, such as with Camunda Modeler, and deploy it again",
        page: include_str!("pages/engine-refused.md"),
    },
];

/// Warnings about models besides what the gate says.
///
/// # Errors
/// Where a route or a service of the configuration makes no sense.
pub(super) fn check(bundle: &Bundle, config: &Config) -> Result<Vec<Diagnostic>, ConfigError> {
    let catalogue = config.catalogue()?;
    let mut findings = too_long(bundle);
    findings.extend(missing_scripts(
        bundle,
        &catalogue,
        &config.settings().sandbox.script_directories,
    ));
    Ok(findings)
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

#[cfg(test)]
mod tests {
    use ::deploy::Report;

    use super::*;
    use crate::output::Theme;

    const MODEL: &str = r#"<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL" xmlns:camunda="http://camunda.org/schema/1.0/bpmn" targetNamespace="t">
  <process id="p" isExecutable="true" camunda:historyTimeToLive="P1D">
    <startEvent id="s"/>
    <serviceTask id="a" name="Ask" camunda:type="external" camunda:topic="http_requests"/>
    <serviceTask id="b" camunda:type="external" camunda:topic="${x}"/>
    <serviceTask id="c" camunda:type="external" camunda:topic="legacy"/>
  </process>
</definitions>"#;

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
        insta::assert_snapshot!(crate::commands::deploy::text(
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
}
