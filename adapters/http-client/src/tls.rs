//! TLS, set up at the first https request and not before: reading the system's certificates costs time and memory.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::Uri;
use http::uri::Scheme;
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls_platform_verifier::Verifier;
use tokio::net::TcpStream;
use tokio::sync::OnceCell;
use tower::Service;

use crate::connect::CheckedConnector;

/// The set-up that trusts the system's authorities: one for the whole process.
static SYSTEM: OnceCell<Arc<ClientConfig>> = OnceCell::const_new();

/// Why TLS cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The private authority's file is missing, unreadable or no PEM.
    #[error("the certificates in {} cannot be read: {reason}", .file.display())]
    Certificates {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The key's file is missing, unreadable or no PEM.
    #[error("the key in {} cannot be read: {reason}", .file.display())]
    Key {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The library refuses.
    #[error("TLS cannot be set up")]
    Setup(#[from] rustls::Error),
    /// The thread that reads the certificates broke off.
    #[error("TLS cannot be set up")]
    Interrupted(#[from] tokio::task::JoinError),
}

/// Whom a connection trusts beside the system's authorities, and as whom it shows itself. All files are PEM.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trust {
    /// The certificates of a private authority.
    pub ca_file: Option<PathBuf>,
    /// The file of our own certificate, with those between it and the authority, and the file of its key.
    pub identity: Option<(PathBuf, PathBuf)>,
}

impl Trust {
    fn is_system(&self) -> bool {
        *self == Self::default()
    }

    /// The set-up for a connection of another protocol.
    ///
    /// # Errors
    /// Names the file that cannot be read.
    pub async fn client_config(&self) -> Result<Arc<ClientConfig>, TlsError> {
        let trust = self.clone();
        tokio::task::spawn_blocking(move || config(&trust, &[])).await?
    }

    /// Whether all its files can be read. Blocks its thread.
    ///
    /// # Errors
    /// Names the file that cannot.
    pub fn check(&self) -> Result<(), TlsError> {
        config(self, &[]).map(drop)
    }
}

/// Opens connections, plain or encrypted as the URI's scheme says.
#[derive(Clone)]
pub(crate) struct Connector {
    tcp: CheckedConnector,
    trust: Trust,
    /// The set-up, where it is not the system's.
    own: Arc<OnceCell<Arc<ClientConfig>>>,
}

impl Connector {
    /// A connector that trusts the system's authorities and whom else it is told to.
    pub(crate) fn new(tcp: CheckedConnector, trust: Trust) -> Self {
        Self {
            tcp,
            trust,
            own: Arc::default(),
        }
    }

    async fn config(&self) -> Result<Arc<ClientConfig>, TlsError> {
        let cell = if self.trust.is_system() {
            &SYSTEM
        } else {
            self.own.as_ref()
        };
        let config = cell.get_or_try_init(|| load(self.trust.clone())).await?;
        Ok(Arc::clone(config))
    }

    async fn connect(mut self, uri: Uri) -> Result<MaybeHttpsStream<TokioIo<TcpStream>>, BoxError> {
        if uri.scheme() == Some(&Scheme::HTTP) {
            return Ok(MaybeHttpsStream::Http(self.tcp.call(uri).await?));
        }
        let config = self.config().await?;
        HttpsConnector::from((self.tcp, config)).call(uri).await
    }
}

async fn load(trust: Trust) -> Result<Arc<ClientConfig>, TlsError> {
    tokio::task::spawn_blocking(move || config(&trust, &[b"h2", b"http/1.1"])).await?
}

fn config(trust: &Trust, protocols: &[&[u8]]) -> Result<Arc<ClientConfig>, TlsError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = match &trust.ca_file {
        None => Verifier::new(Arc::clone(&provider))?,
        Some(file) => Verifier::new_with_extra_roots(certificates(file)?, Arc::clone(&provider))?,
    };
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
    let mut config = match &trust.identity {
        None => config.with_no_client_auth(),
        Some((certificate_file, key_file)) => {
            let key = PrivateKeyDer::from_pem_file(key_file).map_err(|error| TlsError::Key {
                file: key_file.clone(),
                reason: error.to_string(),
            })?;
            config.with_client_auth_cert(certificates(certificate_file)?, key)?
        }
    };
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    Ok(Arc::new(config))
}

/// The certificates in a PEM file; at least one.
fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let unusable = |reason: String| TlsError::Certificates {
        file: file.to_owned(),
        reason,
    };
    let certificates = CertificateDer::pem_file_iter(file)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| unusable(error.to_string()))?;
    match certificates.is_empty() {
        true => Err(unusable("it holds no certificate in PEM".to_owned())),
        false => Ok(certificates),
    }
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;

impl Service<Uri> for Connector {
    type Response = MaybeHttpsStream<TokioIo<TcpStream>>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        Box::pin(self.clone().connect(uri))
    }
}
