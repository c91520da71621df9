//! Encrypted connections: whom to trust, and what to show.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::Verifier;
use secrecy::{ExposeSecret, SecretSlice};

/// Whom a client trusts on encrypted connections besides the authorities that the system knows, and the certificate
/// that it shows where it is asked for one.
#[derive(Clone, Debug, Default)]
pub struct Tls {
    authorities: Option<Bytes>,
    identity: Option<Identity>,
}

#[derive(Clone)]
struct Identity {
    certificate: Bytes,
    key: SecretSlice<u8>,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Identity")
    }
}

impl Tls {
    /// The system's authorities alone, and no certificate of the client's own.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Trusts these certificates, too: a private authority's, or the engine's own; one or more in the form PEM.
    #[must_use]
    pub fn trusting(mut self, certificates: impl Into<Bytes>) -> Self {
        self.authorities = Some(certificates.into());
        self
    }

    /// Shows this certificate (followed by those between it and its authority), and proves by the key that it is the
    /// client's own; both in the form PEM.
    #[must_use]
    pub fn identified_by(mut self, certificate: impl Into<Bytes>, key: impl Into<Vec<u8>>) -> Self {
        self.identity = Some(Identity {
            certificate: certificate.into(),
            key: SecretSlice::from(key.into()),
        });
        self
    }

    /// The set-up. Reading the system's certificates costs more than everything else in a client: where no connection
    /// will be encrypted they are left alone.
    pub(crate) fn config(&self, encrypted: bool) -> Result<ClientConfig, String> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?;
        if !encrypted {
            return Ok(builder
                .with_root_certificates(RootCertStore::empty())
                .with_no_client_auth());
        }
        let extra = match &self.authorities {
            Some(pem) => certificates(pem, "of the authority")?,
            None => Vec::new(),
        };
        let verifier =
            Verifier::new_with_extra_roots(extra, provider).map_err(|error| match self.authorities {
                Some(_) => format!("the certificate of the authority cannot be used: {error}"),
                None => error.to_string(),
            })?;
        let builder = builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier));
        let Some(identity) = &self.identity else {
            return Ok(builder.with_no_client_auth());
        };
        let chain = certificates(&identity.certificate, "of the client")?;
        let key = PrivateKeyDer::from_pem_slice(identity.key.expose_secret())
            .map_err(|error| format!("the client's key cannot be read as PEM: {error}"))?;
        builder
            .with_client_auth_cert(chain, key)
            .map_err(|error| format!("the client's certificate and key cannot be used: {error}"))
    }
}

fn certificates(pem: &[u8], whose: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<_, _>>()
        .map_err(|error| format!("the certificate {whose} cannot be read as PEM: {error}"))?;
    if certificates.is_empty() {
        return Err(format!("there is no certificate {whose} in the PEM text"));
    }
    Ok(certificates)
}
