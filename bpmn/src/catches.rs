use crate::model::{Event, FlowNode, Kind, Model, Process};

impl Model {
    /// Whether a BPMN error with this code, thrown by this activity, is caught within the process definition.
    ///
    /// It is where one of these catches the code: an error boundary event of the activity or of a subprocess
    /// around it, or an error event subprocess of a scope around it, up to the process. The way out through a
    /// calling process is the caller's to ask: `catches` of that process with its call activity. An unknown
    /// process or activity catches nothing, and the engine refuses an empty code.
    ///
    /// The rules are those of Camunda 7.24. `BpmnParse` (`parseBoundaryErrorEventDefinition`,
    /// `parseErrorStartEventDefinition`): an event without `errorRef`, or whose error has no `errorCode`, catches
    /// all; a reference to an error that is not there is a code by itself. `ErrorEventDefinition.catchesError`:
    /// codes match by equality. `ErrorDeclarationForProcessInstanceFinder`: an event subprocess does not catch
    /// what is thrown inside it. `parseBoundaryEvents`: a boundary event of a multi-instance activity sits on
    /// the body, around every instance.
    pub fn catches(&self, process_id: &str, activity_id: &str, error_code: &str) -> bool {
        let process = self.process(process_id).filter(|_| !error_code.is_empty());
        process.is_some_and(|process| process.catches(activity_id, error_code))
    }
}

impl Process {
    fn catches(&self, activity_id: &str, code: &str) -> bool {
        let Some(thrower) = self.nodes.iter().position(|it| it.id == activity_id) else {
            return false;
        };
        let around = |node: usize| self.nodes.get(node).and_then(|it| it.parent);
        let scopes: Vec<usize> = std::iter::successors(Some(thrower), |&it| around(it)).collect();
        // The engine compares with the activity that threw, which for a call activity is in another process: an
        // event subprocess does catch what a process that it calls throws.
        let called = matches!(self.nodes[thrower].kind, Kind::CallActivity { .. });
        let inside = |subprocess: usize| !called && scopes.contains(&subprocess);
        self.nodes.iter().any(|event| {
            event.catches(code)
                && match (&event.kind, event.parent) {
                    (Kind::BoundaryEvent { attached_to }, level) => scopes.iter().any(|&scope| {
                        let scope = &self.nodes[scope];
                        scope.id == *attached_to && scope.parent == level
                    }),
                    (Kind::StartEvent, Some(subprocess)) => {
                        let started = &self.nodes[subprocess];
                        started.kind == Kind::SubProcess { by_event: true }
                            && started.parent.is_none_or(|level| scopes.contains(&level))
                            && !inside(subprocess)
                    }
                    _ => false,
                }
        })
    }
}

impl FlowNode {
    fn catches(&self, thrown: &str) -> bool {
        self.events.iter().any(|event| match event {
            Event::Error { code } => code.as_deref().is_none_or(|code| code == thrown),
            _ => false,
        })
    }
}
