//! Jobs: timers and asynchronous continuations.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::count::Count;
use crate::{EngineClient, EngineError, date};

/// A job: a timer or an asynchronous continuation.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Job {
    /// Its id.
    pub id: String,
    /// How many attempts are left.
    pub retries: i32,
    /// The element that failed.
    #[serde(default)]
    pub failed_activity_id: Option<String>,
    /// The last failure's message.
    #[serde(default)]
    pub exception_message: Option<String>,
    /// The process instance.
    #[serde(default)]
    pub process_instance_id: Option<String>,
    /// The execution.
    #[serde(default)]
    pub execution_id: Option<String>,
    /// The definition's id.
    #[serde(default)]
    pub process_definition_id: Option<String>,
    /// The definition's key.
    #[serde(default)]
    pub process_definition_key: Option<String>,
    /// When it is due; at once where there is none.
    #[serde(default, deserialize_with = "date::optional::deserialize")]
    pub due_date: Option<Timestamp>,
    /// When it was created.
    #[serde(default, deserialize_with = "date::optional::deserialize")]
    pub create_time: Option<Timestamp>,
    /// Whether it is suspended: the engine does not run it by itself.
    #[serde(default)]
    pub suspended: bool,
    /// Its priority.
    #[serde(default)]
    pub priority: i64,
    /// The tenant.
    #[serde(default)]
    pub tenant_id: Option<String>,
}

/// Which jobs are meant: all that match every field that is set.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct JobQuery<'a> {
    /// Of this instance.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub process_instance_id: Option<&'a str>,
    /// Of this version of a definition.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub process_definition_id: Option<&'a str>,
    /// Of definitions of this key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub process_definition_key: Option<&'a str>,
    /// Of this element.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub activity_id: Option<&'a str>,
    /// Only timers.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub timers: bool,
    /// Only asynchronous continuations.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub messages: bool,
    /// Only such as are due and have attempts left, suspended or not.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub executable: bool,
    /// Only such as have failed in their last attempt.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub with_exception: bool,
    /// Only such as have no attempts left: those with an incident.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub no_retries_left: bool,
    /// Only such as are suspended.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub suspended: bool,
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
    /// The jobs of an instance. May be repeated.
    ///
    /// # Errors
    /// As every call: see [`EngineError`].
    pub async fn jobs(&self, process_instance_id: &str) -> Result<Vec<Job>, EngineError> {
        self.get(&["job"])
            .query(&[("processInstanceId", process_instance_id)])
            .read()
            .await
    }

    /// The jobs that match, by their ids. May be repeated.
    ///
    /// # Errors
    /// As every call: see [`EngineError`].
    pub async fn find_jobs(&self, query: &JobQuery<'_>) -> Result<Vec<Job>, EngineError> {
        self.get(&["job"])
            .query(&[("sortBy", "jobId"), ("sortOrder", "asc")])
            .query(query)
            .read()
            .await
    }

    /// How many jobs match. May be repeated.
    ///
    /// # Errors
    /// As every call: see [`EngineError`].
    pub async fn count_jobs(&self, query: &JobQuery<'_>) -> Result<u64, EngineError> {
        Count::of(self.get(&["job", "count"]).query(query)).await
    }

    /// A job. May be repeated.
    ///
    /// # Errors
    /// `is_not_found` where the job is gone.
    pub async fn job(&self, job_id: &str) -> Result<Job, EngineError> {
        self.get(&["job", job_id]).read().await
    }

    /// Gives a job a number of attempts left; more than none resolves its incident. May be repeated.
    ///
    /// # Errors
    /// `is_internal` where the job is gone: the engines have no 404 for it.
    pub async fn set_job_retries(&self, job_id: &str, retries: u32) -> Result<(), EngineError> {
        self.put(&["job", job_id, "retries"])
            .json(&serde_json::json!({ "retries": retries }))
            .done()
            .await
    }

    /// Runs a job now, in this call, suspended or not. Not to be repeated blindly: each failure costs one of its
    /// attempts.
    ///
    /// # Errors
    /// `is_not_found` where the job is gone, and where it fails: the engines answer both alike. Whether
    /// [`EngineClient::job`] still finds it tells them apart.
    pub async fn execute_job(&self, job_id: &str) -> Result<(), EngineError> {
        self.post(&["job", job_id, "execute"]).done().await
    }

    /// Suspends a job, so that the engine does not run it by itself, or lets it go on. May be repeated.
    ///
    /// # Errors
    /// As every call: see [`EngineError`]. A job that is gone is no error.
    pub async fn suspend_job(&self, job_id: &str, suspended: bool) -> Result<(), EngineError> {
        self.put(&["job", job_id, "suspended"])
            .json(&serde_json::json!({ "suspended": suspended }))
            .done()
            .await
    }

    /// Makes a job due at another moment; `cascade` moves the next dates of a cycle with it. May be repeated.
    ///
    /// # Errors
    /// `is_internal` where the job is gone: the engines have no 404 for it.
    pub async fn set_job_due_date(
        &self,
        job_id: &str,
        due: Timestamp,
        cascade: bool,
    ) -> Result<(), EngineError> {
        let body = serde_json::json!({ "duedate": date::format(due), "cascade": cascade });
        self.put(&["job", job_id, "duedate"]).json(&body).done().await
    }

    /// The stack trace of a job's last failure; empty where there is none. May be repeated.
    ///
    /// # Errors
    /// `is_not_found` where the job is gone.
    pub async fn job_stacktrace(&self, job_id: &str) -> Result<String, EngineError> {
        let bytes = self.get(&["job", job_id, "stacktrace"]).bytes().await?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}
