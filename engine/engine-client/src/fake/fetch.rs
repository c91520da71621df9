//! What one fetch-and-lock request asks for, and what it gets.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value as Json, json};
use tokio::time::{Duration, Instant};

use super::answer::Refused;
use super::instance::{Instance, Task};
use super::render;
use super::state::{State, millis};
use super::tasks::read;

/// The longest time for which the engine holds a poll, in milliseconds.
const LONGEST_POLL: i64 = 1_800_000;

/// A request that makes sense.
#[derive(Debug)]
pub(super) struct Fetch {
    pub(super) worker: String,
    /// How long it may be held; none is answered at once.
    pub(super) hold: Option<Duration>,
    max: usize,
    use_priority: bool,
    newest_first: Option<bool>,
    topics: BTreeMap<String, Topic>,
}

#[derive(Debug, Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Body {
    worker_id: Option<String>,
    max_tasks: i64,
    use_priority: bool,
    async_response_timeout: Option<i64>,
    sorting: Vec<Sorting>,
    topics: Vec<Topic>,
}

#[derive(Debug, Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Sorting {
    sort_by: String,
    sort_order: String,
}

#[derive(Debug, Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Topic {
    topic_name: Option<String>,
    lock_duration: i64,
    variables: Option<Vec<String>>,
    local_variables: bool,
    business_key: Option<String>,
    process_definition_id: Option<String>,
    process_definition_id_in: Option<Vec<String>>,
    process_definition_key: Option<String>,
    process_definition_key_in: Option<Vec<String>>,
    process_definition_version_tag: Option<String>,
    without_tenant_id: bool,
    tenant_id_in: Option<Vec<String>>,
    process_variables: Option<Map<String, Json>>,
    include_extension_properties: bool,
}

impl Fetch {
    pub(super) fn read(body: &[u8]) -> Result<Self, Refused> {
        let body: Body = read(body)?;
        if body
            .async_response_timeout
            .is_some_and(|timeout| timeout > LONGEST_POLL)
        {
            return Err(Refused::invalid(format!(
                "The asynchronous response timeout cannot be set to a value greater than {LONGEST_POLL} milliseconds"
            )));
        }
        let newest_first = match body.sorting.first() {
            None => None,
            Some(Sorting { sort_by, sort_order }) => match (sort_by.as_str(), sort_order.as_str()) {
                ("createTime", "asc") => Some(false),
                ("createTime", "desc") => Some(true),
                _ => {
                    return Err(Refused::invalid(format!(
                        "Cannot set query sortBy parameter to value {sort_by}"
                    )));
                }
            },
        };
        let worker = body.worker_id.ok_or_else(|| Refused::null("workerId"))?;
        let max = usize::try_from(body.max_tasks)
            .map_err(|_| Refused::internal("maxResults is not greater than or equal to 0"))?;
        let mut topics = BTreeMap::new();
        for topic in body.topics {
            let name = topic
                .topic_name
                .clone()
                .ok_or_else(|| Refused::null("topicName"))?;
            if topic.lock_duration <= 0 {
                return Err(Refused::internal("lockTime is not greater than 0"));
            }
            // Of two with the same name, the last stays.
            topics.insert(name, topic);
        }
        Ok(Self {
            worker,
            hold: body.async_response_timeout.map(millis),
            max,
            use_priority: body.use_priority,
            newest_first,
            topics,
        })
    }
}

impl Topic {
    fn matches(&self, instance: &Instance) -> bool {
        let definition = &instance.definition;
        let (id, key) = (&definition.id, &definition.process.key);
        let tenant = definition.process.tenant.as_ref();
        let is = |wanted: &Option<String>, it: &String| wanted.as_ref().is_none_or(|wanted| wanted == it);
        let is_in = |wanted: &Option<Vec<String>>, it: &String| {
            wanted.as_ref().is_none_or(|wanted| wanted.contains(it))
        };
        let has = |(name, raw): (&String, &Json)| {
            instance
                .variables
                .get(name)
                .is_some_and(|value| value.equals(raw))
        };
        is(&self.process_definition_id, id)
            && is_in(&self.process_definition_id_in, id)
            && is(&self.process_definition_key, key)
            && is_in(&self.process_definition_key_in, key)
            && (self.process_definition_version_tag.is_none()
                || self.process_definition_version_tag == definition.process.version_tag)
            && (self.business_key.is_none() || self.business_key == instance.business_key)
            && !(self.without_tenant_id && tenant.is_some())
            && (self.tenant_id_in.as_ref())
                .is_none_or(|wanted| tenant.is_some_and(|tenant| wanted.contains(tenant)))
            && self.process_variables.iter().flatten().all(has)
    }

    fn variables(&self, instance: &Instance, task: &Task) -> Json {
        let wanted = |name: &String| (self.variables.as_ref()).is_none_or(|wanted| wanted.contains(name));
        let process = (!self.local_variables).then_some(&instance.variables);
        let visible = process.into_iter().flatten().chain(&task.local);
        visible
            .filter(|(name, _)| wanted(name))
            .map(|(name, value)| (name.clone(), value.render()))
            .collect::<Map<_, _>>()
            .into()
    }

    /// Refused where a property has no name: the engine's own answer cannot be written then.
    fn properties(&self, instance: &Instance, task: &Task) -> Result<Json, Refused> {
        let mut properties = Map::new();
        if self.include_extension_properties {
            let step = instance.step_of(task);
            for (name, value) in step.into_iter().flat_map(|step| &step.properties) {
                let name = name.clone().ok_or_else(|| Refused::invalid(""))?;
                properties.insert(name, json!(value));
            }
        }
        Ok(properties.into())
    }
}

impl State {
    /// Locks what there is, and gives it. Also where the answer is an error, the tasks are locked.
    pub(super) fn fetch(&mut self, fetch: &Fetch) -> Result<Vec<Json>, Refused> {
        let now = Instant::now();
        let topic_of = |instance: &Instance, task: &Task| {
            let name = &instance.step_of(task)?.topic;
            fetch.topics.get(name).filter(|topic| topic.matches(instance))
        };
        let free = self.instances.iter().enumerate().filter(|(_, instance)| {
            let task = instance.task.as_ref().filter(|task| task.is_free(now));
            task.is_some_and(|task| topic_of(instance, task).is_some())
        });
        let mut found: Vec<usize> = free.map(|(index, _)| index).collect();
        let created = |index: &usize| self.instances[*index].task.as_ref().map(|task| task.created);
        match fetch.newest_first {
            Some(true) => found.sort_by_key(|index| std::cmp::Reverse(created(index))),
            Some(false) => found.sort_by_key(created),
            None => {}
        }
        if fetch.use_priority {
            let priority = |index: &usize| self.instances[*index].task.as_ref().map(|task| task.priority);
            found.sort_by_key(|index| std::cmp::Reverse(priority(index)));
        }
        found.truncate(fetch.max);
        for index in &found {
            let instance = &mut self.instances[*index];
            let lock = instance
                .task
                .as_ref()
                .and_then(|task| topic_of(instance, task))
                .map_or(0, |topic| topic.lock_duration);
            if let Some(task) = &mut instance.task {
                task.worker = Some(fetch.worker.clone());
                task.locked_until = Some(now + millis(lock));
            }
        }
        let locked = found.iter().filter_map(|index| {
            let instance = &self.instances[*index];
            let task = instance.task.as_ref()?;
            Some((instance, task, topic_of(instance, task)?))
        });
        locked
            .map(|(instance, task, topic)| {
                let mut answer = render::task(self, instance, task);
                answer["variables"] = topic.variables(instance, task);
                answer["extensionProperties"] = topic.properties(instance, task)?;
                answer["errorDetails"] = json!(task.details);
                Ok(answer)
            })
            .collect()
    }
}
