//! Reading an instance's story from the engine.

use std::collections::HashMap;
use std::pin::Pin;

use engine_client::{
    ActivityRecord, EngineClient, EngineError, ExternalTaskRecord, Incident, InstanceRecord, InstanceState,
};
use futures::stream::{self, StreamExt, TryStreamExt};
use jiff::Timestamp;

use super::steps::{Records, variables_of};
use super::{State, Story, Stuck, element_name};

/// How deep calls are followed. A model can call itself; nobody reads further.
const DEEPEST_CALL: usize = 16;

/// How many calls to the engine are under way at once.
const AT_ONCE: usize = 8;

/// What a look at an instance tells.
pub(crate) struct Known {
    /// Its record.
    pub(crate) record: InstanceRecord,
    /// Its open incidents, those that mirror one of a called instance included.
    pub(crate) incidents: Vec<Incident>,
}

impl Known {
    /// How it stands.
    pub(crate) fn state(&self) -> State {
        State::of(self.record.state, !self.incidents.is_empty())
    }
}

/// A look at an instance: cheap enough to be repeated many times a second.
///
/// # Errors
/// `is_not_found` where the engine knows none of this id.
pub(crate) async fn look(engine: &EngineClient, id: &str) -> Result<Known, EngineError> {
    let (record, incidents) = tokio::try_join!(engine.instance_record(id), engine.incidents(Some(id)))?;
    Ok(Known { record, incidents })
}

/// All that happened in an instance.
///
/// # Errors
/// `is_not_found` where the engine knows none of this id.
pub(crate) async fn collect(engine: &EngineClient, id: &str) -> Result<Story, EngineError> {
    below(engine, id, 0).await
}

type Reading<'a> = Pin<Box<dyn Future<Output = Result<Story, EngineError>> + Send + 'a>>;

fn below<'a>(engine: &'a EngineClient, id: &'a str, depth: usize) -> Reading<'a> {
    Box::pin(async move {
        let known = look(engine, id).await?;
        let (activities, attempts, variables) = tokio::try_join!(
            engine.activity_records(id),
            engine.external_task_records(id),
            engine.variable_records(id),
        )?;
        let (tasks, subscriptions) = if known.record.state.is_over() {
            Default::default()
        } else {
            tokio::try_join!(engine.external_tasks(id), engine.subscriptions_of(id))?
        };
        let details = details(engine, &attempts).await?;
        let called = called(engine, &activities, depth).await?;

        let visits = |incident: &Incident| visit_of(incident, &activities, &tasks);
        let stuck = known.incidents.iter().filter_map(visits).collect();
        let mut incidents = Vec::new();
        for incident in known.incidents.iter().filter(|incident| is_cause(incident)) {
            incidents.push(stuck_at(engine, incident, &known.record, &activities, visits(incident)).await?);
        }
        incidents.extend(called.values().flat_map(|story| story.incidents.iter().cloned()));

        let state = known.state();
        let process_variables = variables_of(&variables, id);
        let records = Records {
            activities,
            attempts,
            variables,
            tasks,
            subscriptions,
            details,
            called,
            stuck,
        };
        let record = known.record;
        Ok(Story {
            steps: records.into_steps(Timestamp::now()),
            variables: process_variables,
            incidents,
            state,
            suspended: record.state == InstanceState::Suspended,
            instance_id: record.id,
            key: record.process_definition_key,
            name: record.process_definition_name,
            version: record.process_definition_version,
            business_key: record.business_key,
            tenant_id: record.tenant_id,
            reason: record.delete_reason,
            started: record.start_time,
            ended: record.end_time,
        })
    })
}

/// What is told of failures beyond their messages, by the record's id.
async fn details(
    engine: &EngineClient,
    attempts: &[ExternalTaskRecord],
) -> Result<HashMap<String, String>, EngineError> {
    let failed: Vec<String> = attempts
        .iter()
        .filter(|log| log.failure_log)
        .map(|log| log.id.clone())
        .collect();
    let asked = stream::iter(failed).map(|record| async move {
        let details = engine.failure_details(&record).await?;
        Ok::<_, EngineError>((record, details))
    });
    let mut details: HashMap<_, _> = asked.buffer_unordered(AT_ONCE).try_collect().await?;
    details.retain(|_, details| !details.trim().is_empty());
    Ok(details)
}

async fn called(
    engine: &EngineClient,
    activities: &[ActivityRecord],
    depth: usize,
) -> Result<HashMap<String, Story>, EngineError> {
    if depth >= DEEPEST_CALL {
        return Ok(HashMap::new());
    }
    let ids: Vec<_> = activities
        .iter()
        .filter_map(|activity| activity.called_process_instance_id.clone())
        .collect();
    let stories = stream::iter(ids).map(|id| async move {
        match below(engine, &id, depth + 1).await {
            // Its history has been cleaned up already.
            Err(error) if error.is_not_found() => Ok(None),
            answer => answer.map(Some),
        }
    });
    let stories: Vec<Option<Story>> = stories.buffer_unordered(AT_ONCE).try_collect().await?;
    Ok(stories
        .into_iter()
        .flatten()
        .map(|story| (story.instance_id.clone(), story))
        .collect())
}

/// Whether an incident arose here, as against in an instance that was called.
pub(crate) fn is_cause(incident: &Incident) -> bool {
    incident
        .root_cause_incident_id
        .as_ref()
        .is_none_or(|cause| *cause == incident.id)
}

fn visit_of(
    incident: &Incident,
    activities: &[ActivityRecord],
    tasks: &[engine_client::ExternalTask],
) -> Option<String> {
    let task = tasks
        .iter()
        .find(|task| Some(&task.id) == incident.configuration.as_ref());
    task.map(|task| task.activity_instance_id.clone()).or_else(|| {
        let here = |it: &&ActivityRecord| {
            it.end_time.is_none() && Some(&it.activity_id) == incident.activity_id.as_ref()
        };
        activities.iter().find(here).map(|activity| activity.id.clone())
    })
}

async fn stuck_at(
    engine: &EngineClient,
    incident: &Incident,
    record: &InstanceRecord,
    activities: &[ActivityRecord],
    visit: Option<String>,
) -> Result<Stuck, EngineError> {
    let step_id = incident
        .failed_activity_id
        .clone()
        .or_else(|| incident.activity_id.clone());
    let entered = activities
        .iter()
        .find(|it| Some(&it.activity_id) == step_id.as_ref());
    let step_name = match (entered, &step_id) {
        (Some(activity), _) => activity.activity_name.clone(),
        (None, Some(id)) => element_name(engine, &record.process_definition_id, id).await?,
        (None, None) => None,
    };
    Ok(Stuck {
        incident_id: incident.id.clone(),
        kind: incident.incident_type.clone(),
        instance_id: Some(record.id.clone()),
        key: Some(record.process_definition_key.clone()),
        step_id,
        step_name,
        visit,
        message: incident.incident_message.clone().unwrap_or_default(),
        since: incident.incident_timestamp,
    })
}

/// An incident of any instance, with the names that people know.
///
/// # Errors
/// As every call of the engine.
pub(crate) async fn name(engine: &EngineClient, incident: &Incident) -> Result<Option<Stuck>, EngineError> {
    let Some(id) = &incident.process_instance_id else {
        return Ok(None);
    };
    let record = match engine.instance_record(id).await {
        // It has ended in the meantime.
        Err(error) if error.is_not_found() => return Ok(None),
        answer => answer?,
    };
    let activities = engine.current_activities(id).await?;
    stuck_at(engine, incident, &record, &activities, None)
        .await
        .map(Some)
}
