//! Reporting on external tasks, and keeping them.

use std::time::Duration;

use serde::{Serialize, Serializer};

use crate::limits::{LONGEST_MESSAGE, LONGEST_STRING, UnrepresentableValue, shortened};
use crate::{Encoded, EngineClient, EngineError, Variables, encode};

/// The report that a task is done.
#[derive(Clone, Debug, Default)]
pub struct Completion {
    /// Variables for the scopes above: existing ones are overwritten where they stand, others go to the process.
    pub variables: Variables,
    /// Variables of the task's own scope, for output parameters to use.
    pub local_variables: Variables,
}

/// The report that an attempt has failed.
#[derive(Clone, Debug, Default)]
pub struct FailureReport {
    /// One sentence. The engine keeps 666 characters of it.
    pub message: String,
    /// All that is known beyond that.
    pub details: String,
    /// How many attempts are left. None left is an incident.
    pub retries: u32,
    /// How long the engine is to hold the task back before the next attempt.
    pub retry_timeout: Duration,
    /// Variables for the scopes above, which the next attempt finds.
    pub variables: Variables,
    /// Variables of the task's own scope, which the next attempt finds.
    pub local_variables: Variables,
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

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CompletionBody<'a> {
    worker_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    variables: Option<Encoded<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    local_variables: Option<Encoded<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct FailureBody<'a> {
    worker_id: &'a str,
    error_message: &'a str,
    error_details: &'a str,
    retries: u32,
    #[serde(serialize_with = "millis")]
    retry_timeout: Duration,
    #[serde(skip_serializing_if = "Option::is_none")]
    variables: Option<Encoded<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    local_variables: Option<Encoded<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct BpmnErrorBody<'a> {
    worker_id: &'a str,
    error_code: &'a str,
    error_message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    variables: Option<Encoded<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ExtensionBody<'a> {
    worker_id: &'a str,
    #[serde(serialize_with = "millis")]
    new_duration: Duration,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LockBody<'a> {
    worker_id: &'a str,
    #[serde(serialize_with = "millis")]
    lock_duration: Duration,
}

/// A duration as the engine takes it.
pub(crate) fn millis<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}

/// None where there are none: nothing is sent of them then.
fn some(variables: &Variables) -> Result<Option<Encoded<'_>>, UnrepresentableValue> {
    (!variables.is_empty()).then(|| encode(variables)).transpose()
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
        let body = CompletionBody {
            worker_id,
            variables: some(&report.variables)?,
            local_variables: some(&report.local_variables)?,
        };
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
        let body = FailureBody {
            worker_id,
            error_message: &shortened(&report.message, LONGEST_MESSAGE),
            error_details: &report.details,
            retries: report.retries,
            retry_timeout: report.retry_timeout,
            variables: some(&report.variables)?,
            local_variables: some(&report.local_variables)?,
        };
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
        let body = BpmnErrorBody {
            worker_id,
            error_code: &report.code,
            error_message: &shortened(&report.message, LONGEST_STRING),
            variables: some(&report.variables)?,
        };
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
        let body = ExtensionBody {
            worker_id,
            new_duration: by,
        };
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
        let body = LockBody {
            worker_id,
            lock_duration,
        };
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
}
