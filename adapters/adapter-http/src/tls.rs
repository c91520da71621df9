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
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls_platform_verifier::Verifier;
use tokio::net::TcpStream;
use tokio::sync::OnceCell;
use tower::Service;

use crate::connect::CheckedConnector;

/// The set-up that trusts the system's authorities: one for the whole process.
static SYSTEM: OnceCell<Arc<ClientConfig>> = OnceCell::const_new();

/// Why TLS cannot be set up.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TlsError {
    /// The private authority's file is missing, unreadable or no PEM.
    #[error("the certificates in {} cannot be read: {reason}", .file.display())]
    Certificates { file: PathBuf, reason: String },
    /// The library refuses.
    #[error("TLS cannot be set up")]
    Setup(#[from] rustls::Error),
    /// The thread that reads the certificates broke off.
    #[error("TLS cannot be set up")]
    Interrupted(#[from] tokio::task::JoinError),
}

/// Opens connections, plain or encrypted as the URI's scheme says.
#[derive(Clone)]
pub(crate) struct Connector {
    tcp: CheckedConnector,
    /// The file of a private authority with the set-up that trusts it, too.
    private: Option<(PathBuf, Arc<OnceCell<Arc<ClientConfig>>>)>,
}

impl Connector {
    /// A connector that trusts the system's authorities and that of the file.
    pub(crate) fn new(tcp: CheckedConnector, ca_file: Option<PathBuf>) -> Self {
        Self {
            tcp,
            private: ca_file.map(|file| (file, Arc::default())),
        }
    }

    async fn config(&self) -> Result<Arc<ClientConfig>, TlsError> {
        let config = match &self.private {
            None => SYSTEM.get_or_try_init(|| load(None)).await?,
            Some((file, cell)) => cell.get_or_try_init(|| load(Some(file.clone()))).await?,
        };
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

async fn load(ca_file: Option<PathBuf>) -> Result<Arc<ClientConfig>, TlsError> {
    tokio::task::spawn_blocking(move || {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = match &ca_file {
            None => Verifier::new(Arc::clone(&provider))?,
            Some(file) => Verifier::new_with_extra_roots(certificates(file)?, Arc::clone(&provider))?,
        };
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    })
    .await?
}

/// The certificates in a PEM file; at least one.
pub(crate) fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
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
