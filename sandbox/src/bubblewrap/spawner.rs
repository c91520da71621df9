//! The thread that starts cells.

use std::io;
use std::process::Command as StdCommand;
use std::sync::mpsc::{Sender, channel};
use std::thread;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use tokio::process::{Child, Command};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use crate::Settings;

/// Starts processes from a thread that lives as long as they shall: the kernel takes the death of the *thread* that made a
/// process for the death of its parent, and `--die-with-parent` would end cells whenever a runtime lets a thread go.
pub(crate) struct Spawner {
    jobs: Sender<Job>,
}

struct Job {
    command: StdCommand,
    processors: Option<CpuSet>,
    runtime: Handle,
    answer: oneshot::Sender<io::Result<Child>>,
}

impl Spawner {
    /// Starts the thread. It ends when the spawner is dropped.
    pub(crate) fn start(settings: &Settings) -> io::Result<Self> {
        let closes = closes_descriptors(settings);
        let (jobs, waiting) = channel::<Job>();
        thread::Builder::new()
            .name("sandbox".to_owned())
            .stack_size(256 * 1024)
            .spawn(move || {
                let all = sched_getaffinity(None);
                for job in waiting {
                    let _runtime = job.runtime.enter();
                    // A child begins on its parent's processors. Where they cannot be set, the share is held by adding up
                    // all the same.
                    let _ = job.processors.map(|some| sched_setaffinity(None, &some));
                    // What procos itself has inherited is nobody's in a cell, and bwrap would pass it on: a folder of the
                    // host that is open is a way out.
                    if closes {
                        close_fds::set_fds_cloexec_threadsafe(3, &[]);
                    }
                    let child = Command::from(job.command).kill_on_drop(true).spawn();
                    let _ = all.as_ref().map(|all| sched_setaffinity(None, all));
                    // Who asked has gone: the child is dropped, and so killed.
                    drop(job.answer.send(child));
                }
            })?;
        Ok(Self { jobs })
    }

    /// Starts a process, on these processors alone where some are named, that is killed when it is dropped.
    pub(crate) async fn spawn(&self, command: StdCommand, processors: Option<CpuSet>) -> io::Result<Child> {
        let (answer, child) = oneshot::channel();
        let runtime = Handle::current();
        let gone = || io::Error::other("the thread that starts sandboxes is gone");
        self.jobs
            .send(Job {
                command,
                processors,
                runtime,
                answer,
            })
            .map_err(|_| gone())?;
        child.await.map_err(|_| gone())?
    }
}

#[cfg(feature = "weakened")]
fn closes_descriptors(settings: &Settings) -> bool {
    !settings.weakened.descriptors
}

#[cfg(not(feature = "weakened"))]
fn closes_descriptors(_: &Settings) -> bool {
    true
}
