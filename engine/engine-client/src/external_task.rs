//! Looking for external tasks, and steering them from outside.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::count::Count;
use crate::{Download, EngineClient, EngineError, Scope, date};

/// An external task as the list of them shows it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExternalTask {
    /// The task's id.
    pub id: String,
    /// Its topic.
    pub topic_name: String,
    /// Who locks it or locked it last.
    #[serde(default)]
    pub worker_id: Option<String>,
    /// When the lock ends or ended.
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
    /// Its priority.
    #[serde(default)]
    pub priority: i64,
    /// Whether it is suspended: no worker gets it.
    #[serde(default)]
    pub suspended: bool,
    /// When it was created, where the engine tells it (Camunda from 7.21).
    #[serde(default, deserialize_with = "date::optional::deserialize")]
    pub create_time: Option<Timestamp>,
    /// How many attempts are left; absent until the first failure.
    #[serde(default)]
    pub retries: Option<i32>,
    /// The last failure's message.
    #[serde(default)]
    pub error_message: Option<String>,
}

/// Which external tasks are meant: all that match every field that is set.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ExternalTaskQuery<'a> {
    /// Of this topic.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub topic_name: Option<&'a str>,
    /// Locked by this worker, now or last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub worker_id: Option<&'a str>,
    /// Only such as are locked now.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub locked: bool,
    /// Only such as are not locked now.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub not_locked: bool,
    /// Only such as have attempts left, or have had none yet.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub with_retries_left: bool,
    /// Only such as have no attempts left: those with an incident.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub no_retries_left: bool,
    /// Only such as are suspended.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub suspended: bool,
    /// Of this element.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub activity_id: Option<&'a str>,
    /// In this execution.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub execution_id: Option<&'a str>,
    /// Of this instance.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub process_instance_id: Option<&'a str>,
    /// Of this version of a definition.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub process_definition_id: Option<&'a str>,
    /// Of this tenant.
    #[serde(rename = "tenantIdIn", skip_serializing_if = "Option::is_none")]
    pub tenant_id: Option<&'a str>,
    /// How many of them are passed over, by their ids; for lists alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_result: Option<usize>,
    /// How many are answered at most; for lists alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_results: Option<usize>,
}

impl EngineClient {
    /// The external tasks that match, by their ids. May be repeated.
    ///
    /// # Errors
    /// As every call: see [`EngineError`].
    pub async fn find_external_tasks(
        &self,
        query: &ExternalTaskQuery<'_>,
    ) -> Result<Vec<ExternalTask>, EngineError> {
        self.get(&["external-task"])
            .query(&[("sortBy", "id"), ("sortOrder", "asc")])
            .query(query)
            .read()
            .await
    }

    /// The tasks of a topic that a worker could lock now, at most so many, those of the highest priority first. May be
    /// repeated.
    ///
    /// # Errors
    /// As every call: see [`EngineError`].
    pub async fn waiting_tasks(&self, topic: &str, most: usize) -> Result<Vec<ExternalTask>, EngineError> {
        let most = most.to_string();
        let query = [
            ("topicName", topic),
            ("notLocked", "true"),
            ("withRetriesLeft", "true"),
            ("active", "true"),
            ("sortBy", "taskPriority"),
            ("sortOrder", "desc"),
            ("maxResults", most.as_str()),
        ];
        self.get(&["external-task"]).query(&query).read().await
    }

    /// How many external tasks match. May be repeated.
    ///
    /// # Errors
    /// As every call: see [`EngineError`].
    pub async fn count_external_tasks(&self, query: &ExternalTaskQuery<'_>) -> Result<u64, EngineError> {
        Count::of(self.get(&["external-task", "count"]).query(query)).await
    }

    /// An external task. May be repeated.
    ///
    /// # Errors
    /// `is_not_found` where the task is gone.
    pub async fn external_task(&self, task_id: &str) -> Result<ExternalTask, EngineError> {
        self.get(&["external-task", task_id]).read().await
    }

    /// The topics of which tasks wait for a worker: not locked, with attempts left. May be repeated.
    ///
    /// # Errors
    /// As every call: see [`EngineError`].
    pub async fn waiting_topics(&self) -> Result<Vec<String>, EngineError> {
        self.get(&["external-task", "topic-names"])
            .query(&[("withUnlockedTasks", "true"), ("withRetriesLeft", "true")])
            .read()
            .await
    }

    /// The tasks that a worker has locked now. May be repeated.
    ///
    /// # Errors
    /// As every call: see [`EngineError`].
    pub async fn locked_by(&self, worker_id: &str) -> Result<Vec<ExternalTask>, EngineError> {
        self.get(&["external-task"])
            .query(&[("workerId", worker_id), ("locked", "true")])
            .read()
            .await
    }

    /// The external tasks of an instance. May be repeated.
    ///
    /// # Errors
    /// As every call: see [`EngineError`].
    pub async fn external_tasks(&self, process_instance_id: &str) -> Result<Vec<ExternalTask>, EngineError> {
        self.get(&["external-task"])
            .query(&[("processInstanceId", process_instance_id)])
            .read()
            .await
    }

    /// How many tasks of a topic wait for a worker: not locked, with attempts left. May be repeated.
    ///
    /// # Errors
    /// As every call: see [`EngineError`].
    pub async fn backlog(&self, topic: &str) -> Result<u64, EngineError> {
        let query = ExternalTaskQuery {
            topic_name: Some(topic),
            not_locked: true,
            with_retries_left: true,
            ..ExternalTaskQuery::default()
        };
        self.count_external_tasks(&query).await
    }

    /// Gives a task a number of attempts left; more than none resolves its incident, and workers hear of it at once.
    /// May be repeated.
    ///
    /// # Errors
    /// `is_not_found` where the task is gone.
    pub async fn set_external_task_retries(&self, task_id: &str, retries: u32) -> Result<(), EngineError> {
        let body = serde_json::json!({ "retries": retries });
        self.put(&["external-task", task_id, "retries"])
            .json(&body)
            .done()
            .await?;
        self.tell_of_retries().await;
        Ok(())
    }

    /// Gives many tasks a number of attempts left in one transaction: those of these ids, and all of these
    /// instances. More than none resolves their incidents, and workers hear of it at once. May be repeated.
    ///
    /// # Errors
    /// `is_not_found` where one of the tasks is gone, `is_bad_request` where no task is meant, such as that of an
    /// instance without any; nothing has changed then.
    pub async fn set_many_external_task_retries(
        &self,
        task_ids: &[&str],
        process_instance_ids: &[&str],
        retries: u32,
    ) -> Result<(), EngineError> {
        let some = |ids: &[&str]| (!ids.is_empty()).then(|| serde_json::json!(ids));
        let body = serde_json::json!({
            "externalTaskIds": some(task_ids),
            "processInstanceIds": some(process_instance_ids),
            "retries": retries,
        });
        self.put(&["external-task", "retries"]).json(&body).done().await?;
        self.tell_of_retries().await;
        Ok(())
    }

    /// It is done, whether or not a pending poll hears of it now.
    async fn tell_of_retries(&self) {
        if let Err(error) = self.wake_polls("procos-retry").await {
            tracing::debug!(%error, "could not wake the pending polls");
        }
    }

    /// Gives a task a priority: higher ones come first where a worker asks for that. May be repeated.
    ///
    /// # Errors
    /// `is_not_found` where the task is gone.
    pub async fn set_external_task_priority(&self, task_id: &str, priority: i64) -> Result<(), EngineError> {
        self.put(&["external-task", task_id, "priority"])
            .json(&serde_json::json!({ "priority": priority }))
            .done()
            .await
    }

    /// The details of a task's last failure; empty where there is none. May be repeated.
    ///
    /// # Errors
    /// `is_internal` where the task is gone: the engines have no 404 for it.
    pub async fn error_details(&self, task_id: &str) -> Result<String, EngineError> {
        let bytes = self
            .get(&["external-task", task_id, "errorDetails"])
            .bytes()
            .await?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// A file or bytes variable's content, bit by bit: from the scope of the execution, else from its process instance.
    /// May be repeated.
    ///
    /// # Errors
    /// `is_not_found` where neither has it, [`EngineError::TooLarge`] where it has more than `limit` bytes.
    pub async fn variable_data(
        &self,
        execution_id: &str,
        process_instance_id: &str,
        name: &str,
        limit: u64,
    ) -> Result<Download, EngineError> {
        let local = Scope::Execution(execution_id);
        match self.download_variable(local, name, limit).await {
            Err(error) if error.is_not_found() => {
                self.download_variable(Scope::Instance(process_instance_id), name, limit)
                    .await
            }
            answer => answer,
        }
    }
}
