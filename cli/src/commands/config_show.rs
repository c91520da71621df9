//! `procos config show`: the configuration in force.

use saphyr::{LoadableYamlNode, Yaml, YamlEmitter};

use crate::args::{ConfigArgs, ConfigCommand};
use crate::context::Context;
use crate::exit::{Status, Trouble};
use crate::output::{Table, Theme, one_line, say, say_json};

pub(super) fn run(args: &ConfigArgs, context: &Context) -> Result<Status, Trouble> {
    let ConfigCommand::Show { sources } = args.command;
    // What is in force has to be usable; the adapters know what stands in their sections.
    context.config.catalogue()?;
    match (sources, context.json) {
        (true, true) => say_json(&context.config.sources())?,
        (true, false) => say(&table(context, &Theme::stdout()))?,
        (false, true) => say_json(&context.config.effective())?,
        (false, false) => say(&yaml(&context.config.effective())?)?,
    }
    Ok(Status::Done)
}

fn table(context: &Context, theme: &Theme) -> String {
    let mut table = Table::with_heading(theme, ["KEY", "VALUE", "FROM"]);
    for value in context.config.sources() {
        let source = if value.source == "default" {
            theme.dim(&value.source)
        } else {
            value.source
        };
        table.row([value.key, one_line(&value.value, 80), source]);
    }
    table.render(theme)
}

/// The value as it could stand in `procos.yml`.
fn yaml(value: &serde_json::Value) -> Result<String, Trouble> {
    let wrong = |error: String| Trouble::no(format!("the configuration cannot be written as YAML: {error}"));
    // JSON is YAML: the reader of the one is the way to the other.
    let documents = Yaml::load_from_str(&value.to_string()).map_err(|error| wrong(error.to_string()))?;
    let mut text = String::new();
    for document in &documents {
        YamlEmitter::new(&mut text)
            .dump(document)
            .map_err(|error| wrong(error.to_string()))?;
    }
    Ok(text.strip_prefix("---\n").map(str::to_owned).unwrap_or(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_can_be_read_again() {
        let value = serde_json::json!({
            "a": {"b": [1, true, null, "x: y", "true", "1e3", ""]}, "c": {}, "d": [], "e": "a\nb", "f": 1.5,
        });
        let text = yaml(&value).unwrap();
        assert!(text.starts_with("a:\n  b:"), "{text}");
        let again = Yaml::load_from_str(&text).unwrap();
        let before = Yaml::load_from_str(&value.to_string()).unwrap();
        assert_eq!(again, before, "{text}");
    }
}
