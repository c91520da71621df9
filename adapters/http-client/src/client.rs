//! Sends a request and reads its answer, within the bounds of a connection.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use http::{HeaderMap, Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper_util::client::legacy::{self, Client};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tower::{ServiceBuilder, ServiceExt};
use tower_http::decompression::DecompressionLayer;
use tower_http::follow_redirect::{FollowRedirectLayer, RequestUri};

use crate::allow::Allowed;
use crate::connect::{CheckedConnector, Resolve};
use crate::redirect::{Follow, RedirectError, Redirects};
use crate::tls::{Connector, Trust};

/// How long a connection that is not used stays open.
const IDLE: Duration = Duration::from_secs(30);

/// Connections to one host that stay open unused: as many as a pool runs tasks at once unless configured. With fewer, most
/// requests of a busy pool would open one of their own.
const MOST_IDLE: usize = 64;

/// The HTTP client of one named connection. Connections are kept for reuse by scheme, host and port, each to an
/// address that was checked when it was opened; another named connection has others.
#[derive(Clone)]
pub struct HttpClient(Client<Connector, Full<Bytes>>);

/// The bounds of one request.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// From looking up the host to the last byte.
    pub timeout: Duration,
    /// Bytes of the answer's body, after decompression.
    pub max_bytes: u64,
    /// Which redirects are followed.
    pub follow: Follow,
}

/// An answer that has been read.
#[derive(Debug)]
pub struct Received {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body, decompressed; empty where an error's is too large.
    pub body: Bytes,
    /// The address that answered.
    pub uri: Uri,
    /// Whether it is not the answer to the request itself, but what a service has sent us to after it.
    pub is_behind: bool,
}

/// An answer whose body is still coming.
pub struct Streamed {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body, part by part, as it was sent. It ends after the first error.
    pub body: BoxStream<'static, Result<Bytes, SendError>>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// It was redirected to where it must not go.
    #[error(transparent)]
    Redirect(#[from] RedirectError),
    /// There was no connection, or it broke.
    #[error(transparent)]
    Client(#[from] legacy::Error),
    /// The same behind a redirect: the service that was asked first has had the request.
    #[error(transparent)]
    Redirected(legacy::Error),
    /// The body broke off, or is not what its encoding says.
    #[error("the answer broke off")]
    Body(#[source] Box<dyn Error + Send + Sync>),
    /// The body is too large.
    #[error("the answer has more than {0} bytes")]
    TooLarge(u64),
    /// It took too long.
    #[error("there was no answer within {0:?}")]
    Timeout(Duration),
}

impl SendError {
    /// Whether it is certain that no service has had the request.
    pub fn is_unsent(&self) -> bool {
        matches!(self, Self::Client(error) if error.is_connect())
    }
}

impl HttpClient {
    /// A client that reaches public addresses and the allowed ones.
    #[must_use]
    pub fn new(resolver: Arc<dyn Resolve>, allow: Arc<[Allowed]>, trust: Trust) -> Self {
        let connector = Connector::new(CheckedConnector::new(resolver, allow), trust);
        Self(
            Client::builder(TokioExecutor::new())
                .pool_timer(TokioTimer::new())
                .pool_idle_timeout(IDLE)
                .pool_max_idle_per_host(MOST_IDLE)
                .build(connector),
        )
    }

    /// Sends a request, follows redirects and reads the answer.
    ///
    /// Cancellation: dropping the future closes the request's connection.
    pub async fn send(&self, request: Request<Full<Bytes>>, bounds: Bounds) -> Result<Received, SendError> {
        tokio::time::timeout(bounds.timeout, self.exchange(request, bounds))
            .await
            .unwrap_or(Err(SendError::Timeout(bounds.timeout)))
    }

    /// Sends a request and gives its answer as soon as that begins. Redirects are not followed. `pause` is how long the
    /// service may say nothing: until the answer begins, and between two parts of it.
    ///
    /// Cancellation: dropping the future, or the body, closes the request's connection.
    pub async fn stream(
        &self,
        request: Request<Full<Bytes>>,
        pause: Duration,
    ) -> Result<Streamed, SendError> {
        let answer = tokio::time::timeout(pause, self.0.request(request)).await;
        let (parts, body) = answer.map_err(|_| SendError::Timeout(pause))??.into_parts();
        let rest = futures::stream::try_unfold(body.into_data_stream(), move |mut body| async move {
            match tokio::time::timeout(pause, body.next()).await {
                Err(_) => Err(SendError::Timeout(pause)),
                Ok(None) => Ok(None),
                Ok(Some(Err(error))) => Err(SendError::Body(error.into())),
                Ok(Some(Ok(part))) => Ok(Some((part, body))),
            }
        });
        Ok(Streamed {
            status: parts.status,
            headers: parts.headers,
            body: rest.boxed(),
        })
    }

    async fn exchange(&self, request: Request<Full<Bytes>>, bounds: Bounds) -> Result<Received, SendError> {
        let method = request.method().clone();
        let asked = request.uri().clone();
        let redirects = Redirects::new(bounds.follow);
        let taken_on = redirects.taken_on();
        let service = ServiceBuilder::new()
            .layer(DecompressionLayer::new())
            .layer(FollowRedirectLayer::with_policy(redirects))
            .map_err(SendError::Client)
            .service(self.0.clone());
        let answer = service.oneshot(request).await.map_err(|error| match error {
            SendError::Client(error) if taken_on.load(Ordering::Relaxed) => SendError::Redirected(error),
            error => error,
        });
        let (parts, body) = answer?.into_parts();
        let uri = parts
            .extensions
            .get::<RequestUri>()
            .map_or(asked, |uri| uri.0.clone());
        let has_body = method != Method::HEAD
            && !matches!(parts.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        let body = if has_body {
            let limit = usize::try_from(bounds.max_bytes).unwrap_or(usize::MAX);
            match Limited::new(body, limit).collect().await {
                Ok(read) => read.to_bytes(),
                Err(error) if !error.is::<LengthLimitError>() => return Err(SendError::Body(error)),
                // An error's status says more than that its page is too large.
                Err(_) if parts.status.is_client_error() || parts.status.is_server_error() => Bytes::new(),
                Err(_) => return Err(SendError::TooLarge(bounds.max_bytes)),
            }
        } else {
            Bytes::new()
        };
        Ok(Received {
            status: parts.status,
            headers: parts.headers,
            body,
            uri,
            is_behind: taken_on.load(Ordering::Relaxed),
        })
    }
}

/// The first error of a type in a chain of causes; an I/O error hides the one it wraps.
pub fn find_cause<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<T>() {
            return Some(found);
        }
        let wrapped = error
            .downcast_ref::<std::io::Error>()
            .and_then(std::io::Error::get_ref);
        next = match wrapped {
            Some(wrapped) => Some(wrapped),
            None => error.source(),
        };
    }
    None
}
