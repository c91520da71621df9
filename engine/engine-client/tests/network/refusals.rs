//! What an answer means that is no success: told by its status and its code, whoever gave it.

use engine_client::{EngineClient, EngineError, Login};
use http::Response;
use http_body_util::{BodyExt, Empty};
use serde_json::{Value, json};

use super::server::{Server, always, json, text, version};

/// What all predicates say of an error: the names of those that hold.
fn holds(error: &EngineError) -> Vec<&'static str> {
    let predicates = [
        ("unauthorized", error.is_unauthorized()),
        ("forbidden", error.is_forbidden()),
        ("not_found", error.is_not_found()),
        ("bad_request", error.is_bad_request()),
        ("not_owner", error.is_not_owner()),
        ("optimistic_lock", error.is_optimistic_lock()),
        ("rolled_back", error.is_rolled_back()),
        ("value_too_long", error.is_value_too_long()),
        ("unreachable", error.is_unreachable()),
        ("ambiguous", error.is_ambiguous()),
        ("transient", error.is_transient()),
        ("internal", error.is_internal()),
    ];
    let holding = predicates.into_iter().filter(|(_, holds)| *holds);
    holding.map(|(name, _)| name).collect()
}

const PAGE: &str = "<html><body><h1>It is broken</h1></body></html>";

#[tokio::test]
async fn a_refusal_without_json_is_told_by_its_status() {
    let cases: [(u16, &[&str]); 10] = [
        (400, &["bad_request", "not_owner"]),
        (401, &["unauthorized"]),
        (403, &["forbidden"]),
        (404, &["not_found"]),
        (405, &[]),
        (429, &["transient"]),
        (500, &["internal"]),
        (502, &["unreachable", "ambiguous", "transient"]),
        (503, &["unreachable", "ambiguous", "transient"]),
        (504, &["unreachable", "ambiguous", "transient"]),
    ];
    for (status, expected) in cases {
        for body in ["", PAGE, "null", "[1]", r#""text""#, r#"{"message": 1}"#] {
            let server = Server::start(move |_| async move { text(status, "text/html", body) }).await;
            let error = server.client().version().await.unwrap_err();
            assert_eq!(holds(&error), expected, "{status} {body:?}: {error:?}");
            assert_eq!(error.engine_message(), None, "{status} {body:?}");
            let said = error.to_string();
            let begin = format!("the engine refused GET version with status {status}");
            assert!(said.starts_with(&begin) && !said.contains('<'), "{said}");
            assert_eq!(server.asked().len(), 1, "{status} was repeated");
        }
    }
}

#[tokio::test]
async fn a_refusal_of_the_engine_is_told_by_its_status_and_code() {
    let cases: [(u16, Value, &[&str]); 8] = [
        (400, json!(0), &["bad_request", "not_owner"]),
        (404, json!(null), &["not_found"]),
        (500, json!(null), &["internal"]),
        (500, json!(0), &["internal"]),
        (500, json!(2), &["internal"]),
        (500, json!(1), &["optimistic_lock", "rolled_back", "transient"]),
        (500, json!(10_000), &["rolled_back", "transient"]),
        (500, json!(10_002), &["value_too_long", "internal"]),
    ];
    for (status, code, expected) in cases {
        let body = json!({"type": "SomeException", "message": "It is so.", "code": code});
        let server = Server::start(move |_| {
            let answer = json(status, &body);
            async move { answer }
        })
        .await;
        let settings = engine_client::ClientSettings::new().rollback_repetitions(0);
        let engine = settings.client(server.engine(), Login::None).unwrap();
        let error = engine.version().await.unwrap_err();
        assert_eq!(holds(&error), expected, "{status} {code}");
        assert_eq!(error.engine_message(), Some("It is so."));
        let EngineError::Refused(refusal) = &error else {
            panic!("{error:?}")
        };
        assert_eq!(
            (refusal.status.as_u16(), refusal.kind.as_str(), refusal.code),
            (status, "SomeException", code.as_i64())
        );
        assert_eq!(server.asked().len(), 1);
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    for status in [301, 302, 303, 307, 308] {
        let server = Server::start(move |asked| async move {
            if asked.path == "/elsewhere" {
                return version();
            }
            let answer = Response::builder().status(status);
            let answer = answer.header("location", "/elsewhere");
            Ok(answer
                .body(Empty::new().map_err(|never| match never {}).boxed())
                .unwrap())
        })
        .await;
        let login = Login::Bearer("hidden".into());
        let engine = EngineClient::new(server.engine(), login).unwrap();
        let error = engine.version().await.unwrap_err();
        assert!(
            matches!(&error, EngineError::Unexpected { reason, .. } if reason.contains(&status.to_string())),
            "{error:?}"
        );
        assert!(error.to_string().contains("check engine.url"), "{error}");
        assert_eq!(holds(&error), ["ambiguous"]);
        // The login did not go on to where it was not meant for.
        assert_eq!(server.asked().len(), 1, "{status} was followed");
    }
}

#[tokio::test]
async fn a_success_that_is_not_what_was_asked_for_names_the_address() {
    fn page() -> super::server::Answer {
        text(200, "text/html", PAGE)
    }
    fn other() -> super::server::Answer {
        json(200, &json!({"name": "something else"}))
    }
    fn empty() -> super::server::Answer {
        text(200, "application/json", "")
    }
    for answer in [page, other, empty] {
        let server = Server::start(always(answer)).await;
        let error = server.client().version().await.unwrap_err();
        assert!(matches!(error, EngineError::Unexpected { .. }), "{error:?}");
        let url = server.url("/engine-rest/version");
        assert!(error.to_string().starts_with(url.as_str()), "{error}");
        assert_eq!(holds(&error), ["ambiguous"]);
    }
}
