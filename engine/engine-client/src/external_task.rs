//! External tasks: reporting on them, keeping them, looking for them.

use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use serde::Deserialize;

use crate::{EngineClient, EngineError, Variables, date, encode};

/// Without the zero character, which PostgreSQL cannot keep in text: the report would be refused for ever.
fn storable(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

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
    /// The process definition's key.
    #[serde(default)]
    pub process_definition_key: String,
    /// How many attempts are left; absent until the first failure.
    #[serde(default)]
    pub retries: Option<i32>,
    /// The last failure's message.
    #[serde(default)]
    pub error_message: Option<String>,
}

/// The report that a task is done.
#[derive(Clone, Debug, Default)]
pub struct Completion {
    /// Variables for the scopes above: existing ones are overwritten where they stand, others go to the process.
    pub variables: Variables,
    /// Variables of the task's own scope, for output parameters to use.
    pub local_variables: Variables,
}

/// The report that an attempt has failed.
#[derive(Clone, Debug)]
pub struct FailureReport {
    /// One sentence. The engine keeps 666 characters of it.
    pub message: String,
    /// All that is known beyond that.
    pub details: String,
    /// How many attempts are left. None left is an incident.
    pub retries: u32,
    /// How long the engine is to hold the task back before the next attempt.
    pub retry_timeout: Duration,
}

/// The report that an attempt has ended in a business error.
#[derive(Clone, Debug)]
pub struct BpmnErrorReport {
    /// The error's code.
    pub code: String,
    /// What went wrong.
    pub message: String,
    /// Variables for the scope that catches the error.
    pub variables: Variables,
}

impl EngineClient {
    /// Reports a task as done. May be repeated: "not found" after an answer that got lost means that it was taken.
    ///
    /// # Errors
    /// `is_not_found` where the task is gone, `is_not_owner` where somebody else has locked it since.
    pub async fn complete(
        &self,
        task_id: &str,
        worker_id: &str,
        report: &Completion,
    ) -> Result<(), EngineError> {
        let body = serde_json::json!({
            "workerId": worker_id,
            "variables": encode(&report.variables)?,
            "localVariables": encode(&report.local_variables)?,
        });
        self.post(&["external-task", task_id, "complete"])
            .json(&body)
            .done()
            .await
    }

    /// Reports that an attempt has failed. May be repeated: the same report overwrites itself.
    ///
    /// # Errors
    /// `is_not_found` where the task is gone, `is_not_owner` where somebody else has locked it since.
    pub async fn fail(
        &self,
        task_id: &str,
        worker_id: &str,
        report: &FailureReport,
    ) -> Result<(), EngineError> {
        let body = serde_json::json!({
            "workerId": worker_id,
            "errorMessage": storable(&report.message),
            "errorDetails": report.details,
            "retries": report.retries,
            "retryTimeout": u64::try_from(report.retry_timeout.as_millis()).unwrap_or(u64::MAX),
        });
        self.post(&["external-task", task_id, "failure"])
            .json(&body)
            .done()
            .await
    }

    /// Throws a BPMN error at the task. May be repeated: "not found" after an answer that got lost means that it
    /// was taken. An engine without `enableExceptionsAfterUnhandledBpmnError` ends the execution in silence where
    /// nothing catches the code.
    ///
    /// # Errors
    /// `is_not_found` where the task is gone, `is_not_owner` where somebody else has locked it since,
    /// `is_internal` where nothing catches the code and the engine enables exceptions for that.
    pub async fn throw_bpmn_error(
        &self,
        task_id: &str,
        worker_id: &str,
        report: &BpmnErrorReport,
    ) -> Result<(), EngineError> {
        let body = serde_json::json!({
            "workerId": worker_id,
            "errorCode": report.code,
            "errorMessage": storable(&report.message),
            "variables": encode(&report.variables)?,
        });
        self.post(&["external-task", task_id, "bpmnError"])
            .json(&body)
            .done()
            .await
    }

    /// Sets the lock's end to this long from now. May be repeated.
    ///
    /// # Errors
    /// `is_not_found` where the task is gone, `is_not_owner` where the lock has run out or is another's.
    pub async fn extend_lock(&self, task_id: &str, worker_id: &str, by: Duration) -> Result<(), EngineError> {
        let body = serde_json::json!({
            "workerId": worker_id,
            "newDuration": u64::try_from(by.as_millis()).unwrap_or(u64::MAX),
        });
        self.post(&["external-task", task_id, "extendLock"])
            .json(&body)
            .done()
            .await
    }

    /// Locks one task. May be repeated.
    ///
    /// # Errors
    /// `is_not_found` where the task is gone, `is_bad_request` where another worker holds a live lock.
    pub async fn lock(
        &self,
        task_id: &str,
        worker_id: &str,
        lock_duration: Duration,
    ) -> Result<(), EngineError> {
        let body = serde_json::json!({
            "workerId": worker_id,
            "lockDuration": u64::try_from(lock_duration.as_millis()).unwrap_or(u64::MAX),
        });
        self.post(&["external-task", task_id, "lock"])
            .json(&body)
            .done()
            .await
    }

    /// Takes a task's lock away, whoever holds it: the engine does not check. May be repeated.
    ///
    /// # Errors
    /// `is_not_found` where the task is gone.
    pub async fn unlock(&self, task_id: &str) -> Result<(), EngineError> {
        self.post(&["external-task", task_id, "unlock"]).done().await
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
        #[derive(Deserialize)]
        struct Count {
            count: u64,
        }
        let query = [
            ("topicName", topic),
            ("notLocked", "true"),
            ("withRetriesLeft", "true"),
        ];
        let count: Count = self.get(&["external-task", "count"]).query(&query).read().await?;
        Ok(count.count)
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
        // It is done, whether or not a pending poll hears of it now.
        if let Err(error) = self.wake_polls("procos-retry").await {
            tracing::debug!(%error, "could not wake the pending polls");
        }
        Ok(())
    }

    /// The details of a task's last failure. May be repeated.
    ///
    /// # Errors
    /// `is_not_found` where the task is gone.
    pub async fn error_details(&self, task_id: &str) -> Result<String, EngineError> {
        let bytes = self
            .get(&["external-task", task_id, "errorDetails"])
            .bytes()
            .await?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// A file or bytes variable's content: from the scope of the execution, else from its process instance. May
    /// be repeated.
    ///
    /// # Errors
    /// `is_not_found` where neither has it.
    pub async fn variable_data(
        &self,
        execution_id: &str,
        process_instance_id: &str,
        name: &str,
    ) -> Result<Bytes, EngineError> {
        let local = self
            .get(&["execution", execution_id, "localVariables", name, "data"])
            .bytes()
            .await;
        match local {
            Err(error) if error.is_not_found() => {
                self.get(&["process-instance", process_instance_id, "variables", name, "data"])
                    .bytes()
                    .await
            }
            answer => answer,
        }
    }
}
