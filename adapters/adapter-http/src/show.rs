//! How requests are named in messages: without logins, and without query values that look like secrets.

use std::fmt;

use http::Method;
use secrets::MASK;
use url::Url;

/// What a query parameter's name contains where its value is a secret.
const SECRETIVE: [&str; 10] = [
    "token",
    "key",
    "secret",
    "passw",
    "pwd",
    "sig",
    "auth",
    "credential",
    "session",
    "jwt",
];

/// A request, fit to be read by anybody.
pub(crate) struct Shown {
    method: Method,
    /// The address that was asked for.
    pub(crate) address: String,
}

impl Shown {
    pub(crate) fn new(method: Method, url: &Url) -> Self {
        Self {
            method,
            address: masked(url),
        }
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.method, self.address)
    }
}

/// An address without login and fragment, and with masks over secrets in the query.
pub(crate) fn masked(url: &Url) -> String {
    let base = url.as_str().split(['?', '#']).next().unwrap_or_default();
    let plain = match url.has_authority() && (!url.username().is_empty() || url.password().is_some()) {
        true => {
            let mut plain = Url::parse(base).unwrap_or_else(|_| url.clone());
            // Both fail only for addresses that can hold no login.
            let _ = plain.set_username("");
            let _ = plain.set_password(None);
            plain.into()
        }
        false => base.to_owned(),
    };
    let Some(query) = url.query() else {
        return plain;
    };
    let parts = query.split('&').map(|pair| match pair.split_once('=') {
        Some((name, _)) if is_secretive(name) => format!("{name}={MASK}"),
        _ => pair.to_owned(),
    });
    format!("{plain}?{}", parts.collect::<Vec<_>>().join("&"))
}

fn is_secretive(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    SECRETIVE.iter().any(|part| name.contains(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logins_and_secrets_are_not_shown() {
        for (url, shown) in [
            ("https://a.example/x?page=2", "https://a.example/x?page=2"),
            ("https://ada:hunter2@a.example/x", "https://a.example/x"),
            (
                "https://a.example/x?api_key=1&page=2&Access-Token=3#frag",
                "https://a.example/x?api_key=********&page=2&Access-Token=********",
            ),
            ("https://a.example/", "https://a.example/"),
        ] {
            assert_eq!(masked(&Url::parse(url).unwrap()), shown);
        }
    }
}
