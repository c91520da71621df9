//! How the client proves who it is.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::HeaderValue;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::EngineError;
use crate::token::Tokens;
use crate::transport::Transport;

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
    /// Bearer tokens that the client gets for itself.
    OAuth2(OAuth2),
}

/// Bearer tokens by OAuth 2.0's client credentials grant (RFC 6749, 4.4). The first is fetched with the first call;
/// each is renewed before it runs out, and when the engine refuses it (401).
#[derive(Clone, Debug)]
pub struct OAuth2 {
    /// The token endpoint.
    pub token_url: Url,
    /// The client's id there.
    pub client_id: String,
    /// Its secret, sent by HTTP Basic.
    pub client_secret: SecretString,
    /// The scopes to ask for, separated by spaces; where none is given, what the endpoint gives by itself.
    pub scope: Option<String>,
}

/// What stands in each call's `Authorization`.
#[derive(Debug)]
pub(crate) enum Authorization {
    Fixed(Option<HeaderValue>),
    Renewed(Box<Tokens>),
}

impl Authorization {
    /// Prepares a login.
    pub(crate) fn of(login: Login, timeout: std::time::Duration) -> Result<Self, String> {
        let credentials = match login {
            Login::None => return Ok(Self::Fixed(None)),
            Login::Basic { username, password } => {
                let pair = format!("{username}:{}", password.expose_secret());
                format!("Basic {}", BASE64.encode(pair))
            }
            Login::Bearer(token) => format!("Bearer {}", token.expose_secret()),
            Login::OAuth2(login) => return Ok(Self::Renewed(Box::new(Tokens::new(login, timeout)?))),
        };
        let value = header(&credentials)
            .ok_or_else(|| "the login holds characters that a header cannot carry".to_owned())?;
        Ok(Self::Fixed(Some(value)))
    }

    /// The header to send.
    pub(crate) async fn header(&self, transport: &Transport) -> Result<Option<HeaderValue>, EngineError> {
        match self {
            Self::Fixed(value) => Ok(value.clone()),
            Self::Renewed(tokens) => Ok(Some(tokens.current(transport).await?)),
        }
    }

    /// Another header than the one that was refused; none where there can be no other.
    pub(crate) async fn renewed(
        &self,
        transport: &Transport,
        refused: Option<HeaderValue>,
    ) -> Result<Option<HeaderValue>, EngineError> {
        match self {
            Self::Fixed(_) => Ok(None),
            Self::Renewed(tokens) => Ok(Some(tokens.renew(transport, refused.as_ref()).await?)),
        }
    }
}

/// A header that is never printed.
pub(crate) fn header(credentials: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(credentials).ok()?;
    value.set_sensitive(true);
    Some(value)
}
