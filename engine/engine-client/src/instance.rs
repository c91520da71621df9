//! Process instances while they run.

use serde::{Deserialize, Serialize};

use crate::{EngineClient, EngineError, Variables, encode};

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
    /// Starts an instance of the latest version of a definition. Not to be repeated blindly: an answer that got
    /// lost may belong to an instance that has started.
    ///
    /// # Errors
    /// `is_not_found` where no definition has the key.
    pub async fn start_instance(
        &self,
        key: &str,
        tenant_id: Option<&str>,
        business_key: Option<&str>,
        variables: &Variables,
    ) -> Result<ProcessInstance, EngineError> {
        let body = serde_json::json!({ "businessKey": business_key, "variables": encode(variables)? });
        let call = match tenant_id {
            None => self.post(&["process-definition", "key", key, "start"]),
            Some(tenant) => self.post(&["process-definition", "key", key, "tenant-id", tenant, "start"]),
        };
        call.json(&body).read().await
    }

    /// The running instances that match, newest definitions first. May be repeated.
    ///
    /// # Errors
    /// As every call: see [`EngineError`].
    pub async fn instances(&self, query: &InstanceQuery<'_>) -> Result<Vec<ProcessInstance>, EngineError> {
        self.get(&["process-instance"]).query(query).read().await
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

    /// Sets variables of a running instance. May be repeated.
    ///
    /// # Errors
    /// As every call: see [`EngineError`].
    pub async fn set_variables(&self, instance_id: &str, variables: &Variables) -> Result<(), EngineError> {
        let body = serde_json::json!({ "modifications": encode(variables)? });
        self.post(&["process-instance", instance_id, "variables"])
            .json(&body)
            .done()
            .await
    }

    /// Sets variables of one execution's own scope, such as the input parameters of a task. May be repeated.
    ///
    /// # Errors
    /// As every call: see [`EngineError`].
    pub async fn set_local_variables(
        &self,
        execution_id: &str,
        variables: &Variables,
    ) -> Result<(), EngineError> {
        let body = serde_json::json!({ "modifications": encode(variables)? });
        self.post(&["execution", execution_id, "localVariables"])
            .json(&body)
            .done()
            .await
    }

    /// An execution's own variables, such as the input parameters of a task. May be repeated.
    ///
    /// # Errors
    /// As every call: see [`EngineError`].
    pub async fn local_variables(&self, execution_id: &str) -> Result<Variables, EngineError> {
        let query = [("deserializeValues", "false")];
        self.get(&["execution", execution_id, "localVariables"])
            .query(&query)
            .read()
            .await
    }

    /// Moves a running instance's tokens, all in one transaction. `skip_mappings` leaves out every input and
    /// output parameter on the way. Not to be repeated blindly: each start is one more token.
    ///
    /// # Errors
    /// Where an instruction cannot be carried out, a parameter cannot be computed among them; nothing has changed
    /// then.
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

    /// The variables of a running instance. May be repeated.
    ///
    /// # Errors
    /// `is_not_found` where no such instance runs.
    pub async fn variables(&self, instance_id: &str) -> Result<Variables, EngineError> {
        let query = [("deserializeValues", "false")];
        self.get(&["process-instance", instance_id, "variables"])
            .query(&query)
            .read()
            .await
    }
}
