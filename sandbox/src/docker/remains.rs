//! What is left of containers, and its removal: of those that are done with, and of those of a worker that was killed.

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use bollard::Docker;
use bollard::errors::Error;
use bollard::query_parameters::{ListContainersOptionsBuilder, RemoveContainerOptionsBuilder};
use futures::future::try_join_all;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{info, warn};

use super::{NAME, innermost};
use crate::SandboxError;
use crate::owner::{DeadOwner, Owner};

/// The label of every container of a sandbox.
pub(super) const LABEL: &str = "org.procos.sandbox";

/// The label that says whose it is.
pub(super) const OWNER_LABEL: &str = "org.procos.sandbox.owner";

/// What was made so many seconds ago, and has ended, nobody asks about any more.
const LONG_AGO: i64 = 600;

/// How long to wait before removing is tried once more: a daemon under load finds mounts busy.
const AGAIN: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(10)];

/// It is quiet where no container was let go for so long.
const QUIET: Duration = Duration::from_millis(100);

/// How long one that ends by itself waits for that at the most: then it is ended, whatever it does.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// How many are removed at once when it is quiet: a daemon that removes many answers nobody else.
const AT_ONCE: usize = 2;

/// The containers of this owner, and what removes them.
pub(super) struct Remains {
    docker: Docker,
    owner: Owner,
    state_dir: PathBuf,
    /// Where removals run: a cell may be dropped by a thread that knows of no runtime.
    runtime: Handle,
    tasks: TaskTracker,
    numbered: AtomicU64,
    /// Containers that are there, or may be.
    there: AtomicUsize,
    /// How many were let go.
    let_go: AtomicU64,
    /// Turns to remove what is in no hurry.
    turns: Semaphore,
    /// There is nothing to wait for any more.
    settling: CancellationToken,
}

impl Remains {
    /// With none yet.
    pub(super) fn new(docker: Docker, owner: Owner, state_dir: PathBuf) -> Arc<Self> {
        Arc::new(Self {
            docker,
            owner,
            state_dir,
            runtime: Handle::current(),
            tasks: TaskTracker::new(),
            numbered: AtomicU64::new(0),
            there: AtomicUsize::new(0),
            let_go: AtomicU64::new(0),
            turns: Semaphore::new(AT_ONCE),
            settling: CancellationToken::new(),
        })
    }

    /// What is done behind one's back, and waited for when all shall be settled.
    pub(super) fn tasks(&self) -> &TaskTracker {
        &self.tasks
    }

    /// The owner's id.
    pub(super) fn owner(&self) -> &str {
        self.owner.id()
    }

    /// A name for a container, which is removed when this is dropped.
    pub(super) fn new_container(self: &Arc<Self>) -> Container {
        let number = self.numbered.fetch_add(1, Ordering::Relaxed);
        self.there.fetch_add(1, Ordering::Relaxed);
        Container {
            name: format!("procos-script-{}-{number}", self.owner.id()),
            remains: Arc::clone(self),
            is_there: true,
            ends_by_itself: false,
        }
    }

    /// Removes the containers of all owners that live no more.
    pub(super) async fn of_the_dead(&self) -> Result<(), SandboxError> {
        let dead = match Owner::dead(&self.state_dir) {
            Ok(dead) => dead,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(not_cleared(&error.to_string())),
        };
        // One after the other: a daemon that has to remove hundreds at once answers nobody else.
        for dead in dead {
            self.of(dead)
                .await
                .map_err(|error| not_cleared(&innermost(&error)))?;
        }
        Ok(())
    }

    async fn of(&self, dead: DeadOwner) -> Result<(), Error> {
        let filters = HashMap::from([("label", vec![format!("{OWNER_LABEL}={}", dead.id())])]);
        let options = ListContainersOptionsBuilder::default()
            .all(true)
            .filters(&filters)
            .build();
        let found = self.docker.list_containers(Some(options)).await?;
        let found: Vec<String> = found.into_iter().filter_map(|container| container.id).collect();
        try_join_all(found.iter().map(|id| remove(&self.docker, id))).await?;
        if !found.is_empty() {
            info!(
                containers = found.len(),
                "removed what a killed worker had left of its sandbox"
            );
        }
        dead.forget();
        Ok(())
    }

    /// Removes what has ended long ago and is still there: its owner's note may be lost, as of a launcher whose folder was in a
    /// container itself. Owners that live remove theirs within seconds.
    pub(super) async fn long_ended(&self) -> Result<(), SandboxError> {
        self.ended_of(jiff::Timestamp::now().as_second() - LONG_AGO).await
    }

    /// Removes what was made before this moment, and has ended.
    async fn ended_of(&self, before: i64) -> Result<(), SandboxError> {
        let filters = HashMap::from([
            ("label", vec![LABEL.to_owned()]),
            ("status", vec!["exited".to_owned(), "dead".to_owned()]),
        ]);
        let options = ListContainersOptionsBuilder::default()
            .all(true)
            .filters(&filters)
            .build();
        let found = self.docker.list_containers(Some(options)).await;
        let found = found.map_err(|error| not_cleared(&innermost(&error)))?;
        let old = found
            .into_iter()
            .filter(|container| container.created.is_some_and(|created| created < before));
        let old: Vec<String> = old.filter_map(|container| container.id).collect();
        let removed = try_join_all(old.iter().map(|id| remove(&self.docker, id))).await;
        removed.map(drop).map_err(|error| not_cleared(&innermost(&error)))
    }

    /// Waits until everything that is dropped is removed.
    pub(super) async fn settle(&self) {
        self.settling.cancel();
        // A closed one still takes tasks: it only lets those that wait know when there is none.
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// Removes one that ends by itself, when it is quiet: removing takes processors from the runs that follow on each other.
    async fn of_one_in_time(&self, name: &str) {
        let quiet = timeout(LONGEST_WAIT, self.quiet());
        let _ = self.settling.run_until_cancelled(quiet).await;
        // Fails where it is closed, which it never is.
        let _turn = self.turns.acquire().await;
        self.of_one(name).await;
    }

    async fn quiet(&self) {
        let mut before = self.let_go.load(Ordering::Relaxed);
        loop {
            tokio::time::sleep(QUIET).await;
            let now = self.let_go.load(Ordering::Relaxed);
            if now == before {
                return;
            }
            before = now;
        }
    }

    async fn of_one(&self, name: &str) {
        for wait in AGAIN {
            match remove(&self.docker, name).await {
                Ok(()) => {
                    self.there.fetch_sub(1, Ordering::Relaxed);
                    return;
                }
                Err(_) => tokio::time::sleep(wait).await,
            }
        }
        match remove(&self.docker, name).await {
            Ok(()) => {
                self.there.fetch_sub(1, Ordering::Relaxed);
            }
            Err(error) => {
                warn!(
                    container = name,
                    error = innermost(&error),
                    "cannot remove a sandbox: the next start tries again"
                );
            }
        }
    }
}

impl Drop for Remains {
    fn drop(&mut self) {
        if *self.there.get_mut() > 0 {
            self.owner.leaves_something();
        }
    }
}

/// A container that is there, or may be. Dropped, it is ended and removed in the background.
pub(super) struct Container {
    name: String,
    remains: Arc<Remains>,
    is_there: bool,
    ends_by_itself: bool,
}

impl Container {
    /// Its name.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The daemon.
    pub(super) fn docker(&self) -> &Docker {
        &self.remains.docker
    }

    /// It is about to end without being told to.
    pub(super) fn ends_by_itself(&mut self) {
        self.ends_by_itself = true;
    }

    /// There is nothing to remove: the daemon has said so.
    pub(super) fn is_not_there(&mut self) {
        if std::mem::take(&mut self.is_there) {
            self.remains.there.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        if !self.is_there {
            return;
        }
        let (remains, name) = (Arc::clone(&self.remains), std::mem::take(&mut self.name));
        let in_time = self.ends_by_itself;
        remains.let_go.fetch_add(1, Ordering::Relaxed);
        let removal = async move {
            if in_time {
                remains.of_one_in_time(&name).await;
            } else {
                remains.of_one(&name).await;
            }
        };
        // On a runtime that has ended this does nothing, and the note stays for the next start.
        self.remains.tasks.spawn_on(removal, &self.remains.runtime);
    }
}

/// Ends and removes one, with the volumes that nobody else has.
async fn remove(docker: &Docker, container: &str) -> Result<(), Error> {
    let options = RemoveContainerOptionsBuilder::default()
        .force(true)
        .v(true)
        .build();
    match docker.remove_container(container, Some(options)).await {
        // 404: it is gone; 409: somebody else is removing it.
        Err(Error::DockerResponseServerError {
            status_code: 404 | 409,
            ..
        }) => Ok(()),
        other => other,
    }
}

fn not_cleared(said: &str) -> SandboxError {
    SandboxError::Refused(format!(
        "{NAME}: cannot remove what an earlier worker has left: {said}"
    ))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    fn docker(arguments: &[&str]) -> String {
        let output = Command::new("docker").args(arguments).output().unwrap();
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    #[tokio::test]
    async fn what_ended_long_ago_goes_and_what_runs_or_is_new_stays() {
        let image = "procos/script-shell:bookworm";
        if docker(&["image", "inspect", "--format", "{{.Id}}", image]).is_empty() {
            println!("SKIPPED docker-remains: no image {image}; script/test makes it");
            return;
        }
        let label = format!("{LABEL}=1");
        let run = |command: &[&str]| {
            let mut all = vec!["run", "--detach", "--network", "none", "--label", &label, image];
            all.extend(command);
            docker(&all)
        };
        let (ended, running) = (run(&["true"]), run(&["sleep", "60"]));
        docker(&["wait", &ended]);
        let state = tempfile::tempdir().unwrap();
        let owner = Owner::register(state.path()).unwrap();
        let remains = Remains::new(
            Docker::connect_with_defaults().unwrap(),
            owner,
            state.path().to_owned(),
        );
        let there =
            |id: &str| !docker(&["ps", "--all", "--quiet", "--filter", &format!("id={id}")]).is_empty();
        remains.long_ended().await.unwrap();
        assert!(there(&ended), "it is new");
        remains
            .ended_of(jiff::Timestamp::now().as_second() + 5)
            .await
            .unwrap();
        assert!(!there(&ended) && there(&running));
        docker(&["rm", "--force", &running]);
    }
}
