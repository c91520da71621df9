//! What an `http_request` task is given, and what it answers.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use crate::pages::Pagination;
use crate::settings::TaskAuth;

/// What the task is given.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Inputs {
    /// The method, such as `POST`.
    #[serde(default = "get")]
    pub(crate) method: String,
    /// The address, such as `https://api.example.com/orders/4711`; or, where the connection has a base URL, what
    /// goes behind that, such as `/orders/4711`.
    pub(crate) url: String,
    /// The connection of the operator's configuration to use, such as `billing`: it brings the base URL, the login
    /// and the internal addresses that may be reached.
    #[serde(default = "default_connection")]
    pub(crate) connection: String,
    /// Headers by name, such as `{"accept": "text/csv"}`; a list sends the header several times.
    #[serde(default, deserialize_with = "worker_api::flexible")]
    pub(crate) headers: Option<BTreeMap<String, Scalars>>,
    /// Query parameters by name, such as `{"page": 2, "tag": ["new", "paid"]}`; a list repeats the parameter, null
    /// leaves it out. They are added to those in the URL.
    #[serde(default, deserialize_with = "worker_api::flexible")]
    pub(crate) query: Option<BTreeMap<String, Scalars>>,
    /// The body, such as `{"item": "desk"}`. Text that holds a JSON object or list counts as that, unless `body_type`
    /// is `text`; bytes and files are sent as they are.
    #[serde(default)]
    pub(crate) body: Json,
    /// How the body is written: `json`, `form` (an object's fields), `multipart` (an object's fields, and `files`) or `text`. Where it is not said, a `content-type`
    /// header decides, and without one an object, list, number or truth value is JSON and text is plain text.
    #[serde(default, deserialize_with = "worker_api::flexible")]
    pub(crate) body_type: Option<BodyType>,
    /// The files of a `multipart` body: the names of its parts, and of the task's own inputs that hold the files, such as
    /// `{"invoice": "invoice_file"}`.
    #[serde(default, deserialize_with = "worker_api::flexible")]
    pub(crate) files: Option<BTreeMap<String, String>>,
    /// The login, such as `{"bearer": "${token}"}` or `{"basic": {"username": "ada", "password": "${password}"}}`.
    /// Leave it out where the connection has one: passwords belong into the operator's configuration.
    #[serde(default, deserialize_with = "worker_api::flexible")]
    pub(crate) auth: Option<TaskAuth>,
    /// Whether the request may be sent again where nobody knows what came of it, as after a broken connection. GET, HEAD,
    /// OPTIONS, PUT and DELETE may by themselves; POST and PATCH where this says so, because the service knows a
    /// repetition by the `idempotency-key` header that they have, or because it does no harm. Else such a task raises
    /// the BPMN error `OUTCOME_UNKNOWN`.
    #[serde(default, deserialize_with = "worker_api::flexible")]
    pub(crate) repeatable: Option<bool>,
    /// How long the request may take, from looking up the host to the last byte, such as `10s` or `PT10S`; the
    /// connection's own time where it is not said, which is 30 seconds unless configured.
    #[serde(default)]
    pub(crate) timeout: Option<String>,
    /// Whether redirects are followed, five at the most.
    #[serde(default = "yes", deserialize_with = "worker_api::flexible")]
    pub(crate) follow_redirects: bool,
    /// Bytes that the answer's body may have, such as `64Ki`, where that is less than the connection allows.
    #[serde(default)]
    pub(crate) max_bytes: Option<Scalar>,
    /// Status codes that are an answer and no error, such as `404` or `404, 5xx`, beside 2xx and 3xx.
    #[serde(default, deserialize_with = "worker_api::flexible")]
    pub(crate) accept_status: Option<Scalars>,
    /// As what the answer's body is given: `auto` goes by its content type, `file` makes a File variable of it, and `json`,
    /// `text` and `bytes` say what it is whatever its content type.
    #[serde(default, rename = "as")]
    pub(crate) form: Form,
    /// Fields of the answer beside its own, and where they are in the body: JSON paths such as `$.order.total`, or templates
    /// such as `{{ order.id }}: {{ order.total }}`, which see the body as `value` and its fields by their names.
    #[serde(default, deserialize_with = "worker_api::flexible")]
    pub(crate) map: Option<BTreeMap<String, String>>,
    /// Where a list comes in pages: how the next one is found, such as `{"by": "link"}`,
    /// `{"by": "cursor", "cursor": "$.next", "parameter": "after", "items": "$.orders"}` or
    /// `{"by": "page", "parameter": "page", "items": "$.orders"}`. The answer's body is the list of the items of all pages.
    #[serde(default, deserialize_with = "worker_api::flexible")]
    pub(crate) pagination: Option<Pagination>,
}

/// As much of the inputs as says whether the request may be sent twice.
#[derive(Debug, Deserialize)]
pub(crate) struct Kind {
    #[serde(default = "get")]
    pub(crate) method: String,
    #[serde(default, deserialize_with = "worker_api::flexible")]
    pub(crate) repeatable: Option<bool>,
}

/// As what an answer's body is given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Form {
    /// As its content type says.
    #[default]
    Auto,
    /// A File variable.
    File,
    /// JSON.
    Json,
    /// Text.
    Text,
    /// Bytes.
    Bytes,
}

/// How a body is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum BodyType {
    /// `application/json`.
    Json,
    /// `application/x-www-form-urlencoded`.
    Form,
    /// `multipart/form-data`.
    Multipart,
    /// `text/plain`, or what the `content-type` header says.
    Text,
}

/// One plain value, or several.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "text, a number, true or false, or a list of these")]
pub(crate) enum Scalars {
    /// One.
    One(Scalar),
    /// Several.
    Several(Vec<Scalar>),
    /// None at all.
    None(()),
}

/// A plain value.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "text, a number, true or false")]
pub(crate) enum Scalar {
    /// Text.
    Text(String),
    /// A number.
    Number(serde_json::Number),
    /// A truth value.
    Truth(bool),
}

impl Scalars {
    /// The values as text.
    pub(crate) fn texts(&self) -> Vec<String> {
        match self {
            Self::One(value) => vec![value.to_string()],
            Self::Several(values) => values.iter().map(ToString::to_string).collect(),
            Self::None(()) => Vec::new(),
        }
    }
}

impl std::fmt::Display for Scalar {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Text(text) => formatter.write_str(text),
            Self::Number(number) => number.fmt(formatter),
            Self::Truth(truth) => truth.fmt(formatter),
        }
    }
}

/// The answer.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct HttpAnswer {
    /// The status code, such as 200.
    status: u16,
    /// The headers by their names in lower case, such as `{"content-type": "application/json"}`. The values of a
    /// header that comes several times stand in one text, with commas between; `set-cookie` is always a list.
    headers: Map<String, Json>,
    /// The body: JSON where the content type says so, text where it is text, else bytes; null where there is none.
    body: Json,
    /// The address that answered, after redirects.
    url: String,
    /// How many pages were fetched; there where the task asks for pages.
    pages: Option<u32>,
}

fn get() -> String {
    "GET".to_owned()
}

fn default_connection() -> String {
    "default".to_owned()
}

fn yes() -> bool {
    true
}
