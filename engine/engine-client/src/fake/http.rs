//! The REST API: which path does what.

use std::collections::BTreeMap;

use http::Method;
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::answer::{Answer, Refused};
use super::instance::Instance;
use super::lists::Query;
use super::render;
use super::state::State;
use super::tasks::read;
use super::upload::Upload;
use super::value::{Scope, Value, accept, accept_all};
use crate::TypedValue;

/// The version that the fake says it is.
const VERSION: &str = "7.24.0";

type Result<T> = std::result::Result<T, Refused>;

/// A call, taken apart.
#[derive(Debug)]
pub(super) struct Call<'a> {
    pub(super) method: &'a Method,
    /// Below the REST API's address, decoded.
    pub(super) path: Vec<String>,
    pub(super) query: Query,
    pub(super) body: &'a [u8],
}

/// The segments of a path below the REST API's address.
pub(super) fn segments(path: &str) -> Vec<String> {
    let below = path.strip_prefix("/engine-rest").unwrap_or(path);
    let segments = below.split('/').filter(|segment| !segment.is_empty());
    segments
        .map(|segment| percent_decode_str(segment).decode_utf8_lossy().into_owned())
        .collect()
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Start {
    business_key: Option<String>,
    variables: Option<BTreeMap<String, TypedValue>>,
    start_instructions: Option<Vec<Json>>,
    with_variables_in_return: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Changes {
    modifications: Option<BTreeMap<String, TypedValue>>,
    deletions: Option<Vec<String>>,
}

impl State {
    /// Carries out any call but fetch-and-lock, which may wait.
    pub(super) fn answer(&mut self, call: Call<'_>) -> Result<Answer> {
        let path: Vec<&str> = call.path.iter().map(String::as_str).collect();
        let (get, post, put, delete) = (
            call.method == Method::GET,
            call.method == Method::POST,
            call.method == Method::PUT,
            call.method == Method::DELETE,
        );
        let body = call.body;
        match path.as_slice() {
            ["version"] if get => Ok(Answer::Json(json!({ "version": VERSION }))),
            ["external-task", rest @ ..] => self.external_task(call.method, rest, call.query, body),
            ["history", rest @ ..] if get => self.history(rest, call.query),
            ["incident"] if get => self.list_incidents(call.query).map(json_list),
            ["process-definition", "count"] if get => self.list_definitions(call.query).map(count),
            ["process-definition"] if get => self.list_definitions(call.query).map(json_list),
            ["process-definition", rest @ ..] if get || post => self.process_definition(post, rest, body),
            ["process-instance"] if get => self.list_instances(call.query).map(json_list),
            ["process-instance", id] if get => {
                let instance = self.running(id).ok_or_else(|| {
                    Refused::not_found(format!("Process instance with id {id} does not exist"))
                })?;
                Ok(Answer::Json(render::instance(instance)))
            }
            ["process-instance", id] if delete => self.cancel(id).map(|()| Answer::Done),
            ["process-instance", id, "variables", rest @ ..]
            | ["execution", id, "localVariables", rest @ ..] => {
                if get {
                    self.variables(id, rest)
                } else if post || put {
                    self.set_variables(id, rest, body)
                } else {
                    self.delete_variable(id, rest)
                }
            }
            _ => Err(Refused::not_offered(&format!(
                "{} /{}",
                call.method,
                path.join("/")
            ))),
        }
    }

    fn external_task(&mut self, method: &Method, path: &[&str], query: Query, body: &[u8]) -> Result<Answer> {
        let get = method == Method::GET;
        let post = method == Method::POST;
        let put = method == Method::PUT;
        match path {
            [] if get => self.list_tasks(query).map(json_list),
            ["count"] if get => self.list_tasks(query).map(count),
            ["topic-names"] if get => Ok(json_list(self.topic_names(&query))),
            ["retries"] if put => self.set_retries_of_all(&read(body)?).map(|()| Answer::Done),
            [id] if get => {
                let (instance, task) = self.task(id).ok_or_else(|| Refused::no_task(id))?;
                Ok(Answer::Json(render::task(self, instance, task)))
            }
            [id, "errorDetails"] if get => {
                // As the engine has it: 500 here.
                let (_, task) = self.task(id).ok_or_else(|| {
                    Refused::null(&format!("No external task found with id {id}: externalTask"))
                })?;
                Ok(text(task.details.as_deref()))
            }
            [id, "retries"] if put => self.set_retries(id, &read(body)?).map(|()| Answer::Done),
            [id, "priority"] if put => self.set_priority(id, &read(body)?).map(|()| Answer::Done),
            [id, "complete"] if post => self.complete(id, read(body)?).map(|()| Answer::Done),
            [id, "failure"] if post => self.fail(id, read(body)?).map(|()| Answer::Done),
            [id, "bpmnError"] if post => self.throw(id, read(body)?).map(|()| Answer::Done),
            [id, "extendLock"] if post => self.extend_lock(id, read(body)?).map(|()| Answer::Done),
            [id, "lock"] if post => self.lock(id, read(body)?).map(|()| Answer::Done),
            [id, "unlock"] if post => self.unlock(id).map(|()| Answer::Done),
            _ => Err(Refused::not_offered(&format!(
                "{method} /external-task/{}",
                path.join("/")
            ))),
        }
    }

    fn process_definition(&mut self, post: bool, path: &[&str], body: &[u8]) -> Result<Answer> {
        let no_key = |key: &str, tenant: Option<&str>| {
            let tenant = tenant.map_or_else(
                || "no tenant-id".to_owned(),
                |tenant| format!("tenant-id: {tenant}"),
            );
            Refused::not_found(format!(
                "No matching process definition with key: {key} and {tenant}"
            ))
        };
        let (definition, rest) = match path {
            ["key", key, "tenant-id", tenant, rest @ ..] => (
                self.latest(key, Some(tenant))
                    .ok_or_else(|| no_key(key, Some(tenant)))?,
                rest,
            ),
            ["key", key, rest @ ..] => (self.latest(key, None).ok_or_else(|| no_key(key, None))?, rest),
            [id, rest @ ..] => {
                let definition = self.definition(id).ok_or_else(|| {
                    let message = format!("No matching definition with id {id}");
                    // As the engine has it: 500 where an instance is to start.
                    if post {
                        Refused::internal(message)
                    } else {
                        Refused::not_found(message)
                    }
                })?;
                (definition, rest)
            }
            [] => return Err(Refused::not_offered("POST /process-definition")),
        };
        match rest {
            [] if !post => Ok(Answer::Json(render::definition(&definition))),
            ["xml"] if !post => Ok(Answer::Json(json!({
                "id": definition.id,
                "bpmn20Xml": definition.process.to_bpmn(),
            }))),
            ["start"] if post => {
                let start: Start = read(body)?;
                if start.start_instructions.is_some_and(|steps| !steps.is_empty()) {
                    return Err(Refused::not_offered("start instructions"));
                }
                let variables = accept_all(start.variables.unwrap_or_default())?;
                let id = State::start(self, definition, start.business_key, variables)?;
                let started = self.instance(&id).map(|instance| {
                    let mut started = render::instance(instance);
                    if start.with_variables_in_return {
                        started["variables"] = render::variables(&instance.variables);
                    }
                    started
                });
                Ok(Answer::Json(started.unwrap_or_default()))
            }
            _ => Err(Refused::not_offered(&format!(
                "/process-definition/{}",
                path.join("/")
            ))),
        }
    }

    fn history(&self, path: &[&str], query: Query) -> Result<Answer> {
        match path {
            ["process-instance"] => self.list_instance_records(query).map(json_list),
            ["process-instance", "count"] => self.list_instance_records(query).map(count),
            ["process-instance", id] => {
                let instance = self.instance(id).ok_or_else(|| {
                    Refused::not_found(format!("Historic process instance with id {id} does not exist"))
                })?;
                Ok(Answer::Json(render::instance_record(self, instance)))
            }
            ["activity-instance"] => self.list_steps(query).map(json_list),
            ["external-task-log"] => self.list_logs(query).map(json_list),
            ["external-task-log", id, "error-details"] => {
                let mut logs = self.instances.iter().flat_map(|it| &it.log);
                let log = logs.find(|log| log.id == *id).ok_or_else(|| {
                    Refused::not_found(format!("No historic external task log found with id {id}"))
                })?;
                Ok(text(log.task.details.as_deref()))
            }
            ["variable-instance"] => self.list_variable_records(query).map(json_list),
            ["variable-instance", id, "data"] => {
                let mut variables =
                    self.instances
                        .iter()
                        .flat_map(Instance::scopes)
                        .flat_map(|(scope, variables)| {
                            variables.iter().map(move |(name, value)| (scope, name, value))
                        });
                let found = variables.find(|(scope, name, _)| render::variable_id(scope, name) == *id);
                let (_, _, value) = found.ok_or_else(|| {
                    Refused::not_found(format!("Variable instance with Id '{id}' does not exist."))
                })?;
                data(value)
            }
            _ => Err(Refused::not_offered(&format!("/history/{}", path.join("/")))),
        }
    }

    fn cancel(&mut self, id: &str) -> Result<()> {
        let cancelled = self.change(
            |it| it.id == id,
            |instance, now| {
                instance.cancel(now);
                Ok(())
            },
        );
        let missing = || Refused::not_found(format!("No process instance found for id '{id}'"));
        cancelled.unwrap_or_else(|| Err(missing()))
    }

    fn variables(&self, execution: &str, rest: &[&str]) -> Result<Answer> {
        let mut scopes = self.instances.iter().filter_map(|it| scope(it, execution));
        let scope = scopes.next().ok_or_else(|| no_execution(execution))?;
        let value = |name: &str| {
            scope
                .get(name)
                .ok_or_else(|| Refused::not_found(format!("variable with name {name} does not exist")))
        };
        match rest {
            [] => Ok(Answer::Json(render::variables(scope))),
            [name] => Ok(Answer::Json(value(name)?.render())),
            [name, "data"] => data(value(name)?),
            _ => Err(Refused::not_offered("GET of this part of a variable")),
        }
    }

    fn set_variables(&mut self, execution: &str, rest: &[&str], body: &[u8]) -> Result<Answer> {
        let (changes, deletions) = match rest {
            [] => {
                let changes: Changes = read(body)?;
                let modifications = accept_all(changes.modifications.unwrap_or_default())?;
                (modifications, changes.deletions.unwrap_or_default())
            }
            [name] => {
                let value = accept(name, read(body)?)?;
                (Scope::from([((*name).to_owned(), value)]), Vec::new())
            }
            [name, "data"] => {
                let upload = Upload::read(body).ok_or_else(|| Refused::invalid("No form with a file"))?;
                let value = accept(name, upload.into())?;
                (Scope::from([((*name).to_owned(), value)]), Vec::new())
            }
            _ => return Err(Refused::not_offered("PUT of this part of a variable")),
        };
        self.change_scope(execution, changes, &deletions)
    }

    fn delete_variable(&mut self, execution: &str, rest: &[&str]) -> Result<Answer> {
        let [name] = rest else {
            return Err(Refused::not_offered("DELETE of this part of a variable"));
        };
        self.change_scope(execution, Scope::new(), &[(*name).to_owned()])
    }

    fn change_scope(&mut self, execution: &str, changes: Scope, deletions: &[String]) -> Result<Answer> {
        let changed = self.change(
            |it| scope(it, execution).is_some(),
            |instance, _| {
                let scope = match &mut instance.task {
                    Some(task) if task.execution == execution => &mut task.local,
                    _ => &mut instance.variables,
                };
                scope.extend(changes);
                scope.retain(|name, _| !deletions.contains(name));
                instance.drop_transient();
                Ok(())
            },
        );
        changed.unwrap_or_else(|| Err(no_execution(execution)))?;
        Ok(Answer::Done)
    }
}

/// The variables of an execution's own scope: the process instance itself, or its task.
fn scope<'a>(instance: &'a Instance, execution: &str) -> Option<&'a Scope> {
    if instance.is_over() {
        return None;
    }
    let task = instance.task.as_ref().filter(|task| task.execution == execution);
    task.map(|task| &task.local)
        .or_else(|| (instance.id == execution).then_some(&instance.variables))
}

/// As the engine has it: 500, not 404.
fn no_execution(id: &str) -> Refused {
    Refused::null(&format!("execution {id} doesn't exist: execution"))
}

fn count(items: Vec<Json>) -> Answer {
    Answer::Json(json!({ "count": items.len() }))
}

fn json_list(items: Vec<Json>) -> Answer {
    Answer::Json(items.into())
}

fn text(text: Option<&str>) -> Answer {
    match text {
        None | Some("") => Answer::Done,
        Some(text) => Answer::Bytes("text/plain".to_owned(), text.to_owned().into()),
    }
}

fn data(value: &Value) -> Result<Answer> {
    let content = value
        .content()
        .ok_or_else(|| Refused::invalid("Value of variable is not a binary value."))?;
    Ok(Answer::Bytes(value.media_type(), content))
}
