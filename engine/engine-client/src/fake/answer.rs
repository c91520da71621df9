//! Answers as the engine words them: `{type, message, code}` and the status that belongs to it.

use bytes::Bytes;
use http::{Response, StatusCode, header};
use serde_json::{Value as Json, json};

/// A call that the engine refuses. Its state is as it was before.
#[derive(Clone, Debug)]
pub(super) struct Refused {
    status: u16,
    kind: &'static str,
    message: String,
    code: Option<i64>,
}

/// A call that went well.
#[derive(Debug)]
pub(super) enum Answer {
    Done,
    Json(Json),
    /// With its media type.
    Bytes(String, Bytes),
}

impl Refused {
    fn new(status: u16, kind: &'static str, message: impl Into<String>, code: Option<i64>) -> Self {
        Self {
            status,
            kind,
            message: message.into(),
            code,
        }
    }

    /// The body or a parameter is not what the REST API takes.
    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new(400, "InvalidRequestException", message, None)
    }

    /// The task is in no state for this, or somebody else's.
    pub(super) fn state(message: impl Into<String>) -> Self {
        Self::new(400, "RestException", message, Some(0))
    }

    /// There is none.
    pub(super) fn not_found(message: impl Into<String>) -> Self {
        Self::new(404, "InvalidRequestException", message, None)
    }

    /// There is no such external task (any more).
    pub(super) fn no_task(id: &str) -> Self {
        let message = format!("External task with id {id} does not exist");
        Self::new(404, "RestException", message, Some(0))
    }

    /// A value that must not be null is.
    pub(super) fn null(name: &str) -> Self {
        Self::new(500, "NullValueException", format!("{name} is null"), Some(0))
    }

    /// The engine broke at it, for no reason with a code of its own.
    pub(super) fn internal(message: impl Into<String>) -> Self {
        Self::new(500, "ProcessEngineException", message, Some(0))
    }

    /// A value longer than its column.
    pub(super) fn too_long(name: &str) -> Self {
        let message = format!("The value of variable {name} is longer than the database keeps");
        Self::new(500, "ProcessEngineException", message, Some(10_002))
    }

    /// A later poll of the same worker has taken this one's place.
    pub(super) fn cancelled() -> Self {
        Self::new(503, "ServiceUnavailableException", "", None)
    }

    /// What this fake does not do, in words for whoever writes the test.
    pub(super) fn not_offered(what: &str) -> Self {
        let message = format!(
            "the fake engine does not do this: {what}; it knows external tasks, linear processes, their variables, \
             incidents and history. Test this on a real engine"
        );
        Self::new(501, "FakeEngine", message, None)
    }

    /// An answer that a test has asked for.
    pub(super) fn injected(status: u16, code: Option<i64>) -> Self {
        Self::new(status, "InjectedFault", "injected by a test", code)
    }

    pub(super) fn into_response(self) -> Response<Bytes> {
        // Proxies and Jersey's own 503 have no body of this form.
        if matches!(self.status, 502..=504) {
            return of_a_gateway(self.status);
        }
        let body = json!({ "type": self.kind, "message": self.message, "code": self.code });
        response(self.status, "application/json", body.to_string().into())
    }
}

impl Answer {
    pub(super) fn into_response(self) -> Response<Bytes> {
        match self {
            Self::Done => response(204, "application/json", Bytes::new()),
            Self::Json(body) => response(200, "application/json", body.to_string().into()),
            Self::Bytes(kind, body) => {
                let length = body.len();
                let mut response = response(200, &kind, body);
                response
                    .headers_mut()
                    .insert(header::CONTENT_LENGTH, length.into());
                response
            }
        }
    }
}

/// An answer in which no engine has a part.
pub(super) fn of_a_gateway(status: u16) -> Response<Bytes> {
    response(status, "text/html", Bytes::new())
}

fn response(status: u16, content_type: &str, body: Bytes) -> Response<Bytes> {
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if let Ok(content_type) = header::HeaderValue::try_from(content_type) {
        response.headers_mut().insert(header::CONTENT_TYPE, content_type);
    }
    response
}
