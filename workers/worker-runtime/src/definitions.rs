//! What the worker knows of the models its tasks come from: read from the engine once for each version.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use bpmn::Model;
use engine_client::{EngineClient, EngineError, InstanceQuery, LockedTask};
use tokio::sync::OnceCell;

/// More versions than this are not kept at once: models are small, and so few are in use at a time.
const MOST_KEPT: usize = 256;

/// Call activities nest no deeper than this without being a loop.
const DEEPEST_CALL: usize = 64;

type Slot = Arc<OnceCell<Option<Arc<Model>>>>;

/// The process definitions by id.
#[derive(Debug)]
pub(crate) struct Definitions {
    engine: EngineClient,
    slots: Mutex<HashMap<String, Slot>>,
}

/// A place in a running instance.
struct Place {
    instance_id: String,
    definition_id: String,
    activity_id: String,
}

impl Definitions {
    pub(crate) fn new(engine: EngineClient) -> Self {
        Self {
            engine,
            slots: Mutex::default(),
        }
    }

    /// The model of a definition; none where the engine's source cannot be read as BPMN.
    async fn model(&self, definition_id: &str) -> Result<Option<Arc<Model>>, EngineError> {
        let slot = {
            let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
            if slots.len() >= MOST_KEPT && !slots.contains_key(definition_id) {
                slots.clear();
            }
            Arc::clone(slots.entry(definition_id.to_owned()).or_default())
        };
        let read = || async {
            let xml = self.engine.definition_xml(definition_id).await?;
            let (model, _) = bpmn::read(definition_id, xml.as_bytes());
            Ok(model.map(Arc::new))
        };
        slot.get_or_try_init(read).await.cloned()
    }

    /// Whether the task's element has output parameters: without them it may have no scope of its own, and what
    /// is meant as a local variable would end up in the process.
    pub(crate) async fn takes_outputs(&self, task: &LockedTask) -> Result<bool, EngineError> {
        let model = self.model(&task.process_definition_id).await?;
        let node = model.as_deref().and_then(|model| node(model, &task.activity_id));
        Ok(node.is_some_and(|(_, node)| node.has_output_parameters))
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
            if let Some(model) = self.model(&here.definition_id).await?
                && let Some((process, _)) = node(&model, &here.activity_id)
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
        let Some(calling) = self.engine.instances(&query).await?.into_iter().next() else {
            return Ok(None);
        };
        let calls = self.engine.open_call_activities(&calling.id).await?;
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

fn node<'m>(model: &'m Model, activity_id: &str) -> Option<(&'m str, &'m bpmn::FlowNode)> {
    model
        .processes
        .iter()
        .find_map(|process| Some((process.id.as_str(), process.node(activity_id)?)))
}
