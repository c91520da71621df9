//! `procos adapters templates`: element templates as files, one a topic.

use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use adapter_catalog::Catalogue;
use serde::Serialize;
use serde_json::Value as Json;
use worker_api::Router;

use super::template::{ID_PREFIX, Subject, template};
use crate::args::TemplatesArgs;
use crate::exit::{Status, Trouble};
use crate::output::{Table, Theme, say, say_json};

/// What is with a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum State {
    /// It was written.
    Written,
    /// It says the same already.
    Unchanged,
    /// It says something else.
    Outdated,
    /// It is not there.
    Missing,
    /// It is of a topic that is no more.
    LeftOver,
}

/// One file.
#[derive(Debug, PartialEq, Serialize)]
struct Told {
    topic: String,
    file: PathBuf,
    state: State,
}

#[derive(Serialize)]
struct Answer<'a> {
    templates: &'a [Told],
}

/// A template as it is to be written.
struct Wanted {
    topic: String,
    text: String,
}

pub(super) fn run(args: &TemplatesArgs, catalogue: &Catalogue, json: bool) -> Result<Status, Trouble> {
    let told = bring_up_to_date(&args.out, &all(catalogue)?, args.check)?;
    if json {
        say_json(&Answer { templates: &told })?;
    } else {
        say(&summary(&told, args, &Theme::stdout()))?;
    }
    let is_wrong = |told: &Told| !matches!(told.state, State::Written | State::Unchanged);
    if args.check && told.iter().any(is_wrong) {
        return Ok(Status::No);
    }
    Ok(Status::Done)
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
            topic,
            text: text + "\n",
        });
    }
    Ok(wanted)
}

/// Writes what is not in the folder as it should be, or with `check` only tells.
fn bring_up_to_date(folder: &Path, wanted: &[Wanted], check: bool) -> Result<Vec<Told>, Trouble> {
    let mut told = Vec::new();
    for Wanted { topic, text } in wanted {
        let file = folder.join(file_name(topic));
        let state = match fs::read(&file) {
            Ok(found) if found == text.as_bytes() => State::Unchanged,
            Ok(_) if check => State::Outdated,
            Err(error) if check && error.kind() == ErrorKind::NotFound => State::Missing,
            Err(error) if check => return Err(cannot("read", &file, &error)),
            _ => {
                fs::create_dir_all(folder).map_err(|error| cannot("make the folder", folder, &error))?;
                fs::write(&file, text).map_err(|error| cannot("write", &file, &error))?;
                State::Written
            }
        };
        told.push(Told {
            topic: topic.clone(),
            file,
            state,
        });
    }
    told.extend(left_over(folder, wanted)?);
    Ok(told)
}

/// Templates of ProcOS's own for topics that are no more, by what they call themselves.
fn left_over(folder: &Path, wanted: &[Wanted]) -> Result<Vec<Told>, Trouble> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(cannot("read", folder, &error)),
    };
    let names: BTreeSet<_> = wanted.iter().map(|it| file_name(&it.topic)).collect();
    let mut files: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.sort();
    let topic = |file: &PathBuf| {
        let name = file.file_name()?.to_str()?;
        let topic_of_json = || -> Option<String> {
            let template: Json = serde_json::from_slice(&fs::read(file).ok()?).ok()?;
            Some(template["id"].as_str()?.strip_prefix(ID_PREFIX)?.to_owned())
        };
        let is_other = name.ends_with(".json") && !names.contains(name);
        is_other.then(topic_of_json)?
    };
    let told = files.into_iter().filter_map(|file| {
        Some(Told {
            topic: topic(&file)?,
            file,
            state: State::LeftOver,
        })
    });
    Ok(told.collect())
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

fn cannot(what: &str, path: &Path, error: &std::io::Error) -> Trouble {
    Trouble::no(format!("cannot {what} {}: {error}", path.display()))
}

fn summary(told: &[Told], args: &TemplatesArgs, theme: &Theme) -> String {
    let mut table = Table::new();
    let mut unchanged = 0;
    for Told { file, state, .. } in told {
        let (state, why) = match state {
            State::Written => (theme.good("written"), ""),
            State::Outdated => (theme.bad("outdated"), ""),
            State::Missing => (theme.bad("missing"), ""),
            State::LeftOver => (theme.warn("left over"), "its topic is no more: delete it"),
            State::Unchanged => {
                unchanged += 1;
                continue;
            }
        };
        table.row([state, file.display().to_string(), theme.dim(why)]);
    }
    let mut text = table.render(theme);
    if unchanged > 0 {
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(&theme.dim(&format!("{unchanged} up to date")));
    }
    let stale = |told: &Told| matches!(told.state, State::Outdated | State::Missing);
    if told.iter().any(stale) {
        let out = args.out.display();
        text.push_str(&format!(
            "\n\nrun {}",
            theme.command(&format!("procos adapters templates --out {out}"))
        ));
    } else if told.iter().any(|it| it.state == State::Written) {
        text.push_str(&format!(
            "\n\n{}",
            theme.dim("Camunda Modeler reads templates when it starts")
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(texts: &[(&str, &str)]) -> Vec<Wanted> {
        let wanted = |(topic, text): &(&str, &str)| Wanted {
            topic: (*topic).to_owned(),
            text: (*text).to_owned(),
        };
        texts.iter().map(wanted).collect()
    }

    fn states(told: &[Told]) -> Vec<(&str, State)> {
        told.iter().map(|it| (it.topic.as_str(), it.state)).collect()
    }

    #[test]
    fn what_is_up_to_date_is_left_alone_and_the_rest_is_written() {
        let scratch = tempfile::tempdir().unwrap();
        let folder = scratch.path().join("deep/down");
        let first = wanted(&[("a", "1"), ("b", "1")]);
        let told = bring_up_to_date(&folder, &first, true).unwrap();
        assert_eq!(states(&told), [("a", State::Missing), ("b", State::Missing)]);
        assert!(!folder.exists(), "a check writes nothing");
        bring_up_to_date(&folder, &first, false).unwrap();

        let long_ago = std::time::UNIX_EPOCH;
        let a = fs::File::options()
            .write(true)
            .open(folder.join("a.json"))
            .unwrap();
        a.set_modified(long_ago).unwrap();
        let then = wanted(&[("a", "1"), ("b", "2")]);
        let told = bring_up_to_date(&folder, &then, true).unwrap();
        assert_eq!(states(&told), [("a", State::Unchanged), ("b", State::Outdated)]);
        assert_eq!(fs::read_to_string(folder.join("b.json")).unwrap(), "1");
        let told = bring_up_to_date(&folder, &then, false).unwrap();
        assert_eq!(states(&told), [("a", State::Unchanged), ("b", State::Written)]);
        let modified = fs::metadata(folder.join("a.json")).unwrap().modified().unwrap();
        assert_eq!(modified, long_ago, "not written again");
        assert_eq!(fs::read_to_string(folder.join("b.json")).unwrap(), "2");
    }

    #[test]
    fn only_templates_of_our_own_are_left_over() {
        let scratch = tempfile::tempdir().unwrap();
        for (name, text) in [
            ("gone.json", r#"{"id": "procos.gone"}"#),
            ("theirs.json", r#"{"id": "com.example"}"#),
            ("list.json", r#"[{"id": "procos.x"}]"#),
            ("broken.json", "{"),
            ("gone.json.bak", r#"{"id": "procos.gone"}"#),
        ] {
            fs::write(scratch.path().join(name), text).unwrap();
        }
        let told = bring_up_to_date(scratch.path(), &wanted(&[("a", "1")]), false).unwrap();
        assert_eq!(states(&told), [("a", State::Written), ("gone", State::LeftOver)]);
        assert!(scratch.path().join("gone.json").exists());
    }

    #[test]
    fn no_topic_leaves_the_folder() {
        assert_eq!(file_name("http_request"), "http_request.json");
        assert_eq!(file_name("../a b"), "%2E.%2Fa%20b.json");
    }

    #[test]
    fn a_folder_that_cannot_be_is_named() {
        let scratch = tempfile::tempdir().unwrap();
        let file = scratch.path().join("file");
        fs::write(&file, "x").unwrap();
        let trouble = bring_up_to_date(&file, &wanted(&[("a", "1")]), false).unwrap_err();
        assert!(trouble.message.contains(&file.display().to_string()), "{trouble}");
    }
}
