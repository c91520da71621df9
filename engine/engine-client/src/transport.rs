//! How calls get to the engine: over the network, or by a function call.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::uri::{Authority, InvalidUriParts, PathAndQuery, Scheme};
use http::{Request, Response, Uri};
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use url::Url;

use crate::{InProcess, Tls};

/// How long an unused connection is kept. Tomcat closes its own after 20 s: a call that meets that moment would end
/// with an error that leaves open whether the engine has carried it out.
const IDLE_CONNECTION: Duration = Duration::from_secs(15);

/// Why a call has no answer.
pub(crate) type TransportError = hyper_util::client::legacy::Error;

/// An answer's body.
pub(crate) type Answer = Either<Incoming, Full<Bytes>>;

/// How calls get to the engine.
#[derive(Clone)]
pub(crate) enum Transport {
    /// By HTTP.
    Network(Box<Client<HttpsConnector<HttpConnector>, Full<Bytes>>>),
    /// By a function call.
    InProcess(Arc<dyn InProcess>),
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Network(_) => "Network",
            Self::InProcess(_) => "InProcess",
        })
    }
}

impl Transport {
    /// A pool of connections; `encrypted` says whether any of them may be to an https address.
    pub(crate) fn network(tls: &Tls, connect_timeout: Duration, encrypted: bool) -> Result<Self, String> {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(connect_timeout));
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls.config(encrypted)?)
            .https_or_http()
            .enable_all_versions()
            .wrap_connector(tcp);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_CONNECTION)
            .build(connector);
        Ok(Self::Network(Box::new(client)))
    }

    pub(crate) async fn send(&self, request: Request<Bytes>) -> Result<Response<Answer>, TransportError> {
        match self {
            Self::Network(client) => {
                let answer = client.request(request.map(Full::new)).await?;
                Ok(answer.map(Either::Left))
            }
            Self::InProcess(engine) => {
                let answer = engine.call(request).await;
                Ok(answer.map(|body| Either::Right(Full::new(body))))
            }
        }
    }
}

/// The REST API's address in the parts that each call's is made of: nothing is parsed twice.
#[derive(Clone, Debug)]
pub(crate) struct Base {
    scheme: Scheme,
    authority: Authority,
    /// Without a slash at its end.
    pub(crate) path: String,
}

impl Base {
    /// The parts of an address.
    pub(crate) fn of(url: &Url) -> Result<Self, String> {
        let scheme = match url.scheme() {
            "http" => Scheme::HTTP,
            "https" => Scheme::HTTPS,
            _ => return Err("it is not an http or https address".to_owned()),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err("it holds a login; give that apart from the address".to_owned());
        }
        let authority = url.authority().parse().map_err(|error| format!("{error}"))?;
        let path = url.path().trim_end_matches('/').to_owned();
        Ok(Self {
            scheme,
            authority,
            path,
        })
    }

    /// The parts of the address that calls of an engine in this process are made out to.
    pub(crate) fn in_process() -> Self {
        Self {
            scheme: Scheme::HTTP,
            authority: Authority::from_static("in-process"),
            path: "/engine-rest".to_owned(),
        }
    }

    /// The address of a path (from the server's root) with its query.
    pub(crate) fn uri(&self, path: &str) -> Result<Uri, http::Error> {
        let mut parts = http::uri::Parts::default();
        parts.scheme = Some(self.scheme.clone());
        parts.authority = Some(self.authority.clone());
        parts.path_and_query = Some(PathAndQuery::try_from(path)?);
        Uri::from_parts(parts).map_err(|error: InvalidUriParts| error.into())
    }

    /// The same as text, for messages.
    pub(crate) fn text(&self, path: &str) -> String {
        format!("{}://{}{path}", self.scheme, self.authority)
    }
}
