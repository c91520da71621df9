//! Messages and signals.

use serde::Deserialize;

use crate::count::Count;
use crate::{EngineClient, EngineError, Variables, encode};

/// A message to be correlated.
#[derive(Clone, Debug, Default)]
pub struct MessageCorrelation<'a> {
    /// The message's name.
    pub name: &'a str,
    /// Only with instances of this business key; for a message start, the key of the new instance.
    pub business_key: Option<&'a str>,
    /// Only with this tenant.
    pub tenant_id: Option<&'a str>,
    /// Only this process instance. Where nothing in it waits for the message, a process that begins with it is started
    /// all the same: see [`EngineClient::trigger_message`] for what goes to an instance and nowhere else.
    pub process_instance_id: Option<&'a str>,
    /// Only with instances whose process variables have these values.
    pub correlation_keys: Variables,
    /// Variables for the process instance that is hit.
    pub variables: Variables,
    /// Variables for the scope that the message opens alone, such as the event subprocess it starts.
    pub scope_variables: Variables,
    /// Whether any number of matches is welcome, none among them; else all but one is an error.
    pub all: bool,
}

/// What a message hit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CorrelationHit {
    /// A waiting execution of this process instance.
    Waiting {
        /// The process instance's id.
        process_instance_id: String,
    },
    /// A message start: this instance was started.
    Started {
        /// The new process instance's id.
        process_instance_id: String,
    },
}

/// An execution that waits for a message.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WaitingExecution {
    /// Its id.
    pub id: String,
    /// The process instance that it belongs to.
    pub process_instance_id: String,
    /// Its tenant.
    #[serde(default)]
    pub tenant_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Hit {
    execution: Option<HitExecution>,
    process_instance: Option<HitInstance>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct HitExecution {
    process_instance_id: String,
}

#[derive(Deserialize)]
struct HitInstance {
    id: String,
}

impl EngineClient {
    /// Correlates a message and says what it hit. Not to be repeated blindly: an answer that got lost may belong
    /// to a message that was taken.
    ///
    /// # Errors
    /// `is_bad_request` where nothing waits for it or more than one thing does, unless `all` is set.
    pub async fn correlate(
        &self,
        message: &MessageCorrelation<'_>,
    ) -> Result<Vec<CorrelationHit>, EngineError> {
        let mut body = serde_json::json!({
            "messageName": message.name,
            "businessKey": message.business_key,
            "tenantId": message.tenant_id,
            "processVariables": encode(&message.variables)?,
            "resultEnabled": true,
            "all": message.all,
        });
        if let Some(id) = message.process_instance_id {
            body["processInstanceId"] = id.into();
        }
        if !message.correlation_keys.is_empty() {
            body["correlationKeys"] = serde_json::json!(encode(&message.correlation_keys)?);
        }
        if !message.scope_variables.is_empty() {
            body["processVariablesToTriggeredScope"] = serde_json::json!(encode(&message.scope_variables)?);
        }
        let hits: Vec<Hit> = self.post(&["message"]).json(&body).read().await?;
        Ok(hits.into_iter().filter_map(|hit| hit.what()).collect())
    }

    /// The executions that wait for a message and meet its conditions. Message starts do not count. May be repeated.
    ///
    /// # Errors
    /// As every call: see [`EngineError`].
    pub async fn waiting_executions(
        &self,
        message: &MessageCorrelation<'_>,
    ) -> Result<Vec<WaitingExecution>, EngineError> {
        self.post(&["execution"]).json(&waiting(message)?).read().await
    }

    /// How many executions wait for a message and meet its conditions: tells apart why [`Self::correlate`] was
    /// refused. Message starts do not count. May be repeated.
    ///
    /// # Errors
    /// As every call: see [`EngineError`].
    pub async fn waiting_for(&self, message: &MessageCorrelation<'_>) -> Result<u64, EngineError> {
        Count::of(self.post(&["execution", "count"]).json(&waiting(message)?)).await
    }

    /// Gives a message to one execution that waits for it, with variables for its process instance. Nothing else can
    /// hear of it. Not to be repeated blindly: the execution may have begun to wait for the same message once more.
    ///
    /// # Errors
    /// `is_internal` where the execution is gone or does not wait for the message.
    pub async fn trigger_message(
        &self,
        execution_id: &str,
        name: &str,
        variables: &Variables,
    ) -> Result<(), EngineError> {
        let body = serde_json::json!({ "variables": encode(variables)? });
        let path = ["execution", execution_id, "messageSubscriptions", name, "trigger"];
        self.post(&path).json(&body).done().await
    }

    /// Throws a signal at everything that waits for it, of one tenant where one is given. Not to be repeated blindly.
    ///
    /// # Errors
    /// As every call: see [`EngineError`]. A signal that nothing waits for is no error.
    pub async fn signal(
        &self,
        name: &str,
        tenant_id: Option<&str>,
        variables: &Variables,
    ) -> Result<(), EngineError> {
        let mut body = serde_json::json!({ "name": name, "variables": encode(variables)? });
        if let Some(tenant) = tenant_id {
            body["tenantId"] = tenant.into();
        }
        self.post(&["signal"]).json(&body).done().await
    }
}

/// The query for those that wait for a message.
fn waiting(message: &MessageCorrelation<'_>) -> Result<serde_json::Value, EngineError> {
    let sent = serde_json::json!(encode(&message.correlation_keys)?);
    let keys = message
        .correlation_keys
        .keys()
        .map(|name| serde_json::json!({"name": name, "operator": "eq", "value": sent[name]["value"]}));
    Ok(serde_json::json!({
        "messageEventSubscriptionName": message.name,
        "businessKey": message.business_key,
        "processInstanceId": message.process_instance_id,
        "tenantIdIn": message.tenant_id.map(|tenant| [tenant]),
        "processVariables": keys.collect::<Vec<_>>(),
    }))
}

impl Hit {
    fn what(self) -> Option<CorrelationHit> {
        match (self.execution, self.process_instance) {
            (Some(execution), _) => Some(CorrelationHit::Waiting {
                process_instance_id: execution.process_instance_id,
            }),
            (None, Some(instance)) => Some(CorrelationHit::Started {
                process_instance_id: instance.id,
            }),
            (None, None) => None,
        }
    }
}
