//! `procos adapters reference`: pages about the adapters, one each, from what they say about themselves.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use adapter_catalog::Catalogue;
use serde_json::{Value as Json, json};
use worker_api::{AdapterDescription, TopicDescription};

use super::kept::{Kept, Wanted, is_stale, summary};
use super::schema;
use crate::args::FolderArgs;
use crate::exit::{Status, Trouble};
use crate::output::{Theme, say, say_json};

/// By what a page is known as ours; the adapter's name stands behind it.
const MARK: &str = "<!-- written by `procos adapters reference`: ";

/// The page that leads to the others.
const INDEX: &str = "index";

pub(super) fn run(args: &FolderArgs, catalogue: &Catalogue, json: bool) -> Result<Status, Trouble> {
    let adapters: Vec<&AdapterDescription> = catalogue
        .descriptions()
        .filter(|adapter| !adapter.topics.is_empty())
        .collect();
    let page = |name: &str, text: String| Wanted {
        name: name.to_owned(),
        file: format!("{name}.md"),
        text: format!("{MARK}{name} -->\n{text}"),
    };
    let mut wanted = vec![page(INDEX, index(&adapters))];
    wanted.extend(adapters.iter().map(|adapter| page(&adapter.name, about(adapter))));
    let kept = Kept {
        folder: &args.out,
        is_ours,
    };
    let told = kept.bring_up_to_date(&wanted, args.check)?;
    if json {
        let pages: Vec<Json> = told
            .iter()
            .map(|told| json!({"adapter": told.name, "file": told.file, "state": told.state}))
            .collect();
        say_json(&json!({ "pages": pages }))?;
    } else {
        let command = format!("procos adapters reference --out {}", args.out.display());
        say(&summary(
            &told,
            &command,
            "its adapter is no more: delete it",
            &Theme::stdout(),
        ))?;
    }
    Ok(if args.check && is_stale(&told) {
        Status::No
    } else {
        Status::Done
    })
}

/// The adapter of a page of ours.
fn is_ours(file: &Path) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let (name, _) = text.strip_prefix(MARK)?.split_once(" -->")?;
    Some(name.to_owned())
}

fn index(adapters: &[&AdapterDescription]) -> String {
    let mut text = "# Reference\n\nEvery topic with all its inputs. What they are for, with examples: see [tasks](../tasks.md).\n\n\
                    | topic | adapter | what it does |\n|---|---|---|\n"
        .to_owned();
    for adapter in adapters {
        for topic in &adapter.topics {
            let (name, adapter) = (&topic.topic, &adapter.name);
            let _ = writeln!(
                text,
                "| [`{name}`]({adapter}.md#{name}) | {adapter} | {} |",
                cell(&topic.summary)
            );
        }
    }
    text
}

fn about(adapter: &AdapterDescription) -> String {
    let mut text = format!("# {}\n\n{}.\n", adapter.name, adapter.summary);
    for topic in &adapter.topics {
        let _ = write!(text, "\n## {}\n\n{}.\n", topic.topic, topic.summary);
        text.push_str(&fields("input", topic.inputs.as_value(), &topic.asks, true));
        text.push_str(&fields("answer", topic.answer.as_value(), &topic.keeps, false));
        text.push_str(&errors(topic));
    }
    text
}

fn fields(title: &str, schema: &Json, first: &[String], is_input: bool) -> String {
    let fields = schema::fields(schema, first);
    if fields.is_empty() {
        return String::new();
    }
    let mut text = format!("\n| {title} | kind | | |\n|---|---|---|---|\n");
    for field in fields {
        let need = match (is_input, field.required, &field.default) {
            (true, true, _) => "required".to_owned(),
            (_, _, Some(default)) => format!("`{default}` unless said"),
            _ => String::new(),
        };
        let _ = writeln!(
            text,
            "| `{}` | {} | {} | {} |",
            field.name,
            cell(&field.kind),
            cell(&need),
            cell(&field.help)
        );
    }
    text
}

fn errors(topic: &TopicDescription) -> String {
    if topic.errors.is_empty() {
        return String::new();
    }
    let mut text = "\n| error | when |\n|---|---|\n".to_owned();
    for error in &topic.errors {
        let _ = writeln!(text, "| `{}` | {} |", error.code, cell(&error.meaning));
    }
    text
}

/// A text as a cell of a table holds it: a bar would end it, also within code.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_known_by_its_mark_and_a_cell_ends_where_it_should() {
        let scratch = tempfile::tempdir().unwrap();
        let file = scratch.path().join("http.md");
        for (text, name) in [
            (format!("{MARK}http -->\n# http"), Some("http")),
            ("# http".to_owned(), None),
        ] {
            fs::write(&file, text).unwrap();
            assert_eq!(is_ours(&file).as_deref(), name);
        }
        assert_eq!(cell("a|b <c>"), "a\\|b &lt;c>");
    }

    #[test]
    fn a_page_tells_inputs_answers_and_errors() {
        #[derive(schemars::JsonSchema)]
        #[allow(dead_code, reason = "for its schema")]
        struct Wish {
            /// How many are wanted.
            quantity: u32,
            /// For whom.
            #[schemars(default)]
            name: Option<String>,
        }
        let topic = TopicDescription::new::<Wish, Wish>("desk_reserve", "Reserves desks")
            .error("OUT_OF_STOCK", "There are fewer");
        let text = about(&AdapterDescription::new("desks", "Knows desks").topic(topic));
        for part in [
            "# desks\n\nKnows desks.",
            "## desk_reserve\n\nReserves desks.",
            "| `quantity` | ",
            " | required | How many are wanted. |",
            "| `OUT_OF_STOCK` | There are fewer |",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }
}
