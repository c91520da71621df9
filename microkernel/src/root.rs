//! The root process: one instance of it runs for as long as the system lives, never a second.

use std::time::Duration;

use engine_client::{EngineClient, EngineError, InstanceQuery, ProcessInstance, Variables};
use uuid::Uuid;

use crate::BootError;

/// The business key of the instance that the kernel starts.
const BUSINESS_KEY: &str = "root";

/// How often a start whose answer was lost is looked after.
const ATTEMPTS: u32 = 5;

/// How long to wait before looking.
const PAUSE: Duration = Duration::from_secs(1);

/// The instance that runs.
pub(crate) struct Root {
    pub(crate) instance: ProcessInstance,
    /// Whether it was started just now.
    pub(crate) started: bool,
    /// Whether it runs an older version than the latest.
    pub(crate) outdated: bool,
}

/// Sees to it that an instance runs. The engine's database is the only record, so a kernel that was killed between
/// start and record has lost nothing; an answer that got lost is looked for before the start is repeated.
pub(crate) async fn ensure(engine: &EngineClient, key: &str) -> Result<Root, BootError> {
    let mut lost = None;
    for _ in 0..ATTEMPTS {
        if let Some(instance) = settle(engine, key).await? {
            let outdated = is_outdated(engine, key, &instance).await?;
            let started = lost.is_some();
            return Ok(Root {
                instance,
                started,
                outdated,
            });
        }
        match engine
            .start_instance(key, None, Some(BUSINESS_KEY), &Variables::new())
            .await
        {
            Ok(_) => {
                // It may end at once.
                let instance = settle(engine, key).await?.ok_or_else(|| {
                    BootError::Settings(format!(
                        "the root process `{key}` ended as soon as it was started; it has to wait for something, check microkernel.root_process"
                    ))
                })?;
                return Ok(Root {
                    instance,
                    started: true,
                    outdated: false,
                });
            }
            Err(error) if error.is_not_found() => return Err(BootError::RootMissing(key.to_owned())),
            Err(error) if error.is_transient() => {
                lost = Some(error);
                tokio::time::sleep(PAUSE).await;
            }
            Err(error) => return Err(error.into()),
        }
    }
    Err(lost.map_or_else(|| BootError::RootMissing(key.to_owned()), BootError::Engine))
}

/// The one that runs. Where there are more, because another kernel has started one at the same moment or a start came
/// late that was thought lost, all kernels choose the same one and the others go.
async fn settle(engine: &EngineClient, key: &str) -> Result<Option<ProcessInstance>, BootError> {
    let mut instances = all(engine, key).await?.into_iter();
    let first = instances.next();
    for other in instances.filter(is_ours) {
        match engine.cancel_instance(&other.id).await {
            Err(error) if !error.is_not_found() => return Err(error.into()),
            _ => {}
        }
    }
    Ok(first)
}

/// Those that run, in an order on which all kernels agree: those that kernels started, then the oldest.
async fn all(engine: &EngineClient, key: &str) -> Result<Vec<ProcessInstance>, EngineError> {
    let query = InstanceQuery {
        process_definition_key: Some(key),
        ..InstanceQuery::default()
    };
    let mut instances = engine.instances(&query).await?;
    instances.sort_by_cached_key(|it| (!is_ours(it), age(&it.id)));
    Ok(instances)
}

fn is_ours(instance: &ProcessInstance) -> bool {
    instance.business_key.as_deref() == Some(BUSINESS_KEY)
}

/// Sorts ids by age. The engine's are UUIDs that hold the time, but not at their beginning; those of an engine that
/// counts are numbers.
fn age(id: &str) -> (Option<(u64, u32)>, usize, String) {
    let time = Uuid::try_parse(id).ok().and_then(|id| id.get_timestamp());
    (time.map(|time| time.to_unix()), id.len(), id.to_owned())
}

async fn is_outdated(
    engine: &EngineClient,
    key: &str,
    instance: &ProcessInstance,
) -> Result<bool, EngineError> {
    let latest = engine.latest_definitions(Some(key)).await?;
    let latest = latest
        .into_iter()
        .find(|definition| definition.tenant_id == instance.tenant_id);
    Ok(latest.is_some_and(|latest| latest.id != instance.definition_id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_tell_which_is_older() {
        let mut ids = [
            "10ad8ccd-e56f-11f1-a45b-02fc00000001",
            "735d8ccd-e56e-11f1-a45b-02fc00000001",
            "1001",
            "901",
        ];
        ids.sort_by_cached_key(|id| age(id));
        assert_eq!(
            ids,
            [
                "901",
                "1001",
                "735d8ccd-e56e-11f1-a45b-02fc00000001",
                "10ad8ccd-e56f-11f1-a45b-02fc00000001"
            ]
        );
    }
}
