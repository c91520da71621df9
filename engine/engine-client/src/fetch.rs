//! Fetching and locking external tasks.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize, Serializer};

use crate::report::millis;
use crate::{EngineClient, EngineError, Variables, date};

/// How much longer than its long poll a fetch is waited for: the engine answers late when it is busy.
const POLL_GRACE: Duration = Duration::from_secs(20);

/// A request to fetch and lock external tasks.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FetchRequest {
    /// Who locks them. Unique for each process start: the engine checks reports against it.
    pub worker_id: String,
    /// How many tasks at most, of all topics together.
    pub max_tasks: usize,
    /// Whether tasks of a higher priority come first.
    pub use_priority: bool,
    /// Which of several tasks (of one priority, where these count) comes first; unless set, the engine's database
    /// decides.
    #[serde(
        rename = "sorting",
        serialize_with = "sorting",
        skip_serializing_if = "Option::is_none"
    )]
    pub order: Option<FetchOrder>,
    /// How long the engine may hold the request while there is nothing to lock; at most 30 minutes. Zero: an
    /// answer at once.
    #[serde(
        rename = "asyncResponseTimeout",
        serialize_with = "millis",
        skip_serializing_if = "Duration::is_zero"
    )]
    pub long_poll: Duration,
    /// The topics. A topic's name may stand in it once: of two, the engine ignores the first in silence.
    pub topics: Vec<FetchTopic>,
}

/// Which tasks come first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FetchOrder {
    /// Those that have waited longest.
    OldestFirst,
    /// Those that were created last.
    NewestFirst,
}

fn sorting<S: Serializer>(order: &Option<FetchOrder>, serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Sorting {
        sort_by: &'static str,
        sort_order: &'static str,
    }
    let sorting = order.map(|order| Sorting {
        sort_by: "createTime",
        sort_order: match order {
            FetchOrder::OldestFirst => "asc",
            FetchOrder::NewestFirst => "desc",
        },
    });
    serializer.collect_seq(sorting)
}

impl FetchRequest {
    /// A request for at most so many tasks of these topics, answered at once.
    #[must_use]
    pub fn new(
        worker_id: impl Into<String>,
        max_tasks: usize,
        topics: impl IntoIterator<Item = FetchTopic>,
    ) -> Self {
        Self {
            worker_id: worker_id.into(),
            max_tasks,
            topics: topics.into_iter().collect(),
            ..Self::default()
        }
    }
}

/// A topic in a [`FetchRequest`]: its tasks that meet every condition that is set.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FetchTopic {
    /// The topic's name.
    pub topic_name: String,
    /// How long the tasks are locked, from when the engine locks them.
    #[serde(serialize_with = "millis")]
    pub lock_duration: Duration,
    /// The names of the variables that come along: all unless set, none where it is empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub variables: Option<Vec<String>>,
    /// Whether only the variables of the task's own scope come along: its input parameters.
    pub local_variables: bool,
    /// Whether the task's extension properties come along.
    pub include_extension_properties: bool,
    /// Whether the engine is to deserialise Object values. Never: it would need their classes.
    pub deserialize_values: bool,
    /// Only of instances with this business key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub business_key: Option<String>,
    /// Only of these versions of definitions, by id; of all where there is none.
    #[serde(rename = "processDefinitionIdIn", skip_serializing_if = "Vec::is_empty")]
    pub process_definition_ids: Vec<String>,
    /// Only of definitions with these keys; of all where there is none.
    #[serde(rename = "processDefinitionKeyIn", skip_serializing_if = "Vec::is_empty")]
    pub process_definition_keys: Vec<String>,
    /// Only of versions of definitions with this tag.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub process_definition_version_tag: Option<String>,
    /// Only such as belong to no tenant.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub without_tenant_id: bool,
    /// Only of these tenants; of all where there is none.
    #[serde(rename = "tenantIdIn", skip_serializing_if = "Vec::is_empty")]
    pub tenant_ids: Vec<String>,
    /// Only of instances whose process variables have these values.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub process_variables: BTreeMap<String, serde_json::Value>,
}

impl FetchTopic {
    /// A topic whose tasks come with their input parameters and extension properties.
    #[must_use]
    pub fn new(topic_name: impl Into<String>, lock_duration: Duration) -> Self {
        Self {
            topic_name: topic_name.into(),
            lock_duration,
            variables: None,
            local_variables: true,
            include_extension_properties: true,
            deserialize_values: false,
            business_key: None,
            process_definition_ids: Vec::new(),
            process_definition_keys: Vec::new(),
            process_definition_version_tag: None,
            without_tenant_id: false,
            tenant_ids: Vec::new(),
            process_variables: BTreeMap::new(),
        }
    }
}

/// Those that have a value: `<camunda:property name="note" />` comes as null, and would cost the whole answer.
fn with_values<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<String, String>, D::Error> {
    let properties = BTreeMap::<String, Option<String>>::deserialize(deserializer)?;
    Ok(properties
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
        .collect())
}

/// An external task that has been locked for the one who asked.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LockedTask {
    /// The task's id: the same for every attempt.
    pub id: String,
    /// Its topic.
    pub topic_name: String,
    /// Who holds the lock.
    pub worker_id: String,
    /// When the lock ends, by the engine's clock.
    #[serde(default, deserialize_with = "date::optional::deserialize")]
    pub lock_expiration_time: Option<Timestamp>,
    /// The id of the model's element.
    #[serde(default)]
    pub activity_id: String,
    /// The id of the activity instance.
    #[serde(default)]
    pub activity_instance_id: String,
    /// The execution in which it stands.
    #[serde(default)]
    pub execution_id: String,
    /// The process instance.
    #[serde(default)]
    pub process_instance_id: String,
    /// The process definition's id.
    #[serde(default)]
    pub process_definition_id: String,
    /// The process definition's key.
    #[serde(default)]
    pub process_definition_key: String,
    /// The instance's business key.
    #[serde(default)]
    pub business_key: Option<String>,
    /// The tenant.
    #[serde(default)]
    pub tenant_id: Option<String>,
    /// How many attempts are left; absent until the first failure.
    #[serde(default)]
    pub retries: Option<i32>,
    /// Its priority.
    #[serde(default)]
    pub priority: i64,
    /// The variables asked for.
    #[serde(default)]
    pub variables: Variables,
    /// The element's extension properties.
    #[serde(default, deserialize_with = "with_values")]
    pub extension_properties: BTreeMap<String, String>,
    /// Why the rest of it is not here: the engine's answer had something in this task that cannot be read. Its id,
    /// topic and worker are all that is known then.
    #[serde(skip)]
    pub unreadable: Option<String>,
}

impl EngineClient {
    /// Locks tasks and returns them; with a long poll, waits for the first. A task that cannot be read comes as such
    /// ([`LockedTask::unreadable`]) and costs the others nothing.
    ///
    /// May be repeated; yet tasks that an answer which got lost had brought stay locked: find them by
    /// [`EngineClient::locked_by`]. At most one of these is to be under way for each worker id.
    ///
    /// # Errors
    /// As every call: see [`EngineError`].
    pub async fn fetch_and_lock(&self, request: &FetchRequest) -> Result<Vec<LockedTask>, EngineError> {
        let patience = request.long_poll + POLL_GRACE;
        let answer = self
            .post(&["external-task", "fetchAndLock"])
            .json(request)
            .timeout(patience)
            .bytes()
            .await?;
        tasks(&answer).map_err(|error| EngineError::Unexpected {
            url: self.url().to_string(),
            reason: error.to_string(),
        })
    }
}

/// Nobody models this topic.
const NO_TOPIC: &str = "procos.nudge";

impl EngineClient {
    /// Makes the engine look again for every pending long poll, by a poll of its own that asks for nothing.
    ///
    /// An engine wakes pending polls when a task arrives or is unlocked on the same node. That a lock or a retry delay
    /// has ended, or that somebody has given a task retries, it notices only at its own slow re-check, or when any
    /// other poll arrives (`FetchAndLockHandlerImpl`, Camunda 7.24). Sent with a pool's own worker id it also ends that
    /// pool's pending poll, on an engine with `fetch-and-lock-unique-worker-request`. May be repeated.
    ///
    /// # Errors
    /// As every call: see [`EngineError`].
    pub async fn wake_polls(&self, worker_id: &str) -> Result<(), EngineError> {
        let request = FetchRequest {
            long_poll: Duration::from_millis(1),
            ..FetchRequest::new(worker_id, 1, [FetchTopic::new(NO_TOPIC, Duration::from_secs(1))])
        };
        self.fetch_and_lock(&request).await.map(drop)
    }
}

/// The tasks of an answer. Read as a whole, which is fast; one by one only where that fails.
fn tasks(answer: &[u8]) -> serde_json::Result<Vec<LockedTask>> {
    if let Ok(tasks) = serde_json::from_slice(answer) {
        return Ok(tasks);
    }
    let tasks: Vec<serde_json::Value> = serde_json::from_slice(answer)?;
    let text = |task: &serde_json::Value, field: &str| task[field].as_str().unwrap_or_default().to_owned();
    let read = |task: serde_json::Value| match LockedTask::deserialize(&task) {
        Ok(task) => task,
        Err(error) => LockedTask {
            id: text(&task, "id"),
            topic_name: text(&task, "topicName"),
            worker_id: text(&task, "workerId"),
            activity_id: text(&task, "activityId"),
            unreadable: Some(error.to_string()),
            ..LockedTask::default()
        },
    };
    Ok(tasks.into_iter().map(read).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_property_without_a_value_is_as_good_as_none() {
        let task =
            r#"{"id": "1", "topicName": "t", "workerId": "w", "extensionProperties": {"a": "1", "b": null}}"#;
        let task: LockedTask = serde_json::from_str(task).unwrap();
        assert_eq!(
            task.extension_properties,
            BTreeMap::from([("a".to_owned(), "1".to_owned())])
        );
    }

    #[test]
    fn a_task_that_cannot_be_read_costs_the_others_nothing() {
        let answer = br#"[{"id": "1", "topicName": "t", "workerId": "w"},
            {"id": "2", "topicName": "t", "workerId": "w", "activityId": "a", "lockExpirationTime": "some day"}]"#;
        let tasks = tasks(answer).unwrap();
        assert_eq!(
            tasks.iter().map(|task| task.id.as_str()).collect::<Vec<_>>(),
            ["1", "2"]
        );
        assert_eq!(
            (&tasks[0].unreadable, tasks[1].activity_id.as_str()),
            (&None, "a")
        );
        assert!(
            tasks[1]
                .unreadable
                .as_ref()
                .is_some_and(|why| why.contains("some day")),
            "{tasks:?}"
        );
    }
}
