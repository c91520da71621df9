//! Where attacks are tried: a sandbox with all barriers or without some, and targets in namespaces of their own.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use sandbox::{BackendChoice, Ending, Limits, Report, Sandbox, Settings, Weakened, attack};
use serde_json::{Value as Json, json};
use tempfile::TempDir;

/// Nobody: whom scripts are outside, where a test runs as root.
const NOBODY: u32 = 65_534;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Backend {
    Bubblewrap,
    Docker,
}

impl Backend {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Bubblewrap => "bubblewrap",
            Self::Docker => "docker",
        }
    }

    /// Whether it can be used here; says by name where not.
    pub(crate) fn is_here(self) -> bool {
        let (program, arguments): (_, &[&str]) = match self {
            Self::Bubblewrap => ("bwrap", &["--version"]),
            Self::Docker => ("docker", &["image", "inspect", "procos/script-python:bookworm"]),
        };
        let ran = Command::new(program).args(arguments).output();
        let is_here = ran.is_ok_and(|output| output.status.success());
        if !is_here {
            println!(
                "SKIPPED hostile-{}: {program} {} fails",
                self.name(),
                arguments.join(" ")
            );
        }
        is_here
    }
}

/// What runs get, unless a case says otherwise.
pub(crate) const LIMITS: Limits = Limits {
    memory: 64 << 20,
    cpus: 0.5,
    pids: 24,
    timeout: Duration::from_secs(20),
    output: 1 << 20,
    tmpfs: 8 << 20,
};

/// Runs an attack on a backend without these barriers.
pub(crate) async fn run(backend: Backend, weakened: Weakened, limits: &Limits, inputs: Json) -> Report {
    let state = tempfile::tempdir().unwrap();
    let sandbox = open(backend, weakened, &state).await;
    let report = sandbox
        .run(&attack(inputs.as_object().unwrap().clone()), limits)
        .await;
    sandbox.close().await;
    report.unwrap()
}

pub(crate) async fn open(backend: Backend, weakened: Weakened, state: &TempDir) -> Sandbox {
    let mut settings = Settings::new(state.path());
    settings.backend = match backend {
        Backend::Bubblewrap => BackendChoice::Bubblewrap,
        Backend::Docker => BackendChoice::Docker,
    };
    // More than any case needs: what holds is what a run asks for.
    settings.limits = Limits {
        memory: 1 << 30,
        cpus: 8.0,
        pids: 500,
        timeout: Duration::from_secs(60),
        output: 1 << 30,
        tmpfs: 1 << 30,
    };
    settings.warm = 0;
    settings.weakened = Weakened {
        unproved: true,
        ..weakened
    };
    Sandbox::open(&settings).await.unwrap()
}

/// What stopped it; panics where nothing did.
pub(crate) fn stopped(report: &Report) -> String {
    match &report.ending {
        Ending::Result(got) => panic!("it got through: {got}"),
        Ending::Error(error) => error.message.clone(),
        Ending::Limit(hit) => format!("the {} limit: {}", hit.limit, hit.said),
        Ending::Gone(how) => how.clone(),
    }
}

/// What it got; panics where something stopped it.
pub(crate) fn got(report: &Report) -> String {
    match &report.ending {
        Ending::Result(got) => got.to_string(),
        other => panic!(
            "without the barrier it is to succeed: {other:?}\n{}",
            report.stderr
        ),
    }
}

/// Things of the host that a script wants: a file, a socket, a process.
pub(crate) struct Host {
    pub(crate) folder: TempDir,
    _listener: UnixListener,
    victim: Child,
}

impl Host {
    pub(crate) fn new() -> Self {
        // In a sandbox /tmp is the working directory.
        let folder = tempfile::tempdir_in("/var/tmp").unwrap();
        let everybody =
            |path: PathBuf| std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o777)).unwrap();
        std::fs::write(folder.path().join("marker"), "the host's").unwrap();
        let listener = UnixListener::bind(folder.path().join("docker.sock")).unwrap();
        everybody(folder.path().to_owned());
        everybody(folder.path().join("docker.sock"));
        everybody(folder.path().join("marker"));
        let mut victim = Command::new("sleep");
        victim.arg("600").env_clear();
        if rustix::process::geteuid().is_root() {
            victim.uid(NOBODY).gid(NOBODY);
            rustix::fs::chown(
                folder.path().join("marker"),
                Some(rustix::fs::Uid::from_raw(NOBODY)),
                None,
            )
            .unwrap();
        }
        Self {
            victim: victim.spawn().unwrap(),
            folder,
            _listener: listener,
        }
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    pub(crate) fn binds(&self) -> Vec<PathBuf> {
        vec![self.folder.path().to_owned()]
    }

    /// What an attack is told of it.
    pub(crate) fn told(&self) -> Json {
        json!({
            "host_files": [self.path("marker")],
            "sockets": [self.path("docker.sock")],
            "link_to": self.path("marker"),
            "folder": self.folder.path(),
            "pid": self.victim.id(),
        })
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.victim.kill();
        let _ = self.victim.wait();
    }
}

/// A network of its own in which the metadata service, a name server and a socket without a file answer, on its loopback.
pub(crate) struct Targets {
    container: Option<String>,
    holder: Option<Child>,
    servers: Child,
    /// How a sandbox joins it.
    pub(crate) joined: String,
}

const SERVERS: &str = r#"
import http.server, socket, threading
web = http.server.HTTPServer(("169.254.169.254", 80), http.server.BaseHTTPRequestHandler)
threading.Thread(target=web.serve_forever, daemon=True).start()
names = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
names.bind(("169.254.169.253", 53))
local = socket.socket(socket.AF_UNIX)
local.bind("\0procos-nobody")
local.listen()
print("ready", flush=True)
while True:
    question, who = names.recvfrom(512)
    names.sendto(b"answered " + question, who)
"#;

impl Targets {
    pub(crate) fn new(backend: Backend) -> Self {
        let (container, holder, pid, joined) = match backend {
            Backend::Bubblewrap => {
                let mut holder = Command::new("unshare");
                holder.args(["--net", "sh", "-c", "echo ready; exec sleep 600"]);
                let mut holder = holder.stdout(Stdio::piped()).spawn().unwrap();
                first_line(&mut holder);
                let pid = holder.id().to_string();
                (None, Some(holder), pid.clone(), format!("/proc/{pid}/ns/net"))
            }
            Backend::Docker => {
                let run = [
                    "run",
                    "--detach",
                    "--rm",
                    "--network",
                    "none",
                    "procos/script-python:bookworm",
                    "sleep",
                    "600",
                ];
                let id = said("docker", &run);
                let pid = said("docker", &["inspect", "--format", "{{.State.Pid}}", &id]);
                (Some(id.clone()), None, pid, format!("container:{id}"))
            }
        };
        let inside = |arguments: &[&str]| {
            let mut all = vec!["--target", &pid, "--net"];
            all.extend(arguments);
            said("nsenter", &all);
        };
        inside(&["ip", "link", "set", "lo", "up"]);
        for address in ["169.254.169.254/32", "169.254.169.253/32"] {
            inside(&["ip", "addr", "add", address, "dev", "lo"]);
        }
        let mut servers = Command::new("nsenter");
        servers.args(["--target", &pid, "--net", "/usr/bin/python3", "-c", SERVERS]);
        let mut servers = servers
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        first_line(&mut servers);
        Self {
            container,
            holder,
            servers,
            joined,
        }
    }
}

impl Drop for Targets {
    fn drop(&mut self) {
        for child in [Some(&mut self.servers), self.holder.as_mut()]
            .into_iter()
            .flatten()
        {
            let _ = child.kill();
            let _ = child.wait();
        }
        if let Some(id) = &self.container {
            said("docker", &["rm", "--force", id]);
        }
    }
}

fn first_line(child: &mut Child) {
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap())
        .read_line(&mut line)
        .unwrap();
    assert_eq!(line, "ready\n");
}

fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(
        output.status.success(),
        "{program} {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// A line for people who look at what stopped each attack.
pub(crate) fn tell(backend: Backend, case: &str, stopped_by: &str) {
    let short: String = stopped_by.chars().take(160).collect();
    let _ = writeln!(std::io::stdout(), "{:<11} {case:<28} {short}", backend.name());
}

/// Processes of the machine whose arguments hold this text.
pub(crate) fn processes_with(text: &str) -> Vec<String> {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    entries
        .filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok())
        .map(|line| String::from_utf8_lossy(&line).replace('\0', " "))
        .filter(|line| line.starts_with("/bin/sleep") && line.contains(text))
        .collect()
}
