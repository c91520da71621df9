//! What a program says about itself, and its files.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use bytes::Bytes;
use schemars::Schema;
use serde::Deserialize;
use worker_api::{ErrorCode, File, TopicDescription, Value, Variables};

/// The file that says it.
const FILE: &str = "adapter.json";

/// Bytes that a program's files may have together: they are laid into a cell for each task.
const LARGEST: u64 = 4 << 20;

/// A program that can be run.
#[derive(Debug)]
pub(crate) struct Program {
    pub(crate) language: Language,
    pub(crate) main: String,
    pub(crate) image: Option<String>,
    /// Its topics, each with the files that its answer brings: by field, their paths.
    pub(crate) topics: Vec<(TopicDescription, BTreeMap<String, String>)>,
    /// Its files, under names that no input has.
    pub(crate) files: Variables,
}

/// What it is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Language {
    Python,
    JavaScript,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    language: Language,
    main: String,
    #[serde(default)]
    image: Option<String>,
    topics: Vec<Topic>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Topic {
    topic: String,
    summary: String,
    #[serde(default)]
    inputs: Schema,
    #[serde(default)]
    answer: Schema,
    #[serde(default)]
    errors: Vec<Error>,
    #[serde(default)]
    asks: Vec<String>,
    #[serde(default)]
    keeps: Vec<String>,
    #[serde(default)]
    files: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Error {
    code: String,
    meaning: String,
}

impl Program {
    /// Reads the program in a folder.
    ///
    /// # Errors
    /// What is wrong with it, and in which file.
    pub(crate) fn read(folder: &Path) -> Result<Self, String> {
        let file = folder.join(FILE);
        let shown = file.display();
        let text = fs::read_to_string(&file).map_err(|error| format!("{shown} cannot be read: {error}"))?;
        let manifest: Manifest = serde_json::from_str(&text).map_err(|error| format!("{shown}: {error}"))?;
        let files = files(folder)?;
        let is_there = files
            .values()
            .any(|value| matches!(value, Value::File(file) if file.name == manifest.main));
        if !is_there {
            return Err(format!(
                "{shown}: `main` names {}, which is not beside it",
                manifest.main
            ));
        }
        if manifest.topics.is_empty() {
            return Err(format!("{shown}: it has no `topics`, and so nothing to do"));
        }
        let topics = manifest.topics.into_iter().map(|topic| {
            let mut description = TopicDescription::new::<(), ()>(&topic.topic, &topic.summary).sandboxed();
            description.inputs = topic.inputs;
            description.answer = topic.answer;
            description.asks = topic.asks;
            description.keeps = topic.keeps;
            let errors = topic.errors.into_iter();
            description.errors = errors
                .map(|error| ErrorCode {
                    code: error.code,
                    meaning: error.meaning,
                })
                .collect();
            (description, topic.files)
        });
        Ok(Self {
            language: manifest.language,
            main: manifest.main,
            image: manifest.image,
            topics: topics.collect(),
            files,
        })
    }
}

fn files(folder: &Path) -> Result<Variables, String> {
    let unreadable = |error: std::io::Error| format!("{} cannot be read: {error}", folder.display());
    let mut files = Variables::new();
    let mut left = LARGEST;
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = entry.path();
        // What hides, and what an interpreter leaves behind, is no part of it.
        if name.starts_with('.') || name == "__pycache__" || name == FILE {
            continue;
        }
        let metadata = fs::metadata(&path).map_err(unreadable)?;
        if !metadata.is_file() {
            return Err(format!(
                "{} is no file, and a program's files lie side by side: bring packages in an image, named as `image`",
                path.display()
            ));
        }
        left = left
            .checked_sub(metadata.len())
            .ok_or_else(|| format!("the files in {} have more than {LARGEST} bytes", folder.display()))?;
        let content = Bytes::from(fs::read(&path).map_err(unreadable)?);
        let file = File {
            name: name.clone(),
            media_type: None,
            encoding: None,
            content: content.into(),
        };
        files.insert(format!("program/{name}"), Value::File(file));
    }
    Ok(files)
}
