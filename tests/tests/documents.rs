//! What people read is true: links lead somewhere, every command and every key of the configuration is described.
#![allow(clippy::unwrap_used, reason = "test code")]

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tests::{Procos, Scratch, workspace};

#[test]
fn relative_links_lead_to_files_that_exist() {
    let mut wrong = Vec::new();
    for document in documents() {
        let text = fs::read_to_string(&document).unwrap();
        for link in links(&text) {
            let (file, place) = link.split_once('#').unwrap_or((link, ""));
            let target = document.parent().unwrap().join(file);
            let target = if file.is_empty() { document.clone() } else { target };
            let is_there =
                target.exists() && (place.is_empty() || headings(&target).contains(&place.to_owned()));
            if !is_there {
                wrong.push(format!("{}: {link}", document.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "no such file or heading:\n{}", wrong.join("\n"));
}

#[test]
fn the_book_lists_every_page() {
    let docs = workspace().join("docs");
    let summary = fs::read_to_string(docs.join("SUMMARY.md")).unwrap();
    let listed: Vec<&str> = links(&summary).collect();
    for page in markdown(&docs) {
        let name = page.file_name().unwrap().to_str().unwrap();
        assert!(
            name == "SUMMARY.md" || listed.contains(&name),
            "docs/SUMMARY.md does not list {name}"
        );
    }
}

/// `docs/commands.md` is what the commands say of themselves. `UPDATE_DOCS=1` writes it.
#[test]
fn the_command_reference_is_what_the_commands_say() {
    let file = workspace().join("docs/commands.md");
    let current = command_reference();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&file, &current).unwrap();
    }
    let written = fs::read_to_string(&file).unwrap_or_default();
    assert!(
        written == current,
        "docs/commands.md is not what `procos --help` says; run `UPDATE_DOCS=1 cargo test -p tests --test documents`"
    );
}

#[test]
fn the_configuration_reference_names_every_key() {
    let scratch = Scratch::new("documents");
    let shown = Procos::new(scratch.path())
        .args(["config", "show", "--json"])
        .run()
        .expect_code(0)
        .json();
    let text = fs::read_to_string(workspace().join("docs/configuration.md")).unwrap();
    let mut keys = Vec::new();
    leaves("", &shown, &mut keys);
    assert!(keys.contains(&"engine.url".to_owned()), "{keys:?}");
    let is_described =
        |key: &String| text.contains(&format!("| `{key}` |")) || text.contains(&format!("| `{key}."));
    let missing: Vec<_> = keys.iter().filter(|key| !is_described(key)).collect();
    assert!(
        missing.is_empty(),
        "docs/configuration.md does not describe {missing:?}"
    );
}

/// A feature without a row is not there: see the page.
#[test]
fn every_feature_of_an_adapter_names_a_test_that_exists() {
    let scratch = Scratch::new("features");
    let adapters = Procos::new(scratch.path())
        .args(["adapters", "--json"])
        .run()
        .expect_code(0)
        .json();
    let names: Vec<&str> = adapters
        .as_array()
        .unwrap()
        .iter()
        .map(|adapter| adapter["name"].as_str().unwrap())
        .collect();
    let text = fs::read_to_string(workspace().join("docs/feature-tests.md")).unwrap();
    let headings: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("## ")).collect();
    assert_eq!(headings, names, "an adapter has no table, or a table no adapter");
    let mut wrong = Vec::new();
    let mut rows = 0;
    for row in text
        .lines()
        .filter(|line| line.starts_with("| ") && line.contains('`'))
    {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let (test, file) = (cells[2].trim_matches('`'), cells[3].trim_matches('`'));
        let source = fs::read_to_string(workspace().join(file)).unwrap_or_default();
        let lines: Vec<&str> = source.lines().map(str::trim).collect();
        let is_test = lines.iter().enumerate().any(|(index, line)| {
            line.contains(&format!("fn {test}("))
                && index.checked_sub(1).is_some_and(|before| {
                    lines[before].starts_with("#[test") || lines[before].starts_with("#[tokio::test")
                })
        });
        rows += 1;
        if !is_test {
            wrong.push(format!("{file}: no test {test}"));
        }
    }
    assert!(wrong.is_empty() && rows > 80, "{rows} rows\n{}", wrong.join("\n"));
}

/// The documents that the project writes itself.
fn documents() -> Vec<PathBuf> {
    [".", "docs", "engine/engine-server", "tests/modeler"]
        .into_iter()
        .flat_map(|folder| markdown(&workspace().join(folder)))
        .collect()
}

fn markdown(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .filter(|path| path.extension().is_some_and(|suffix| suffix == "md"))
        .collect()
}

/// What `[text](target)` and `![text](target)` lead to, addresses of the web left out.
fn links(text: &str) -> impl Iterator<Item = &str> {
    let targets = text
        .split("](")
        .skip(1)
        .filter_map(|rest| Some(rest.split_once(')')?.0));
    targets.filter(|target| !target.contains("://"))
}

/// The headings of a page as the book makes anchors of them.
fn headings(page: &Path) -> Vec<String> {
    let text = fs::read_to_string(page).unwrap();
    let titles = text.lines().filter_map(|line| {
        line.trim_start_matches('#')
            .strip_prefix(' ')
            .filter(|_| line.starts_with('#'))
    });
    titles
        .map(|title| title.to_lowercase().replace(' ', "-"))
        .collect()
}

fn leaves(prefix: &str, value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) if !fields.is_empty() && prefix.matches('.').count() == 0 => {
            for (name, value) in fields {
                let key = if prefix.is_empty() {
                    name.clone()
                } else {
                    format!("{prefix}.{name}")
                };
                leaves(&key, value, found);
            }
        }
        Value::Object(_) if !prefix.contains('.') => {}
        _ => found.push(prefix.to_owned()),
    }
}

fn command_reference() -> String {
    let mut text = String::from(
        "# Commands\n\nWhat `procos help COMMAND` says, in one place. Written by a test; do not edit.\n",
    );
    let mut open = vec![Vec::new()];
    while let Some(command) = open.pop() {
        let help = help(&command);
        let name = command
            .iter()
            .map(|word: &String| format!(" {word}"))
            .collect::<String>();
        text.push_str(&format!(
            "\n## procos{name}\n\n```text\n{}\n```\n",
            help.trim_end()
        ));
        let nested = subcommands(&help)
            .into_iter()
            .map(|word| [command.as_slice(), &[word]].concat());
        open.extend(nested.collect::<Vec<_>>().into_iter().rev());
    }
    text
}

fn help(command: &[String]) -> String {
    let scratch = Scratch::new("documents");
    let call = Procos::new(scratch.path())
        .env("COLUMNS", "100")
        .args(command)
        .args(["--help"]);
    let text = call.run().expect_code(0).stdout;
    let mut lines = Vec::new();
    let mut is_told_already = false;
    for line in text.lines().map(str::trim_end) {
        // What every command takes is said once, on top.
        if !line.is_empty() && !line.starts_with(' ') {
            is_told_already = line == "Everywhere:" && !command.is_empty();
        }
        if !is_told_already {
            lines.push(line);
        }
    }
    lines.join("\n")
}

/// The words in the first column below `Commands:`, without `help`, which says the same again.
fn subcommands(help: &str) -> Vec<String> {
    let lines = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let listed = lines.take_while(|line| !line.is_empty());
    let words = listed.filter_map(|line| {
        line.strip_prefix("  ")?
            .split(' ')
            .next()
            .filter(|word| !word.is_empty())
    });
    words.filter(|word| *word != "help").map(str::to_owned).collect()
}
