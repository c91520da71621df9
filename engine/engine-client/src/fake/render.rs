//! Things of the engine as the REST API shows them.

use serde_json::{Map, Value as Json, json};
use tokio::time::Instant;

use super::instance::{Definition, Event, Instance, Log, Step, Task};
use super::state::State;
use super::value::{Scope, Value};
use crate::date;

pub(super) fn moment(state: &State, at: Instant) -> String {
    date::format(state.date(at))
}

pub(super) fn task(state: &State, instance: &Instance, task: &Task) -> Json {
    let definition = &instance.definition;
    let step = instance.step_of(task);
    json!({
        "activityId": step.map(|step| &step.id),
        "activityInstanceId": task.activity_instance,
        "businessKey": instance.business_key,
        "createTime": moment(state, task.created),
        "errorMessage": task.message,
        "executionId": task.execution,
        "id": task.id,
        "lockExpirationTime": task.locked_until.map(|until| moment(state, until)),
        "priority": task.priority,
        "processDefinitionId": definition.id,
        "processDefinitionKey": definition.process.key,
        "processDefinitionVersionTag": definition.process.version_tag,
        "processInstanceId": instance.id,
        "retries": task.retries,
        "suspended": false,
        "tenantId": definition.process.tenant,
        "topicName": step.map(|step| &step.topic),
        "workerId": task.worker,
    })
}

pub(super) fn definition(definition: &Definition) -> Json {
    json!({
        "id": definition.id,
        "key": definition.process.key,
        "name": null,
        "version": definition.version,
        "versionTag": definition.process.version_tag,
        "resource": format!("{}.bpmn", definition.process.key),
        "deploymentId": format!("deployment-of-{}", definition.id),
        "suspended": false,
        "tenantId": definition.process.tenant,
        "historyTimeToLive": 1,
    })
}

pub(super) fn instance(instance: &Instance) -> Json {
    let definition = &instance.definition;
    json!({
        "links": [],
        "id": instance.id,
        "definitionId": definition.id,
        "definitionKey": definition.process.key,
        "businessKey": instance.business_key,
        "ended": instance.is_over(),
        "suspended": false,
        "tenantId": definition.process.tenant,
    })
}

pub(super) fn incident(state: &State, instance: &Instance) -> Option<Json> {
    let (incident, task) = (instance.incident.as_ref()?, instance.task.as_ref()?);
    Some(json!({
        "id": incident.id,
        "processDefinitionId": instance.definition.id,
        "processInstanceId": instance.id,
        "executionId": task.execution,
        "incidentTimestamp": moment(state, incident.at),
        "incidentType": "failedExternalTask",
        "activityId": instance.step_of(task).map(|step| &step.id),
        "failedActivityId": null,
        "causeIncidentId": incident.id,
        "rootCauseIncidentId": incident.id,
        "configuration": task.id,
        "incidentMessage": incident.message,
        "tenantId": instance.definition.process.tenant,
    }))
}

pub(super) fn variables(scope: &Scope) -> Json {
    let each = scope.iter().map(|(name, value)| (name.clone(), value.render()));
    each.collect::<Map<_, _>>().into()
}

pub(super) fn instance_record(state: &State, instance: &Instance) -> Json {
    let definition = &instance.definition;
    json!({
        "id": instance.id,
        "businessKey": instance.business_key,
        "processDefinitionId": definition.id,
        "processDefinitionKey": definition.process.key,
        "processDefinitionName": null,
        "processDefinitionVersion": definition.version,
        "startTime": moment(state, instance.started),
        "endTime": instance.ended.map(|at| moment(state, at)),
        "startActivityId": "start",
        "deleteReason": null,
        "rootProcessInstanceId": instance.id,
        "superProcessInstanceId": null,
        "tenantId": definition.process.tenant,
        "state": instance.state,
    })
}

pub(super) fn step_record(state: &State, instance: &Instance, step: &Step) -> Json {
    json!({
        "id": step.id,
        "parentActivityInstanceId": instance.id,
        "activityId": step.element,
        "activityName": null,
        "activityType": step.kind,
        "processDefinitionId": instance.definition.id,
        "processDefinitionKey": instance.definition.process.key,
        "processInstanceId": instance.id,
        "calledProcessInstanceId": null,
        "startTime": moment(state, step.began),
        "endTime": step.ended.map(|at| moment(state, at)),
        "canceled": step.cancelled,
        "tenantId": instance.definition.process.tenant,
    })
}

pub(super) fn log_record(state: &State, instance: &Instance, log: &Log) -> Json {
    let task = &log.task;
    json!({
        "id": log.id,
        "timestamp": moment(state, log.at),
        "externalTaskId": task.id,
        "topicName": instance.step_of(task).map(|step| &step.topic),
        "workerId": task.worker,
        "retries": task.retries,
        "errorMessage": (log.event == Event::Failed).then_some(&task.message),
        "activityId": log.element,
        "activityInstanceId": task.activity_instance,
        "executionId": task.execution,
        "processInstanceId": instance.id,
        "processDefinitionId": instance.definition.id,
        "processDefinitionKey": instance.definition.process.key,
        "tenantId": instance.definition.process.tenant,
        "creationLog": log.event == Event::Created,
        "failureLog": log.event == Event::Failed,
        "successLog": log.event == Event::Done,
        "deletionLog": log.event == Event::Deleted,
    })
}

/// A variable's id says where it is.
pub(super) fn variable_record(instance: &Instance, scope: &str, name: &str, value: &Value) -> Json {
    let mut record = value.render_record();
    record.extend([
        ("id".to_owned(), json!(variable_id(scope, name))),
        ("name".to_owned(), json!(name)),
        ("processDefinitionId".to_owned(), json!(instance.definition.id)),
        (
            "processDefinitionKey".to_owned(),
            json!(instance.definition.process.key),
        ),
        ("processInstanceId".to_owned(), json!(instance.id)),
        ("activityInstanceId".to_owned(), json!(scope)),
        ("tenantId".to_owned(), json!(instance.definition.process.tenant)),
        ("state".to_owned(), json!("CREATED")),
    ]);
    record.into()
}

pub(super) fn variable_id(scope: &str, name: &str) -> String {
    format!("variable:{scope}:{name}")
}
