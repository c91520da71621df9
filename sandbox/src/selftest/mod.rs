//! The self-test: hostile probes that a backend has to stop before it is used.
//!
//! What is tried stands in `attacks.py`. Some attempts are stopped at once, and are made one after the other in one cell;
//! others only by a limit, and have a cell each with small limits.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json, json};

use crate::cell::{Backend, Shape};
use crate::conduct::conduct;
use crate::{Ending, Language, Limit, Limits, SandboxError, Script, Settings};

const ATTACKS: &str = include_str!("attacks.py");

/// What a run gets for attempts that are stopped at once.
const LIMITS: Limits = Limits {
    memory: 256 << 20,
    cpus: 1.0,
    pids: 32,
    timeout: Duration::from_secs(60),
    output: 1 << 20,
    tmpfs: 8 << 20,
};

/// Attempts that are stopped at once: what is tried, in `attacks.py` and in words.
const AT_ONCE: &[(&str, &str)] = &[
    ("other_processes", "see other processes"),
    ("signals", "signal other processes"),
    ("environment", "read the worker's environment"),
    ("host_files", "read files of the host"),
    ("sockets_of_the_host", "connect to the Docker socket"),
    ("abstract_sockets", "connect to sockets without a file"),
    ("metadata", "reach the cloud's metadata"),
    ("dns", "ask a name server"),
    ("loopback", "reach the machine's own ports"),
    ("socket_families", "open sockets of any family"),
    ("socket_pairs", "open pairs of sockets of any family"),
    ("inherited_files", "use files that the worker has open"),
    ("watch_files", "watch what the host does"),
    ("write_to_root", "write to the root file system"),
    ("write_to_kernel", "write to the kernel's settings"),
    ("devices", "open devices"),
    ("make_device", "make a device"),
    ("become_root", "become root"),
    ("is_root", "run as root"),
    ("set_user_id_program", "gain rights by a program"),
    ("capabilities", "have capabilities"),
    ("trace", "trace a process"),
    ("read_memory", "read another process's memory"),
    ("mount", "mount a file system"),
    ("new_mount_api", "mount by the newer calls"),
    ("unshare", "leave a namespace"),
    ("clone_namespace", "make a namespace"),
    ("keys", "keep keys in the kernel"),
    ("bpf", "load BPF"),
    ("io_uring", "use io_uring"),
    ("userfaultfd", "use userfaultfd"),
    ("performance_counters", "read performance counters"),
    ("executable_memory_file", "run a program from memory"),
    ("terminal_injection", "type into the terminal"),
];

/// Attempts that only a limit stops: what is tried, which limit it is to be, and what is given.
fn by_limit() -> [(&'static str, &'static str, Option<Limit>, Json); 6] {
    // Far more than is given: what is looked at from time to time has to be seen before it is done.
    [
        (
            "memory_heap",
            "take all memory",
            Some(Limit::Memory),
            json!({"megabytes": 512}),
        ),
        (
            "memory_of_many",
            "take all memory in small processes",
            Some(Limit::Memory),
            json!({"megabytes": 96, "processes": 6}),
        ),
        (
            "memory_shared",
            "take all memory as shared memory",
            Some(Limit::Memory),
            json!({"megabytes": 1024}),
        ),
        // The file system itself is full: an error of the script's own.
        (
            "memory_files",
            "fill the working directory",
            None,
            json!({"megabytes": 96}),
        ),
        (
            "fork_bomb",
            "make processes without end",
            Some(Limit::Processes),
            json!({"processes": 60}),
        ),
        ("asleep", "never end", Some(Limit::Time), json!({"seconds": 60})),
    ]
}

/// What the self-test has shown of a backend.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SelfTest {
    /// The backend.
    pub backend: String,
    /// Every probe, and what became of it.
    pub probes: Vec<Probe>,
}

/// One probe.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probe {
    /// What it tries.
    pub name: String,
    /// What stopped it; absent where nothing did.
    pub stopped_by: Option<String>,
    /// What it got, where nothing stopped it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub got: Option<String>,
}

impl SelfTest {
    /// How many probes were stopped.
    #[must_use]
    pub fn stopped(&self) -> usize {
        self.probes
            .iter()
            .filter(|probe| probe.stopped_by.is_some())
            .count()
    }

    /// Those that nothing has stopped.
    pub fn failed(&self) -> impl Iterator<Item = &Probe> {
        self.probes.iter().filter(|probe| probe.stopped_by.is_none())
    }
}

/// Runs every probe. An error where one gets through, or where they cannot be run.
pub(crate) async fn run(backend: &dyn Backend, settings: &Settings) -> Result<SelfTest, SandboxError> {
    let small = Limits {
        memory: 48 << 20,
        pids: 24,
        timeout: Duration::from_secs(10),
        ..LIMITS
    };
    let mut probes = at_once(backend, settings).await?;
    for (attack, name, limit, inputs) in by_limit() {
        let limits = match limit {
            Some(Limit::Time) => Limits {
                timeout: Duration::from_millis(250),
                ..small
            },
            _ => small,
        };
        probes.push(limited(backend, &limits, attack, name, limit, &inputs).await?);
    }
    let tested = SelfTest {
        backend: backend.name().to_owned(),
        probes,
    };
    let failed: Vec<String> = tested
        .failed()
        .map(|probe| {
            format!(
                "{} ({})",
                probe.name,
                probe.got.as_deref().unwrap_or("got through")
            )
        })
        .collect();
    if failed.is_empty() {
        return Ok(tested);
    }
    Err(SandboxError::Refused(format!(
        "{}: it does not stop what it has to (self-test {}/{}): a script could {}",
        tested.backend,
        tested.stopped(),
        tested.probes.len(),
        failed.join(", ")
    )))
}

/// A script that makes an attack of `attacks.py`.
#[cfg_attr(
    not(feature = "weakened"),
    expect(unreachable_pub, reason = "tests of the whole see it")
)]
#[must_use]
pub fn attack(inputs: Map<String, Json>) -> Script {
    Script {
        language: Language::Python,
        image: None,
        name: "attacks.py".to_owned(),
        source: ATTACKS.to_owned(),
        inputs,
        files: Vec::new(),
        output_files: Vec::new(),
        result_variables: Vec::new(),
    }
}

async fn at_once(backend: &dyn Backend, settings: &Settings) -> Result<Vec<Probe>, SandboxError> {
    let names: Vec<&str> = AT_ONCE.iter().map(|(attack, _)| *attack).collect();
    // Where the worker keeps its own, and a process that is certainly there.
    let given = json!({"attacks": names, "host_files": [settings.state_dir], "pid": std::process::id()});
    let ending = run_one(backend, &LIMITS, given).await?;
    let Ending::Result(Json::Object(results)) = ending else {
        return Err(unusable(
            backend,
            &format!("its probes end otherwise than with a result: {ending:?}"),
        ));
    };
    AT_ONCE
        .iter()
        .map(|(attack, name)| {
            let said = results.get(*attack).and_then(Json::as_str).unwrap_or_default();
            let (stopped_by, got) = match said.split_at_checked(1) {
                Some(("-", why)) => (Some(why.to_owned()), None),
                Some(("+", got)) => (None, Some(got.to_owned())),
                _ => return Err(unusable(backend, &format!("the probe `{attack}` says nothing"))),
            };
            Ok(Probe {
                name: (*name).to_owned(),
                stopped_by,
                got,
            })
        })
        .collect()
}

async fn limited(
    backend: &dyn Backend,
    limits: &Limits,
    attack: &str,
    name: &str,
    limit: Option<Limit>,
    inputs: &Json,
) -> Result<Probe, SandboxError> {
    let mut given = inputs.clone();
    given["attack"] = attack.into();
    let (stopped_by, got) = match (run_one(backend, limits, given).await?, limit) {
        (Ending::Limit(hit), Some(limit)) if hit.limit == limit => (Some(hit.said), None),
        (Ending::Error(error), None) => (Some(error.message), None),
        (other, _) => (None, Some(format!("{other:?}"))),
    };
    Ok(Probe {
        name: name.to_owned(),
        stopped_by,
        got,
    })
}

async fn run_one(backend: &dyn Backend, limits: &Limits, inputs: Json) -> Result<Ending, SandboxError> {
    let Json::Object(inputs) = inputs else {
        return Ok(Ending::Gone("the inputs are no object".to_owned()));
    };
    let shape = Shape::new(Language::Python, None, limits);
    let mut cell = backend
        .make(&shape)
        .await
        .map_err(|error| unusable(backend, &error.to_string()))?;
    Ok(conduct(cell.as_mut(), &attack(inputs), limits).await?.ending)
}

fn unusable(backend: &dyn Backend, said: &str) -> SandboxError {
    SandboxError::Refused(format!("{}: its self-test cannot be run: {said}", backend.name()))
}
