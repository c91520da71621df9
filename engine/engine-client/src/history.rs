//! What has happened: instances, steps, attempts and values, running ones included.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::count::Count;
use crate::{EngineClient, EngineError, TypedValue, Variable, date};

/// How an instance stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum InstanceState {
    /// It runs.
    Active,
    /// It is suspended.
    Suspended,
    /// It has reached its end.
    Completed,
    /// It was cancelled from outside.
    ExternallyTerminated,
    /// It was ended by the model: a terminate end event.
    InternallyTerminated,
}

impl InstanceState {
    /// Whether it has ended, in whatever way.
    #[must_use]
    pub fn is_over(self) -> bool {
        !matches!(self, Self::Active | Self::Suspended)
    }
}

/// An instance in the history.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InstanceRecord {
    /// Its id.
    pub id: String,
    /// The key of its definition.
    pub process_definition_key: String,
    /// The id of its definition.
    pub process_definition_id: String,
    /// The name of its definition.
    #[serde(default)]
    pub process_definition_name: Option<String>,
    /// The version of its definition.
    #[serde(default)]
    pub process_definition_version: Option<u32>,
    /// Its business key.
    #[serde(default)]
    pub business_key: Option<String>,
    /// When it started.
    #[serde(default, deserialize_with = "date::optional::deserialize")]
    pub start_time: Option<Timestamp>,
    /// When it ended.
    #[serde(default, deserialize_with = "date::optional::deserialize")]
    pub end_time: Option<Timestamp>,
    /// How it stands.
    pub state: InstanceState,
    /// The instance that called it.
    #[serde(default)]
    pub super_process_instance_id: Option<String>,
    /// Why it was cancelled.
    #[serde(default)]
    pub delete_reason: Option<String>,
    /// Its tenant.
    #[serde(default)]
    pub tenant_id: Option<String>,
}

/// Which instances of the history are meant: all that match every field that is set, the latest started first.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RecordQuery<'a> {
    /// Of this definition key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub process_definition_key: Option<&'a str>,
    /// Of this version of a definition, by its id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub process_definition_id: Option<&'a str>,
    /// With this business key.
    #[serde(
        rename = "processInstanceBusinessKey",
        skip_serializing_if = "Option::is_none"
    )]
    pub business_key: Option<&'a str>,
    /// Of this tenant.
    #[serde(rename = "tenantIdIn", skip_serializing_if = "Option::is_none")]
    pub tenant_id: Option<&'a str>,
    /// Called by this instance.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub super_process_instance_id: Option<&'a str>,
    /// Only such as run.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub unfinished: bool,
    /// Only such as have ended.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub finished: bool,
    /// Started at this moment or later.
    #[serde(
        skip_serializing_if = "Option::is_none",
        serialize_with = "date::optional::serialize"
    )]
    pub started_after: Option<Timestamp>,
    /// Ended at this moment or later.
    #[serde(
        skip_serializing_if = "Option::is_none",
        serialize_with = "date::optional::serialize"
    )]
    pub finished_after: Option<Timestamp>,
    /// How many of them are passed over.
    pub first_result: usize,
    /// How many are answered at most.
    pub max_results: usize,
}

/// A step: one visit of an instance to an element.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ActivityRecord {
    /// The activity instance's id.
    pub id: String,
    /// The activity instance of the scope around it: of the process or of a subprocess.
    #[serde(default)]
    pub parent_activity_instance_id: Option<String>,
    /// The element's id.
    pub activity_id: String,
    /// The element's name.
    #[serde(default)]
    pub activity_name: Option<String>,
    /// `serviceTask`, `startEvent`, `exclusiveGateway`, …
    pub activity_type: String,
    /// When it was entered.
    #[serde(default, deserialize_with = "date::optional::deserialize")]
    pub start_time: Option<Timestamp>,
    /// When it was left.
    #[serde(default, deserialize_with = "date::optional::deserialize")]
    pub end_time: Option<Timestamp>,
    /// Whether it was left by being cancelled: a boundary event, an ended scope.
    #[serde(default)]
    pub canceled: bool,
    /// The instance that a call activity has called.
    #[serde(default)]
    pub called_process_instance_id: Option<String>,
}

/// One event in an external task's life.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExternalTaskRecord {
    /// The record's id.
    pub id: String,
    /// The external task's id.
    pub external_task_id: String,
    /// When.
    #[serde(default, deserialize_with = "date::optional::deserialize")]
    pub timestamp: Option<Timestamp>,
    /// The topic.
    #[serde(default)]
    pub topic_name: Option<String>,
    /// The worker.
    #[serde(default)]
    pub worker_id: Option<String>,
    /// How many attempts were left.
    #[serde(default)]
    pub retries: Option<i32>,
    /// The failure's message.
    #[serde(default)]
    pub error_message: Option<String>,
    /// The element.
    #[serde(default)]
    pub activity_id: Option<String>,
    /// The activity instance.
    #[serde(default)]
    pub activity_instance_id: Option<String>,
    /// The process instance.
    #[serde(default)]
    pub process_instance_id: Option<String>,
    /// The process definition's key.
    #[serde(default)]
    pub process_definition_key: Option<String>,
    /// The tenant.
    #[serde(default)]
    pub tenant_id: Option<String>,
    /// Whether the task was created then.
    #[serde(default)]
    pub creation_log: bool,
    /// Whether an attempt failed then.
    #[serde(default)]
    pub failure_log: bool,
    /// Whether the task was done then.
    #[serde(default)]
    pub success_log: bool,
}

/// A variable in the history.
#[derive(Clone, Debug)]
pub struct VariableRecord {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its last value.
    pub value: Variable,
    /// The activity instance whose scope it belonged to: the process instance's id for a process variable.
    pub activity_instance_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawVariable {
    id: String,
    name: String,
    #[serde(default)]
    activity_instance_id: String,
    #[serde(flatten)]
    value: TypedValue,
}

impl EngineClient {
    /// An instance, running or ended. May be repeated.
    ///
    /// # Errors
    /// `is_not_found` where the engine knows none of this id.
    pub async fn instance_record(&self, id: &str) -> Result<InstanceRecord, EngineError> {
        self.get(&["history", "process-instance", id]).read().await
    }

    /// The instances that started last, running or ended: at most `limit` of them, of one definition key and
    /// one state where these are given. May be repeated.
    ///
    /// # Errors
    /// As every call: see [`EngineError`].
    pub async fn instance_records(
        &self,
        key: Option<&str>,
        running: Option<bool>,
        limit: usize,
    ) -> Result<Vec<InstanceRecord>, EngineError> {
        let limit = limit.to_string();
        let mut query = vec![
            ("sortBy", "startTime"),
            ("sortOrder", "desc"),
            ("maxResults", limit.as_str()),
        ];
        query.extend(key.map(|key| ("processDefinitionKey", key)));
        query.extend(running.map(|running| (if running { "unfinished" } else { "finished" }, "true")));
        self.get(&["history", "process-instance"])
            .query(&query)
            .read()
            .await
    }

    /// The instances that match, the latest started first. May be repeated.
    ///
    /// # Errors
    /// As every call: see [`EngineError`].
    pub async fn find_instance_records(
        &self,
        query: &RecordQuery<'_>,
    ) -> Result<Vec<InstanceRecord>, EngineError> {
        self.get(&["history", "process-instance"])
            .query(&[("sortBy", "startTime"), ("sortOrder", "desc")])
            .query(query)
            .read()
            .await
    }

    /// The instances that match, the latest ended first. May be repeated.
    ///
    /// # Errors
    /// As every call: see [`EngineError`].
    pub async fn ended_instance_records(
        &self,
        query: &RecordQuery<'_>,
    ) -> Result<Vec<InstanceRecord>, EngineError> {
        self.get(&["history", "process-instance"])
            .query(&[("sortBy", "endTime"), ("sortOrder", "desc")])
            .query(query)
            .read()
            .await
    }

    /// How many instances match, on whatever page. May be repeated.
    ///
    /// # Errors
    /// As every call: see [`EngineError`].
    pub async fn count_instance_records(&self, query: &RecordQuery<'_>) -> Result<u64, EngineError> {
        let call = self.get(&["history", "process-instance", "count"]);
        Count::of(call.query(query)).await
    }

    /// Whether the history holds any change of a variable, which the level `full` alone keeps. May be repeated.
    ///
    /// # Errors
    /// As every call: see [`EngineError`].
    pub async fn keeps_details(&self) -> Result<bool, EngineError> {
        let query = [
            ("variableUpdates", "true"),
            ("maxResults", "1"),
            ("deserializeValues", "false"),
        ];
        let details: Vec<serde_json::Value> = self.get(&["history", "detail"]).query(&query).read().await?;
        Ok(!details.is_empty())
    }

    /// The steps at which an instance stands. May be repeated.
    ///
    /// # Errors
    /// As every call: see [`EngineError`].
    pub async fn current_activities(&self, instance_id: &str) -> Result<Vec<ActivityRecord>, EngineError> {
        let query = [("processInstanceId", instance_id), ("unfinished", "true")];
        self.get(&["history", "activity-instance"])
            .query(&query)
            .read()
            .await
    }

    /// The steps of an instance in the order in which they began. May be repeated.
    ///
    /// # Errors
    /// As every call: see [`EngineError`].
    pub async fn activity_records(&self, instance_id: &str) -> Result<Vec<ActivityRecord>, EngineError> {
        let query = [
            ("processInstanceId", instance_id),
            ("sortBy", "occurrence"),
            ("sortOrder", "asc"),
        ];
        self.get(&["history", "activity-instance"])
            .query(&query)
            .read()
            .await
    }

    /// The call activities of a running instance that wait for what they called. May be repeated.
    ///
    /// # Errors
    /// As every call: see [`EngineError`].
    pub async fn open_call_activities(&self, instance_id: &str) -> Result<Vec<ActivityRecord>, EngineError> {
        let query = [
            ("processInstanceId", instance_id),
            ("activityType", "callActivity"),
            ("unfinished", "true"),
        ];
        self.get(&["history", "activity-instance"])
            .query(&query)
            .read()
            .await
    }

    /// What happened to the external tasks of an instance, oldest first. May be repeated.
    ///
    /// # Errors
    /// As every call: see [`EngineError`].
    pub async fn external_task_records(
        &self,
        instance_id: &str,
    ) -> Result<Vec<ExternalTaskRecord>, EngineError> {
        let query = [
            ("processInstanceId", instance_id),
            ("sortBy", "timestamp"),
            ("sortOrder", "asc"),
        ];
        self.get(&["history", "external-task-log"])
            .query(&query)
            .read()
            .await
    }

    /// What happened to external tasks of all instances, the latest first: so many, after so many that are passed over. May be
    /// repeated.
    ///
    /// # Errors
    /// As every call: see [`EngineError`].
    pub async fn latest_external_task_records(
        &self,
        first_result: usize,
        max_results: usize,
    ) -> Result<Vec<ExternalTaskRecord>, EngineError> {
        self.get(&["history", "external-task-log"])
            .query(&[("sortBy", "timestamp"), ("sortOrder", "desc")])
            .query(&[("firstResult", first_result), ("maxResults", max_results)])
            .read()
            .await
    }

    /// The details of a failure in the history; empty where the record is of something else. May be repeated.
    ///
    /// # Errors
    /// `is_not_found` where there is no such record.
    pub async fn failure_details(&self, record_id: &str) -> Result<String, EngineError> {
        let bytes = self
            .get(&["history", "external-task-log", record_id, "error-details"])
            .bytes()
            .await?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// The content of a file or bytes variable in the history. May be repeated.
    ///
    /// # Errors
    /// `is_not_found` where there is no such variable.
    pub async fn variable_record_data(&self, id: &str) -> Result<bytes::Bytes, EngineError> {
        self.get(&["history", "variable-instance", id, "data"])
            .bytes()
            .await
    }

    /// Whether any instance, running or over, has or had a variable of this name. May be repeated.
    ///
    /// # Errors
    /// As every call: see [`EngineError`].
    pub async fn has_variable_record(&self, name: &str) -> Result<bool, EngineError> {
        let call = self
            .get(&["history", "variable-instance", "count"])
            .query(&[("variableName", name)]);
        Ok(Count::of(call).await? > 0)
    }

    /// The last value of every variable of an instance, of all its scopes. The content of files and bytes is left
    /// out. May be repeated.
    ///
    /// # Errors
    /// As every call: see [`EngineError`].
    pub async fn variable_records(&self, instance_id: &str) -> Result<Vec<VariableRecord>, EngineError> {
        let query = [("processInstanceId", instance_id), ("deserializeValues", "false")];
        let raw: Vec<RawVariable> = self
            .get(&["history", "variable-instance"])
            .query(&query)
            .read()
            .await?;
        Ok(raw
            .into_iter()
            .map(|raw| VariableRecord {
                id: raw.id,
                name: raw.name,
                value: raw.value.into(),
                activity_instance_id: raw.activity_instance_id,
            })
            .collect())
    }
}
