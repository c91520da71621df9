//! What tests ask: how an instance stands, and to be told when something has happened.

use serde::de::DeserializeOwned;
use serde_json::Value as Json;

use super::FakeEngine;
use super::render;
use crate::{ExternalTask, Incident, InstanceState, Variables};

impl FakeEngine {
    /// How an instance stands; none where there is no such instance.
    #[must_use]
    pub fn state(&self, instance_id: &str) -> Option<InstanceState> {
        self.lock().state.instance(instance_id).map(|it| it.state)
    }

    /// The process variables of an instance, running or ended. Empty where there is no such instance.
    #[must_use]
    pub fn variables(&self, instance_id: &str) -> Variables {
        let inner = self.lock();
        let instance = inner.state.instance(instance_id);
        instance
            .and_then(|it| typed(render::variables(&it.variables)))
            .unwrap_or_default()
    }

    /// The external task at which an instance stands.
    #[must_use]
    pub fn external_task(&self, instance_id: &str) -> Option<ExternalTask> {
        let inner = self.lock();
        let instance = inner.state.instance(instance_id)?;
        typed(render::task(&inner.state, instance, instance.task.as_ref()?))
    }

    /// The open incident of an instance.
    #[must_use]
    pub fn incident(&self, instance_id: &str) -> Option<Incident> {
        let inner = self.lock();
        let instance = inner.state.instance(instance_id)?;
        typed(render::incident(&inner.state, instance)?)
    }

    /// The elements that an instance has visited, in the order in which it came to them.
    #[must_use]
    pub fn visited(&self, instance_id: &str) -> Vec<String> {
        let inner = self.lock();
        let steps = inner.state.instance(instance_id).map(|it| it.steps.iter());
        steps
            .into_iter()
            .flatten()
            .map(|step| step.element.clone())
            .collect()
    }

    /// How many calls there were of paths that contain this text.
    #[must_use]
    pub fn calls(&self, path: &str) -> usize {
        let inner = self.lock();
        inner.calls.iter().filter(|call| call.contains(path)).count()
    }

    /// Waits until an instance has ended and says how; none where there is no such instance. Waits for ever where
    /// nobody works on it: wrap it in a timeout.
    pub async fn ended(&self, instance_id: &str) -> Option<InstanceState> {
        self.until(|engine| match engine.state(instance_id) {
            Some(state) if !state.is_over() => None,
            state => Some(state),
        })
        .await
    }

    /// Waits for an incident of an instance; none where the instance has ended without one.
    pub async fn has_incident(&self, instance_id: &str) -> Option<Incident> {
        self.until(|engine| match engine.incident(instance_id) {
            Some(incident) => Some(Some(incident)),
            None if engine.state(instance_id).is_none_or(InstanceState::is_over) => Some(None),
            None => None,
        })
        .await
    }

    /// Waits until `found` gives something; asks it at first and after every call.
    pub async fn until<T>(&self, mut found: impl FnMut(&Self) -> Option<T>) -> T {
        let mut changes = self.shared.changed.subscribe();
        loop {
            if let Some(found) = found(self) {
                return found;
            }
            // The sender lives as long as this value: there is always a next change to wait for.
            let _ = changes.changed().await;
        }
    }
}

fn typed<T: DeserializeOwned>(shown: Json) -> Option<T> {
    serde_json::from_value(shown).ok()
}
