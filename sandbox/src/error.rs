//! What can go wrong that is no script's fault.

/// The sandbox could not run a script.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SandboxError {
    /// The script cannot be handed over: a name or a value that no harness can be told.
    #[error("{0}")]
    Order(String),
    /// No place for a run could be made.
    #[error("the {backend} sandbox cannot start {what}: {said}")]
    Start {
        /// The backend.
        backend: &'static str,
        /// Which language or image.
        what: String,
        /// What was said about it, with a remedy where there is one.
        said: String,
    },
    /// A place that was there is lost.
    #[error("the {backend} sandbox has lost a run: {said}")]
    Lost {
        /// The backend.
        backend: &'static str,
        /// What was said about it.
        said: String,
    },
    /// The backend is refused, or there is none.
    #[error("{0}")]
    Refused(String),
}
