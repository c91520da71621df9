//! The bubblewrap backend: unprivileged namespaces, for hosts without Docker.
//!
//! [`command`] says what a cell sees, [`limits`] what it may use, [`tree`] looks at what it uses where no cgroup counts it
//! ([`cgroup`]), and [`cell`] is the cell.

mod cell;
mod cgroup;
mod command;
mod limits;
mod spawner;
mod tree;

use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use tokio::process::Command;
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

use self::cell::BubblewrapCell;
use self::cgroup::Hierarchy;
use self::command::Root;
use self::spawner::Spawner;
use crate::cell::{Backend, Cell, Shape};
use crate::owner::Owner;
use crate::{Limit, SandboxError, Settings, seccomp};

/// The backend's name.
pub(crate) const NAME: &str = "bubblewrap";

/// How long an interpreter may take to start.
const START: Duration = Duration::from_secs(30);

/// Makes cells by the program `bwrap`.
pub(crate) struct Bubblewrap {
    maker: Arc<Maker>,
    /// Cells that are being made.
    tasks: TaskTracker,
}

/// In an [`Arc`]: a cell that is begun is finished, so that it can be ended, also where nobody waits for it any more. Until it
/// is ready, its first process does not end with its parent.
struct Maker {
    settings: Settings,
    program: PathBuf,
    filters: Vec<Vec<u8>>,
    spawner: Arc<Spawner>,
    owner: Owner,
    hierarchy: Option<Hierarchy>,
    made: AtomicU64,
}

impl Bubblewrap {
    /// Finds the program, and whether there are cgroups to write to.
    pub(crate) async fn find(settings: &Settings) -> Result<Self, SandboxError> {
        let refused = |said: String| SandboxError::Refused(format!("bubblewrap: {said}"));
        let program = settings.bubblewrap.clone();
        let mut version = Command::new(&program);
        version.arg("--version").stdin(Stdio::null()).kill_on_drop(true);
        let ran = timeout(START, version.output()).await;
        match ran {
            Ok(Ok(output)) if output.status.success() => {}
            Ok(Ok(output)) => {
                return Err(refused(format!(
                    "{} --version: {}; is it bubblewrap's program? Name it in sandbox.bubblewrap",
                    program.display(),
                    output.status
                )));
            }
            Ok(Err(error)) => {
                return Err(refused(format!(
                    "{} cannot be run ({error}): install it (Debian: apt-get install bubblewrap), or name it in sandbox.bubblewrap",
                    program.display()
                )));
            }
            Err(_) => return Err(refused(format!("{} --version does not end", program.display()))),
        }
        let note = |error: std::io::Error| {
            refused(format!(
                "cannot note in {} that it runs: {error}; give this user access to that folder",
                settings.state_dir.display()
            ))
        };
        let owner = Owner::register(&notes(settings)).map_err(note)?;
        let maker = Maker {
            program: whole(program),
            filters: seccomp::filters().map_err(refused)?,
            spawner: Arc::new(Spawner::start(settings).map_err(|error| refused(error.to_string()))?),
            hierarchy: Hierarchy::find(owner.id()),
            owner,
            settings: settings.clone(),
            made: AtomicU64::new(0),
        };
        Ok(Self {
            maker: Arc::new(maker),
            tasks: TaskTracker::new(),
        })
    }
}

impl Maker {
    fn root(&self, shape: &Shape) -> Result<Root, SandboxError> {
        let name = shape.image.as_deref().unwrap_or(shape.language.as_str());
        match (self.settings.roots.get(name), &shape.image) {
            (Some(root), _) if !root.join("usr").is_dir() => Err(self.failed(
                shape,
                format!(
                    "sandbox.roots.{name} is {}, which is no root of a system: it has no folder `usr` (make one: script/sandbox-images --roots DIR {name})",
                    root.display()
                ),
            )),
            (Some(root), _) => Ok(Root::Unpacked(root.clone())),
            (None, None) => Ok(Root::Host),
            (None, Some(_)) => Err(self.failed(
                shape,
                format!(
                    "there is no root `{name}`: make one (script/sandbox-images --roots DIR {name}) and name it in sandbox.roots.{name}"
                ),
            )),
        }
    }

    async fn make(&self, shape: &Shape) -> Result<BubblewrapCell, SandboxError> {
        let failed = |said: String| self.failed(shape, said);
        let root = self.root(shape)?;
        let command = command::command(
            &self.program,
            &root,
            shape,
            &self.filters,
            self.hierarchy.is_some(),
            self.owner.id(),
            &self.settings,
        )
        .map_err(|error| failed(error.to_string()))?;
        let processors = match self.hierarchy {
            None if limits::is_enforced(Limit::Cpu, &self.settings) => {
                limits::processors(shape).map_err(|error| failed(error.to_string()))?
            }
            _ => None,
        };
        let child = self
            .spawner
            .spawn(command, processors)
            .await
            .map_err(|error| failed(error.to_string()))?;
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        let group = self
            .hierarchy
            .as_ref()
            .map(|hierarchy| hierarchy.make(&number.to_string(), shape, &self.settings))
            .transpose()
            .map_err(|error| failed(format!("its cgroup: {error}")))?;
        let mut cell = BubblewrapCell::new(child, Arc::clone(&self.spawner), group, &self.settings)
            .map_err(|error| failed(error.to_string()))?;
        match timeout(START, cell.until_ready()).await {
            Ok(Ok(())) => Ok(cell),
            Ok(Err(said)) => Err(failed(said)),
            Err(_) => Err(failed(format!("it is not ready within {} s", START.as_secs()))),
        }
    }

    fn failed(&self, shape: &Shape, said: String) -> SandboxError {
        SandboxError::Start {
            backend: NAME,
            what: shape.to_string(),
            said,
        }
    }
}

/// The program by its whole path: cells are started without an environment, and so without `PATH`.
fn whole(program: PathBuf) -> PathBuf {
    if program.components().count() > 1 {
        return std::path::absolute(&program).unwrap_or(program);
    }
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&folders).map(|folder| folder.join(&program));
    found.into_iter().find(|path| path.is_file()).unwrap_or(program)
}

/// Each backend has notes of its own: what is left of one is found by that one alone.
fn notes(settings: &Settings) -> PathBuf {
    settings.state_dir.join(NAME)
}

#[async_trait]
impl Backend for Bubblewrap {
    fn name(&self) -> &'static str {
        NAME
    }

    async fn make(&self, shape: &Shape) -> Result<Box<dyn Cell>, SandboxError> {
        let (maker, wanted) = (Arc::clone(&self.maker), shape.clone());
        let making = self.tasks.spawn(async move { maker.make(&wanted).await });
        match making.await {
            Ok(made) => Ok(Box::new(made?)),
            Err(error) => Err(self.maker.failed(shape, error.to_string())),
        }
    }

    async fn clear(&self) -> Result<(), SandboxError> {
        // Processes, mounts and files in memory end with their parent; cgroups stay.
        for dead in Owner::dead(&notes(&self.maker.settings)).unwrap_or_default() {
            // What was being made when its worker was killed; everything else has ended with it.
            tree::end_named(&command::name(dead.id()));
            // What has still a process in it is left to the next start.
            if self
                .maker
                .hierarchy
                .as_ref()
                .is_none_or(|hierarchy| hierarchy.remove_of(dead.id()))
            {
                dead.forget();
            }
        }
        Ok(())
    }

    async fn settle(&self) {
        // A closed one still takes tasks: it only lets those that wait know when there is none.
        self.tasks.close();
        self.tasks.wait().await;
        if let Some(hierarchy) = &self.maker.hierarchy {
            hierarchy.settle().await;
        }
    }
}

impl Drop for Maker {
    fn drop(&mut self) {
        if let Some(hierarchy) = &self.hierarchy {
            hierarchy.remove_of(self.owner.id());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_found_on_the_path() {
        assert!(whole("sh".into()).is_absolute());
        assert!(whole("./sh".into()).is_absolute());
        assert_eq!(whole("no-such-program".into()), PathBuf::from("no-such-program"));
    }
}
