//! What can be wrong with routes and services, and the nearest name that is known.

/// A part of the configuration that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {problem}")]
pub struct CatalogueError {
    /// The place in the configuration, such as `routes.fetch_bill.adapter`.
    pub key: String,
    /// What is wrong there, what is known, and what to write.
    pub problem: String,
}

impl CatalogueError {
    pub(crate) fn new(key: impl Into<String>, problem: impl Into<String>) -> Self {
        Self {
            key: key.into(),
            problem: problem.into(),
        }
    }

    /// A name that is not known, with the nearest one that is, and all of them.
    pub(crate) fn unknown<'a>(
        key: impl Into<String>,
        what: &str,
        name: &str,
        known: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        let known: Vec<&str> = known.into_iter().collect();
        let near = nearest(name, &known)
            .map(|near| format!(" did you mean `{near}`?"))
            .unwrap_or_default();
        Self::new(
            key,
            format!(
                "there is no {what} `{name}`;{near} there are: {}",
                known.join(", ")
            ),
        )
    }
}

/// The known name that is nearest to a misspelt one, where it is near at all.
fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let distance = |known: &&&str| strsim::damerau_levenshtein(name, known);
    let near = known.iter().min_by_key(distance)?;
    (distance(&near) <= name.chars().count().div_ceil(3)).then_some(*near)
}
