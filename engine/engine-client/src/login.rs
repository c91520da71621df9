//! How the client proves who it is.

use secrecy::SecretString;

/// How the client proves who it is, at every call.
#[derive(Clone, Debug, Default)]
pub enum Login {
    /// Not at all: the engine is open to whoever reaches it.
    #[default]
    None,
    /// HTTP Basic.
    Basic {
        /// The user's id.
        username: String,
        /// The user's password.
        password: SecretString,
    },
    /// A bearer token, for an engine behind a gateway.
    Bearer(SecretString),
}
