//! The settings of a connection: what stands under `services.broker.NAME`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use arrival::Destination;
use json_path::JsonPath;
use secrets::SecretSetting;
use serde::{Deserialize, Serialize};
use url::Url;

/// The settings of one named connection. There is none unless one is configured.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ConnectionSettings {
    /// Where the broker is: `amqps://HOST/VIRTUAL-HOST`, or `amqp://` in the clear.
    pub url: Url,
    /// The login's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// The login's password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<SecretSetting>,
    /// A PEM file with the certificates of a private authority, trusted beside those of the system.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// A PEM file with the certificate that shows who procos is, for brokers that want one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate_file: Option<PathBuf>,
    /// A PEM file with that certificate's key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_file: Option<PathBuf>,
    /// The exchanges that tasks may publish to; every exchange where it is empty. The default exchange, which leads to a queue
    /// by its name, is `""`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exchanges: Vec<String>,
    /// How long connecting, and the broker's confirmation, may each take.
    #[serde(default = "timeout", with = "worker_api::duration")]
    pub timeout: Duration,
    /// Bytes that a message may have, in both directions.
    #[serde(default = "most", with = "worker_api::size")]
    pub max_bytes: u64,
    /// The queues whose messages start processes or continue them, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub consume: BTreeMap<String, QueueSettings>,
}

/// What becomes of the messages of a queue.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct QueueSettings {
    /// The process that each message starts: its definition's key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub process: Option<String>,
    /// The BPMN message that each message is. Where neither is said, messages are CloudEvents, whose `type` is the BPMN
    /// message's name and whose `subject` is the business key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Where the business key is in the payload.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub business_key: Option<JsonPath>,
    /// Where the id is in the payload by which a message is known that comes again; its property `message_id` unless said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<JsonPath>,
    /// The process variables that a message sets, by name, and where they are in the payload. Unless said, the whole payload
    /// is the variable `payload`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub variables: BTreeMap<String, JsonPath>,
    /// The tenant whose process is meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// How many messages are in hand at once; `1` where each has to wait for the one before it.
    pub prefetch: u16,
    /// How long a message waits for somebody who waits for it.
    #[serde(with = "worker_api::duration")]
    pub patience: Duration,
    /// The queue for what cannot be taken; `NAME.dead` unless said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dead_letters: Option<String>,
    /// Whether both queues are made, as quorum queues, where they are not there.
    pub declare: bool,
}

impl Default for QueueSettings {
    fn default() -> Self {
        Self {
            process: None,
            message: None,
            business_key: None,
            id: None,
            variables: BTreeMap::new(),
            tenant: None,
            prefetch: 32,
            patience: Duration::from_secs(10),
            dead_letters: None,
            declare: true,
        }
    }
}

impl QueueSettings {
    /// Where messages lead; none where they say it themselves.
    pub(crate) fn destination(&self) -> Option<Destination<'_>> {
        (self.process.is_some() || self.message.is_some()).then_some(Destination {
            process: self.process.as_deref(),
            message: self.message.as_deref(),
            tenant: self.tenant.as_deref(),
            business_key: self.business_key.as_ref(),
            variables: &self.variables,
        })
    }

    fn check(&self) -> Result<(), (&'static str, String)> {
        match self.destination() {
            Some(destination) => destination
                .check()
                .map_err(|(key, problem)| (key, problem.to_owned()))?,
            None if self.business_key.is_some() || self.id.is_some() || !self.variables.is_empty() => {
                return Err((
                    "message",
                    "CloudEvents say their own keys, ids and variables; name a `message` or a `process`, or leave `business_key`, \
                     `id` and `variables` out"
                        .to_owned(),
                ));
            }
            None => {}
        }
        if self.prefetch == 0 {
            return Err((
                "prefetch",
                "at least one message has to be in hand; write 1 or more".to_owned(),
            ));
        }
        Ok(())
    }
}

impl ConnectionSettings {
    /// Whether the settings agree with one another.
    pub(crate) fn check(&self) -> Result<(), (String, String)> {
        let wrong = |key: &str, problem: &str| Err((key.to_owned(), problem.to_owned()));
        if !matches!(self.url.scheme(), "amqp" | "amqps") || self.url.host_str().is_none_or(str::is_empty) {
            return wrong("url", "write an address such as amqps://broker.example.com/shop");
        }
        if !self.url.username().is_empty() || self.url.password().is_some() {
            return wrong("url", "it holds a login; give that as `username` and `password`");
        }
        if self.url.query().is_some() || self.url.fragment().is_some() {
            return wrong(
                "url",
                "it ends with the virtual host; options are settings of their own",
            );
        }
        if self.username.is_some() != self.password.is_some() {
            return wrong(
                "username",
                "a login is `username` and `password`: give both or none",
            );
        }
        if self.certificate_file.is_some() != self.key_file.is_some() {
            return wrong(
                "key_file",
                "a certificate has a key: give `certificate_file` and `key_file`, or none",
            );
        }
        let has_tls = self.ca_file.is_some() || self.certificate_file.is_some();
        if has_tls && self.url.scheme() == "amqp" {
            return wrong(
                "url",
                "certificates belong to an encrypted connection; write amqps://",
            );
        }
        for (queue, settings) in &self.consume {
            settings
                .check()
                .map_err(|(key, problem)| (format!("consume.{queue}.{key}"), problem))?;
        }
        Ok(())
    }
}

fn timeout() -> Duration {
    Duration::from_secs(30)
}

fn most() -> u64 {
    16 << 20
}
