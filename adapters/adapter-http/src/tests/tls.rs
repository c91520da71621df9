//! https: HTTP/2 and 1.1, private authorities, and no way back to http.

use std::io;

use axum::Router;
use axum::http::{StatusCode, Version};
use axum::routing::get;
use rcgen::CertifiedKey;
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use serde_json::json;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use worker_api::Retry;

use super::*;

struct Encrypted {
    listener: TcpListener,
    acceptor: TlsAcceptor,
}

impl axum::serve::Listener for Encrypted {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let Ok((stream, address)) = self.listener.accept().await else {
                continue;
            };
            if let Ok(stream) = self.acceptor.accept(stream).await {
                return (stream, address);
            }
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}

/// A server with a certificate of its own for `api.example`, and the certificate's file.
async fn serve_tls(router: Router, protocols: &[&[u8]]) -> (SocketAddr, tempfile::NamedTempFile) {
    serve_tls_to(
        router,
        protocols,
        rustls::server::WebPkiClientVerifier::no_client_auth(),
    )
    .await
}

/// The same, for clients that the verifier lets in.
async fn serve_tls_to(
    router: Router,
    protocols: &[&[u8]],
    clients: Arc<dyn rustls::server::danger::ClientCertVerifier>,
) -> (SocketAddr, tempfile::NamedTempFile) {
    let CertifiedKey { cert, signing_key } =
        rcgen::generate_simple_self_signed(["api.example".to_owned()]).unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), cert.pem()).unwrap();
    let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
    let mut config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(clients)
        .with_single_cert(vec![cert.der().clone()], key)
        .unwrap();
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let encrypted = Encrypted {
        listener,
        acceptor: TlsAcceptor::from(Arc::new(config)),
    };
    tokio::spawn(async move { axum::serve(encrypted, router).await });
    (address, file)
}

fn router() -> Router {
    let version = |version: Version| async move { format!("{version:?}") };
    let downgrade = || async { (StatusCode::FOUND, [("location", "http://api.example/")]) };
    Router::new()
        .route("/", get(version))
        .route("/down", get(downgrade))
}

#[tokio::test]
async fn a_private_authority_is_trusted_where_it_is_configured_with_either_version() {
    for (protocols, version) in [
        ([b"h2".as_slice()], "HTTP/2.0"),
        ([b"http/1.1".as_slice()], "HTTP/1.1"),
    ] {
        let (address, file) = serve_tls(router(), &protocols).await;
        let settings = json!({"default": {"allow": ["127.0.0.1"], "ca_file": file.path()}});
        let adapter = with_names(settings, &[("api.example", vec![address])]);
        let answer = run(&adapter, json!({"url": "https://api.example/"}))
            .await
            .unwrap();
        assert_eq!(answer.fields()["body"], Value::String(version.into()));
    }
}

#[tokio::test]
async fn an_unknown_authority_or_another_name_is_refused() {
    let (address, file) = serve_tls(router(), &[]).await;
    let names = [("api.example", vec![address]), ("other.example", vec![address])];
    let adapter = with_names(
        json!({"default": {"allow": ["127.0.0.1"], "ca_file": file.path()}}),
        &names,
    );
    let other = failure(run(&adapter, json!({"url": "https://other.example/"})).await);
    assert_eq!(other.retry, Retry::Never);
    assert!(other.message.contains("is not trusted"), "{other}");
    let (_, another) = serve_tls(router(), &[]).await;
    let adapter = with_names(
        json!({"default": {"allow": ["127.0.0.1"], "ca_file": another.path()}}),
        &names,
    );
    let unknown = failure(run(&adapter, json!({"url": "https://api.example/"})).await);
    assert!(unknown.message.contains("ca_file"), "{unknown}");
}

#[tokio::test]
async fn a_redirect_from_https_to_http_is_refused() {
    let (address, file) = serve_tls(router(), &[]).await;
    let settings = json!({"default": {"allow": ["127.0.0.1"], "ca_file": file.path()}});
    let adapter = with_names(settings, &[("api.example", vec![address])]);
    let down = failure(run(&adapter, json!({"url": "https://api.example/down"})).await);
    assert_eq!(down.retry, Retry::Never);
    assert!(
        down.message.contains("from https to http://api.example"),
        "{down}"
    );
}

#[tokio::test]
async fn an_authority_that_cannot_be_read_is_named() {
    let adapter = with_names(
        json!({"default": {"allow": ["127.0.0.1"], "ca_file": "/no/such.pem"}}),
        &[("api.example", vec![SocketAddr::from(([127, 0, 0, 1], 1))])],
    );
    let failure = failure(run(&adapter, json!({"url": "https://api.example/"})).await);
    assert!(failure.message.contains("/no/such.pem"), "{failure}");
}

#[tokio::test]
async fn a_client_shows_its_certificate_to_who_asks_for_it() {
    let mut params = rcgen::CertificateParams::new(["authority".to_owned()]).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let key = rcgen::KeyPair::generate().unwrap();
    let root = params.self_signed(&key).unwrap();
    let issuer = rcgen::Issuer::new(params, key);
    let client_key = rcgen::KeyPair::generate().unwrap();
    let client = rcgen::CertificateParams::new(["procos".to_owned()])
        .unwrap()
        .signed_by(&client_key, &issuer)
        .unwrap();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(root.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let clients = rustls::server::WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
        .build()
        .unwrap();
    let (address, ca_file) = serve_tls_to(router(), &[b"http/1.1"], clients).await;
    let folder = tempfile::tempdir().unwrap();
    let (certificate_file, key_file) = (folder.path().join("client.pem"), folder.path().join("client.key"));
    std::fs::write(&certificate_file, client.pem()).unwrap();
    std::fs::write(&key_file, client_key.serialize_pem()).unwrap();
    let settings = json!({"allow": ["127.0.0.1"], "ca_file": ca_file.path()});
    let names = [("api.example", vec![address])];
    let url = json!({"url": "https://api.example/"});
    let nobody = with_names(json!({"default": settings}), &names);
    failure(run(&nobody, url.clone()).await);
    let mut known = settings.clone();
    known["certificate_file"] = json!(certificate_file);
    known["key_file"] = json!(key_file);
    let somebody = with_names(json!({"default": known}), &names);
    somebody.health().await.unwrap();
    let answer = run(&somebody, url.clone()).await.unwrap();
    assert_eq!(answer.fields()["body"], Value::String("HTTP/1.1".into()));
    known["key_file"] = json!("/no/such.key");
    let broken = with_names(json!({"default": known}), &names);
    assert!(broken.health().await.unwrap_err().contains("/no/such.key"));
    let failure = failure(run(&broken, url).await);
    assert!(
        failure.message.contains("/no/such.key") && failure.retry == Retry::Never,
        "{failure}"
    );
}
