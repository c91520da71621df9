//! Secrets by reference: `secret:NAME` in the configuration, the value from an environment variable or a file,
//! and a type that never prints what it holds.

use std::fmt;
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::Zeroizing;

/// What stands in place of a secret wherever something is printed.
pub const MASK: &str = "********";

/// What a reference to a secret begins with.
pub const PREFIX: &str = "secret:";

/// A secret value: zeroed when dropped, masked when printed or serialised.
#[derive(Clone)]
pub struct Secret(SecretString);

impl Secret {
    /// Keeps a value secret.
    #[must_use]
    pub fn new(value: impl Into<String>) -> Self {
        Self(SecretString::from(value.into()))
    }

    /// The value itself, for the one call that needs it.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(MASK)
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(MASK)
    }
}

/// A setting that holds a secret, or says where it is.
#[derive(Clone, Debug)]
pub enum SecretSetting {
    /// `secret:NAME`.
    Reference(String),
    /// The value itself: accepted, so that a first try is easy.
    Literal(Secret),
}

impl SecretSetting {
    /// The value meant.
    ///
    /// # Errors
    /// Where the secret is referred to and cannot be read: see [`SecretStore::get`].
    pub fn resolve(&self, store: &SecretStore) -> Result<Secret, SecretError> {
        match self {
            Self::Reference(name) => store.get(name),
            Self::Literal(secret) => Ok(secret.clone()),
        }
    }
}

impl<'de> Deserialize<'de> for SecretSetting {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Ok(match text.strip_prefix(PREFIX) {
            Some(name) => Self::Reference(name.to_owned()),
            None => Self::Literal(Secret::new(text)),
        })
    }
}

impl Serialize for SecretSetting {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Reference(name) => serializer.collect_str(&format_args!("{PREFIX}{name}")),
            Self::Literal(secret) => secret.serialize(serializer),
        }
    }
}

/// Where secrets come from. Reads anew at each call, so a rotated secret is seen.
#[derive(Clone, Debug, Default)]
pub struct SecretStore {
    env_prefix: String,
    directories: Vec<PathBuf>,
}

/// A secret that cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The name cannot be one: it is empty or would leave the directory.
    #[error("`{PREFIX}{0}` cannot name a secret: use letters, digits, `-`, `_` and `.`")]
    InvalidName(String),
    /// Nothing has it.
    #[error("there is no secret `{name}`: set the environment variable {variable} or write the file {}", list(.files))]
    Missing {
        /// The secret's name.
        name: String,
        /// The environment variable that would give it.
        variable: String,
        /// The files that would give it.
        files: Vec<PathBuf>,
    },
    /// Its file is there and cannot be read.
    #[error("the secret `{name}` cannot be read from {}: {source}", .file.display())]
    Unreadable {
        /// The secret's name.
        name: String,
        /// The file.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

fn list(files: &[PathBuf]) -> String {
    files
        .iter()
        .map(|file| file.display().to_string())
        .collect::<Vec<_>>()
        .join(" or ")
}

impl SecretStore {
    /// Secrets from environment variables that begin with `env_prefix` and from files in `directories`, the
    /// environment first, then the directories in order.
    #[must_use]
    pub fn new(env_prefix: impl Into<String>, directories: impl IntoIterator<Item = PathBuf>) -> Self {
        Self {
            env_prefix: env_prefix.into(),
            directories: directories.into_iter().collect(),
        }
    }

    /// The secret of a name. `engine-password` is looked for in the environment variable
    /// `PROCOS_SECRET_ENGINE_PASSWORD` (with the default prefix) and in files named `engine-password`; a line
    /// end at the end of a file does not belong to the secret.
    ///
    /// # Errors
    /// Where nothing has it, or its file cannot be read.
    pub fn get(&self, name: &str) -> Result<Secret, SecretError> {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if name.is_empty() || name.starts_with('.') || !name.chars().all(is_plain) {
            return Err(SecretError::InvalidName(name.to_owned()));
        }
        let variable = format!(
            "{}{}",
            self.env_prefix,
            name.to_ascii_uppercase().replace(['-', '.'], "_")
        );
        if let Ok(value) = std::env::var(&variable) {
            return Ok(Secret::new(value));
        }
        let files: Vec<PathBuf> = self
            .directories
            .iter()
            .map(|directory| directory.join(name))
            .collect();
        for file in &files {
            match read(file) {
                Ok(secret) => return Ok(secret),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(source) => {
                    return Err(SecretError::Unreadable {
                        name: name.to_owned(),
                        file: file.clone(),
                        source,
                    });
                }
            }
        }
        Err(SecretError::Missing {
            name: name.to_owned(),
            variable,
            files,
        })
    }
}

fn read(file: &Path) -> std::io::Result<Secret> {
    let text = Zeroizing::new(std::fs::read_to_string(file)?);
    Ok(Secret::new(text.trim_end_matches(['\n', '\r'])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_gives_its_secret_without_the_line_end() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("mail-password"), "hunter2\n").unwrap();
        let store = SecretStore::new("PROCOS_SECRET_TEST_", [directory.path().to_owned()]);
        assert_eq!(store.get("mail-password").unwrap().expose(), "hunter2");
    }

    #[test]
    fn a_missing_secret_says_where_it_could_stand() {
        let store = SecretStore::new("PROCOS_SECRET_TEST_", [PathBuf::from("/nowhere")]);
        let message = store.get("api-key").unwrap_err().to_string();
        assert!(message.contains("PROCOS_SECRET_TEST_API_KEY"), "{message}");
        assert!(message.contains("/nowhere/api-key"), "{message}");
    }

    #[test]
    fn a_name_cannot_leave_the_directory() {
        let store = SecretStore::new("PROCOS_SECRET_TEST_", [PathBuf::from("/etc")]);
        for name in ["../etc/passwd", "", ".hidden", "a/b", "a\0b"] {
            assert!(
                matches!(store.get(name), Err(SecretError::InvalidName(_))),
                "{name:?}"
            );
        }
    }

    #[test]
    fn nothing_prints_a_secret() {
        let setting: SecretSetting = serde_json::from_str("\"hunter2\"").unwrap();
        assert!(!format!("{setting:?}").contains("hunter2"));
        assert_eq!(serde_json::to_string(&setting).unwrap(), format!("\"{MASK}\""));
        let reference: SecretSetting = serde_json::from_str("\"secret:a\"").unwrap();
        assert_eq!(serde_json::to_string(&reference).unwrap(), "\"secret:a\"");
    }
}
