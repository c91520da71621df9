//! What happened in an instance, as data: read from the engine's history, shown by `procos show`.

use std::collections::BTreeMap;

use engine_client::InstanceState;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value as Json;

mod collect;
mod names;
#[cfg(test)]
pub(crate) mod samples;
mod steps;

pub(crate) use collect::{collect, is_cause, look, name};
pub(crate) use names::{element_name, process, starts_event_subprocess};

/// What happened in an instance, and in those that it called. Its JSON form is the answer of
/// `procos show --json`.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Story {
    /// The instance's id.
    pub(crate) instance_id: String,
    /// The key of its process.
    pub(crate) key: String,
    /// The process's name.
    pub(crate) name: Option<String>,
    /// The version of its definition.
    pub(crate) version: Option<u32>,
    /// Its business key.
    pub(crate) business_key: Option<String>,
    /// Its tenant.
    pub(crate) tenant_id: Option<String>,
    /// How it stands.
    pub(crate) state: State,
    /// Whether it is suspended: nothing moves in it until somebody activates it.
    pub(crate) suspended: bool,
    /// Why it was cancelled.
    pub(crate) reason: Option<String>,
    /// When it started.
    pub(crate) started: Option<Timestamp>,
    /// When it ended.
    pub(crate) ended: Option<Timestamp>,
    /// Its steps in the order in which they began.
    pub(crate) steps: Vec<Step>,
    /// Its variables.
    pub(crate) variables: BTreeMap<String, Json>,
    /// What stands still in it, or in an instance that it called.
    pub(crate) incidents: Vec<Stuck>,
}

/// How an instance stands. The names are what scripts rely on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum State {
    /// It has reached its end.
    Completed,
    /// It runs, or waits for something.
    Running,
    /// It waits for an operator.
    Incident,
    /// It was ended before its time.
    Terminated,
}

impl State {
    /// The state of an instance with or without open incidents.
    pub(crate) fn of(state: InstanceState, has_incidents: bool) -> Self {
        match state {
            InstanceState::Completed => Self::Completed,
            InstanceState::ExternallyTerminated | InstanceState::InternallyTerminated => Self::Terminated,
            InstanceState::Active | InstanceState::Suspended if has_incidents => Self::Incident,
            InstanceState::Active | InstanceState::Suspended => Self::Running,
        }
    }
}

/// One visit of an instance to an element.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Step {
    /// The id of the visit.
    #[serde(skip)]
    pub(crate) visit: String,
    /// The element's id.
    pub(crate) id: String,
    /// The element's name.
    pub(crate) name: Option<String>,
    /// What it is, in the engine's words: `serviceTask`, `exclusiveGateway`, …
    pub(crate) kind: String,
    /// The topic of an external task.
    pub(crate) topic: Option<String>,
    /// How it stands.
    pub(crate) state: StepState,
    /// What it waits for, where it does.
    pub(crate) waits_for: Option<String>,
    /// When it was entered.
    pub(crate) started: Option<Timestamp>,
    /// When it was left.
    pub(crate) ended: Option<Timestamp>,
    /// The attempts of an external task that have ended.
    pub(crate) attempts: Vec<Attempt>,
    /// The variables of its own scope: inputs, and what the adapter answered.
    pub(crate) variables: BTreeMap<String, Json>,
    /// The steps within: of a subprocess.
    pub(crate) steps: Vec<Step>,
    /// The instance that a call activity has called.
    pub(crate) called: Option<Box<Story>>,
}

/// How a step stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum StepState {
    /// It was left as modelled.
    Completed,
    /// The instance stands at it.
    Running,
    /// The instance stands at it until an operator does something.
    Incident,
    /// It was left before its end: by a boundary event, the end of its scope, or an operator.
    Cancelled,
}

/// One attempt at an external task that has ended.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Attempt {
    /// When it ended.
    pub(crate) at: Option<Timestamp>,
    /// The worker.
    pub(crate) worker: Option<String>,
    /// What went wrong; none where nothing did.
    pub(crate) error: Option<String>,
    /// More about what went wrong.
    pub(crate) details: Option<String>,
    /// How many attempts were left.
    pub(crate) retries_left: Option<i32>,
}

/// An open incident: what stands still, and why.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Stuck {
    /// The incident's id.
    pub(crate) incident_id: String,
    /// `failedExternalTask`, `failedJob`, or a kind of a model's own.
    #[serde(rename = "type")]
    pub(crate) kind: String,
    /// The instance that stands still: the one that was asked about, or one that it called.
    pub(crate) instance_id: Option<String>,
    /// The key of its process.
    pub(crate) key: Option<String>,
    /// The id of the element.
    pub(crate) step_id: Option<String>,
    /// The name of the element.
    pub(crate) step_name: Option<String>,
    /// The visit to it; none where it has not been entered, or is not known.
    #[serde(skip)]
    pub(crate) visit: Option<String>,
    /// The message of the last failure.
    pub(crate) message: String,
    /// Since when.
    pub(crate) since: Option<Timestamp>,
}

impl Stuck {
    /// What people call the step.
    pub(crate) fn step(&self) -> &str {
        let name = self.step_name.as_deref().filter(|name| !name.trim().is_empty());
        name.or(self.step_id.as_deref()).unwrap_or("an unknown step")
    }
}

impl Step {
    /// What people call it.
    pub(crate) fn label(&self) -> &str {
        // What stands around several at once has no name of its own.
        if let ("multiInstanceBody", Some(one)) = (self.kind.as_str(), self.steps.first()) {
            return one.label();
        }
        let name = self.name.as_deref().filter(|name| !name.trim().is_empty());
        name.unwrap_or(&self.id)
    }

    /// Whether something is done here, as against gateways and events that only lead the way.
    pub(crate) fn is_work(&self) -> bool {
        let kind = self.kind.as_str();
        kind.ends_with("Task")
            || matches!(
                kind,
                "task" | "callActivity" | "subProcess" | "transaction" | "adHocSubProcess"
            )
            || kind == "multiInstanceBody"
    }
}

impl Story {
    /// The visit at which an incident of this instance, or of one that it called, stands.
    pub(crate) fn stuck_step(&self, stuck: &Stuck) -> Option<&Step> {
        if stuck.instance_id.as_deref() == Some(self.instance_id.as_str()) {
            return find(&self.steps, &|step| Some(&step.visit) == stuck.visit.as_ref());
        }
        called(&self.steps)
            .into_iter()
            .find_map(|story| story.stuck_step(stuck))
    }
}

fn find<'s>(steps: &'s [Step], wanted: &impl Fn(&Step) -> bool) -> Option<&'s Step> {
    steps.iter().find_map(|step| {
        if wanted(step) {
            Some(step)
        } else {
            find(&step.steps, wanted)
        }
    })
}

fn called(steps: &[Step]) -> Vec<&Story> {
    let mut stories: Vec<&Story> = Vec::new();
    for step in steps {
        stories.extend(step.called.as_deref());
        stories.extend(called(&step.steps));
    }
    stories
}
