//! Tasks that come by offers: each is locked by itself, and its details are read then.

use engine_client::{EngineError, ExternalTask, LockedTask, Scope};
use futures::{StreamExt, TryStreamExt};
use worker_api::{Dispatch, Failure, Offer};

use crate::pool::Shared;
use crate::protocol::Fetch;

/// How many locks are under way at once.
const AT_ONCE: usize = 16;

/// Why no tasks came.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoTasks {
    /// The engine has refused or not answered.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// Offers cannot be taken.
    #[error("{0}")]
    Offers(Failure),
}

/// Takes offers, and locks what they offer. One that is somebody else's by now, or gone, is nothing.
pub(crate) async fn take(
    shared: &Shared,
    dispatch: &dyn Dispatch,
    fetch: &Fetch,
) -> Result<Vec<LockedTask>, NoTasks> {
    let topics = fetch
        .subscriptions
        .iter()
        .map(|index| shared.settings.topics[*index].topic.as_str());
    let topics: Vec<&str> = topics.collect();
    let offers = dispatch
        .take(&topics, fetch.max_tasks, fetch.long_poll)
        .await
        .map_err(NoTasks::Offers)?;
    let locking = offers
        .into_iter()
        .map(|offer| lock(shared, &shared.worker_ids[fetch.lane], offer));
    let locked: Vec<Option<LockedTask>> = futures::stream::iter(locking)
        .buffer_unordered(AT_ONCE)
        .try_collect()
        .await?;
    Ok(locked.into_iter().flatten().collect())
}

async fn lock(shared: &Shared, worker_id: &str, offer: Offer) -> Result<Option<LockedTask>, EngineError> {
    let engine = &shared.engine;
    match engine
        .lock(&offer.task_id, worker_id, shared.settings.lock_duration)
        .await
    {
        Ok(()) => {}
        Err(error) if !error.is_foreign() && (error.is_not_found() || error.is_bad_request()) => {
            return Ok(None);
        }
        Err(error) => return Err(error),
    }
    let task = match engine.external_task(&offer.task_id).await {
        Ok(task) => task,
        Err(error) if !error.is_foreign() && error.is_not_found() => return Ok(None),
        Err(error) => return Err(error),
    };
    // An old offer may be of a task that nobody is to run now. A poll would not have brought it.
    if task.suspended || task.retries == Some(0) {
        engine.unlock(&task.id).await?;
        return Ok(None);
    }
    let variables = engine.variables(Scope::Execution(&task.execution_id)).await;
    let properties = shared
        .definitions
        .properties(&task.process_definition_id, &task.activity_id)
        .await?;
    let mut locked = locked(task, worker_id);
    locked.extension_properties = properties;
    match variables {
        Ok(variables) => locked.variables = variables,
        Err(EngineError::Unexpected { reason, .. }) => locked.unreadable = Some(reason),
        Err(error) => return Err(error),
    }
    Ok(Some(locked))
}

/// The task as a poll would have brought it, without what belongs to its element and its scope.
fn locked(task: ExternalTask, worker_id: &str) -> LockedTask {
    LockedTask {
        id: task.id,
        topic_name: task.topic_name,
        worker_id: worker_id.to_owned(),
        lock_expiration_time: task.lock_expiration_time,
        activity_id: task.activity_id,
        activity_instance_id: task.activity_instance_id,
        execution_id: task.execution_id,
        process_instance_id: task.process_instance_id,
        process_definition_id: task.process_definition_id,
        process_definition_key: task.process_definition_key,
        business_key: task.business_key,
        tenant_id: task.tenant_id,
        retries: task.retries,
        priority: task.priority,
        ..LockedTask::default()
    }
}

#[cfg(test)]
mod tests;
