//! Where the engine is and who the client is, from the environment: what a program in a container is told.

use std::env;

use secrecy::SecretString;
use url::Url;

use crate::{EngineClient, EngineError, Login};

const URL: &str = "ENGINE_URL";
const USERNAME: &str = "ENGINE_USERNAME";
const PASSWORD: &str = "ENGINE_PASSWORD";
const TOKEN: &str = "ENGINE_TOKEN";

/// Where an engine listens that was started as its makers ship it.
const DEFAULT_URL: &str = "http://127.0.0.1:8080/engine-rest";

impl EngineClient {
    /// A client as the environment says: the REST API's address in `ENGINE_URL`
    /// (`http://127.0.0.1:8080/engine-rest` unless set), and either `ENGINE_USERNAME` with `ENGINE_PASSWORD`, or
    /// `ENGINE_TOKEN`, or none of them. An empty value counts as none.
    ///
    /// # Errors
    /// Where these are not what they should be, and as [`EngineClient::new`].
    pub fn from_env() -> Result<Self, EngineError> {
        Self::from_lookup(|name| env::var(name).ok())
    }

    fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, EngineError> {
        let lookup = |name| lookup(name).filter(|value| !value.is_empty());
        let url = lookup(URL).unwrap_or_else(|| DEFAULT_URL.to_owned());
        let wrong = |reason: String| EngineError::Setup {
            url: url.clone(),
            reason,
        };
        let login = match (lookup(USERNAME), lookup(PASSWORD), lookup(TOKEN)) {
            (None, None, None) => Login::None,
            (Some(username), Some(password), None) => Login::Basic {
                username,
                password: password.into(),
            },
            (None, None, Some(token)) => Login::Bearer(SecretString::from(token)),
            (Some(_), _, Some(_)) | (_, Some(_), Some(_)) => {
                return Err(wrong(format!(
                    "{TOKEN} is set beside {USERNAME} or {PASSWORD}; set one way to log in"
                )));
            }
            (Some(_), None, None) => return Err(wrong(format!("{USERNAME} is set without {PASSWORD}"))),
            (None, Some(_), None) => return Err(wrong(format!("{PASSWORD} is set without {USERNAME}"))),
        };
        let parsed: Url = url.parse().map_err(|error| EngineError::Setup {
            // Not what it says: it may hold a login.
            url: format!("${URL}"),
            reason: format!("it is no address: {error}"),
        })?;
        Self::new(parsed, login)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(environment: &[(&str, &str)]) -> Result<EngineClient, String> {
        let lookup = |name: &str| {
            let found = environment.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        EngineClient::from_lookup(lookup).map_err(|error| error.to_string())
    }

    #[test]
    fn without_anything_it_is_the_engine_on_this_machine() {
        assert_eq!(client(&[]).unwrap().url().as_str(), DEFAULT_URL);
        assert_eq!(
            client(&[(URL, ""), (TOKEN, "")]).unwrap().url().as_str(),
            DEFAULT_URL
        );
    }

    #[test]
    fn half_a_login_and_two_logins_are_refused_by_name() {
        for (environment, said) in [
            (vec![(USERNAME, "a")], "without ENGINE_PASSWORD"),
            (vec![(PASSWORD, "topsecret")], "without ENGINE_USERNAME"),
            (
                vec![(PASSWORD, "topsecret"), (TOKEN, "topsecret")],
                "ENGINE_TOKEN is set beside",
            ),
            (
                vec![(URL, "nowhere")],
                "$ENGINE_URL cannot be set up: it is no address",
            ),
            (vec![(URL, "http://a:topsecret@b/")], "it holds a login"),
            (vec![(URL, "http://a:topsecret@[b/")], "no address"),
        ] {
            let error = client(&environment).unwrap_err();
            assert!(error.contains(said), "{error}");
            assert!(!error.contains("topsecret"), "{error}");
        }
        assert!(client(&[(USERNAME, "a"), (PASSWORD, "b")]).is_ok());
        assert!(client(&[(TOKEN, "a")]).is_ok());
    }
}
