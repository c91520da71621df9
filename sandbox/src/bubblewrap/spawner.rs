//! The thread that starts cells.

use std::io;
use std::process::Command as StdCommand;
use std::sync::mpsc::{Sender, channel};
use std::thread;

use tokio::process::{Child, Command};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

/// Starts processes from a thread that lives as long as they shall: the kernel takes the death of the *thread* that made a
/// process for the death of its parent, and `--die-with-parent` would end cells whenever a runtime lets a thread go.
pub(crate) struct Spawner {
    jobs: Sender<Job>,
}

struct Job {
    command: StdCommand,
    runtime: Handle,
    answer: oneshot::Sender<io::Result<Child>>,
}

impl Spawner {
    /// Starts the thread. It ends when the spawner is dropped.
    pub(crate) fn start() -> io::Result<Self> {
        let (jobs, waiting) = channel::<Job>();
        thread::Builder::new()
            .name("sandbox".to_owned())
            .stack_size(256 * 1024)
            .spawn(move || {
                for job in waiting {
                    let _runtime = job.runtime.enter();
                    let child = Command::from(job.command).kill_on_drop(true).spawn();
                    // Who asked has gone: the child is dropped, and so killed.
                    drop(job.answer.send(child));
                }
            })?;
        Ok(Self { jobs })
    }

    /// Starts a process that is killed when it is dropped.
    pub(crate) async fn spawn(&self, command: StdCommand) -> io::Result<Child> {
        let (answer, child) = oneshot::channel();
        let runtime = Handle::current();
        let gone = || io::Error::other("the thread that starts sandboxes is gone");
        self.jobs
            .send(Job {
                command,
                runtime,
                answer,
            })
            .map_err(|_| gone())?;
        child.await.map_err(|_| gone())?
    }
}
