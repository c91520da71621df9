//! Steps out of the history's records.

use std::collections::{BTreeMap, HashMap};

use engine_client::{ActivityRecord, EventSubscription, ExternalTask, ExternalTaskRecord, VariableRecord};
use jiff::Timestamp;

use super::{Attempt, Step, StepState, Story};

/// All that is known of an instance's steps.
pub(super) struct Records {
    pub(super) activities: Vec<ActivityRecord>,
    pub(super) attempts: Vec<ExternalTaskRecord>,
    pub(super) variables: Vec<VariableRecord>,
    /// Of running instances: the tasks there are now.
    pub(super) tasks: Vec<ExternalTask>,
    /// Of running instances: what waits for messages and signals.
    pub(super) subscriptions: Vec<EventSubscription>,
    /// The details of failures, by the record's id.
    pub(super) details: HashMap<String, String>,
    /// Stories of called instances, by their id.
    pub(super) called: HashMap<String, Story>,
    /// The visits at which incidents stand.
    pub(super) stuck: Vec<String>,
}

impl Records {
    /// The steps, those of subprocesses within these.
    pub(super) fn into_steps(mut self, now: Timestamp) -> Vec<Step> {
        let activities = std::mem::take(&mut self.activities);
        let mut within: HashMap<String, Vec<Step>> = HashMap::new();
        let parents: HashMap<String, Option<String>> = activities
            .iter()
            .map(|record| (record.id.clone(), record.parent_activity_instance_id.clone()))
            .collect();
        let mut steps = Vec::new();
        // A scope begins before what lies in it, so from the end on each finds its inner steps complete.
        for record in activities.into_iter().rev() {
            let parent = record.parent_activity_instance_id.clone();
            let mut step = self.step(record, now);
            step.steps = within.remove(&step.visit).unwrap_or_default();
            step.steps.reverse();
            match parent.filter(|parent| parents.contains_key(parent)) {
                Some(parent) => within.entry(parent).or_default().push(step),
                None => steps.push(step),
            }
        }
        steps.reverse();
        steps
    }

    fn step(&mut self, record: ActivityRecord, now: Timestamp) -> Step {
        let attempts = self.attempts(&record.id);
        let task = self
            .tasks
            .iter()
            .find(|task| task.activity_instance_id == record.id);
        let state = match record.end_time {
            _ if record.canceled => StepState::Cancelled,
            Some(_) => StepState::Completed,
            None if self.stuck.contains(&record.id) => StepState::Incident,
            None => StepState::Running,
        };
        let waits_for = (state == StepState::Running)
            .then(|| self.waits_for(&record, task, now))
            .flatten();
        let topic = task.map(|task| task.topic_name.clone()).or_else(|| {
            let logs = self
                .attempts
                .iter()
                .filter(|log| log.activity_instance_id.as_ref() == Some(&record.id));
            logs.filter_map(|log| log.topic_name.clone()).next()
        });
        let called = record.called_process_instance_id.as_ref();
        Step {
            called: called.and_then(|id| self.called.remove(id)).map(Box::new),
            variables: variables_of(&self.variables, &record.id),
            visit: record.id,
            id: record.activity_id,
            name: record.activity_name,
            kind: record.activity_type,
            topic,
            state,
            waits_for,
            started: record.start_time,
            ended: record.end_time,
            attempts,
            steps: Vec::new(),
        }
    }

    fn attempts(&self, visit: &str) -> Vec<Attempt> {
        let ended = self.attempts.iter().filter(|log| {
            log.activity_instance_id.as_deref() == Some(visit) && (log.failure_log || log.success_log)
        });
        ended
            .map(|log| Attempt {
                at: log.timestamp,
                worker: log.worker_id.clone(),
                error: log
                    .failure_log
                    .then(|| log.error_message.clone().unwrap_or_default()),
                details: self.details.get(&log.id).cloned(),
                retries_left: log.retries,
            })
            .collect()
    }

    fn waits_for(
        &self,
        record: &ActivityRecord,
        task: Option<&ExternalTask>,
        now: Timestamp,
    ) -> Option<String> {
        if let Some(task) = task {
            let is_held = task.lock_expiration_time.is_some_and(|end| end > now);
            return match (is_held, task.error_message.is_some()) {
                (false, _) => Some(format!("a worker for {}", task.topic_name)),
                (true, true) => Some("its next attempt".to_owned()),
                (true, false) => None,
            };
        }
        let event = || {
            let waiting = self
                .subscriptions
                .iter()
                .find(|it| it.activity_id.as_ref() == Some(&record.activity_id));
            waiting
                .and_then(|it| it.event_name.as_deref())
                .map(|name| format!(" {name}"))
                .unwrap_or_default()
        };
        match record.activity_type.as_str() {
            "userTask" => Some("somebody to complete it".to_owned()),
            "intermediateTimer" => Some("its time".to_owned()),
            "intermediateMessageCatch" | "receiveTask" => Some(format!("the message{}", event())),
            "intermediateSignalCatch" => Some(format!("the signal{}", event())),
            "intermediateConditional" => Some("its condition".to_owned()),
            "eventBasedGateway" => Some("one of its events".to_owned()),
            _ => None,
        }
    }
}

/// The variables of one scope.
pub(super) fn variables_of(records: &[VariableRecord], scope: &str) -> BTreeMap<String, serde_json::Value> {
    let own = records
        .iter()
        .filter(|record| record.activity_instance_id == scope);
    own.map(|record| (record.name.clone(), record.value.to_json()))
        .collect()
}
