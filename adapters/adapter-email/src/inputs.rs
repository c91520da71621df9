//! What email tasks are given, and what they answer.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

/// What `email_send` is given.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Inputs {
    /// The connection of the operator's configuration: it says who sends, and by which server.
    #[serde(default = "default_connection")]
    pub(crate) connection: String,
    /// To whom, such as `ada@example.com`, `Ada <ada@example.com>, bob@example.com` or a list of these.
    #[serde(default, deserialize_with = "worker_api::flexible")]
    pub(crate) to: Addresses,
    /// Who gets a copy.
    #[serde(default, deserialize_with = "worker_api::flexible")]
    pub(crate) cc: Addresses,
    /// Who gets a copy that the others do not see.
    #[serde(default, deserialize_with = "worker_api::flexible")]
    pub(crate) bcc: Addresses,
    /// Where answers go, if not to the sender.
    #[serde(default, deserialize_with = "worker_api::flexible")]
    pub(crate) reply_to: Addresses,
    /// The subject.
    pub(crate) subject: String,
    /// The text. Where there is `html` only, mail programs without HTML see an empty mail.
    #[serde(default)]
    #[schemars(extend("contentMediaType" = "text/plain"))]
    pub(crate) body: Option<String>,
    /// The text as HTML. Styles in `<style>` are put into the elements, where mail programs heed them.
    #[serde(default)]
    #[schemars(extend("contentMediaType" = "text/html"))]
    pub(crate) html: Option<String>,
    /// A file with the HTML, deployed together with the process, such as `mails/welcome.html`.
    #[serde(default)]
    pub(crate) template: Option<String>,
    /// What the subject, the body and the HTML are filled in with, such as `${order}`: they are templates then, in the syntax
    /// of Jinja (`Dear {{ customer.name }}`). In HTML the values are escaped.
    #[serde(default, deserialize_with = "worker_api::structured")]
    pub(crate) values: Json,
    /// The files that go along: the names of the task's inputs that hold them, such as `["invoice"]`.
    #[serde(default, deserialize_with = "worker_api::flexible")]
    pub(crate) attachments: Vec<String>,
    /// The images in the HTML: the names by which it shows them (`<img src="cid:logo">`), and of the task's inputs that hold
    /// them, such as `{"logo": "logo_file"}`.
    #[serde(default, deserialize_with = "worker_api::flexible")]
    pub(crate) images: BTreeMap<String, String>,
    /// The message id of the mail that this one answers.
    #[serde(default)]
    pub(crate) in_reply_to: Option<String>,
}

/// One address, several in one text with commas between, or a list of these.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "an address, or a list of addresses")]
pub(crate) enum Addresses {
    /// A text of one or more.
    One(String),
    /// Several.
    Several(Vec<String>),
    /// None at all.
    None(()),
}

impl Default for Addresses {
    fn default() -> Self {
        Self::None(())
    }
}

impl Addresses {
    /// The texts that hold addresses.
    pub(crate) fn texts(&self) -> &[String] {
        match self {
            Self::One(text) => std::slice::from_ref(text),
            Self::Several(texts) => texts,
            Self::None(()) => &[],
        }
    }
}

/// The answer of `email_send`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Sent {
    /// The mail's message id: what answers to it refer to.
    message_id: String,
    /// The addresses that the server has taken it for.
    accepted: Vec<String>,
}

/// What the BPMN error for a refused recipient brings.
pub(crate) fn refused(refused: &[(String, String)]) -> Json {
    let one = |(address, reason): &(String, String)| {
        Json::Object(Map::from_iter([
            ("address".to_owned(), address.as_str().into()),
            ("reason".to_owned(), reason.as_str().into()),
        ]))
    };
    refused.iter().map(one).collect()
}

fn default_connection() -> String {
    "default".to_owned()
}
