//! Encrypted connections: whom the client trusts, and what it shows.

use engine_client::{ClientSettings, EngineClient, EngineError, Login, OAuth2, Tls};
use http::Version;
use serde_json::json;
use url::Url;

use super::authority::Authority;
use super::server::{Server, always, json, version};

fn client(url: Url, tls: Tls) -> Result<EngineClient, EngineError> {
    ClientSettings::new().tls(tls).client(url, Login::None)
}

/// Why a client cannot be set up so.
fn refused(tls: Tls) -> String {
    let error = client("https://localhost:1/engine-rest".parse().unwrap(), tls).unwrap_err();
    assert!(matches!(error, EngineError::Setup { .. }), "{error:?}");
    error.to_string()
}

#[tokio::test]
async fn a_private_authority_is_trusted_where_it_is_given_with_either_version_of_http() {
    for (protocol, expected) in [
        (b"h2".as_slice(), Version::HTTP_2),
        (b"http/1.1", Version::HTTP_11),
    ] {
        let authority = Authority::new();
        let server = Server::encrypted(authority.server(None, &[protocol]), always(version)).await;
        let engine = client(server.engine(), Tls::new().trusting(authority.certificate())).unwrap();
        for _ in 0..2 {
            assert_eq!(engine.version().await.unwrap(), "7.24.0");
        }
        assert_eq!(server.asked()[0].version, expected);
        assert_eq!(server.connections(), 1);
    }
}

#[tokio::test]
async fn several_authorities_are_trusted_from_one_text() {
    let (one, another) = (Authority::new(), Authority::new());
    let both = format!(
        "# one\n{}\n# another\n{}",
        one.certificate(),
        another.certificate()
    );
    for authority in [one, another] {
        let server = Server::encrypted(authority.server(None, &[]), always(version)).await;
        let engine = client(server.engine(), Tls::new().trusting(both.clone())).unwrap();
        assert_eq!(engine.version().await.unwrap(), "7.24.0");
    }
}

#[tokio::test]
async fn an_authority_that_is_not_given_is_not_trusted_and_the_error_names_the_setting() {
    let server = Server::encrypted(Authority::new().server(None, &[]), always(version)).await;
    let another = Tls::new().trusting(Authority::new().certificate());
    for tls in [Tls::new(), another] {
        let error = client(server.engine(), tls).unwrap().version().await.unwrap_err();
        assert!(error.to_string().contains("engine.tls.ca_file"), "{error}");
        assert!(error.is_unreachable() && !error.is_ambiguous(), "{error:?}");
    }
    assert!(server.asked().is_empty());
}

#[tokio::test]
async fn a_certificate_for_another_host_is_refused_and_no_authority_is_blamed() {
    let authority = Authority::new();
    let server = Server::encrypted(authority.server(None, &[]), always(version)).await;
    let url = server.engine().as_str().replace("localhost", "127.0.0.1");
    let engine = client(url.parse().unwrap(), Tls::new().trusting(authority.certificate()));
    let error = engine.unwrap().version().await.unwrap_err();
    assert!(
        error.to_string().contains("not valid for name \"127.0.0.1\""),
        "{error}"
    );
    assert!(error.to_string().contains("localhost"), "{error}");
    // The authority is trusted: naming it once more would not help.
    assert!(!error.to_string().contains("ca_file"), "{error}");
    assert!(error.is_unreachable() && !error.is_ambiguous(), "{error:?}");
    assert!(server.asked().is_empty());
}

#[tokio::test]
async fn a_server_that_asks_for_a_certificate_is_shown_one() {
    let (authority, clients) = (Authority::new(), Authority::new());
    let server = Server::encrypted(authority.server(Some(&clients), &[]), always(version)).await;
    let identity = clients.client();
    let tls = Tls::new()
        .trusting(authority.certificate())
        .identified_by(identity.certificate, identity.key);
    let engine = client(server.engine(), tls).unwrap();
    assert_eq!(engine.version().await.unwrap(), "7.24.0");
}

#[tokio::test]
async fn without_a_certificate_that_the_server_takes_the_error_names_the_setting() {
    let (authority, clients) = (Authority::new(), Authority::new());
    let server = Server::encrypted(authority.server(Some(&clients), &[]), always(version)).await;
    let strange = Authority::new().client();
    let none = Tls::new().trusting(authority.certificate());
    let another = none.clone().identified_by(strange.certificate, strange.key);
    for tls in [none, another] {
        let error = client(server.engine(), tls).unwrap().version().await.unwrap_err();
        assert!(
            error.to_string().contains("engine.tls.certificate_file"),
            "{error:?}"
        );
        assert!(error.is_unreachable(), "{error:?}");
    }
    assert!(server.asked().is_empty());
}

#[tokio::test]
async fn a_server_that_speaks_no_tls_is_not_called() {
    let server = Server::start(always(version)).await;
    let url = server.engine().as_str().replace("http:", "https:");
    let engine = client(url.parse().unwrap(), Tls::new()).unwrap();
    let error = engine.version().await.unwrap_err();
    assert!(error.is_unreachable() && !error.is_ambiguous(), "{error:?}");
    assert!(server.asked().is_empty());
}

#[test]
fn a_key_that_does_not_belong_to_the_certificate_is_refused() {
    let authority = Authority::new();
    let (one, another) = (authority.client(), authority.client());
    let reason = refused(Tls::new().identified_by(one.certificate, another.key));
    assert!(
        reason.contains("the client's certificate and key cannot be used"),
        "{reason}"
    );
}

#[test]
fn text_that_is_no_certificate_or_key_is_refused_by_what_it_is_for() {
    let client = Authority::new().client();
    let garbled = "-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n";
    // PEM through and through, but what it holds is no certificate.
    let hollow = "-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n";
    for text in ["", "no PEM at all", &client.key, garbled, hollow] {
        let reason = refused(Tls::new().trusting(text.to_owned()));
        assert!(reason.contains("the authority"), "{text:?}: {reason}");
        let reason = refused(Tls::new().identified_by(text.to_owned(), client.key.clone()));
        assert!(reason.contains("the client"), "{text:?}: {reason}");
    }
    let garbled = client.key.replace('\n', "!\n");
    let hollow = "-----BEGIN PRIVATE KEY-----\naGVsbG8=\n-----END PRIVATE KEY-----\n";
    for text in ["", "no PEM at all", &client.certificate, &garbled, hollow] {
        let reason = refused(Tls::new().identified_by(client.certificate.clone(), text));
        assert!(reason.contains("key"), "{text:?}: {reason}");
        let secret = client.key.lines().nth(1).unwrap();
        assert!(!reason.contains(secret), "{reason}");
    }
}

#[tokio::test]
async fn the_token_endpoint_is_called_with_the_same_settings() {
    let (authority, clients) = (Authority::new(), Authority::new());
    let endpoint = Server::encrypted(authority.server(Some(&clients), &[]), |_| async {
        json(200, &json!({"access_token": "token-1", "token_type": "bearer"}))
    })
    .await;
    // The engine itself is not encrypted: the endpoint alone makes the settings matter.
    let server = Server::start(always(version)).await;
    let login = Login::OAuth2(OAuth2 {
        token_url: endpoint.url("/token"),
        client_id: "procos".into(),
        client_secret: "hidden".into(),
        scope: None,
    });
    let identity = clients.client();
    let trusting = Tls::new().trusting(authority.certificate());
    let tls = trusting.clone().identified_by(identity.certificate, identity.key);
    let engine = ClientSettings::new()
        .tls(tls)
        .client(server.engine(), login.clone())
        .unwrap();
    assert_eq!(engine.version().await.unwrap(), "7.24.0");
    assert_eq!(server.asked()[0].header("authorization"), "Bearer token-1");
    for (tls, setting) in [
        (Tls::new(), "engine.tls.ca_file"),
        (trusting, "engine.tls.certificate_file"),
    ] {
        let engine = ClientSettings::new()
            .tls(tls)
            .client(server.engine(), login.clone())
            .unwrap();
        let error = engine.version().await.unwrap_err();
        assert!(matches!(error, EngineError::Token(_)), "{error:?}");
        assert!(error.to_string().contains(setting), "{error}");
        assert!(
            error.to_string().contains(endpoint.url("/token").as_str()),
            "{error}"
        );
        assert!(error.is_unreachable() && !error.is_unauthorized(), "{error:?}");
    }
    assert_eq!(server.asked().len(), 1);
}
