//! The configuration: layers of YAML, environment and flags, merged, typed and checked.
//!
//! Defaults < `procos.yml` < `procos.d/*.yml` < environment < flags. A key without a value (`engine:`) goes back
//! to its default. Every error names the file, line and column, the key, and the nearest known one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use adapter_catalog::Catalogue;
use secrets::SecretStore;
use serde::Serialize;
use serde_json::{Map, Value as Json};

mod check;
mod deserializer;
mod duration;
mod environment;
mod error;
mod layer;
mod mask;
pub(crate) mod model;
mod parsed;
mod sandbox;
pub(crate) mod security;
mod yaml;

#[cfg(test)]
mod tests;

pub(crate) use error::ConfigError;
use layer::Layer;
use model::Settings;

/// The file that is read where none is named.
pub(crate) const DEFAULT_FILE: &str = "procos.yml";

/// The configuration in force, and where each of its values comes from.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    settings: Settings,
    places: BTreeMap<String, String>,
}

/// What the command line says about the configuration. These win over everything else.
#[derive(Clone, Debug, Default)]
pub(crate) struct Flags {
    /// `--data-dir`.
    pub data_dir: Option<PathBuf>,
    /// `--engine`.
    pub engine: Option<model::EngineKind>,
}

/// A value and where it comes from.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Sourced {
    /// The key, such as `workers.pools[0].name`.
    pub key: String,
    /// Its value; secrets are masked.
    pub value: Json,
    /// `file:line:column`, `environment variable NAME`, `flag --name` or `default`.
    pub source: String,
}

impl Config {
    /// Reads `file` (or [`DEFAULT_FILE`] where it is there), the folder `procos.d` beside it, `environment` (all of
    /// the process's variables; others than configuration keys are passed over) and `flags`.
    ///
    /// # Errors
    /// Where a file is not there, cannot be read or is no YAML, and where a key or value makes no sense.
    pub(crate) fn load(
        file: Option<&Path>,
        environment: impl IntoIterator<Item = (String, String)>,
        flags: &Flags,
    ) -> Result<Self, ConfigError> {
        let mut layers = layer::files(file)?;
        layers.extend(environment::layers(environment)?);
        layers.extend(flags.layers());
        Self::merge(layers)
    }

    fn merge(layers: Vec<Layer>) -> Result<Self, ConfigError> {
        let mut places = BTreeMap::new();
        let mut builder = config::Config::builder();
        for layer in layers {
            layer.note_places(&mut places);
            builder = builder.add_source(layer);
        }
        let merged = builder
            .build()
            .map_err(|error| ConfigError::new("the configuration", error.to_string()))?;
        let settings = deserializer::settings(&merged.cache, &places)?;
        let config = Self { settings, places };
        config.check()?;
        Ok(config)
    }

    /// The values.
    #[must_use]
    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The whole as it could stand in `procos.yml`, defaults included, those of the adapters, too. Secrets are
    /// masked; references to them (`secret:NAME`) are shown.
    #[must_use]
    pub(crate) fn effective(&self) -> Json {
        let mut shown = self.settings.clone();
        if let Ok(catalogue) = self.catalogue() {
            shown.services = catalogue.services();
        }
        shown.sandbox = shown.sandbox.in_force(&self.settings.data_dir);
        let mut whole = serde_json::to_value(shown).unwrap_or_default();
        mask::mask(&mut whole);
        whole
    }

    /// Every value with its source, in the order of the keys. Secrets are masked.
    #[must_use]
    pub(crate) fn sources(&self) -> Vec<Sourced> {
        let mut found = Vec::new();
        self.collect(String::new(), self.effective(), &mut found);
        found
    }

    fn collect(&self, key: String, value: Json, found: &mut Vec<Sourced>) {
        match value {
            Json::Object(fields) if !fields.is_empty() => {
                for (name, value) in fields {
                    self.collect(join(&key, &name), value, found);
                }
            }
            Json::Array(items) if !items.is_empty() => {
                for (index, value) in items.into_iter().enumerate() {
                    self.collect(format!("{key}[{index}]"), value, found);
                }
            }
            value => {
                let source = self.places.get(&key).cloned().unwrap_or_else(|| "default".into());
                found.push(Sourced { key, value, source });
            }
        }
    }

    /// An error about the value of a key, with its place.
    #[must_use]
    pub(crate) fn wrong(&self, key: &str, message: impl Into<String>) -> ConfigError {
        ConfigError::at(&self.places, key, message)
    }

    /// Every adapter, with the routes and services of the configuration.
    ///
    /// # Errors
    /// Where a route or a service makes no sense, with its place.
    pub(crate) fn catalogue(&self) -> Result<Catalogue, ConfigError> {
        self.catalogue_with(&self.settings.services)
    }

    /// The same with other services.
    ///
    /// # Errors
    /// As [`Self::catalogue`].
    pub(crate) fn catalogue_with(&self, services: &Map<String, Json>) -> Result<Catalogue, ConfigError> {
        let scripts = self.settings.sandbox.script_settings(&self.settings.data_dir);
        Catalogue::build(services, &self.settings.routes, &self.secret_store(), scripts)
            .map_err(|error| self.wrong(&error.key, format!("`{}`: {}", error.key, error.problem)))
    }

    /// Where secrets are looked up: the environment, the configured directories, then `secrets` in the data
    /// directory, where the logins are that procos makes itself.
    #[must_use]
    pub(crate) fn secret_store(&self) -> SecretStore {
        let sources = &self.settings.secrets;
        let directories = sources.directories.iter().cloned().chain([self.secrets_dir()]);
        SecretStore::new(sources.env_prefix.clone(), directories)
    }

    /// Where the logins are kept that procos makes itself.
    #[must_use]
    pub(crate) fn secrets_dir(&self) -> PathBuf {
        self.settings.data_dir.join("secrets")
    }
}

impl Flags {
    fn layers(&self) -> Vec<Layer> {
        let data_dir = self.data_dir.as_ref().map(|data_dir| {
            Layer::value(
                "data_dir",
                "flag --data-dir",
                data_dir.to_string_lossy().into_owned(),
            )
        });
        let engine = self.engine.and_then(|kind| {
            let name = serde_json::to_value(kind).ok()?.as_str()?.to_owned();
            Some(Layer::value("engine.kind", "flag --engine", name))
        });
        data_dir.into_iter().chain(engine).collect()
    }
}

fn join(section: &str, key: &str) -> String {
    if section.is_empty() {
        key.to_owned()
    } else {
        format!("{section}.{key}")
    }
}
