//! What is wrong with a configuration.

use std::collections::BTreeMap;

/// Something wrong with the configuration: where, what, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {message}")]
pub(crate) struct ConfigError {
    /// `file:line:column`, a file, an environment variable or a flag.
    pub place: String,
    /// What is wrong, with the key and the remedy.
    pub message: String,
}

impl ConfigError {
    pub(super) fn new(place: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            place: place.into(),
            message: message.into(),
        }
    }

    /// About the value of a key.
    pub(super) fn at(places: &BTreeMap<String, String>, key: &str, message: impl Into<String>) -> Self {
        Self::new(place(places, key).unwrap_or("the configuration"), message)
    }

    /// About a name that is not known, with those that are: `what` says what is unknown where, `key` is where.
    pub(super) fn unknown(
        places: &BTreeMap<String, String>,
        key: &str,
        name: &str,
        known: &[&str],
        what: &str,
    ) -> Self {
        let nearest = known
            .iter()
            .map(|candidate| (strsim::damerau_levenshtein(candidate, name), candidate))
            .filter(|(distance, candidate)| *distance <= 1 + candidate.len() / 3)
            .min();
        let mut known = known.to_vec();
        known.sort_unstable();
        let known = known.join(", ");
        let help = match nearest {
            Some((_, nearest)) => format!("did you mean `{nearest}`? Known here: {known}"),
            None if known.is_empty() => "nothing is known here".to_owned(),
            None => format!("known here: {known}"),
        };
        Self::at(places, key, format!("unknown {what}: {help}"))
    }
}

/// Where a key is set, or the nearest section around it.
pub(super) fn place<'a>(places: &'a BTreeMap<String, String>, key: &str) -> Option<&'a str> {
    let mut key = key;
    loop {
        if let Some(place) = places.get(key) {
            return Some(place);
        }
        key = &key[..key.rfind(['.', '['])?];
    }
}
