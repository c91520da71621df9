//! `procos adapters`: what tasks can do.

use serde_json::Value as Json;
use worker_api::{AdapterDescription, Router, TopicDescription};

use super::find;
use crate::args::{AdaptersArgs, AdaptersCommand};
use crate::context::Context;
use crate::exit::{Status, Trouble};
use crate::output::{Table, Theme, say, say_json};

mod control;
mod kept;
mod reference;
mod schema;
mod template;
mod templates;

pub(super) fn run(args: &AdaptersArgs, context: &Context) -> Result<Status, Trouble> {
    let catalogue = context.config.catalogue()?;
    match &args.command {
        Some(AdaptersCommand::Templates(args)) => return templates::run(args, &catalogue, context.json),
        Some(AdaptersCommand::Reference(args)) => return reference::run(args, &catalogue, context.json),
        None => {}
    }
    let all = catalogue.descriptions().cloned().collect();
    let meant = match &args.name {
        None => all,
        Some(name) => named(name, all)?,
    };
    if context.json {
        say_json(&meant)?;
    } else if args.name.is_none() {
        say(&overview(&meant, &catalogue, &Theme::stdout()))?;
    } else {
        say(&meant
            .iter()
            .map(|adapter| page(adapter, &Theme::stdout()))
            .collect::<Vec<_>>()
            .join("\n"))?;
    }
    Ok(Status::Done)
}

/// The adapters of that name, or those with a topic of that name, with that topic alone.
fn named(name: &str, all: Vec<AdapterDescription>) -> Result<Vec<AdapterDescription>, Trouble> {
    let mut names: Vec<String> = all.iter().map(|adapter| adapter.name.clone()).collect();
    names.extend(
        all.iter()
            .flat_map(|adapter| adapter.topics.iter().map(|topic| topic.topic.clone())),
    );
    let found: Vec<_> = all
        .into_iter()
        .filter_map(|mut adapter| {
            if adapter.name == name {
                return Some(adapter);
            }
            adapter.topics.retain(|topic| topic.topic == name);
            (!adapter.topics.is_empty()).then_some(adapter)
        })
        .collect();
    if found.is_empty() {
        let hint = find::hint(name, &names)
            .map(|hint| format!("; {hint}"))
            .unwrap_or_default();
        return Err(Trouble::no(format!(
            "there is no adapter and no topic {name}{hint}"
        )));
    }
    Ok(found)
}

fn overview(adapters: &[AdapterDescription], catalogue: &dyn Router, theme: &Theme) -> String {
    let mut table = Table::with_heading(theme, ["TOPIC", "ADAPTER", "WHAT IT DOES"]);
    for adapter in adapters {
        if adapter.topics.is_empty() {
            table.row([theme.dim("none"), adapter.name.clone(), adapter.summary.clone()]);
        }
        for topic in &adapter.topics {
            table.row([
                theme.strong(&topic.topic),
                adapter.name.clone(),
                topic.summary.clone(),
            ]);
        }
    }
    let is_own = |topic: &String| {
        adapters
            .iter()
            .any(|adapter| adapter.topics.iter().any(|it| it.topic == *topic))
    };
    for topic in catalogue.topics().iter().filter(|topic| !is_own(topic)) {
        if let Some(route) = catalogue.route(topic) {
            let what = format!("{}, by a route of this configuration", route.operation);
            table.row([theme.strong(topic), route.adapter_name.clone(), what]);
        }
    }
    let more = format!(
        "\n\n{}",
        theme.dim("procos adapters NAME shows inputs, answer and errors")
    );
    table.render(theme) + &more
}

fn page(adapter: &AdapterDescription, theme: &Theme) -> String {
    let mut text = format!("{}  {}\n", theme.strong(&adapter.name), adapter.summary);
    if adapter.topics.is_empty() {
        let none = format!(
            "no topics: what it brings in stands under services.{} in the configuration",
            adapter.name
        );
        text.push_str(&format!("\n{none}\n"));
    }
    for topic in &adapter.topics {
        text.push_str(&format!("\n{}  {}\n", theme.command(&topic.topic), topic.summary));
        text.push_str(&section(
            "inputs",
            &fields(topic.inputs.as_value(), &topic.asks, theme, true),
            theme,
        ));
        text.push_str(&section(
            "answer",
            &fields(topic.answer.as_value(), &topic.keeps, theme, false),
            theme,
        ));
        text.push_str(&section("errors", &errors(topic, theme), theme));
    }
    text
}

fn section(title: &str, body: &str, theme: &Theme) -> String {
    if body.is_empty() {
        return String::new();
    }
    let body: String = body.lines().map(|line| format!("    {line}\n")).collect();
    format!("  {}\n{body}", theme.dim(title))
}

fn fields(schema: &Json, first: &[String], theme: &Theme, is_input: bool) -> String {
    let fields = schema::fields(schema, first);
    if fields.is_empty() {
        return String::new();
    }
    let mut table = Table::new();
    for field in fields {
        let need = match (is_input, field.required, field.default) {
            (true, true, _) => theme.warn("required"),
            (_, _, Some(default)) => theme.dim(&format!("default {default}")),
            _ => String::new(),
        };
        table.row([field.name, theme.dim(&field.kind), need, field.help]);
    }
    table.wrapped().render(&theme.narrower(4))
}

fn errors(topic: &TopicDescription, theme: &Theme) -> String {
    if topic.errors.is_empty() {
        return String::new();
    }
    let mut table = Table::new();
    for error in &topic.errors {
        table.row([error.code.clone(), error.meaning.clone()]);
    }
    table.wrapped().render(&theme.narrower(4))
}

#[cfg(test)]
mod tests {
    use schemars::JsonSchema;

    use super::*;

    /// What the task is given.
    #[derive(JsonSchema)]
    #[expect(dead_code, reason = "only its schema is looked at")]
    struct Inputs {
        /// Whom to greet. A name of somebody or something that is long enough to be wrapped on a terminal of a
        /// hundred columns.
        name: String,
        /// How often.
        #[schemars(default)]
        times: Option<u32>,
        /// In which manner.
        manner: Manner,
        /// Anything.
        extra: Vec<serde_json::Value>,
    }

    /// A manner.
    #[derive(JsonSchema)]
    #[serde(rename_all = "lowercase")]
    #[expect(dead_code, reason = "only its schema is looked at")]
    enum Manner {
        Kindly,
        Coldly,
    }

    /// What comes of it.
    #[derive(JsonSchema)]
    #[expect(dead_code, reason = "only its schema is looked at")]
    struct Answer {
        /// The greeting.
        text: String,
    }

    fn greeter() -> AdapterDescription {
        let topic = TopicDescription::new::<Inputs, Answer>("greet", "Greets a person by name")
            .error("NOBODY", "there is nobody");
        AdapterDescription::new("greeter", "Greets people").topic(topic)
    }

    #[test]
    fn a_page_tells_every_input_answer_and_error() {
        insta::assert_snapshot!(page(&greeter(), &Theme::plain()));
    }

    #[test]
    fn names_of_topics_are_taken_too_and_the_nearest_is_offered() {
        assert_eq!(named("greet", vec![greeter()]).unwrap()[0].topics.len(), 1);
        assert!(
            named("gret", vec![greeter()])
                .unwrap_err()
                .message
                .contains("did you mean greet")
        );
    }
}
