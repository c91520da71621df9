//! `procos adapters templates`: element templates as files, one a topic.

use std::fs;
use std::path::Path;

use adapter_catalog::Catalogue;
use serde_json::{Value as Json, json};
use worker_api::Router;

use super::kept::{Kept, State, Wanted, is_stale, summary};
use super::template::{ID_PREFIX, Subject, template};
use crate::args::FolderArgs;
use crate::exit::{Status, Trouble};
use crate::output::{Theme, say, say_json};

pub(super) fn run(args: &FolderArgs, catalogue: &Catalogue, json: bool) -> Result<Status, Trouble> {
    let kept = Kept {
        folder: &args.out,
        is_ours,
    };
    let told = kept.bring_up_to_date(&all(catalogue)?, args.check)?;
    if json {
        let templates: Vec<Json> = told
            .iter()
            .map(|told| json!({"topic": told.name, "file": told.file, "state": told.state}))
            .collect();
        say_json(&json!({ "templates": templates }))?;
    } else {
        let theme = Theme::stdout();
        let command = format!("procos adapters templates --out {}", args.out.display());
        let mut text = summary(&told, &command, "its topic is no more: delete it", &theme);
        if told.iter().any(|told| told.state == State::Written) {
            let hint = theme.dim("Camunda Modeler reads templates when it starts");
            text.push_str(&format!("\n\n{hint}"));
        }
        say(&text)?;
    }
    Ok(if args.check && is_stale(&told) {
        Status::No
    } else {
        Status::Done
    })
}

fn all(catalogue: &Catalogue) -> Result<Vec<Wanted>, Trouble> {
    let mut wanted = Vec::new();
    for topic in catalogue.topics() {
        let Some(route) = catalogue.route(&topic) else {
            continue;
        };
        let adapter = catalogue.description(&route.adapter_name);
        let described = adapter
            .ok()
            .and_then(|adapter| adapter.topics.iter().find(|it| it.topic == route.operation));
        let Some(described) = described else {
            continue;
        };
        let subject = Subject {
            topic: &topic,
            adapter: &route.adapter_name,
            described,
            is_fixed: &|input| route.with.contains_key(input),
        };
        let text = serde_json::to_string_pretty(&template(&subject)).map_err(|error| {
            Trouble::no(format!(
                "the template of {topic} cannot be written as JSON: {error}"
            ))
        })?;
        wanted.push(Wanted {
            file: file_name(&topic),
            name: topic,
            text: text + "\n",
        });
    }
    Ok(wanted)
}

/// The topic of a template of ProcOS's own, by what it calls itself.
fn is_ours(file: &Path) -> Option<String> {
    if file.extension()? != "json" {
        return None;
    }
    let template: Json = serde_json::from_slice(&fs::read(file).ok()?).ok()?;
    Some(template["id"].as_str()?.strip_prefix(ID_PREFIX)?.to_owned())
}

/// A topic's name with what a file's name cannot hold written as `%2F`.
fn file_name(topic: &str) -> String {
    let mut name = String::new();
    for (index, byte) in topic.bytes().enumerate() {
        match byte {
            b'.' if index == 0 => name.push_str("%2E"),
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'-' | b'.' => name.push(char::from(byte)),
            other => name.push_str(&format!("%{other:02X}")),
        }
    }
    name + ".json"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_templates_of_our_own_are_left_over() {
        let scratch = tempfile::tempdir().unwrap();
        for (name, text, topic) in [
            ("gone.json", r#"{"id": "procos.gone"}"#, Some("gone")),
            ("theirs.json", r#"{"id": "com.example"}"#, None),
            ("list.json", r#"[{"id": "procos.x"}]"#, None),
            ("broken.json", "{", None),
            ("gone.json.bak", r#"{"id": "procos.gone"}"#, None),
        ] {
            let file = scratch.path().join(name);
            fs::write(&file, text).unwrap();
            assert_eq!(is_ours(&file).as_deref(), topic, "{name}");
        }
        let kept = Kept {
            folder: scratch.path(),
            is_ours,
        };
        let told = kept.bring_up_to_date(&[], false).unwrap();
        assert_eq!(told.len(), 1);
        assert_eq!((told[0].name.as_str(), told[0].state), ("gone", State::LeftOver));
        assert!(scratch.path().join("gone.json").exists());
    }

    #[test]
    fn no_topic_leaves_the_folder() {
        assert_eq!(file_name("http_request"), "http_request.json");
        assert_eq!(file_name("../a b"), "%2E.%2Fa%20b.json");
    }
}
