//! The clients, and how each is started.

use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::Context;
use benches::{Setup, Started, Usage};
use clap::ValueEnum;
use rustix::process::{Pid, Signal, kill_process};
use serde::Serialize;
use serde_json::json;
use tokio::process::Command;

use crate::job::{Job, LOCK};
use crate::peers::Peer;

/// What can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Client {
    /// A bare loop of requests: the ceiling
    Raw,
    /// `procos worker`, formatting a constant text
    Procos,
    /// worker-runtime with an adapter that only sleeps
    Library,
    /// The Java client as it comes: one thread
    Java,
    /// The Java client with a thread pool
    JavaTuned,
    /// The Node client as it comes
    Node,
    /// The Node client, tuned
    NodeTuned,
    /// The Python client as it comes: one thread
    Python,
    /// The Python client's asyncio worker
    PythonAsyncio,
}

/// One that takes part: a client, for the raw loop with how many reports are in flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Contender {
    pub(crate) client: Client,
    pub(crate) reports: usize,
}

impl fmt::Display for Contender {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.client {
            Client::Raw => write!(formatter, "raw, {} in flight", self.reports),
            Client::Procos => formatter.write_str("procos worker"),
            Client::Library => formatter.write_str("procos (library)"),
            Client::Java => formatter.write_str("Java"),
            Client::JavaTuned => formatter.write_str("Java, tuned"),
            Client::Node => formatter.write_str("Node"),
            Client::NodeTuned => formatter.write_str("Node, tuned"),
            Client::Python => formatter.write_str("Python"),
            Client::PythonAsyncio => formatter.write_str("Python, asyncio"),
        }
    }
}

impl Contender {
    /// Whether it can sleep in a handler: `procos worker` has no adapter that does.
    pub(crate) fn sleeps(self) -> bool {
        self.client != Client::Procos
    }

    /// Whose it is, where it is another's.
    pub(crate) fn peer(self) -> Option<Peer> {
        match self.client {
            Client::Raw | Client::Procos | Client::Library => None,
            Client::Java | Client::JavaTuned => Some(Peer::Java),
            Client::Node | Client::NodeTuned => Some(Peer::Node),
            Client::Python | Client::PythonAsyncio => Some(Peer::Python),
        }
    }

    /// Starts it in a folder of its own.
    pub(crate) fn start(self, setup: &Setup, job: &Job, folder: &Path) -> anyhow::Result<Running> {
        let mut command = match self.client {
            Client::Raw | Client::Library => {
                let own = std::env::current_exe().context("this program's place")?;
                let mut command = setup.command(&own, folder);
                match self.client {
                    Client::Raw => command.args(["client-raw", &self.reports.to_string()]),
                    _ => command.arg("client-library"),
                };
                command
            }
            _ => match self.peer() {
                Some(peer) => peer.command(setup, folder),
                None => procos(setup, job, folder)?,
            },
        };
        command.envs(job.variables());
        if matches!(
            self.client,
            Client::JavaTuned | Client::NodeTuned | Client::PythonAsyncio
        ) {
            command.env("BENCH_TUNED", "1");
        }
        Ok(Running::new(Started::start(&mut command, &folder.join("log"))?))
    }
}

/// `procos worker` with a pool for the topics, each routed to the adapter that formats a text. The text is constant,
/// so that nothing is done but what is done for every task.
fn procos(setup: &Setup, job: &Job, folder: &Path) -> anyhow::Result<Command> {
    let topics: Vec<&String> = job.topics.iter().map(|(topic, _)| topic).collect();
    let route =
        json!({"adapter": "core", "topic": "response_formatting", "with": {"value": 1, "template": "x"}});
    let routes: serde_json::Map<_, _> = topics
        .iter()
        .map(|topic| ((*topic).clone(), route.clone()))
        .collect();
    let config = json!({
        "data_dir": folder.join("data"),
        "http": {"listen": "127.0.0.1:0"},
        "engine": {
            "kind": "attached",
            "url": job.url,
            "auth": {"basic": {"username": job.username, "password": "secret:engine-password"}},
        },
        "workers": {
            "lock_duration": format!("{}s", LOCK.as_secs()),
            "pools": [{"name": "bench", "capacity": job.slots, "topics": topics}],
        },
        "routes": routes,
    });
    let file: PathBuf = folder.join("procos.yml");
    // JSON is YAML.
    std::fs::write(&file, serde_json::to_vec(&config)?).with_context(|| file.display().to_string())?;
    let mut command = setup.command(&setup.procos, folder);
    command
        .arg("worker")
        .arg("--config")
        .arg(&file)
        .env("PROCOS_SECRET_ENGINE_PASSWORD", &job.password);
    Ok(command)
}

/// A client that runs. Dropped, it is killed.
#[derive(Debug)]
pub(crate) struct Running {
    process: Started,
    /// The way to look at it and to halt it.
    pub(crate) handle: Handle,
}

impl Running {
    fn new(process: Started) -> Self {
        let handle = Handle(process.pid);
        Self { process, handle }
    }

    /// Waits until it ends, which it should not, and gives that as an error.
    pub(crate) async fn ended(&mut self) -> anyhow::Error {
        match self.process.child.wait().await {
            Ok(status) => anyhow::anyhow!("the client has ended: {status}"),
            Err(error) => error.into(),
        }
    }

    /// The error with the last that the client has said.
    pub(crate) fn explain(&self, error: anyhow::Error) -> anyhow::Error {
        match self.process.said() {
            said if said.is_empty() => error,
            said => anyhow::anyhow!("{error:#}; the client's last words:\n{said}"),
        }
    }

    /// Ends it and waits until it is gone.
    pub(crate) async fn stop(mut self) {
        // A halted process hears nothing.
        let _ = self.handle.go_on();
        self.process.stop().await;
    }
}

/// A client's process, from outside.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Handle(u32);

impl Handle {
    /// What it uses.
    pub(crate) fn usage(self) -> anyhow::Result<Usage> {
        Usage::of(self.0)
    }

    /// Halts it: it computes nothing until it [goes on](Self::go_on).
    pub(crate) fn halt(self) -> anyhow::Result<()> {
        self.signal(Signal::STOP)
    }

    /// Lets it go on.
    pub(crate) fn go_on(self) -> anyhow::Result<()> {
        self.signal(Signal::CONT)
    }

    fn signal(self, signal: Signal) -> anyhow::Result<()> {
        let pid = Pid::from_raw(self.0.cast_signed()).context("its id")?;
        kill_process(pid, signal).context("a signal to the client")
    }
}
