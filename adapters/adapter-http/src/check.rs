//! Settings that contradict each other, or that no request could be made with.

use crate::request;
use crate::settings::{ApiKey, Auth, ConnectionSettings};

/// Which setting of a connection cannot be used, and why.
pub(crate) fn check(settings: &ConnectionSettings) -> Result<(), (String, String)> {
    let wrong = |key: &str, problem: &str| Err((key.to_owned(), problem.to_owned()));
    if let Some(base) = &settings.base_url {
        if !matches!(base.scheme(), "http" | "https") {
            return wrong("base_url", "use http or https");
        }
        if !base.username().is_empty() || base.password().is_some() {
            return wrong("base_url", "it holds a login; give that under `auth`");
        }
        if base.query().is_some() || base.fragment().is_some() {
            return wrong("base_url", "it ends with its path: a query belongs to the task");
        }
    } else if settings.auth.is_some() {
        return wrong("auth", "it is sent to the base_url only; set `base_url`, too");
    } else if !settings.headers.is_empty() {
        return wrong(
            "headers",
            "they are sent to the base_url only; set `base_url`, too",
        );
    }
    match &settings.auth {
        Some(Auth::ApiKey(ApiKey { header, query, .. })) => match (header, query) {
            (None, None) => {
                return wrong(
                    "auth.api_key",
                    "say in which `header` or `query` parameter it stands",
                );
            }
            (Some(_), Some(_)) => {
                return wrong(
                    "auth.api_key",
                    "it stands in a `header` or in the `query`, not in both",
                );
            }
            (Some(header), None) => {
                request::header_name(header)
                    .map_err(|failure| ("auth.api_key.header".to_owned(), failure.message))?;
            }
            _ => {}
        },
        Some(Auth::Oauth2(oauth2)) => {
            let url = &oauth2.token_url;
            if !matches!(url.scheme(), "http" | "https") {
                return wrong("auth.oauth2.token_url", "use http or https");
            }
            if !url.username().is_empty() || url.password().is_some() {
                return wrong(
                    "auth.oauth2.token_url",
                    "it holds a login; give that as `client_id` and `client_secret`",
                );
            }
        }
        _ => {}
    }
    for (key, is_alone, other) in [
        (
            "certificate_file",
            settings.key_file.is_none(),
            &settings.certificate_file,
        ),
        (
            "key_file",
            settings.certificate_file.is_none(),
            &settings.key_file,
        ),
    ] {
        if other.is_some() && is_alone {
            return wrong(
                key,
                "a certificate and its key go together: set `certificate_file` and `key_file`",
            );
        }
    }
    if let Some(Auth::Basic { username, .. }) = &settings.auth
        && username.contains(':')
    {
        return wrong(
            "auth.basic.username",
            "it holds a colon, which HTTP does not allow",
        );
    }
    for name in settings.headers.keys() {
        request::header_name(name).map_err(|failure| (format!("headers.{name}"), failure.message))?;
    }
    Ok(())
}
