//! Process instances while they run.

use serde::{Deserialize, Serialize};

use crate::count::Count;
use crate::{EngineClient, EngineError};

/// A running process instance.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProcessInstance {
    /// Its id.
    pub id: String,
    /// Its definition's id.
    pub definition_id: String,
    /// Its definition's key, where the engine tells it (Camunda from 7.19).
    #[serde(default)]
    pub definition_key: Option<String>,
    /// Its business key.
    #[serde(default)]
    pub business_key: Option<String>,
    /// Its tenant.
    #[serde(default)]
    pub tenant_id: Option<String>,
    /// Whether it has ended, in the answer to its start.
    #[serde(default)]
    pub ended: bool,
    /// Whether it is suspended.
    #[serde(default)]
    pub suspended: bool,
}

/// Which running instances are meant: all that match every field that is set.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct InstanceQuery<'a> {
    /// Of this definition key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub process_definition_key: Option<&'a str>,
    /// Of this version of a definition, by its id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub process_definition_id: Option<&'a str>,
    /// Only such as are not suspended.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub active: bool,
    /// With this business key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub business_key: Option<&'a str>,
    /// The instance that called this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sub_process_instance: Option<&'a str>,
    /// Of this tenant.
    #[serde(rename = "tenantIdIn", skip_serializing_if = "Option::is_none")]
    pub tenant_id: Option<&'a str>,
}

/// One move in a modification of an instance.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum TokenMove<'a> {
    /// Takes a token away from a step.
    Cancel {
        /// The id of the activity instance.
        activity_instance_id: &'a str,
    },
    /// Begins a step, with its input parameters.
    #[serde(rename = "startBeforeActivity")]
    Start {
        /// The element's id.
        activity_id: &'a str,
        /// The activity instance of the scope in which it is to begin: of the process or of a subprocess.
        ancestor_activity_instance_id: &'a str,
    },
}

impl EngineClient {
    /// The running instances that match, in no order of their own. May be repeated.
    ///
    /// # Errors
    /// As every call: see [`EngineError`].
    pub async fn instances(&self, query: &InstanceQuery<'_>) -> Result<Vec<ProcessInstance>, EngineError> {
        self.get(&["process-instance"]).query(query).read().await
    }

    /// How many running instances match. May be repeated.
    ///
    /// # Errors
    /// As every call: see [`EngineError`].
    pub async fn count_instances(&self, query: &InstanceQuery<'_>) -> Result<u64, EngineError> {
        Count::of(self.get(&["process-instance", "count"]).query(query)).await
    }

    /// A running instance. May be repeated.
    ///
    /// # Errors
    /// `is_not_found` where no such instance runs.
    pub async fn instance(&self, id: &str) -> Result<ProcessInstance, EngineError> {
        self.get(&["process-instance", id]).read().await
    }

    /// Cancels a running instance. May be repeated.
    ///
    /// # Errors
    /// `is_not_found` where no such instance runs.
    pub async fn cancel_instance(&self, id: &str) -> Result<(), EngineError> {
        self.delete(&["process-instance", id]).done().await
    }

    /// Suspends a running instance, so that none of its steps goes on, or lets it go on. May be repeated.
    ///
    /// # Errors
    /// As every call: see [`EngineError`]. Where no such instance runs, nothing happens, which is no error.
    pub async fn suspend_instance(&self, id: &str, suspended: bool) -> Result<(), EngineError> {
        let body = serde_json::json!({ "suspended": suspended });
        self.put(&["process-instance", id, "suspended"])
            .json(&body)
            .done()
            .await
    }

    /// Moves a running instance's tokens, all in one transaction. `skip_mappings` leaves out every input and
    /// output parameter on the way. Not to be repeated blindly: each start is one more token.
    ///
    /// # Errors
    /// `is_bad_request` where a move cannot be made, `is_internal` where a parameter cannot be computed or no such
    /// instance runs; nothing has changed then.
    pub async fn modify_instance(
        &self,
        id: &str,
        moves: &[TokenMove<'_>],
        skip_mappings: bool,
    ) -> Result<(), EngineError> {
        let body = serde_json::json!({ "instructions": moves, "skipIoMappings": skip_mappings });
        self.post(&["process-instance", id, "modification"])
            .json(&body)
            .done()
            .await
    }
}
