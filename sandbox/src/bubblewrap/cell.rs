//! A cell: a process of `bwrap` with what runs in it.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::BytesMut;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout};
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{Interval, MissedTickBehavior, interval, timeout};

use super::NAME;
use super::cgroup::Group;
use super::limits::Watched;
use super::spawner::Spawner;
use super::tree::Tree;
use crate::cell::{Autopsy, Cell, Event};
use crate::protocol::READY;
use crate::{Limit, Limits, SandboxError, Settings};

/// How often it is looked at what a run uses. A process fills about 50 MiB in this time.
const LOOK: Duration = Duration::from_millis(25);

/// How long a killed process may take to go.
const GOING: Duration = Duration::from_secs(5);

/// What is read at a time.
const CHUNK: usize = 64 * 1024;

pub(crate) struct BubblewrapCell {
    child: Child,
    pid: u32,
    stdin: Option<ChildStdin>,
    stdout: Option<ChildStdout>,
    stderr: Option<ChildStderr>,
    watched: Option<Watched>,
    looks: Interval,
    /// A look that is under way, beside the runtime: what a script does decides how long it takes.
    look: Option<JoinHandle<Option<Limit>>>,
    /// The first process in the cell. With it ends all that is in it, whatever has become of its parent.
    first: Option<OwnedFd>,
    group: Option<Group>,
    settings: Settings,
    /// Its thread has to live as long as the cell.
    _spawner: Arc<Spawner>,
}

impl BubblewrapCell {
    pub(crate) fn new(
        mut child: Child,
        spawner: Arc<Spawner>,
        group: Option<Group>,
        settings: &Settings,
    ) -> io::Result<Self> {
        let mut looks = interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Ok(Self {
            pid: child
                .id()
                .ok_or_else(|| io::Error::other("it has ended already"))?,
            stdin: child.stdin.take(),
            stdout: child.stdout.take(),
            stderr: child.stderr.take(),
            watched: None,
            looks,
            look: None,
            first: None,
            group,
            settings: settings.clone(),
            child,
            _spawner: spawner,
        })
    }

    /// Waits until the harness waits for its order, and has the kernel count what it uses from now on. An error tells what was
    /// said instead.
    pub(crate) async fn until_ready(&mut self) -> Result<(), String> {
        self.until_it_says_so().await?;
        let first = Tree::below(self.pid, u64::MAX).pids.first().copied();
        let first = first.and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?));
        let first = first.ok_or("it has ended already")?;
        self.first = Some(pidfd_open(first, PidfdFlags::empty()).map_err(|error| error.to_string())?);
        // Before there is a script, and off its path: the kernel takes milliseconds to move a process.
        match &self.group {
            Some(group) => group
                .take(&Tree::below(self.pid, u64::MAX).pids)
                .map_err(|error| format!("its cgroup: {error}")),
            None => Ok(()),
        }
    }

    async fn until_it_says_so(&mut self) -> Result<(), String> {
        let mut said = Vec::new();
        if let Some(stdout) = &mut self.stdout {
            while said.len() < READY.len() {
                match stdout.read_buf(&mut said).await {
                    Ok(0) | Err(_) => break,
                    Ok(_) => {}
                }
            }
        }
        if said == READY {
            return Ok(());
        }
        // Nothing of a script runs yet, so what is said is bwrap's or the interpreter's, and short.
        let mut why = Vec::new();
        if let Some(stderr) = &mut self.stderr {
            let mut stderr = stderr.take(4096);
            // Whatever was read until then is all there is to tell.
            let _ = timeout(GOING, stderr.read_to_end(&mut why)).await;
        }
        let why = String::from_utf8_lossy(&why).trim().to_owned();
        Err(if why.is_empty() {
            format!(
                "it does not begin with {:?}",
                String::from_utf8_lossy(READY).trim()
            )
        } else {
            format!("{why}{}", remedy(&why))
        })
    }

    /// Ends all that is in it. Where one of the two has ended by itself there is nothing to do for it.
    fn kill(&mut self) {
        if let Some(first) = &self.first {
            let _ = pidfd_send_signal(first, Signal::KILL);
        }
        let _ = self.child.start_kill();
    }

    fn lost(said: impl ToString) -> SandboxError {
        SandboxError::Lost {
            backend: NAME,
            said: said.to_string(),
        }
    }
}

/// What to do about what bwrap says.
fn remedy(said: &str) -> &'static str {
    if said.contains("execvp") {
        "; install that program where the sandbox can see it (/usr), or make a root that has it: script/sandbox-images --roots DIR"
    } else if said.contains("uid map")
        || said.contains("new namespace")
        || said.contains("Creating new namespace")
    {
        "; unprivileged user namespaces are switched off here: sysctl kernel.unprivileged_userns_clone=1, on Ubuntu also kernel.apparmor_restrict_unprivileged_userns=0, or use sandbox.backend: docker"
    } else if said.contains("mount proc") {
        "; inside a container /proc cannot be mounted: use sandbox.backend: launcher there"
    } else {
        ""
    }
}

#[async_trait]
impl Cell for BubblewrapCell {
    async fn send(&mut self, order: &[u8], limits: &Limits) -> Result<(), SandboxError> {
        let tree = Tree::below(self.pid, u64::MAX);
        if tree.pids.is_empty() {
            return Err(Self::lost("it ended while it waited"));
        }
        let watched = Watched::new(limits, self.group.is_some(), &self.settings);
        self.watched = Some(watched);
        self.looks.reset();
        let mut stdin = self
            .stdin
            .take()
            .ok_or_else(|| Self::lost("it has had its order"))?;
        stdin.write_all(order).await.map_err(Self::lost)
    }

    async fn next(&mut self) -> Event {
        let mut out = BytesMut::new();
        let mut err = BytesMut::new();
        loop {
            if self.stdout.is_none() && self.stderr.is_none() {
                return Event::Closed;
            }
            let watched = self.watched.filter(Watched::is_needed);
            tokio::select! {
                read = read(&mut self.stdout, &mut out), if self.stdout.is_some() => match read {
                    Ok(0) | Err(_) => self.stdout = None,
                    Ok(_) => return Event::Stdout(out.freeze()),
                },
                read = read(&mut self.stderr, &mut err), if self.stderr.is_some() => match read {
                    Ok(0) | Err(_) => self.stderr = None,
                    Ok(_) => return Event::Stderr(err.freeze()),
                },
                _ = self.looks.tick(), if watched.is_some() && self.look.is_none() => {
                    let pid = self.pid;
                    self.look = Some(spawn_blocking(move || watched.and_then(|watched| watched.hit(pid))));
                }
                hit = looked(&mut self.look), if self.look.is_some() => {
                    self.look = None;
                    self.looks.reset();
                    if let Some(hit) = hit {
                        return Event::Hit(hit);
                    }
                }
            }
        }
    }

    async fn autopsy(&mut self) -> Autopsy {
        let ended = self.child.try_wait().ok().flatten();
        let hit = match &self.group {
            Some(group) => group.hit(),
            None => self.watched.and_then(|watched| watched.at_its_end(self.pid)),
        };
        let status = match ended {
            Some(status) => Some(status),
            // It ends by itself when its streams have closed, unless it is asked to die first.
            None if hit.is_none() && self.stdout.is_none() => {
                timeout(LOOK, self.child.wait()).await.ok().and_then(Result::ok)
            }
            None => None,
        };
        if status.is_none() {
            self.kill();
            let _ = timeout(GOING, self.child.wait()).await;
        }
        Autopsy {
            // A process that the kernel ended for want of memory may have been noted a moment later.
            hit: hit.or_else(|| self.group.as_ref().and_then(Group::hit)),
            status: status.map(|status| told(status.code())),
        }
    }
}

impl Drop for BubblewrapCell {
    fn drop(&mut self) {
        self.kill();
        if let Some(group) = self.group.take() {
            group.remove();
        }
    }
}

/// What a look has found; to be asked only where one is under way.
async fn looked(look: &mut Option<JoinHandle<Option<Limit>>>) -> Option<Limit> {
    match look {
        Some(look) => look.await.ok().flatten(),
        None => None,
    }
}

async fn read<R: AsyncReadExt + Unpin>(stream: &mut Option<R>, into: &mut BytesMut) -> io::Result<usize> {
    match stream {
        Some(stream) => {
            into.reserve(CHUNK);
            stream.read_buf(into).await
        }
        None => Ok(0),
    }
}

/// bwrap ends as what ran in it, and with 128 and the signal's number where that was ended by one.
fn told(code: Option<i32>) -> String {
    match code {
        Some(code @ 129..=192) => format!("signal {}", code - 128),
        Some(code) => format!("exit status {code}"),
        None => "killed".to_owned(),
    }
}
