//! What an adapter is given.

use std::collections::BTreeMap;
use std::time::Instant;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value as Json};
use tokio_util::sync::CancellationToken;

use crate::{Failure, Variables};

/// One attempt at one external task.
#[derive(Clone, Debug)]
pub struct TaskContext {
    /// Which task of which process it is.
    pub task: Task,
    /// The adapter's own topic that the task's topic is routed to; the same as [`Task::topic`] unless the
    /// configuration gives the adapter another name to answer to.
    pub operation: String,
    /// The task's local variables: what the model gives as input parameters.
    pub variables: Variables,
    /// What the operator's route fixes (`with`); wins over a variable of the same name.
    pub settings: Map<String, Json>,
    /// The task's extension properties.
    pub properties: BTreeMap<String, String>,
    /// When the attempt is given up. The worker enforces it by dropping the adapter's future.
    pub deadline: Instant,
    /// Cancelled when the attempt is given up: its lock was lost, its time has run out or the worker stops.
    /// The adapter's own future is dropped then; whoever spawns work of its own watches this token.
    pub cancelled: CancellationToken,
}

/// Which task of which process it is. Ids are the engine's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Task {
    /// The external task's id: the same for every attempt, so it serves as an idempotency key.
    pub id: String,
    /// The topic the model names.
    pub topic: String,
    /// The id of the model's element.
    pub activity_id: String,
    /// The process definition's key.
    pub process_definition_key: String,
    /// The process definition's id: one version of it.
    pub process_definition_id: String,
    /// The process instance's id.
    pub process_instance_id: String,
    /// The business key of the process instance, where it has one.
    pub business_key: Option<String>,
    /// The tenant, where the instance belongs to one.
    pub tenant_id: Option<String>,
    /// Which attempt this is, from 1.
    pub attempt: u32,
}

impl TaskContext {
    /// The inputs as a type of the adapter's own: the task's variables, then over them what the route fixes.
    ///
    /// # Errors
    /// A permanent [`Failure`] that names the input which is missing or of the wrong kind.
    pub fn inputs<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        let mut inputs: Map<String, Json> = self
            .variables
            .iter()
            .map(|(name, value)| (name.clone(), value.to_json()))
            .collect();
        inputs.extend(self.settings.clone());
        serde_path_to_error::deserialize(Json::Object(inputs)).map_err(|error| {
            let place = match error.path().to_string() {
                path if path == "." => String::new(),
                path => format!(" `{path}`"),
            };
            Failure::permanent(format!(
                "input{place} of task {} ({}): {}; set it as an input parameter of the task",
                self.task.activity_id,
                self.task.topic,
                error.inner()
            ))
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{Retry, Value};

    #[derive(Debug, serde::Deserialize)]
    struct Inputs {
        url: String,
        #[serde(default)]
        limit: u8,
    }

    fn context(variables: &[(&str, Value)]) -> TaskContext {
        TaskContext {
            task: Task {
                activity_id: "fetch".into(),
                topic: "http_request".into(),
                ..Task::default()
            },
            operation: "http_request".into(),
            variables: variables
                .iter()
                .map(|(name, value)| ((*name).to_owned(), value.clone()))
                .collect(),
            settings: Map::new(),
            properties: BTreeMap::new(),
            deadline: Instant::now() + Duration::from_secs(1),
            cancelled: CancellationToken::new(),
        }
    }

    #[test]
    fn inputs_are_read_and_the_route_wins() {
        let mut context = context(&[("url", "http://a".into()), ("limit", Value::Integer(3))]);
        context.settings.insert("limit".into(), Json::from(5));
        let inputs: Inputs = context.inputs().unwrap();
        assert_eq!((inputs.url.as_str(), inputs.limit), ("http://a", 5));
    }

    #[test]
    fn a_missing_or_wrong_input_is_named_and_never_retried() {
        let missing = context(&[]).inputs::<Inputs>().unwrap_err();
        assert!(missing.message.contains("missing field `url`"), "{missing}");
        assert_eq!(missing.retry, Retry::Never);
        let wrong = context(&[("url", "http://a".into()), ("limit", Value::Integer(300))]);
        let wrong = wrong.inputs::<Inputs>().unwrap_err();
        assert!(wrong.message.contains("`limit`"), "{wrong}");
    }
}
