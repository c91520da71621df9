//! An engine behind a gateway, as large houses have it: https with a private authority, certificates of the clients'
//! own, and tokens by OAuth 2.0.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair};
use rustix::process::Signal;
use rustls::pki_types::PrivateKeyDer;
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use serde_json::json;
use tests::{Procos, Scratch, free_port};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::world::{SOON, System};

/// `procos:hush` by HTTP Basic.
const CLIENT: &str = "Basic cHJvY29zOmh1c2g=";

const TOKEN: &str = "Bearer eyJ0ZXN0Ijp0cnVlfQ";

type Authority = CertifiedIssuer<'static, KeyPair>;

/// Lets through to the engine whoever shows a certificate of the authority and a token, with the kernel's login.
#[derive(Clone)]
struct Gateway {
    client: reqwest::Client,
    engine: String,
    password: String,
}

#[test]
fn an_engine_behind_a_gateway_with_certificates_and_tokens_is_used() {
    let system = System::shared();
    let scratch = Scratch::new("gateway");
    let authority = authority();
    let address = Gateway::start(system, &authority);
    let file = |name: &str, text: &str| std::fs::write(scratch.path().join(name), text).unwrap();
    file("ca.pem", &authority.pem());
    let (certificate, key) = certified(&authority, "procos", ExtendedKeyUsagePurpose::ClientAuth);
    file("procos.pem", &certificate.pem());
    file("procos.key", &key.serialize_pem());
    let configuration = |tls: &str| {
        let text = format!(
            "engine:\n  kind: attached\n  url: https://localhost:{port}/engine-rest\n  tls: {{{tls}}}\n  auth:\n    \
             oauth2: {{token_url: \"https://localhost:{port}/token\", client_id: procos, client_secret: \
             \"secret:gateway\"}}\nhttp: {{listen: \"127.0.0.1:{}\"}}\n",
            free_port(),
            port = address.port()
        );
        file("procos.yml", &text);
    };
    let procos = |secret: &str| Procos::new(scratch.path()).env("PROCOS_SECRET_GATEWAY", secret);
    configuration("ca_file: ca.pem, certificate_file: procos.pem, key_file: procos.key");

    let up = procos("hush").args(["up", "--json"]).spawn();
    up.wait_for_line("\"phase\":\"ready\"", SOON);
    let order = r#"order={"item":"desk","amount":1}"#;
    let start = ["start", "order-check", "--var", order, "--wait", "60s", "--json"];
    let answer = procos("hush").args(start).run().expect_code(0).json();
    assert_eq!(answer["state"], "completed", "{answer}");
    up.signal(Signal::TERM);
    assert_eq!(up.wait_for_end(SOON).code(), Some(0));

    let refused = procos("loud").args(["ps"]).run().expect_code(2);
    assert!(
        refused.stderr.contains("engine.auth.oauth2"),
        "{}",
        refused.stderr
    );
    assert!(!refused.stderr.contains("loud"), "{}", refused.stderr);
    for (tls, status, remedy) in [
        ("ca_file: ca.pem", 3, "engine.tls.certificate_file"),
        (
            "certificate_file: procos.pem, key_file: procos.key",
            3,
            "engine.tls.ca_file",
        ),
        ("ca_file: nowhere.pem", 2, "nowhere.pem cannot be read"),
        ("certificate_file: procos.pem", 2, "without `engine.tls.key_file`"),
    ] {
        configuration(tls);
        let refused = procos("hush").args(["ps"]).run().expect_code(status);
        assert!(refused.stderr.contains(remedy), "{tls}: {}", refused.stderr);
    }
}

impl Gateway {
    /// Starts one on a thread of its own, for as long as the tests run.
    fn start(system: &System, authority: &Authority) -> SocketAddr {
        // Fails where another test has done it already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let engine = system.ready["engine_url"].as_str().unwrap();
        let gateway = Self {
            client: reqwest::Client::builder()
                .no_proxy()
                .tls_certs_only([])
                .build()
                .unwrap(),
            engine: engine.trim_end_matches("/engine-rest").to_owned(),
            password: system.secret("engine-kernel-password"),
        };
        let app = Router::new()
            .route("/token", post(token))
            .fallback(pass)
            .with_state(gateway);
        let acceptor = acceptor(authority);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                axum::serve(Encrypted { listener, acceptor }, app).await
            })
        });
        address
    }
}

async fn token(headers: HeaderMap) -> Response {
    if headers["authorization"] == CLIENT {
        let token = TOKEN.trim_start_matches("Bearer ");
        Json(json!({"access_token": token, "token_type": "bearer", "expires_in": 300})).into_response()
    } else {
        let refusal = Json(json!({"error": "invalid_client"}));
        (StatusCode::UNAUTHORIZED, refusal).into_response()
    }
}

async fn pass(State(gateway): State<Gateway>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    if parts
        .headers
        .get("authorization")
        .is_none_or(|header| header != TOKEN)
    {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let path = parts.uri.path_and_query().unwrap();
    let mut call = gateway
        .client
        .request(parts.method, format!("{}{path}", gateway.engine))
        .basic_auth("kernel", Some(&gateway.password))
        .body(axum::body::to_bytes(body, usize::MAX).await.unwrap());
    if let Some(kind) = parts.headers.get("content-type") {
        call = call.header("content-type", kind);
    }
    let Ok(answer) = call.send().await else {
        return StatusCode::BAD_GATEWAY.into_response();
    };
    let status = answer.status();
    let kind = answer.headers().get("content-type").cloned();
    let mut response = Response::new(Body::from(answer.bytes().await.unwrap_or_default()));
    *response.status_mut() = status;
    if let Some(kind) = kind {
        response.headers_mut().insert("content-type", kind);
    }
    response
}

struct Encrypted {
    listener: tokio::net::TcpListener,
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

fn authority() -> Authority {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

fn certified(
    authority: &Authority,
    name: &str,
    purpose: ExtendedKeyUsagePurpose,
) -> (rcgen::Certificate, KeyPair) {
    let mut params = CertificateParams::new([name.to_owned()]).unwrap();
    params.extended_key_usages = vec![purpose];
    let key = KeyPair::generate().unwrap();
    (params.signed_by(&key, authority).unwrap(), key)
}

fn acceptor(authority: &Authority) -> TlsAcceptor {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let (certificate, key) = certified(authority, "localhost", ExtendedKeyUsagePurpose::ServerAuth);
    let mut roots = RootCertStore::empty();
    roots.add(authority.der().clone()).unwrap();
    let clients = WebPkiClientVerifier::builder_with_provider(roots.into(), Arc::clone(&provider));
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(clients.build().unwrap())
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        )
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}
