//! The queries that answer with a list: filters, order, paging.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use serde_json::Value as Json;

use super::answer::Refused;
use super::render;
use super::state::State;

/// A query's parameters, decoded.
pub(super) type Query = Vec<(String, String)>;

/// Parameter → the field that must equal it. A parameter that ends in `In` holds several values, with commas.
type Filters = &'static [(&'static str, &'static str)];

const INSTANCES: Filters = &[
    ("processInstanceId", "id"),
    ("processInstanceIds", "id"),
    ("processDefinitionKey", "processDefinitionKey"),
    ("processDefinitionId", "processDefinitionId"),
    ("businessKey", "businessKey"),
    ("processInstanceBusinessKey", "businessKey"),
    ("superProcessInstanceId", "superProcessInstanceId"),
    ("tenantIdIn", "tenantId"),
];

const PARTS: Filters = &[
    ("processInstanceId", "processInstanceId"),
    ("processInstanceIdIn", "processInstanceId"),
    ("processDefinitionKey", "processDefinitionKey"),
    ("processDefinitionId", "processDefinitionId"),
    ("activityId", "activityId"),
    ("activityInstanceIdIn", "activityInstanceId"),
    ("activityType", "activityType"),
    ("executionId", "executionId"),
    ("externalTaskId", "id"),
    ("topicName", "topicName"),
    ("workerId", "workerId"),
    ("incidentType", "incidentType"),
    ("configuration", "configuration"),
    ("variableName", "name"),
    ("tenantIdIn", "tenantId"),
];

const DEFINITIONS: Filters = &[
    ("key", "key"),
    ("processDefinitionId", "id"),
    ("version", "version"),
    ("versionTag", "versionTag"),
    ("deploymentId", "deploymentId"),
    ("tenantIdIn", "tenantId"),
];

/// Parameters that change nothing here.
const WITHOUT_EFFECT: &[&str] = &[
    "deserializeValues",
    "deserializeValue",
    "active",
    "variableValuesIgnoreCase",
];

impl State {
    pub(super) fn list_tasks(&self, query: Query) -> Result<Vec<Json>, Refused> {
        let now = tokio::time::Instant::now();
        let tasks = self.tasks().filter(|(_, task)| {
            query.iter().all(|(name, _)| match name.as_str() {
                "locked" => task.is_locked(now),
                "notLocked" => !task.is_locked(now),
                "withRetriesLeft" => task.retries.is_none_or(|retries| retries > 0),
                "noRetriesLeft" => task.retries == Some(0),
                // Nothing is ever suspended here.
                "suspended" => false,
                _ => true,
            })
        });
        let tasks = tasks.map(|(instance, task)| render::task(self, instance, task));
        let known = [
            "locked",
            "notLocked",
            "withRetriesLeft",
            "noRetriesLeft",
            "suspended",
        ];
        list(tasks.collect(), without(query, &known), PARTS)
    }

    /// The topics of tasks, each once.
    pub(super) fn topic_names(&self, query: &Query) -> Vec<Json> {
        let now = tokio::time::Instant::now();
        let asked = |name: &str| {
            query
                .iter()
                .any(|(given, value)| given == name && value == "true")
        };
        let (locked, unlocked) = (asked("withLockedTasks"), asked("withUnlockedTasks"));
        let retries = asked("withRetriesLeft");
        let tasks = self.tasks().filter(|(_, task)| {
            (!locked || task.is_locked(now))
                && (!unlocked || !task.is_locked(now))
                && (!retries || task.retries.is_none_or(|retries| retries > 0))
        });
        let topics = tasks.filter_map(|(instance, task)| Some(instance.step_of(task)?.topic.as_str()));
        let topics: BTreeSet<&str> = topics.collect();
        topics.into_iter().map(Json::from).collect()
    }

    pub(super) fn list_definitions(&self, query: Query) -> Result<Vec<Json>, Refused> {
        let latest_only = has(&query, "latestVersion");
        let is_latest = |it: &super::instance::Definition| {
            self.latest(&it.process.key, it.process.tenant.as_deref())
                .is_some_and(|latest| latest.id == it.id)
        };
        let (no_tenant, suspended) = (has(&query, "withoutTenantId"), has(&query, "suspended"));
        let wanted = (self.definitions.iter())
            .filter(|it| !latest_only || is_latest(it))
            .filter(|it| !(no_tenant && it.process.tenant.is_some() || suspended));
        let wanted = wanted.map(|it| render::definition(it)).collect();
        let query = without(query, &["latestVersion", "withoutTenantId", "suspended"]);
        list(wanted, query, DEFINITIONS)
    }

    pub(super) fn list_instances(&self, query: Query) -> Result<Vec<Json>, Refused> {
        let running = self.instances.iter().filter(|it| !it.is_over());
        // Nothing calls anything here.
        let none = has(&query, "subProcessInstance") || has(&query, "superProcessInstance");
        let found = running.filter(|_| !none).map(|it| {
            let mut shown = render::instance(it);
            shown["processDefinitionKey"] = shown["definitionKey"].clone();
            shown
        });
        let query = without(query, &["subProcessInstance", "superProcessInstance"]);
        list(found.collect(), query, INSTANCES)
    }

    pub(super) fn list_incidents(&self, query: Query) -> Result<Vec<Json>, Refused> {
        let found = self.instances.iter().filter_map(|it| render::incident(self, it));
        list(found.collect(), query, PARTS)
    }

    pub(super) fn list_instance_records(&self, query: Query) -> Result<Vec<Json>, Refused> {
        let (finished, unfinished) = (has(&query, "finished"), has(&query, "unfinished"));
        let found = (self.instances.iter())
            .filter(|it| !(finished && !it.is_over() || unfinished && it.is_over()))
            .map(|it| render::instance_record(self, it));
        let query = without(query, &["finished", "unfinished"]);
        list(found.collect(), query, INSTANCES)
    }

    pub(super) fn list_steps(&self, query: Query) -> Result<Vec<Json>, Refused> {
        let (finished, unfinished) = (has(&query, "finished"), has(&query, "unfinished"));
        let found = self.instances.iter().flat_map(|it| {
            (it.steps.iter())
                .filter(|step| !(finished && step.ended.is_none() || unfinished && step.ended.is_some()))
                .map(|step| render::step_record(self, it, step))
        });
        let query = without(query, &["finished", "unfinished"]);
        list(found.collect(), query, PARTS)
    }

    pub(super) fn list_logs(&self, query: Query) -> Result<Vec<Json>, Refused> {
        let found = self
            .instances
            .iter()
            .flat_map(|it| it.log.iter().map(|log| render::log_record(self, it, log)));
        list(found.collect(), query, PARTS)
    }

    pub(super) fn list_variable_records(&self, query: Query) -> Result<Vec<Json>, Refused> {
        let found = self.instances.iter().flat_map(|it| {
            it.scopes().flat_map(move |(scope, variables)| {
                let records = variables.iter();
                records.map(move |(name, value)| render::variable_record(it, scope, name, value))
            })
        });
        list(found.collect(), query, PARTS)
    }
}

fn has(query: &Query, name: &str) -> bool {
    query.iter().any(|(given, _)| given == name)
}

fn without(query: Query, names: &[&str]) -> Query {
    query
        .into_iter()
        .filter(|(name, _)| !names.contains(&name.as_str()))
        .collect()
}

/// What passes every filter, in the order asked for. A filter that is not known here would let too much through in
/// silence: it is refused.
fn list(mut items: Vec<Json>, query: Query, filters: Filters) -> Result<Vec<Json>, Refused> {
    let (mut first, mut max) = (0, usize::MAX);
    let (mut sort_by, mut descending) = (None, false);
    for (name, value) in query {
        match name.as_str() {
            "firstResult" => first = value.parse().unwrap_or(first),
            "maxResults" => max = value.parse().unwrap_or(max),
            "sortBy" => sort_by = Some(value),
            "sortOrder" => descending = value == "desc",
            name if WITHOUT_EFFECT.contains(&name) => {}
            name => {
                let Some((_, field)) = filters.iter().find(|(known, _)| *known == name) else {
                    return Err(Refused::not_offered(&format!("the query parameter {name}")));
                };
                let wanted: Vec<&str> = if name.ends_with("In") || name.ends_with("Ids") {
                    value.split(',').collect()
                } else {
                    vec![&value]
                };
                items.retain(|item| {
                    let field = if item.get(name).is_some() { name } else { field };
                    let is = item[field]
                        .as_str()
                        .map_or_else(|| item[field].to_string(), str::to_owned);
                    wanted.contains(&is.as_str())
                });
            }
        }
    }
    if let Some(field) = sort_by {
        // The one field that is not called as it is sorted by.
        let field = if field == "taskPriority" {
            "priority".to_owned()
        } else {
            field
        };
        // Stable: what is equal, or has no such field, stays in the order in which it came about.
        items.sort_by(|one, other| compare(&one[&field], &other[&field]));
    }
    if descending {
        items.reverse();
    }
    Ok(items.into_iter().skip(first).take(max).collect())
}

fn compare(one: &Json, other: &Json) -> Ordering {
    match (one, other) {
        (Json::Number(one), Json::Number(other)) => {
            let number = |it: &serde_json::Number| it.as_f64().unwrap_or_default();
            number(one).total_cmp(&number(other))
        }
        _ => one.as_str().cmp(&other.as_str()),
    }
}
