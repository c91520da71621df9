//! Which worker ids of this data directory live. Each pool keeps a file named after its worker id, under a file
//! lock, as long as its process lives; the system frees the lock however the process ends. So an id whose lock
//! is free is dead, and the tasks it had locked can be handed out again at once instead of when their locks end.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use engine_client::{EngineClient, EngineError};

use crate::protocol::LANES;

const SUFFIX: &str = "worker";

/// The id under which a pool's polls of a lane lock tasks; the first is the pool's own.
pub(crate) fn worker_id(pool: &str, lane: usize) -> String {
    match lane {
        0 => pool.to_owned(),
        _ => format!("{pool}.{}", lane + 1),
    }
}

/// This pool's entry. Dropping it without [`Entry::remove`] leaves the file for the next start to find.
#[derive(Debug)]
pub(crate) struct Entry {
    path: PathBuf,
    _locked: File,
}

impl Entry {
    /// Enters a worker id. The file appears under its name only when it is locked, so that nobody takes a living
    /// id for a dead one.
    pub(crate) fn create(directory: &Path, worker_id: &str, engine: &EngineClient) -> io::Result<Self> {
        std::fs::create_dir_all(directory)?;
        let path = directory.join(format!("{worker_id}.{SUFFIX}"));
        let unborn = directory.join(format!("{worker_id}.new"));
        let mut file = OpenOptions::new().write(true).create_new(true).open(&unborn)?;
        file.lock()?;
        file.write_all(engine.url().as_str().as_bytes())?;
        std::fs::rename(&unborn, &path)?;
        Ok(Self { path, _locked: file })
    }

    /// Takes the id out: nothing is locked in its name any more.
    pub(crate) fn remove(self) {
        if let Err(error) = std::fs::remove_file(&self.path) {
            tracing::debug!(path = %self.path.display(), %error, "could not remove a worker's journal entry");
        }
    }
}

/// A worker id whose process is gone.
#[derive(Debug)]
pub(crate) struct Dead {
    pub(crate) worker_id: String,
    entry: Entry,
}

/// The dead ids that worked on this engine. Each is held under its lock, so that of several processes that start
/// at once one alone cleans up after it.
pub(crate) fn dead(directory: &Path, engine: &EngineClient) -> io::Result<Vec<Dead>> {
    let mut dead = Vec::new();
    let entries = match std::fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(dead),
        entries => entries?,
    };
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_none_or(|extension| extension != SUFFIX) {
            continue;
        }
        let Some(worker_id) = path.file_stem().and_then(|stem| stem.to_str()).map(str::to_owned) else {
            continue;
        };
        let mut file = match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            file => file?,
        };
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => continue,
            Err(TryLockError::Error(error)) => return Err(error),
        }
        let mut url = String::new();
        file.read_to_string(&mut url)?;
        if url == engine.url().as_str() {
            dead.push(Dead {
                worker_id,
                entry: Entry { path, _locked: file },
            });
        }
    }
    Ok(dead)
}

impl Dead {
    /// Frees what the dead worker had locked, now and once more after `long_poll`: a poll that it left pending
    /// in the engine may lock tasks for it until then.
    pub(crate) async fn clean_up(self, engine: &EngineClient, long_poll: Duration) {
        for pass in 0..2 {
            if pass > 0 {
                tokio::time::sleep(long_poll + Duration::from_secs(1)).await;
            }
            for lane in 0..LANES {
                self.clean_up_lane(engine, lane).await;
            }
        }
        self.entry.remove();
    }

    async fn clean_up_lane(&self, engine: &EngineClient, lane: usize) {
        let worker = worker_id(&self.worker_id, lane);
        for delay in crate::backoff::delays() {
            match free_all(engine, &worker, |_| true).await {
                Ok(0) => return,
                Ok(count) => {
                    tracing::info!(worker, count, "freed the tasks of a worker that is gone");
                    return;
                }
                Err(error) => {
                    tracing::debug!(worker, %error, "could not look for orphaned tasks yet");
                    tokio::time::sleep(delay).await;
                }
            }
        }
    }
}

/// Frees the tasks that are locked in a worker's name and meant by `orphaned`, and says how many. First asks the
/// engine to forget a poll that may still be pending in that name.
///
/// A task that has failed before is left alone: the engine keeps it locked in the worker's name until its retry is
/// due (`ExternalTaskEntity.failed`, Camunda 7.24), and does not tell such a lock from one for an attempt. At worst an
/// orphan of that kind waits for the end of its lock.
pub(crate) async fn free_all(
    engine: &EngineClient,
    worker_id: &str,
    orphaned: impl Fn(&str) -> bool,
) -> Result<usize, EngineError> {
    engine.wake_polls(worker_id).await?;
    let mut count = 0;
    for task in engine.locked_by(worker_id).await? {
        if task.retries.is_none() && orphaned(&task.id) {
            count += usize::from(free(engine, worker_id, &task.id).await?);
        }
    }
    if count > 0 {
        engine.wake_polls(worker_id).await?;
    }
    Ok(count)
}

/// Frees one task by letting its lock end now, and says whether it was still this worker's. `unlock` would take
/// the lock away from whoever holds it; this, the engine does for the owner alone.
pub(crate) async fn free(engine: &EngineClient, worker_id: &str, task_id: &str) -> Result<bool, EngineError> {
    match engine
        .extend_lock(task_id, worker_id, Duration::from_millis(1))
        .await
    {
        Ok(()) => Ok(true),
        Err(error) if !error.is_foreign() && (error.is_not_found() || error.is_not_owner()) => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use engine_client::Login;

    use super::*;

    fn engine(url: &str) -> EngineClient {
        EngineClient::new(url.parse().unwrap(), Login::None).unwrap()
    }

    #[test]
    fn an_id_is_dead_when_its_lock_is_free_and_it_worked_on_this_engine() {
        let directory = tempfile::tempdir().unwrap();
        let here = engine("http://127.0.0.1:1/engine-rest");
        let living = Entry::create(directory.path(), "living", &here).unwrap();
        drop(Entry::create(directory.path(), "dead", &here).unwrap());
        drop(
            Entry::create(
                directory.path(),
                "elsewhere",
                &engine("http://127.0.0.1:2/engine-rest"),
            )
            .unwrap(),
        );

        let found = dead(directory.path(), &here).unwrap();
        assert_eq!(
            found
                .iter()
                .map(|dead| dead.worker_id.as_str())
                .collect::<Vec<_>>(),
            ["dead"]
        );
        assert!(
            dead(directory.path(), &here).unwrap().is_empty(),
            "one process alone cleans up"
        );
        drop(found);
        living.remove();
        assert_eq!(dead(directory.path(), &here).unwrap().len(), 1);
    }

    #[test]
    fn no_directory_means_nobody_has_died() {
        assert!(
            dead(Path::new("/nowhere/at/all"), &engine("http://127.0.0.1:1/"))
                .unwrap()
                .is_empty()
        );
    }
}
