//! What stands in the header `Authorization`, and where a secret never stands.

use engine_client::{ClientSettings, EngineClient, EngineError, Login, OAuth2, Tls};
use serde_json::json;

use super::authority::Authority;
use super::server::{Asked, Server, always, json, version};

const SECRET: &str = "s3cr:et-ü";

/// What the engine got with a call of a client that logs in so.
async fn asked(login: Login) -> Asked {
    let server = Server::start(always(version)).await;
    let engine = EngineClient::new(server.engine(), login).unwrap();
    engine.version().await.unwrap();
    server.asked().remove(0)
}

#[tokio::test]
async fn a_login_by_password_is_sent_as_basic() {
    let login = Login::Basic {
        username: "worker".into(),
        password: SECRET.into(),
    };
    // worker:s3cr:et-ü, in UTF-8.
    assert_eq!(
        asked(login).await.header("authorization"),
        "Basic d29ya2VyOnMzY3I6ZXQtw7w="
    );
}

#[tokio::test]
async fn a_token_is_sent_as_bearer() {
    let asked = asked(Login::Bearer("abc.DEF-1_2~3+/==".into())).await;
    assert_eq!(asked.header("authorization"), "Bearer abc.DEF-1_2~3+/==");
    assert_eq!(asked.headers.get_all("authorization").iter().count(), 1);
}

#[tokio::test]
async fn without_a_login_nothing_is_sent() {
    assert!(!asked(Login::None).await.headers.contains_key("authorization"));
}

#[tokio::test]
async fn a_token_that_no_header_can_carry_is_refused_at_once() {
    for token in ["s3cret\r\nx-evil: 1", "s3cret\n", "s3cret\0"] {
        let error = EngineClient::new(
            "http://127.0.0.1:1/".parse().unwrap(),
            Login::Bearer(token.into()),
        );
        let error = error.unwrap_err();
        assert!(matches!(error, EngineError::Setup { .. }), "{error}");
        assert!(error.to_string().contains("a header cannot carry"), "{error}");
        assert!(!format!("{error} {error:?}").contains("s3cret"), "{error:?}");
    }
}

#[tokio::test]
async fn an_address_that_holds_a_login_is_refused_without_telling_it() {
    let token_url = |url: &str| {
        Login::OAuth2(OAuth2 {
            token_url: url.parse().unwrap(),
            client_id: "procos".into(),
            client_secret: "other".into(),
            scope: None,
        })
    };
    let setups = [
        ("http://kermit:s3cret@127.0.0.1:1/engine-rest", Login::None),
        (
            "http://127.0.0.1:1/engine-rest",
            token_url("https://kermit:s3cret@login.example/token"),
        ),
        (
            "http://127.0.0.1:1/engine-rest",
            token_url("ftp://kermit:s3cret@login.example/token"),
        ),
    ];
    for (url, login) in setups {
        let error = EngineClient::new(url.parse().unwrap(), login).unwrap_err();
        assert!(matches!(error, EngineError::Setup { .. }), "{error}");
        assert!(!format!("{error} {error:?}").contains("s3cret"), "{error:?}");
        assert!(!format!("{error} {error:?}").contains("kermit"), "{error:?}");
    }
}

#[tokio::test]
async fn no_secret_is_in_what_a_client_its_login_or_an_error_prints() {
    let server = Server::start(|asked| async move {
        match asked.path.as_str() {
            "/token" => json(
                200,
                &json!({"access_token": "hidden-token", "token_type": "bearer"}),
            ),
            _ => json(401, &json!({})),
        }
    })
    .await;
    let logins = [
        Login::Basic {
            username: "worker".into(),
            password: "hidden-password".into(),
        },
        Login::Bearer("hidden-bearer".into()),
        Login::OAuth2(OAuth2 {
            token_url: server.url("/token"),
            client_id: "procos".into(),
            client_secret: "hidden-secret".into(),
            scope: None,
        }),
    ];
    for login in logins {
        let mut printed = format!("{login:?}");
        let engine = EngineClient::new(server.engine(), login).unwrap();
        printed += &format!("{engine:?}");
        let error = engine.version().await.unwrap_err();
        assert!(error.is_unauthorized(), "{error}");
        // Once more, now that there is a token.
        printed += &format!("{engine:?} {error} {error:?}");
        assert!(!printed.contains("hidden"), "{printed}");
        // Nor as it is sent.
        assert!(
            !printed.contains("d29ya2Vy") && !printed.contains("cHJvY29z"),
            "{printed}"
        );
    }
}

#[tokio::test]
async fn no_key_is_in_what_the_settings_print() {
    let client = Authority::new().client();
    let key = client.key.clone();
    let settings = ClientSettings::new().tls(Tls::new().identified_by(client.certificate, client.key));
    let printed = format!("{settings:?}");
    let line = key.lines().nth(1).unwrap();
    assert!(
        !printed.contains(line) && !printed.contains("PRIVATE KEY"),
        "{printed}"
    );
    // As bytes, which is how `Debug` of a vector would have it.
    assert!(!printed.contains(&format!("{:?}", key.as_bytes())), "{printed}");
}
