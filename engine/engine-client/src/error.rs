//! What can go wrong between the client and the engine.

use std::collections::BTreeMap;
use std::error::Error;
use std::io;
use std::time::Duration;

use http::{Method, StatusCode};
use rustls::CertificateError;
use serde::Deserialize;

/// A call that did not give what it was made for.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// No answer: the engine cannot be reached, or the connection broke.
    #[error("the engine at {url} cannot be reached: {cause}", cause = cause(&**.source))]
    Unreachable {
        /// The address that was called.
        url: String,
        /// Whether there was a connection: whether the engine has carried the call out is unknown then. Where there
        /// was none it has not.
        was_sent: bool,
        /// What the connection said.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// No answer in time. Whether the engine has carried the call out is unknown.
    #[error("the engine at {url} did not answer within {after:?}")]
    TimedOut {
        /// The address that was called.
        url: String,
        /// How long it was waited for.
        after: Duration,
    },
    /// The engine's answer is a no.
    #[error(transparent)]
    Refused(Box<Refusal>),
    /// The engine refused models of a deployment, and told what is wrong in which file.
    #[error("the engine refused the deployment: {message}")]
    ModelsRefused {
        /// What the engine says as a whole.
        message: String,
        /// What is wrong where.
        problems: Vec<ModelProblem>,
    },
    /// An answer that is not what the REST API promises: something else answers at that address, or a proxy.
    #[error("{url} does not answer like a Camunda 7 REST API: {reason}; check engine.url")]
    Unexpected {
        /// The address that was called.
        url: String,
        /// What is wrong with the answer.
        reason: String,
    },
    /// An answer that is longer than the caller wants to take.
    #[error("{url} holds more than {limit} bytes, the most that is read of it")]
    TooLarge {
        /// The address that was called.
        url: String,
        /// How many bytes are read at most.
        limit: u64,
    },
    /// No token to log in to the engine with.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// An id or a name that cannot stand in the path of a call, so that no engine can know it: empty, or made of dots.
    #[error("`{0}` is no id or name that an engine could know")]
    NotAnId(String),
    /// A value that the engine cannot keep.
    #[error(transparent)]
    Unrepresentable(#[from] crate::UnrepresentableValue),
    /// The client itself cannot be set up.
    #[error("the client for {url} cannot be set up: {reason}")]
    Setup {
        /// The REST API's address.
        url: String,
        /// Why.
        reason: String,
    },
}

/// Why there is no token to log in to the engine with.
#[derive(Clone, Debug, thiserror::Error)]
#[error("no token for the engine from {url}: {reason}; check {remedy}", remedy = self.remedy())]
pub struct TokenError {
    /// The token endpoint.
    pub url: String,
    /// What it says, or what is wrong with its answer.
    pub reason: String,
    /// Whether the endpoint refuses the client: its id, its secret or a scope.
    pub is_refused: bool,
    /// Whether there is no answer of the endpoint, or none but that it is in trouble itself.
    pub is_unreachable: bool,
}

impl TokenError {
    fn remedy(&self) -> &'static str {
        match (self.is_refused, self.is_unreachable) {
            (true, _) => "client_id, client_secret and scope of engine.auth.oauth2",
            (_, true) => "that it runs, and engine.auth.oauth2.token_url",
            _ => "engine.auth.oauth2.token_url",
        }
    }
}

/// What the engine holds against a model (`ParseException`, Camunda from 7.14).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelProblem {
    /// The resource.
    pub resource: String,
    /// What the engine says. For people alone.
    pub message: String,
    /// The line, from 1, where the engine tells one.
    pub line: Option<u32>,
    /// The column, from 1: of the end of the opening tag that is meant.
    pub column: Option<u32>,
    /// The id of the element that is meant.
    pub element: Option<String>,
    /// Whether the engine would have taken the model all the same.
    pub is_warning: bool,
}

/// A call that the engine refused.
#[derive(Debug, thiserror::Error)]
#[error("the engine refused {method} {path} with status {status}{}", explanation(.message))]
pub struct Refusal {
    /// The HTTP method.
    pub method: Method,
    /// The path below the REST API's address.
    pub path: String,
    /// The HTTP status.
    pub status: StatusCode,
    /// The engine's exception type, where it told one.
    pub kind: String,
    /// What the engine says. For people alone: engines of the family word it differently.
    pub message: String,
    /// The engine's exception code, where it told one (0 is "other").
    pub code: Option<i64>,
}

/// The body of an error answer: `{type, message, code}`. A 401 and a proxy's errors may have none.
#[derive(Default, Deserialize)]
pub(crate) struct ErrorBody {
    #[serde(rename = "type", default)]
    pub(crate) kind: String,
    #[serde(default)]
    pub(crate) message: Option<String>,
    #[serde(default)]
    pub(crate) code: Option<i64>,
    #[serde(default)]
    details: serde_json::Value,
}

impl ErrorBody {
    /// What `details` says of models; nothing where it is about something else.
    pub(crate) fn problems(&mut self) -> Vec<ModelProblem> {
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct Report {
            errors: Vec<Finding>,
            warnings: Vec<Finding>,
        }
        #[derive(Deserialize)]
        struct Finding {
            message: String,
            line: Option<u32>,
            column: Option<u32>,
            #[serde(rename = "mainElementId")]
            element: Option<String>,
        }
        let reports: BTreeMap<String, Report> =
            serde_json::from_value(self.details.take()).unwrap_or_default();
        let problem = |resource: &str, finding: Finding, is_warning| ModelProblem {
            resource: resource.to_owned(),
            message: finding.message,
            line: finding.line,
            column: finding.column,
            element: finding.element,
            is_warning,
        };
        let mut problems = Vec::new();
        for (resource, report) in reports {
            problems.extend(report.errors.into_iter().map(|it| problem(&resource, it, false)));
            problems.extend(report.warnings.into_iter().map(|it| problem(&resource, it, true)));
        }
        problems
    }
}

// Codes of `BuiltinExceptionCode`, Camunda 7.24.
const OPTIMISTIC_LOCKING: i64 = 1;
const DEADLOCK: i64 = 10_000;
const COLUMN_SIZE_TOO_SMALL: i64 = 10_002;

impl EngineError {
    fn status(&self) -> Option<StatusCode> {
        match self {
            Self::Refused(refusal) => Some(refusal.status),
            Self::ModelsRefused { .. } => Some(StatusCode::BAD_REQUEST),
            Self::NotAnId(_) => Some(StatusCode::NOT_FOUND),
            _ => None,
        }
    }

    fn has_code(&self, wanted: i64) -> bool {
        matches!(self, Self::Refused(refusal) if refusal.code == Some(wanted))
    }

    /// What the call was about is not there (any more).
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        self.status() == Some(StatusCode::NOT_FOUND)
    }

    /// The login is missing or wrong.
    #[must_use]
    pub fn is_unauthorized(&self) -> bool {
        self.status() == Some(StatusCode::UNAUTHORIZED)
            || matches!(self, Self::Token(error) if error.is_refused)
    }

    /// The login is right, and may not do this.
    #[must_use]
    pub fn is_forbidden(&self) -> bool {
        self.status() == Some(StatusCode::FORBIDDEN)
    }

    /// A refusal that the engine itself has not written, such as a gateway's own 404 while it has no route: it tells
    /// nothing of what the call was about. (401 may come without the engine's words, and counts as its own.)
    #[must_use]
    pub fn is_foreign(&self) -> bool {
        matches!(self, Self::Refused(refusal)
            if refusal.kind.is_empty() && refusal.status != StatusCode::UNAUTHORIZED)
    }

    /// The engine holds the call itself to be wrong: a value, a state, or somebody else's lock.
    #[must_use]
    pub fn is_bad_request(&self) -> bool {
        self.status() == Some(StatusCode::BAD_REQUEST)
    }

    /// Of a report on an external task: the task is locked by another worker, or the lock has run out. The
    /// engine answers 400 to these and to bad values alike.
    #[must_use]
    pub fn is_not_owner(&self) -> bool {
        self.is_bad_request()
    }

    /// Another transaction changed the same rows first: the same call again succeeds.
    #[must_use]
    pub fn is_optimistic_lock(&self) -> bool {
        self.has_code(OPTIMISTIC_LOCKING)
    }

    /// The engine has rolled the call back because of another transaction: nothing of it was carried out, and the
    /// same call again succeeds.
    #[must_use]
    pub fn is_rolled_back(&self) -> bool {
        self.is_optimistic_lock() || self.has_code(DEADLOCK)
    }

    /// A value is too long for the engine's database: the same call again never succeeds.
    #[must_use]
    pub fn is_value_too_long(&self) -> bool {
        self.has_code(COLUMN_SIZE_TOO_SMALL)
    }

    /// Nothing (that understands the REST API) answers at the address.
    #[must_use]
    pub fn is_unreachable(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::TimedOut { .. })
            || matches!(self, Self::Token(error) if error.is_unreachable)
            || matches!(self.status(), Some(status) if is_gateway_trouble(status))
    }

    /// Whether the engine has carried the call out is unknown: it was sent, and no answer of the engine's own came
    /// back. Only a call that may be repeated is to be repeated then.
    #[must_use]
    pub fn is_ambiguous(&self) -> bool {
        match self {
            Self::Unreachable { was_sent, .. } => *was_sent,
            Self::TimedOut { .. } | Self::Unexpected { .. } | Self::TooLarge { .. } => true,
            _ => self.status().is_some_and(is_gateway_trouble),
        }
    }

    /// The same call may well succeed later, without anybody doing anything.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        self.is_unreachable() || self.is_rolled_back() || self.status() == Some(StatusCode::TOO_MANY_REQUESTS)
    }

    /// The engine broke at the call, for a reason that it does not tell by a code of its own. The same call
    /// again may succeed (a database that was away) or not (a listener that always fails).
    #[must_use]
    pub fn is_internal(&self) -> bool {
        self.status().is_some_and(|status| status.is_server_error()) && !self.is_transient()
    }

    /// What the engine says, without the circumstances of the call.
    #[must_use]
    pub fn engine_message(&self) -> Option<&str> {
        match self {
            Self::Refused(refusal) if !refusal.message.is_empty() => Some(&refusal.message),
            Self::ModelsRefused { message, .. } => Some(message),
            _ => None,
        }
    }
}

fn is_gateway_trouble(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT
    )
}

fn explanation(message: &str) -> String {
    if message.is_empty() {
        String::new()
    } else {
        format!(": {message}")
    }
}

/// The innermost cause: `Connection refused` says more than `error sending request`. With a remedy where it is a
/// certificate.
pub(crate) fn cause(error: &(dyn Error + 'static)) -> String {
    let mut innermost = error;
    loop {
        // An I/O error shows what it wraps, but does not count it among its sources.
        let wrapped = innermost.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        let deeper = wrapped.map(|inner| inner as &(dyn Error + 'static));
        match deeper.or_else(|| innermost.source()) {
            Some(deeper) => innermost = deeper,
            None => break,
        }
    }
    match innermost.downcast_ref::<rustls::Error>() {
        // No authority would help a certificate that is another host's, or out of date.
        Some(rustls::Error::InvalidCertificate(
            CertificateError::NotValidForName
            | CertificateError::NotValidForNameContext { .. }
            | CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. },
        )) => innermost.to_string(),
        Some(rustls::Error::InvalidCertificate(_)) => {
            format!("{innermost}; where its authority is a private one, name that in engine.tls.ca_file")
        }
        Some(rustls::Error::AlertReceived(_)) => format!(
            "{innermost}; where it asks for a client certificate, name one in engine.tls.certificate_file and key_file"
        ),
        _ => innermost.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(status: u16, code: Option<i64>) -> EngineError {
        EngineError::Refused(Box::new(Refusal {
            method: Method::POST,
            path: "external-task/1/complete".into(),
            status: StatusCode::from_u16(status).unwrap(),
            kind: "ProcessEngineException".into(),
            message: String::new(),
            code,
        }))
    }

    #[test]
    fn predicates_follow_status_and_code() {
        assert!(refused(404, None).is_not_found());
        assert!(refused(400, None).is_not_owner());
        assert!(refused(500, Some(1)).is_optimistic_lock());
        assert!(refused(500, Some(10_000)).is_transient());
        assert!(refused(503, None).is_unreachable());
        assert!(refused(500, Some(10_002)).is_value_too_long());
        assert!(!refused(500, Some(10_002)).is_transient());
        assert!(refused(500, Some(0)).is_internal());
        assert!(!refused(500, Some(1)).is_internal());
    }

    #[test]
    fn a_refusal_without_the_engines_words_is_somebody_elses() {
        let foreign = |status| {
            let EngineError::Refused(mut refusal) = refused(status, None) else {
                unreachable!()
            };
            refusal.kind.clear();
            EngineError::Refused(refusal).is_foreign()
        };
        assert!(foreign(404) && foreign(400) && foreign(403) && !foreign(401));
        assert!(!refused(404, Some(0)).is_foreign());
    }

    #[test]
    fn problems_of_models_are_read_and_other_details_let_be() {
        // As Camunda 7.24 answers.
        let mut body: ErrorBody = serde_json::from_str(
            r#"{"type":"ParseException","message":"m","code":0,"details":{"bad.bpmn":{"errors":[
                {"message":"Invalid destination","line":5,"column":66,"mainElementId":"f","elementIds":["f"]}],
                "warnings":[{"message":"hm","line":8,"column":20,"mainElementId":null}]}}}"#,
        )
        .unwrap();
        let problems = body.problems();
        assert_eq!(
            (
                problems[0].resource.as_str(),
                problems[0].line,
                problems[0].is_warning
            ),
            ("bad.bpmn", Some(5), false)
        );
        assert_eq!(
            (problems[1].element.as_deref(), problems[1].is_warning),
            (None, true)
        );
        let mut body: ErrorBody =
            serde_json::from_str(r#"{"type":"t","message":"m","details":[1]}"#).unwrap();
        assert!(body.problems().is_empty() && body.message.as_deref() == Some("m"));
    }
}
