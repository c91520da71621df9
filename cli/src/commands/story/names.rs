//! The names of elements that the history does not tell: such as the instance has not entered.

use bpmn::{FlowNode, Process};
use engine_client::{EngineClient, EngineError};

/// The name of an element of a definition; none where it has none, or the model cannot be read.
///
/// # Errors
/// As every call of the engine; a definition that is gone is none.
pub(crate) async fn element_name(
    engine: &EngineClient,
    definition_id: &str,
    element_id: &str,
) -> Result<Option<String>, EngineError> {
    let process = process(engine, definition_id).await?;
    let node = process.as_ref().and_then(|process| process.node(element_id));
    Ok(node.and_then(|node| node.name.clone()))
}

/// The model of a definition; none where it is gone or cannot be read.
///
/// # Errors
/// As every call of the engine.
pub(crate) async fn process(
    engine: &EngineClient,
    definition_id: &str,
) -> Result<Option<Process>, EngineError> {
    let xml = match engine.definition_xml(definition_id).await {
        Err(error) if error.is_not_found() => return Ok(None),
        answer => answer?,
    };
    // The definition's id is KEY:VERSION:UUID, or the UUID alone where that would be too long.
    let key = definition_id.split(':').next().unwrap_or_default();
    let (model, _) = bpmn::read_text(definition_id, &xml);
    Ok(model.and_then(|mut model| {
        let wanted = model
            .processes
            .iter()
            .position(|process| process.id == key)
            .unwrap_or(0);
        (wanted < model.processes.len()).then(|| model.processes.swap_remove(wanted))
    }))
}

/// Whether an element is the start of an event subprocess.
pub(crate) fn starts_event_subprocess(process: &Process, element_id: &str) -> bool {
    let by_event = |scope: &FlowNode| scope.kind == bpmn::Kind::SubProcess { by_event: true };
    process
        .node(element_id)
        .is_some_and(|node| node.kind == bpmn::Kind::StartEvent && process.parent(node).is_some_and(by_event))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_start_of_an_event_subprocess_is_told_from_other_events() {
        let file = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../processes/system/root_orchestrator.bpmn"
        );
        let (model, _) = bpmn::read(file, &std::fs::read(file).unwrap());
        let model = model.unwrap();
        let process = model.process("root_orchestrator").unwrap();
        assert!(starts_event_subprocess(process, "request_received"));
        for other in [
            "system_started",
            "shutdown_requested",
            "serve_request",
            "handle_request",
            "nothing",
        ] {
            assert!(!starts_event_subprocess(process, other), "{other}");
        }
    }
}
