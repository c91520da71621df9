//! Which redirects are followed, and what goes along.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use http::{HeaderName, Request, StatusCode, Uri, header};
use http_body_util::Full;
use serde::{Deserialize, Serialize};
use tower_http::follow_redirect::policy::{Action, Attempt, Policy};
use url::Url;

use crate::client::SendError;

/// The most redirects that are followed for one task.
pub const MOST_REDIRECTS: u32 = 5;

/// The headers that may go to another origin. Everything else stays: an API key may be in a header of any name.
const HARMLESS: [HeaderName; 5] = [
    header::ACCEPT,
    header::ACCEPT_ENCODING,
    header::ACCEPT_LANGUAGE,
    header::CONTENT_TYPE,
    header::USER_AGENT,
];

/// Which redirects are followed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Follow {
    /// Wherever they lead, within what a connection reaches and never from https to http.
    #[default]
    Any,
    /// Those to the scheme, host and port that they come from.
    SameOrigin,
    /// None: they are answers.
    Never,
}

/// A redirect that is not followed.
#[derive(Debug, thiserror::Error)]
pub enum RedirectError {
    /// A loop, or a long chain.
    #[error("it is redirected more than {MOST_REDIRECTS} times")]
    TooMany,
    /// What was encrypted would go in the clear.
    #[error("it is redirected from https to http://{0}, where everybody on the way could read it")]
    Downgrade(String),
    /// To somebody else, where that is not wished.
    #[error("it is redirected to {0}, and only redirects to where they come from are followed")]
    Elsewhere(String),
    /// Somewhere that is not HTTP, or with a login in the address.
    #[error(
        "it is redirected to an address that is not followed: only http and https without a login in them are"
    )]
    Unusable,
}

/// Follows redirects or hands them back, for one request.
#[derive(Clone)]
pub(crate) struct Redirects {
    follow: Follow,
    left: u32,
    leaves_origin: bool,
    taken_on: Arc<AtomicBool>,
}

impl Redirects {
    /// A policy for one request.
    pub(crate) fn new(follow: Follow) -> Self {
        Self {
            follow,
            left: MOST_REDIRECTS,
            leaves_origin: false,
            taken_on: Arc::default(),
        }
    }

    /// Whether, later, one was followed by which a service has said where to see what came of the request.
    pub(crate) fn taken_on(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.taken_on)
    }

    fn check(&mut self, attempt: &Attempt<'_>) -> Result<(), RedirectError> {
        self.left = self.left.checked_sub(1).ok_or(RedirectError::TooMany)?;
        let (Ok(from), Ok(to)) = (url(attempt.previous()), url(attempt.location())) else {
            return Err(RedirectError::Unusable);
        };
        if !matches!(to.scheme(), "http" | "https") || !to.username().is_empty() || to.password().is_some() {
            return Err(RedirectError::Unusable);
        }
        if from.scheme() == "https" && to.scheme() == "http" {
            return Err(RedirectError::Downgrade(
                to.host_str().unwrap_or_default().to_owned(),
            ));
        }
        self.leaves_origin = from.origin() != to.origin();
        if self.leaves_origin && self.follow == Follow::SameOrigin {
            return Err(RedirectError::Elsewhere(to.origin().ascii_serialization()));
        }
        Ok(())
    }
}

fn url(uri: &Uri) -> Result<Url, url::ParseError> {
    Url::parse(&uri.to_string())
}

impl Policy<Full<Bytes>, SendError> for Redirects {
    fn redirect(&mut self, attempt: &Attempt<'_>) -> Result<Action, SendError> {
        if self.follow == Follow::Never {
            return Ok(Action::Stop);
        }
        self.check(attempt)?;
        // By the others the request is only sent elsewhere.
        if matches!(
            attempt.status(),
            StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND | StatusCode::SEE_OTHER
        ) {
            self.taken_on.store(true, Ordering::Relaxed);
        }
        Ok(Action::Follow)
    }

    fn on_request(&mut self, request: &mut Request<Full<Bytes>>) {
        if self.leaves_origin {
            let headers = request.headers_mut();
            let kept: Vec<_> = HARMLESS
                .iter()
                .filter_map(|name| Some((name.clone(), headers.remove(name)?)))
                .collect();
            headers.clear();
            headers.extend(kept);
        }
    }

    fn clone_body(&self, body: &Full<Bytes>) -> Option<Full<Bytes>> {
        Some(body.clone())
    }
}
