//! What the worker knows of the models its tasks come from: read from the engine once for each version.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use bpmn::Model;
use engine_client::{EngineClient, EngineError, InstanceQuery, LockedTask};
use tokio::sync::OnceCell;

mod policies;
mod source;

pub(crate) use policies::{Declared, Policies, declared};

/// More versions than this are not kept at once: models are small, and so few are in use at a time.
const MOST_KEPT: usize = 256;

/// Call activities nest no deeper than this without being a loop.
const DEEPEST_CALL: usize = 64;

type Slot = Arc<OnceCell<Arc<Definition>>>;

/// The process definitions that tasks come from, read from the engine once for each version. Clones share what they have
/// read: give one to a [`ModelPolicy`](crate::ModelPolicy) and to the pools ([`PoolSettings`](crate::PoolSettings)) whose
/// tasks it decides on.
#[derive(Clone)]
pub struct Definitions(Arc<Inner>);

struct Inner {
    engine: EngineClient,
    slots: Mutex<Slots>,
}

/// What was read, with when it was last asked for, counted in questions.
#[derive(Default)]
struct Slots {
    by_id: HashMap<String, (Slot, u64)>,
    asked: u64,
}

/// One version of a process.
#[derive(Debug)]
pub(crate) struct Definition {
    /// What it says; none where the engine's source cannot be read as BPMN.
    model: Option<Model>,
    /// What it may do.
    pub(crate) policies: Policies,
}

/// A place in a running instance.
struct Place {
    instance_id: String,
    definition_id: String,
    activity_id: String,
}

impl Definitions {
    /// The definitions of this client's engine. Its login has to be allowed to read them.
    #[must_use]
    pub fn new(engine: EngineClient) -> Self {
        Self(Arc::new(Inner {
            engine,
            slots: Mutex::default(),
        }))
    }

    /// A definition. Who asks while it is being read waits for that.
    pub(crate) async fn get(&self, definition_id: &str) -> Result<Arc<Definition>, EngineError> {
        let slot = {
            let slots = self.0.slots.lock();
            slots.unwrap_or_else(PoisonError::into_inner).slot(definition_id)
        };
        let read = || async {
            let model = source::bytes(&self.0.engine, definition_id).await?;
            Ok(Arc::new(Definition::read(definition_id, &model)))
        };
        slot.get_or_try_init(read).await.cloned()
    }

    /// Whether the task's element has output parameters: without them it may have no scope of its own, and what
    /// is meant as a local variable would end up in the process.
    pub(crate) async fn takes_outputs(&self, task: &LockedTask) -> Result<bool, EngineError> {
        let definition = self.get(&task.process_definition_id).await?;
        let node = definition
            .model
            .as_ref()
            .and_then(|model| node(model, &task.activity_id));
        Ok(node.is_some_and(|(_, node)| node.has_output_parameters))
    }

    /// The extension properties of an element that have a value.
    pub(crate) async fn properties(
        &self,
        definition_id: &str,
        activity_id: &str,
    ) -> Result<BTreeMap<String, String>, EngineError> {
        let definition = self.get(definition_id).await?;
        let node = definition
            .model
            .as_ref()
            .and_then(|model| node(model, activity_id));
        let properties = node.map_or(&[][..], |(_, node)| &node.properties);
        Ok(properties
            .iter()
            .map(|property| (property.name.clone(), property.value.clone()))
            .collect())
    }

    /// Whether a BPMN error of this code that the task raises is caught: by the definition it stands in, or by
    /// one that calls it.
    pub(crate) async fn catches(&self, task: &LockedTask, code: &str) -> Result<bool, EngineError> {
        let mut place = Some(Place {
            instance_id: task.process_instance_id.clone(),
            definition_id: task.process_definition_id.clone(),
            activity_id: task.activity_id.clone(),
        });
        for _ in 0..DEEPEST_CALL {
            let Some(here) = place else { break };
            if let Some(model) = &self.get(&here.definition_id).await?.model
                && let Some((process, _)) = node(model, &here.activity_id)
                && model.catches(process, &here.activity_id, code)
            {
                return Ok(true);
            }
            place = self.caller(&here.instance_id).await?;
        }
        Ok(false)
    }

    /// The call activity that has called an instance.
    async fn caller(&self, instance_id: &str) -> Result<Option<Place>, EngineError> {
        let query = InstanceQuery {
            sub_process_instance: Some(instance_id),
            ..InstanceQuery::default()
        };
        let Some(calling) = self.0.engine.instances(&query).await?.into_iter().next() else {
            return Ok(None);
        };
        let calls = self.0.engine.open_call_activities(&calling.id).await?;
        let call = calls
            .into_iter()
            .find(|call| call.called_process_instance_id.as_deref() == Some(instance_id));
        Ok(call.map(|call| Place {
            instance_id: calling.id,
            definition_id: calling.definition_id,
            activity_id: call.activity_id,
        }))
    }
}

impl fmt::Debug for Definitions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let engine = self.0.engine.url().as_str();
        formatter.debug_tuple("Definitions").field(&engine).finish()
    }
}

impl Slots {
    fn slot(&mut self, id: &str) -> Slot {
        self.asked += 1;
        if let Some((slot, last)) = self.by_id.get_mut(id) {
            *last = self.asked;
            return Arc::clone(slot);
        }
        if self.by_id.len() >= MOST_KEPT {
            let oldest = self.by_id.iter().min_by_key(|(_, (_, last))| *last);
            if let Some(oldest) = oldest.map(|(id, _)| id.clone()) {
                self.by_id.remove(&oldest);
            }
        }
        let slot = Slot::default();
        self.by_id.insert(id.to_owned(), (Arc::clone(&slot), self.asked));
        slot
    }
}

impl Definition {
    fn read(id: &str, model: &[u8]) -> Self {
        Self {
            model: bpmn::read(id, model).0,
            policies: Policies::read(id, model),
        }
    }
}

fn node<'m>(model: &'m Model, activity_id: &str) -> Option<(&'m str, &'m bpmn::FlowNode)> {
    model
        .processes
        .iter()
        .find_map(|process| Some((process.id.as_str(), process.node(activity_id)?)))
}

#[cfg(test)]
mod tests;
