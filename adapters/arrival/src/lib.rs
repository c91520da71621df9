//! What becomes of what arrives from outside, be it a request, a queue's message or a mail: the process that it starts, or the
//! BPMN message that it is, with which key and which variables.

mod patience;

use std::collections::BTreeMap;

use json_path::JsonPath;
use serde_json::Value as Json;
use worker_api::{Message, PortError, ProcessPort, StartProcess, Value, Variables};

pub use patience::Fate;

/// Where what arrives leads, as an operator has configured it.
#[derive(Clone, Copy, Debug)]
pub struct Destination<'a> {
    /// The process that each arrival starts: its definition's key.
    pub process: Option<&'a str>,
    /// The BPMN message that each arrival is.
    pub message: Option<&'a str>,
    /// The tenant whose process is meant.
    pub tenant: Option<&'a str>,
    /// Where the business key is in the payload.
    pub business_key: Option<&'a JsonPath>,
    /// The process variables, and where they are in the payload; none for the whole payload as `payload`.
    pub variables: &'a BTreeMap<String, JsonPath>,
}

/// What has arrived, as it goes to the engine.
#[derive(Clone, Debug)]
pub enum Arrival {
    /// A process is started: once for each business key, or else for each id.
    Start(StartProcess),
    /// A message is correlated: once for each id.
    Message(Message),
}

impl Destination<'_> {
    /// Whether it leads to one thing.
    ///
    /// # Errors
    /// The setting that is wrong, and what to write.
    pub fn check(&self) -> Result<(), (&'static str, &'static str)> {
        match (self.process, self.message) {
            (None, None) => Err((
                "process",
                "say which `process` it starts, or which `message` it is",
            )),
            (Some(_), Some(_)) => Err((
                "message",
                "it starts a `process` or is a `message`, not both; leave one of the two out",
            )),
            _ => Ok(()),
        }
    }

    /// What a payload is, of which its sender says that this is its id.
    ///
    /// # Errors
    /// Where the business key is not where it should be.
    pub fn read(&self, id: Option<String>, payload: Json) -> Result<Arrival, String> {
        let business_key = match self.business_key {
            None => None,
            Some(path) => Some(
                path.first(&payload)
                    .and_then(plain)
                    .ok_or_else(|| format!("there is no business key at {path} in the payload"))?,
            ),
        };
        let variables: Variables = if self.variables.is_empty() {
            [("payload".to_owned(), Value::from(payload))].into()
        } else {
            let variables = self.variables.iter().map(|(name, path)| {
                let found = path.first(&payload).cloned().unwrap_or_default();
                (name.clone(), Value::from(found))
            });
            variables.collect()
        };
        let tenant_id = self.tenant.map(str::to_owned);
        Ok(match self.process {
            Some(key) => {
                let mut start = StartProcess::new(key).variables(variables);
                start.tenant_id = tenant_id;
                Arrival::Start(match business_key.or(id) {
                    Some(once_per) => start.once_per(once_per),
                    None => start,
                })
            }
            None => Arrival::Message(Message {
                business_key,
                tenant_id,
                once_per: id,
                ..Message::new(self.message.unwrap_or_default()).variables(variables)
            }),
        })
    }
}

impl Arrival {
    /// Starts the process, or correlates the message. What has been taken before is taken, and nothing is done again.
    ///
    /// # Errors
    /// Those of the port.
    pub async fn deliver(self, processes: &dyn ProcessPort) -> Result<(), PortError> {
        match self {
            Self::Start(start) => processes.start(start).await.map(drop),
            Self::Message(message) => processes.correlate(message).await.map(drop),
        }
    }

    /// Adds variables.
    #[must_use]
    pub fn with(mut self, more: Variables) -> Self {
        match &mut self {
            Self::Start(start) => start.variables.extend(more),
            Self::Message(message) => message.variables.extend(more),
        }
        self
    }

    /// What it is, for logs.
    #[must_use]
    pub fn shown(&self) -> String {
        match self {
            Self::Start(start) => format!("a start of the process `{}`", start.key),
            Self::Message(message) => format!("the message `{}`", message.name),
        }
    }
}

/// A value that can be a key or an id.
#[must_use]
pub fn plain(value: &Json) -> Option<String> {
    match value {
        Json::String(text) if !text.is_empty() => Some(text.clone()),
        Json::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "test code")]
mod tests {
    use serde_json::json;

    use super::*;

    fn destination(variables: &BTreeMap<String, JsonPath>) -> Destination<'_> {
        Destination {
            process: None,
            message: None,
            tenant: Some("shop"),
            business_key: None,
            variables,
        }
    }

    #[test]
    fn a_process_is_started_once_per_business_key_or_id() {
        let (none, path) = (BTreeMap::new(), "$.number".parse().unwrap());
        let by_id = Destination {
            process: Some("order"),
            ..destination(&none)
        };
        let by_key = Destination {
            business_key: Some(&path),
            ..by_id
        };
        for (destination, id, key, once) in [
            (by_id, None, None, false),
            (by_id, Some("m-1"), Some("m-1"), true),
            (by_key, Some("m-1"), Some("7"), true),
        ] {
            let payload = json!({"number": 7});
            let Arrival::Start(start) = destination.read(id.map(str::to_owned), payload.clone()).unwrap()
            else {
                panic!("it starts")
            };
            assert_eq!((start.business_key.as_deref(), start.unless_there), (key, once));
            assert_eq!(start.tenant_id.as_deref(), Some("shop"));
            assert_eq!(start.variables["payload"].to_json(), payload);
        }
        assert!(
            by_key
                .read(None, json!({"number": {}}))
                .unwrap_err()
                .contains("$.number")
        );
    }

    #[test]
    fn a_message_keeps_its_id_and_takes_its_variables_from_where_they_are() {
        let paths = BTreeMap::from([
            ("amount".to_owned(), "$.paid.amount".parse().unwrap()),
            ("none".to_owned(), "$.nowhere".parse().unwrap()),
        ]);
        let destination = Destination {
            message: Some("paid"),
            ..destination(&paths)
        };
        let arrival = destination
            .read(Some("m-1".to_owned()), json!({"paid": {"amount": 3}}))
            .unwrap();
        assert_eq!(arrival.shown(), "the message `paid`");
        let Arrival::Message(message) = arrival.with([("more".to_owned(), 1.into())].into()) else {
            panic!("it is a message")
        };
        assert_eq!(
            (message.once_per.as_deref(), message.tenant_id.as_deref()),
            (Some("m-1"), Some("shop"))
        );
        assert_eq!(message.variables["amount"].to_json(), 3);
        assert_eq!(
            (
                message.variables["none"].to_json(),
                message.variables["more"].to_json()
            ),
            (Json::Null, 1.into())
        );
    }

    #[test]
    fn it_leads_to_one_thing() {
        let none = BTreeMap::new();
        for (process, message, wrong) in [
            (None, None, Some("process")),
            (Some("a"), Some("b"), Some("message")),
            (Some("a"), None, None),
            (None, Some("b"), None),
        ] {
            let destination = Destination {
                process,
                message,
                ..destination(&none)
            };
            assert_eq!(destination.check().err().map(|(key, _)| key), wrong);
        }
    }
}
