//! The calls on one external task.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::answer::Refused;
use super::instance::{Failure, Instance, Task};
use super::state::{State, millis};
use super::value::accept_all;
use crate::TypedValue;

/// All that the bodies of these calls may hold.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Report {
    worker_id: Option<String>,
    variables: Option<BTreeMap<String, TypedValue>>,
    local_variables: Option<BTreeMap<String, TypedValue>>,
    error_message: Option<String>,
    error_details: Option<String>,
    error_code: Option<String>,
    retries: Option<i32>,
    retry_timeout: Option<i64>,
    new_duration: Option<i64>,
    lock_duration: Option<i64>,
}

/// The body of a call that sets retries.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Retries {
    retries: Option<i32>,
    external_task_ids: Option<Vec<String>>,
    process_instance_ids: Option<Vec<String>>,
}

/// The body of a call that sets a priority.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Priority {
    priority: Option<i64>,
}

/// Reads a body; an empty one is an empty object.
pub(super) fn read<T: DeserializeOwned + Default>(body: &[u8]) -> Result<T, Refused> {
    if body.is_empty() {
        return Ok(T::default());
    }
    serde_json::from_slice(body).map_err(|error| Refused::invalid(error.to_string()))
}

impl State {
    pub(super) fn complete(&mut self, id: &str, report: Report) -> Result<(), Refused> {
        let worker = worker(&report)?;
        let (variables, local) = values(report.variables, report.local_variables)?;
        self.change_own(id, &worker, "completed", |instance, now| {
            instance.complete(variables, local, now)
        })
    }

    pub(super) fn fail(&mut self, id: &str, report: Report) -> Result<(), Refused> {
        let worker = worker(&report)?;
        let (retries, timeout) = (report.retries.unwrap_or(0), report.retry_timeout.unwrap_or(0));
        at_least_zero("retries", retries.into())?;
        at_least_zero("retryDuration", timeout)?;
        let (variables, local) = values(report.variables, report.local_variables)?;
        let failure = Failure {
            message: report.error_message,
            details: report.error_details,
            retries,
            retry_timeout: millis(timeout),
        };
        self.change_own(id, &worker, "failed", |instance, now| {
            instance.fail(failure, variables, local, now);
            Ok(())
        })
    }

    pub(super) fn throw(&mut self, id: &str, report: Report) -> Result<(), Refused> {
        let worker = worker(&report)?;
        let code = report.error_code.ok_or_else(|| Refused::null("errorCode"))?;
        let (variables, _) = values(report.variables, None)?;
        let uncaught_is_error = self.uncaught_is_error;
        self.change_own(id, &worker, "failed by a BPMN error", |instance, now| {
            if code.is_empty() {
                return Err(Refused::internal("Error Code is empty"));
            }
            instance.throw(&code, variables, uncaught_is_error, now)
        })
    }

    pub(super) fn extend_lock(&mut self, id: &str, report: Report) -> Result<(), Refused> {
        let worker = worker(&report)?;
        let duration = positive("lockTime", report.new_duration)?;
        self.change_own(id, &worker, "kept", |instance, now| {
            let Some(task) = &mut instance.task else {
                return Ok(());
            };
            if task.locked_until.is_none_or(|until| until < now) {
                return Err(Refused::state("Cannot extend a lock that expired"));
            }
            task.locked_until = Some(now + millis(duration));
            Ok(())
        })
    }

    pub(super) fn lock(&mut self, id: &str, report: Report) -> Result<(), Refused> {
        let worker = worker(&report)?;
        let duration = positive("lockDuration", report.lock_duration)?;
        self.change_task(id, |task, now| {
            if task.worker.as_ref().is_some_and(|owner| *owner != worker) && task.is_locked(now) {
                return Err(not_owner(task, "locked", &worker));
            }
            task.worker = Some(worker);
            task.locked_until = Some(now + millis(duration));
            Ok(())
        })
    }

    /// Whoever holds it: the engine does not ask.
    pub(super) fn unlock(&mut self, id: &str) -> Result<(), Refused> {
        self.change_task(id, |task, _| {
            task.worker = None;
            task.locked_until = None;
            Ok(())
        })?;
        self.woken = true;
        Ok(())
    }

    pub(super) fn set_retries(&mut self, id: &str, body: &Retries) -> Result<(), Refused> {
        let retries = body
            .retries
            .ok_or_else(|| Refused::invalid("The number of retries cannot be null."))?;
        not_negative(retries)?;
        self.change_instance_of(id, |instance, now| {
            instance.set_retries(retries, now);
            Ok(())
        })
    }

    pub(super) fn set_priority(&mut self, id: &str, body: &Priority) -> Result<(), Refused> {
        let priority = body
            .priority
            .ok_or_else(|| Refused::invalid("The priority cannot be null."))?;
        self.change_task(id, |task, _| {
            task.priority = priority;
            Ok(())
        })
    }

    /// For all of them, or for none where one is not there.
    pub(super) fn set_retries_of_all(&mut self, body: &Retries) -> Result<(), Refused> {
        let retries = body
            .retries
            .ok_or_else(|| Refused::invalid("The number of retries cannot be null."))?;
        let instances = body.process_instance_ids.as_deref().unwrap_or_default();
        let of_instances = self
            .tasks()
            .filter(|(instance, _)| instances.contains(&instance.id));
        let mut ids: Vec<String> = of_instances.map(|(_, task)| task.id.clone()).collect();
        ids.extend(body.external_task_ids.iter().flatten().cloned());
        if ids.is_empty() {
            return Err(Refused::invalid("externalTaskIds is empty"));
        }
        not_negative(retries)?;
        if let Some(missing) = ids.iter().find(|id| self.task(id).is_none()) {
            let message = format!("Cannot find external task with id {missing}: externalTask is null");
            return Err(Refused::not_found(message));
        }
        ids.iter().try_for_each(|id| self.set_retries(id, body))
    }

    /// Changes the instance whose task this worker owns. Whether the lock has run out does not matter.
    fn change_own(
        &mut self,
        id: &str,
        worker: &str,
        deed: &str,
        change: impl FnOnce(&mut Instance, tokio::time::Instant) -> Result<(), Refused>,
    ) -> Result<(), Refused> {
        self.change_instance_of(id, |instance, now| match &instance.task {
            Some(task) if task.worker.as_deref() != Some(worker) => Err(not_owner(task, deed, worker)),
            _ => change(instance, now),
        })
    }

    fn change_task(
        &mut self,
        id: &str,
        change: impl FnOnce(&mut Task, tokio::time::Instant) -> Result<(), Refused>,
    ) -> Result<(), Refused> {
        self.change_instance_of(id, |instance, now| match &mut instance.task {
            Some(task) => change(task, now),
            None => Ok(()),
        })
    }

    fn change_instance_of(
        &mut self,
        id: &str,
        change: impl FnOnce(&mut Instance, tokio::time::Instant) -> Result<(), Refused>,
    ) -> Result<(), Refused> {
        let is_its = |instance: &Instance| instance.task.as_ref().is_some_and(|task| task.id == id);
        self.change(is_its, change)
            .unwrap_or_else(|| Err(Refused::no_task(id)))
    }
}

fn worker(report: &Report) -> Result<String, Refused> {
    report.worker_id.clone().ok_or_else(|| Refused::null("workerId"))
}

type Values = Option<BTreeMap<String, TypedValue>>;

fn values(variables: Values, local: Values) -> Result<(super::value::Scope, super::value::Scope), Refused> {
    Ok((
        accept_all(variables.unwrap_or_default())?,
        accept_all(local.unwrap_or_default())?,
    ))
}

fn at_least_zero(name: &str, number: i64) -> Result<(), Refused> {
    if number < 0 {
        return Err(Refused::internal(format!(
            "{name} is not greater than or equal to 0"
        )));
    }
    Ok(())
}

fn not_negative(retries: i32) -> Result<(), Refused> {
    if retries < 0 {
        return Err(Refused::invalid("The number of retries cannot be negative"));
    }
    Ok(())
}

fn positive(name: &str, number: Option<i64>) -> Result<i64, Refused> {
    let number = number.unwrap_or(0);
    if number <= 0 {
        return Err(Refused::state(format!("{name} is not greater than 0")));
    }
    Ok(number)
}

fn not_owner(task: &Task, deed: &str, worker: &str) -> Refused {
    let owner = task.worker.as_deref().unwrap_or("null");
    Refused::state(format!(
        "External Task {} cannot be {deed} by worker '{worker}'. It is locked by worker '{owner}'.",
        task.id
    ))
}
