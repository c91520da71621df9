//! Incidents, and what waits for events.

use jiff::Timestamp;
use serde::Deserialize;

use crate::{EngineClient, EngineError, date};

/// An open incident: something stands still until somebody looks.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Incident {
    /// Its id.
    pub id: String,
    /// `failedExternalTask`, `failedJob`, or a kind of a model's own.
    pub incident_type: String,
    /// When it arose.
    #[serde(default, deserialize_with = "date::optional::deserialize")]
    pub incident_timestamp: Option<Timestamp>,
    /// The message of the last failure.
    #[serde(default)]
    pub incident_message: Option<String>,
    /// The process instance.
    #[serde(default)]
    pub process_instance_id: Option<String>,
    /// The definition's id.
    #[serde(default)]
    pub process_definition_id: Option<String>,
    /// The element whose job failed; absent for an external task, which stands at its own element.
    #[serde(default)]
    pub failed_activity_id: Option<String>,
    /// The element at which the instance stands.
    #[serde(default)]
    pub activity_id: Option<String>,
    /// The external task or job.
    #[serde(default)]
    pub configuration: Option<String>,
    /// The incident that this one mirrors in a calling instance: itself, where it is the cause.
    #[serde(default)]
    pub root_cause_incident_id: Option<String>,
    /// The tenant.
    #[serde(default)]
    pub tenant_id: Option<String>,
}

/// Something that waits for a message or a signal.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EventSubscription {
    /// `message`, `signal`, …
    pub event_type: String,
    /// The name of the message or signal.
    #[serde(default)]
    pub event_name: Option<String>,
    /// The waiting instance; absent for a start event.
    #[serde(default)]
    pub process_instance_id: Option<String>,
    /// The waiting element.
    #[serde(default)]
    pub activity_id: Option<String>,
    /// The tenant.
    #[serde(default)]
    pub tenant_id: Option<String>,
}

impl EngineClient {
    /// The open incidents, newest first; of one instance where one is given. May be repeated.
    ///
    /// # Errors
    /// As every call: see [`EngineError`].
    pub async fn incidents(&self, process_instance_id: Option<&str>) -> Result<Vec<Incident>, EngineError> {
        let mut query = vec![("sortBy", "incidentTimestamp"), ("sortOrder", "desc")];
        query.extend(process_instance_id.map(|id| ("processInstanceId", id)));
        self.get(&["incident"]).query(&query).read().await
    }

    /// What waits for an event of a kind (`message`, `signal`) and name. May be repeated.
    ///
    /// # Errors
    /// As every call: see [`EngineError`].
    pub async fn event_subscriptions(
        &self,
        event_type: &str,
        event_name: &str,
    ) -> Result<Vec<EventSubscription>, EngineError> {
        let query = [("eventType", event_type), ("eventName", event_name)];
        self.get(&["event-subscription"]).query(&query).read().await
    }

    /// Whatever an instance waits for: messages, signals. May be repeated.
    ///
    /// # Errors
    /// As every call: see [`EngineError`].
    pub async fn subscriptions_of(
        &self,
        process_instance_id: &str,
    ) -> Result<Vec<EventSubscription>, EngineError> {
        let query = [("processInstanceId", process_instance_id)];
        self.get(&["event-subscription"]).query(&query).read().await
    }

    /// Everything that waits for an event of a kind (`message`, `signal`). May be repeated.
    ///
    /// # Errors
    /// As every call: see [`EngineError`].
    pub async fn all_event_subscriptions(
        &self,
        event_type: &str,
    ) -> Result<Vec<EventSubscription>, EngineError> {
        let query = [("eventType", event_type)];
        self.get(&["event-subscription"]).query(&query).read().await
    }
}
