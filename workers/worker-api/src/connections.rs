//! What an operator has configured for an adapter, by name.

use std::collections::BTreeMap;

use crate::Failure;

/// The named connections of an adapter: what stands under `services.ADAPTER`.
///
/// ```
/// use worker_api::Connections;
/// let ports = [("default".to_owned(), 25)].into();
/// let connections = Connections::build("connection", "email", ports, |_, port: u16| Ok(port))?;
/// assert_eq!(connections.get("default").ok(), Some(&25));
/// assert!(connections.get("other").unwrap_err().message.contains("there are: default"));
/// # Ok::<(), worker_api::SettingsError>(())
/// ```
#[derive(Debug)]
pub struct Connections<T> {
    noun: &'static str,
    adapter: &'static str,
    named: BTreeMap<String, T>,
}

/// A setting of an adapter that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{key}`: {problem}")]
pub struct SettingsError {
    /// Which setting, from the connection's name on, such as `billing.base_url`.
    pub key: String,
    /// What is wrong with it, and what to write.
    pub problem: String,
}

impl<T> Connections<T> {
    /// Makes each out of its settings. `noun` is what people call one, `adapter` the section that they stand in.
    ///
    /// # Errors
    /// The first that cannot be made: `make` says which of its settings is wrong, and why.
    pub fn build<S>(
        noun: &'static str,
        adapter: &'static str,
        settings: BTreeMap<String, S>,
        mut make: impl FnMut(&str, S) -> Result<T, (String, String)>,
    ) -> Result<Self, SettingsError> {
        let named = settings.into_iter().map(|(name, settings)| {
            let made = make(&name, settings).map_err(|(key, problem)| SettingsError {
                key: format!("{name}.{key}"),
                problem,
            })?;
            Ok((name, made))
        });
        Ok(Self {
            noun,
            adapter,
            named: named.collect::<Result<_, _>>()?,
        })
    }

    /// The one of this name.
    ///
    /// # Errors
    /// Where there is none: a permanent failure that names those that there are. Nothing was done.
    pub fn get(&self, name: &str) -> Result<&T, Failure> {
        self.named.get(name).ok_or_else(|| {
            let known: Vec<&str> = self.named.keys().map(String::as_str).collect();
            let known = if known.is_empty() {
                "there are none yet".to_owned()
            } else {
                format!("there are: {}", known.join(", "))
            };
            Failure::permanent(format!(
                "there is no {} `{name}` under services.{} in the configuration; {known}",
                self.noun, self.adapter
            ))
            .nothing_done()
        })
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &T)> {
        self.named.iter().map(|(name, one)| (name.as_str(), one))
    }
}
