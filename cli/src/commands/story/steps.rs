//! Steps out of the history's records.

use std::collections::{BTreeMap, HashMap};

use engine_client::{ActivityRecord, EventSubscription, ExternalTask, ExternalTaskRecord, VariableRecord};
use jiff::Timestamp;
use worker_runtime::is_effect_note;

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

/// The variables of one scope, without what the worker itself has written down in it.
pub(super) fn variables_of(records: &[VariableRecord], scope: &str) -> BTreeMap<String, serde_json::Value> {
    let own = records
        .iter()
        .filter(|record| record.activity_instance_id == scope && !is_effect_note(&record.name));
    own.map(|record| (record.name.clone(), record.value.to_json()))
        .collect()
}

#[cfg(test)]
mod tests {
    use engine_client::Variable;
    use serde_json::json;

    use super::*;

    const NOW: &str = "2026-11-21T06:00:10Z";

    fn activity(id: &str, parent: &str, kind: &str, ended: bool, cancelled: bool) -> serde_json::Value {
        let end = ended.then_some("2026-11-21T06:00:02.000+0000");
        json!({
            "id": id, "activityId": id, "activityName": null, "activityType": kind, "canceled": cancelled,
            "parentActivityInstanceId": parent, "startTime": "2026-11-21T06:00:00.000+0000", "endTime": end,
        })
    }

    fn task(visit: &str, lock_end: Option<&str>, error: Option<&str>) -> serde_json::Value {
        json!({
            "id": format!("task-{visit}"), "topicName": "x", "activityInstanceId": visit,
            "lockExpirationTime": lock_end, "errorMessage": error,
        })
    }

    fn records(activities: serde_json::Value, tasks: serde_json::Value) -> Records {
        Records {
            activities: serde_json::from_value(activities).unwrap(),
            attempts: Vec::new(),
            variables: Vec::new(),
            tasks: serde_json::from_value(tasks).unwrap(),
            subscriptions: Vec::new(),
            details: HashMap::new(),
            called: HashMap::new(),
            stuck: Vec::new(),
        }
    }

    fn steps(records: Records) -> Vec<Step> {
        records.into_steps(NOW.parse().unwrap())
    }

    fn ids(steps: &[Step]) -> Vec<&str> {
        steps.iter().map(|step| step.id.as_str()).collect()
    }

    #[test]
    fn steps_keep_their_order_and_lie_in_their_subprocess() {
        let steps = steps(records(
            json!([
                activity("start", "p", "startEvent", true, false),
                activity("sub", "p", "subProcess", true, false),
                activity("inner1", "sub", "serviceTask", true, false),
                activity("inner2", "sub", "serviceTask", true, true),
                activity("end", "p", "noneEndEvent", true, false),
            ]),
            json!([]),
        ));
        assert_eq!(ids(&steps), ["start", "sub", "end"]);
        assert_eq!(ids(&steps[1].steps), ["inner1", "inner2"]);
        assert_eq!(steps[1].steps[1].state, StepState::Cancelled);
    }

    #[test]
    fn a_task_without_a_worker_says_so_and_one_that_runs_does_not() {
        let waits = |lock_end, error| {
            let activities = json!([activity("a", "p", "serviceTask", false, false)]);
            steps(records(activities, json!([task("a", lock_end, error)])))[0]
                .waits_for
                .clone()
        };
        let (past, ahead) = (
            Some("2026-11-21T06:00:09.000+0000"),
            Some("2026-11-21T06:00:11.000+0000"),
        );
        assert_eq!(waits(None, None).as_deref(), Some("a worker for x"));
        assert_eq!(waits(past, Some("broken")).as_deref(), Some("a worker for x"));
        assert_eq!(waits(ahead, Some("broken")).as_deref(), Some("its next attempt"));
        assert_eq!(waits(ahead, None), None);
    }

    #[test]
    fn attempts_and_variables_belong_to_their_visit() {
        let log = |id: &str, visit: &str, kind: &str, retries: i32| {
            json!({
                "id": id, "externalTaskId": "t", "topicName": "x", "activityInstanceId": visit, "retries": retries,
                "errorMessage": "broken", "workerId": "w", kind: true,
            })
        };
        let mut records = records(
            json!([
                activity("a", "p", "serviceTask", false, false),
                activity("b", "p", "serviceTask", true, false),
            ]),
            json!([]),
        );
        records.attempts = serde_json::from_value(json!([
            log("1", "a", "creationLog", 3),
            log("2", "a", "failureLog", 0),
            log("3", "b", "successLog", 3),
        ]))
        .unwrap();
        records.details.insert("2".into(), "line 4".into());
        records.stuck = vec!["a".into()];
        let variable = |scope: &str| VariableRecord {
            id: scope.into(),
            name: "value".into(),
            value: Variable::String(scope.into()),
            activity_instance_id: scope.into(),
        };
        let note = VariableRecord {
            name: "procosEffect".into(),
            ..variable("a")
        };
        records.variables = vec![variable("p"), variable("a"), note];
        let steps = steps(records);
        assert_eq!(steps[0].state, StepState::Incident);
        assert_eq!(steps[0].attempts.len(), 1);
        assert_eq!(steps[0].attempts[0].error.as_deref(), Some("broken"));
        assert_eq!(steps[0].attempts[0].details.as_deref(), Some("line 4"));
        assert_eq!(
            steps[0].variables,
            BTreeMap::from([("value".to_owned(), json!("a"))])
        );
        assert_eq!(
            (steps[1].attempts.len(), steps[1].attempts[0].error.clone()),
            (1, None)
        );
        assert_eq!(steps[1].topic.as_deref(), Some("x"));
    }
}
