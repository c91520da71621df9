//! One layer of the configuration: values, and the place of each key.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use config::{Map, Source, Value, ValueKind};

use super::{ConfigError, DEFAULT_FILE, join, yaml};

/// Everything that one file, environment variable or flag says.
#[derive(Clone, Debug, Default)]
pub(super) struct Layer {
    pub(super) values: Map<String, Value>,
    /// `file:line:column` and the like, by key.
    pub(super) places: BTreeMap<String, String>,
    /// Keys that take the place of a lower layer's value as a whole: all but sections.
    pub(super) replaced: Vec<String>,
}

impl Layer {
    /// A layer of one value.
    pub(super) fn value(key: &str, place: &str, value: impl Into<ValueKind>) -> Self {
        let mut layer = Self::default();
        let value = Value::new(Some(&place.to_owned()), value);
        layer.set(&key.split('.').collect::<Vec<_>>(), place, value);
        layer
    }

    /// Puts a value at the end of a path of keys; everything on the way gets the same place.
    pub(super) fn set(&mut self, path: &[&str], place: &str, value: Value) {
        let Some((first, rest)) = path.split_first() else {
            return;
        };
        let mut key = String::new();
        for name in path {
            key = join(&key, name);
            self.places.insert(key.clone(), place.to_owned());
        }
        if !matches!(value.kind, ValueKind::Table(_)) {
            self.replaced.push(key);
        }
        let nested = rest.iter().rev().fold(value, |inner, name| {
            Value::new(None, Map::from_iter([((*name).to_owned(), inner)]))
        });
        self.values.insert((*first).to_owned(), nested);
    }

    /// Notes the places of this layer over those of the layers below it.
    pub(super) fn note_places(&self, places: &mut BTreeMap<String, String>) {
        for key in &self.replaced {
            let below = |other: &str| {
                other
                    .strip_prefix(key.as_str())
                    .is_some_and(|rest| rest.starts_with(['.', '[']))
            };
            places.retain(|other, _| !below(other));
        }
        places.extend(self.places.clone());
    }
}

impl Source for Layer {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, config::ConfigError> {
        Ok(self.values.clone())
    }
}

/// The layers of the configuration file, where there is one, and of the folder beside it.
pub(super) fn files(file: Option<&Path>) -> Result<Vec<Layer>, ConfigError> {
    let main = file.unwrap_or(Path::new(DEFAULT_FILE));
    let mut layers = Vec::new();
    match std::fs::read(main) {
        Ok(bytes) => layers.push(yaml::layer(&main.display().to_string(), &bytes)?),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && file.is_none() => {}
        Err(error) => return Err(unreadable(main, &error)),
    }
    for more in beside(main)? {
        let bytes = std::fs::read(&more).map_err(|error| unreadable(&more, &error))?;
        layers.push(yaml::layer(&more.display().to_string(), &bytes)?);
    }
    Ok(layers)
}

/// The files in the folder `procos.d` beside a file, sorted by name.
fn beside(file: &Path) -> Result<Vec<PathBuf>, ConfigError> {
    let folder = file.with_file_name("procos.d");
    let entries = match std::fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(unreadable(&folder, &error)),
    };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.map_err(|error| unreadable(&folder, &error))?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "yml" || extension == "yaml")
        {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn unreadable(path: &Path, error: &std::io::Error) -> ConfigError {
    ConfigError::new(path.display().to_string(), format!("cannot be read: {error}"))
}
