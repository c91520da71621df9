//! Connects to addresses that have been checked, and to no other.
//!
//! A host's name is resolved once, every address it has is checked, and the connection goes to one of these very
//! addresses: a name that answers differently a moment later leads nowhere else. Redirects open their connections
//! here, too, so they pass the same check.

use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use http::uri::Scheme;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tower::Service;
use worker_api::async_trait;

use crate::address::refusal;
use crate::allow::Allowed;

/// How long one of several addresses may take to answer before the next is tried.
const PATIENCE: Duration = Duration::from_secs(5);

/// Finds the addresses of a host.
#[async_trait]
pub trait Resolve: Send + Sync + 'static {
    /// The addresses of a host, each with the port.
    async fn resolve(&self, host: &str, port: u16) -> std::io::Result<Vec<SocketAddr>>;
}

/// The system's own resolver.
#[derive(Debug)]
pub struct SystemResolver;

#[async_trait]
impl Resolve for SystemResolver {
    async fn resolve(&self, host: &str, port: u16) -> std::io::Result<Vec<SocketAddr>> {
        Ok(tokio::net::lookup_host((host, port)).await?.collect())
    }
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The URI names no host, or no scheme that is known.
    #[error("`{0}` names no host to connect to")]
    NoHost(Uri),
    /// One of the host's addresses is internal.
    #[error("{host} leads to {address}, which is {kind}")]
    Refused {
        /// The host that was asked for.
        host: String,
        /// The address it has.
        address: SocketAddr,
        /// What kind of address that is.
        kind: &'static str,
    },
    /// The name has no address.
    #[error("the name {host} cannot be resolved")]
    Unresolved {
        /// The host that was asked for.
        host: String,
        /// What the resolver says.
        source: std::io::Error,
    },
    /// Nothing answers.
    #[error("no connection to {host} at {address}")]
    Unreachable {
        /// The host that was asked for.
        host: String,
        /// The last of its addresses that was tried.
        address: SocketAddr,
        /// What the system says.
        source: std::io::Error,
    },
}

/// Opens TCP connections for one named connection of the configuration.
#[derive(Clone)]
pub(crate) struct CheckedConnector {
    resolver: Arc<dyn Resolve>,
    allow: Arc<[Allowed]>,
}

impl CheckedConnector {
    /// A connector that refuses internal addresses other than the allowed ones.
    pub(crate) fn new(resolver: Arc<dyn Resolve>, allow: Arc<[Allowed]>) -> Self {
        Self { resolver, allow }
    }

    async fn connect(self, uri: Uri) -> Result<TokioIo<TcpStream>, ConnectError> {
        let default_port = if uri.scheme() == Some(&Scheme::HTTPS) {
            443
        } else {
            80
        };
        let port = uri.port_u16().unwrap_or(default_port);
        let Some(host) = uri.host().filter(|host| !host.is_empty()) else {
            return Err(ConnectError::NoHost(uri));
        };
        let host = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'))
            .unwrap_or(host);
        let addresses = self.checked(host, port).await?;
        open(host, &addresses).await
    }

    /// All addresses of a host, where every one of them may be reached: one bad address among good ones is no
    /// accident.
    async fn checked(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, ConnectError> {
        let addresses = match host.parse::<IpAddr>() {
            Ok(address) => vec![SocketAddr::new(address, port)],
            Err(_) => self
                .resolver
                .resolve(host, port)
                .await
                .map_err(|source| ConnectError::Unresolved {
                    host: host.to_owned(),
                    source,
                })?,
        };
        for &address in &addresses {
            if let Some(refusal) = refusal(address.ip())
                && !self
                    .allow
                    .iter()
                    .any(|allowed| allowed.opens(host, address, refusal))
            {
                return Err(ConnectError::Refused {
                    host: host.to_owned(),
                    address,
                    kind: refusal.kind,
                });
            }
        }
        Ok(addresses)
    }
}

/// A connection to the first of the addresses that answers.
async fn open(host: &str, addresses: &[SocketAddr]) -> Result<TokioIo<TcpStream>, ConnectError> {
    let nothing = || std::io::Error::new(std::io::ErrorKind::NotFound, "the name has no address");
    let mut failed = ConnectError::Unresolved {
        host: host.to_owned(),
        source: nothing(),
    };
    for (index, &address) in addresses.iter().enumerate() {
        let opening = TcpStream::connect(address);
        let opened = if index + 1 == addresses.len() {
            opening.await
        } else {
            let late = |_| Err(std::io::Error::from(std::io::ErrorKind::TimedOut));
            tokio::time::timeout(PATIENCE, opening).await.unwrap_or_else(late)
        };
        match opened.and_then(|stream| stream.set_nodelay(true).map(|()| stream)) {
            Ok(stream) => return Ok(TokioIo::new(stream)),
            Err(source) => {
                failed = ConnectError::Unreachable {
                    host: host.to_owned(),
                    address,
                    source,
                }
            }
        }
    }
    Err(failed)
}

impl Service<Uri> for CheckedConnector {
    type Response = TokioIo<TcpStream>;
    type Error = ConnectError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        Box::pin(self.clone().connect(uri))
    }
}
