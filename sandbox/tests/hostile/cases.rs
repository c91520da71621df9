//! The attacks.

use std::time::{Duration, Instant};

use sandbox::{Limit, Limits, Weakened};
use serde_json::{Value as Json, json};

use crate::world::{Backend, Host, LIMITS, Targets, got, open, processes_with, run, stopped, tell};

/// An attack, what stops it, and what it takes for it to succeed.
struct Case {
    name: &'static str,
    attack: &'static str,
    inputs: Json,
    limits: Limits,
    /// What is said by what stops it, on either backend.
    stopped_by: &'static [&'static str],
    twin: Twin,
}

enum Twin {
    /// Without these barriers it succeeds.
    Without(Weakened),
    /// With these limits it succeeds.
    With(Limits),
    /// Without these barriers the kernel itself refuses it, and says otherwise: so it was the barrier that had refused it.
    RefusedByKernel(Weakened),
    /// There is no way to take the barrier away on this backend, for this reason; on the other there is.
    None(&'static str),
}

/// A twin on Docker alone.
fn on_docker(backend: Backend, weakened: Weakened, why: &'static str) -> Twin {
    match backend {
        Backend::Docker => Twin::Without(weakened),
        Backend::Bubblewrap => Twin::None(why),
    }
}

impl Case {
    fn new(name: &'static str, stopped_by: &'static [&'static str], twin: Twin) -> Self {
        Self {
            name,
            attack: name,
            inputs: json!({}),
            limits: LIMITS,
            stopped_by,
            twin,
        }
    }

    fn attack(mut self, attack: &'static str) -> Self {
        self.attack = attack;
        self
    }

    fn inputs(mut self, inputs: Json) -> Self {
        for (name, value) in inputs.as_object().unwrap() {
            self.inputs[name] = value.clone();
        }
        self
    }

    fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    async fn check(mut self, backend: Backend) {
        if !backend.is_here() {
            return;
        }
        self.inputs["attack"] = self.attack.into();
        let report = run(backend, Weakened::default(), &self.limits, self.inputs.clone()).await;
        let stopped_by = stopped(&report);
        tell(backend, self.name, &stopped_by);
        assert!(
            self.stopped_by.iter().any(|part| stopped_by.contains(part)),
            "stopped by something else than {:?}: {stopped_by}",
            self.stopped_by
        );
        match self.twin {
            Twin::Without(weakened) => {
                got(&run(backend, weakened, &self.limits, self.inputs).await);
            }
            Twin::With(limits) => {
                got(&run(backend, Weakened::default(), &limits, self.inputs).await);
            }
            Twin::RefusedByKernel(weakened) => {
                let report = run(backend, weakened, &self.limits, self.inputs).await;
                assert_ne!(stopped(&report), stopped_by);
            }
            Twin::None(why) => tell(backend, self.name, &format!("(no twin: {why})")),
        }
    }
}

fn no_filter() -> Weakened {
    Weakened {
        seccomp: true,
        ..Weakened::default()
    }
}

fn no_filter_and_root() -> Weakened {
    Weakened {
        seccomp: true,
        capabilities: true,
        ..Weakened::default()
    }
}

fn without(limit: Limit) -> Weakened {
    Weakened {
        limits: vec![limit],
        ..Weakened::default()
    }
}

const EPERM: &[&str] = &["Operation not permitted"];
const NOT_THERE: &[&str] = &["No such file or directory"];
const MEMORY: &[&str] = &["the memory limit"];
const PROCESSES: &[&str] = &["the process limit"];
/// The file system's own size, or that of a single file.
const FULL: &[&str] = &["No space left on device", "File too large"];
const OUTPUT: &[&str] = &["the output limit"];

/// A test of each case for each backend.
macro_rules! cases {
    ($($name:ident => $case:expr;)*) => {
        mod bubblewrap {
            use super::*;
            $(#[tokio::test]
            async fn $name() {
                let case: fn(&str, Backend) -> Case = $case;
                case(stringify!($name), Backend::Bubblewrap).check(Backend::Bubblewrap).await;
            })*
        }
        mod docker {
            use super::*;
            $(#[tokio::test]
            async fn $name() {
                let case: fn(&str, Backend) -> Case = $case;
                case(stringify!($name), Backend::Docker).check(Backend::Docker).await;
            })*
        }
    };
}

cases! {
    memory_heap => |_, _| Case::new("memory_heap", MEMORY, Twin::Without(without(Limit::Memory)))
        .inputs(json!({"megabytes": 128}));
    memory_of_many => |_, _| Case::new("memory_of_many", MEMORY, Twin::Without(without(Limit::Memory)))
        .inputs(json!({"megabytes": 128, "processes": 8}));
    memory_shared => |_, _| Case::new("memory_shared", MEMORY, Twin::Without(without(Limit::Memory)))
        .inputs(json!({"megabytes": 128}));
    memory_in_files => |_, _| Case::new("memory_in_files", MEMORY, Twin::Without(without(Limit::Memory)))
        .attack("memory_files")
        .inputs(json!({"megabytes": 128}))
        .limits(Limits { tmpfs: 512 << 20, ..LIMITS });
    full_working_directory => |_, _| Case::new(
            "full_working_directory",
            FULL,
            Twin::Without(Weakened { working_directory: true, ..Weakened::default() }),
        )
        .attack("memory_files")
        .inputs(json!({"megabytes": 40}));
    full_shared_memory => |_, _| Case::new(
            "full_shared_memory",
            FULL,
            Twin::Without(Weakened { working_directory: true, ..Weakened::default() }),
        )
        .attack("memory_shared_folder")
        .inputs(json!({"megabytes": 40}));
    fork_bomb => |_, _| Case::new("fork_bomb", PROCESSES, Twin::Without(without(Limit::Processes)))
        .inputs(json!({"processes": 60}));
    threads => |_, _| Case::new("threads", PROCESSES, Twin::Without(without(Limit::Processes)))
        .inputs(json!({"processes": 60}));
    busy => |_, _| Case::new(
            "busy",
            // A cgroup gives a share, too small to be done in time; without one it is added up.
            &["the time limit", "the cpu limit"],
            Twin::Without(without(Limit::Cpu)),
        )
        .inputs(json!({"seconds": 1}))
        .limits(Limits { cpus: 0.1, timeout: Duration::from_secs(6), ..LIMITS });
    asleep => |_, _| Case::new(
            "asleep",
            &["the time limit"],
            Twin::With(Limits { timeout: Duration::from_secs(20), ..LIMITS }),
        )
        .inputs(json!({"seconds": 1.5}))
        .limits(Limits { timeout: Duration::from_millis(700), ..LIMITS });
    flood_stdout => |_, _| Case::new("flood_stdout", OUTPUT, Twin::With(Limits { output: 64 << 20, ..LIMITS }))
        .inputs(json!({"megabytes": 8}));
    flood_stderr => |_, _| Case::new("flood_stderr", OUTPUT, Twin::With(Limits { output: 64 << 20, ..LIMITS }))
        .inputs(json!({"megabytes": 8}));
    flood_result => |_, _| Case::new("flood_result", OUTPUT, Twin::With(Limits { output: 64 << 20, ..LIMITS }))
        .inputs(json!({"megabytes": 8}));

    other_processes => |_, _| Case::new(
            "other_processes",
            &["all of the sandbox"],
            Twin::Without(Weakened { processes: true, ..Weakened::default() }),
        );
    environment => |_, _| Case::new(
            "environment",
            &["only its own variables"],
            Twin::Without(Weakened { environment: true, ..Weakened::default() }),
        );
    write_to_root => |_, _| Case::new(
            "write_to_root",
            &["Read-only file system"],
            Twin::Without(Weakened { root: true, ..Weakened::default() }),
        );
    socket_families => |_, _| Case::new("socket_families", &["not supported"], Twin::Without(no_filter()));
    become_root => |_, _| Case::new("become_root", EPERM, Twin::Without(no_filter_and_root()));
    is_root => |_, _| Case::new("is_root", &["user 65534"], Twin::Without(no_filter_and_root()));
    capabilities => |_, _| Case::new("capabilities", &["none in any set"], Twin::Without(no_filter_and_root()));
    trace => |_, _| Case::new("trace", EPERM, Twin::Without(no_filter()));
    read_memory => |_, _| Case::new("read_memory", EPERM, Twin::Without(no_filter()));
    mount => |_, _| Case::new("mount", EPERM, Twin::Without(no_filter_and_root()));
    new_mount_api => |_, _| Case::new("new_mount_api", EPERM, Twin::Without(no_filter_and_root()));
    unshare => |_, _| Case::new("unshare", EPERM, Twin::Without(no_filter_and_root()));
    clone_namespace => |_, _| Case::new("clone_namespace", EPERM, Twin::Without(no_filter_and_root()));
    keys => |_, _| Case::new("keys", EPERM, Twin::Without(no_filter()));
    io_uring => |_, _| Case::new("io_uring", EPERM, Twin::Without(no_filter()));
    userfaultfd => |_, _| Case::new("userfaultfd", EPERM, Twin::Without(no_filter()));
    executable_memory_file => |_, _| Case::new("executable_memory_file", EPERM, Twin::Without(no_filter()));
    set_user_id_program => |_, backend| Case::new(
            "set_user_id_program",
            &["no new privileges"],
            on_docker(backend, no_filter_and_root(), "bwrap never leaves it out"),
        );
    make_device => |_, backend| Case::new(
            "make_device",
            EPERM,
            on_docker(backend, no_filter_and_root(), "the kernel lets no user namespace make devices"),
        );
    bpf => |_, backend| Case::new(
            "bpf",
            EPERM,
            on_docker(backend, no_filter_and_root(), "the kernel lets no user namespace load BPF"),
        );
    performance_counters => |_, backend| Case::new(
            "performance_counters",
            EPERM,
            on_docker(backend, no_filter_and_root(), "the kernel lets nobody without rights count"),
        );
    socket_pairs => |_, _| Case::new("socket_pairs", &["not supported"], Twin::Without(no_filter()));
    watch_files => |_, _| Case::new("watch_files", EPERM, Twin::Without(no_filter()));
    terminal_injection => |_, _| Case::new("terminal_injection", EPERM, Twin::RefusedByKernel(no_filter()));
}

/// Attacks on things of the host.
macro_rules! host_cases {
    ($($name:ident: $stopped_by:expr, $twin:expr;)*) => {
        mod host_bubblewrap {
            use super::*;
            $(#[tokio::test]
            async fn $name() {
                on_host(stringify!($name), Backend::Bubblewrap, $stopped_by, $twin).await;
            })*
        }
        mod host_docker {
            use super::*;
            $(#[tokio::test]
            async fn $name() {
                on_host(stringify!($name), Backend::Docker, $stopped_by, $twin).await;
            })*
        }
    };
}

async fn on_host(
    name: &'static str,
    backend: Backend,
    stopped_by: &'static [&'static str],
    twin: fn(&Host) -> Weakened,
) {
    if !backend.is_here() {
        return;
    }
    let host = Host::new();
    let weakened = twin(&host);
    Case::new(name, stopped_by, Twin::Without(weakened))
        .inputs(host.told())
        .check(backend)
        .await;
}

fn seen(host: &Host) -> Weakened {
    Weakened {
        binds: host.binds(),
        ..Weakened::default()
    }
}

host_cases! {
    host_files: NOT_THERE, seen;
    sockets_of_the_host: NOT_THERE, seen;
    symbolic_link: NOT_THERE, seen;
    hard_link: NOT_THERE, seen;
    signals: &["No such process"], |_| Weakened { processes: true, ..Weakened::default() };
}

/// What one run leaves is not there for the next, unless both see the same folder.
async fn nothing_is_shared(backend: Backend) {
    if !backend.is_here() {
        return;
    }
    let host = Host::new();
    let state = tempfile::tempdir().unwrap();
    for (weakened, folder, found) in [
        (Weakened::default(), "/work".into(), false),
        (seen(&host), host.told()["folder"].clone(), true),
    ] {
        let sandbox = open(backend, weakened, &state).await;
        let script = sandbox::attack(
            json!({"attack": "leave_a_file", "folder": folder})
                .as_object()
                .unwrap()
                .clone(),
        );
        stopped(&sandbox.run(&script, &LIMITS).await.unwrap());
        let second = sandbox.run(&script, &LIMITS).await.unwrap();
        if found {
            got(&second);
        } else {
            tell(backend, "other runs' files", &stopped(&second));
        }
        sandbox.close().await;
    }
}

/// A child that has left its parent ends with the run all the same, and does not keep the run from ending.
async fn nothing_lives_on(backend: Backend) {
    if !backend.is_here() {
        return;
    }
    let nap = format!("{}.{}", 31_536_000 + backend as u32, std::process::id());
    let inputs = json!({"attack": "escape", "nap": nap});
    let begun = Instant::now();
    got(&run(backend, Weakened::default(), &LIMITS, inputs.clone()).await);
    assert!(begun.elapsed() < LIMITS.timeout, "it waited for the child");
    until(|| processes_with(&nap).is_empty());
    tell(backend, "escaping child", "ended with the run");
    if backend == Backend::Docker {
        // Its cgroup ends it even where it is in the machine's own process namespace: there is no second barrier to take away.
        return;
    }
    let weakened = Weakened {
        processes: true,
        ..Weakened::default()
    };
    got(&run(backend, weakened, &LIMITS, inputs).await);
    let alive = processes_with(&nap);
    assert_eq!(alive.len(), 1, "without the process namespace it lives on");
    assert!(
        std::process::Command::new("pkill")
            .args(["-f", &nap])
            .status()
            .unwrap()
            .success()
    );
}

fn until(condition: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !condition() {
        assert!(Instant::now() < deadline, "it does not come to be");
        std::thread::yield_now();
    }
}

/// Each of two barriers stops it by itself: the network that is not there, and the filter.
async fn network(backend: Backend, attack: &'static str) {
    if !backend.is_here() {
        return;
    }
    if !rustix::process::geteuid().is_root() {
        // Making the targets takes root; the same runs as root, too.
        return;
    }
    let targets = Targets::new(backend);
    let inputs = json!({ "attack": attack });
    let joined = |seccomp: bool, network: bool| Weakened {
        seccomp,
        network: network.then(|| targets.joined.clone()),
        ..Weakened::default()
    };
    let filtered = stopped(&run(backend, joined(false, true), &LIMITS, inputs.clone()).await);
    let apart = stopped(&run(backend, joined(true, false), &LIMITS, inputs.clone()).await);
    assert!(filtered.contains("not supported"), "{filtered}");
    assert!(apart.contains("unreachable"), "{apart}");
    tell(backend, attack, &format!("{filtered}; {apart}"));
    got(&run(backend, joined(true, true), &LIMITS, inputs).await);
}

/// A socket without a file is in the network's namespace and passes the filter.
async fn abstract_socket(backend: Backend) {
    if !backend.is_here() || !rustix::process::geteuid().is_root() {
        return;
    }
    let targets = Targets::new(backend);
    let inputs = json!({"attack": "abstract_sockets"});
    let stopped_by = stopped(&run(backend, Weakened::default(), &LIMITS, inputs.clone()).await);
    assert!(stopped_by.contains("refused"), "{stopped_by}");
    tell(backend, "abstract_sockets", &stopped_by);
    let joined = Weakened {
        network: Some(targets.joined.clone()),
        ..Weakened::default()
    };
    got(&run(backend, joined, &LIMITS, inputs).await);
}

/// Where the worker has inherited a file: set for [`a_worker_that_has_inherited_a_folder`] alone.
const INHERITED: &str = "PROCOS_TEST_INHERITED";

/// Files that the worker itself has inherited: a folder of the host that is open is a way out. In a process of its own, as all
/// of one share what is handed on. A container is the daemon's child and gets none.
#[test]
fn inherited_files() {
    if !Backend::Bubblewrap.is_here() {
        return;
    }
    let folder = tempfile::tempdir_in("/var/tmp").unwrap();
    let output = std::process::Command::new("sh")
        .args([
            "-c",
            "exec \"$0\" --exact cases::a_worker_that_has_inherited_a_folder --nocapture 9<\"$1\"",
        ])
        .arg(std::env::current_exe().unwrap())
        .arg(folder.path())
        .env(INHERITED, folder.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{said}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    println!("{said}");
}

/// Not a test of its own: what `inherited_files` starts.
#[tokio::test]
async fn a_worker_that_has_inherited_a_folder() {
    let Ok(folder) = std::env::var(INHERITED) else {
        return;
    };
    let inputs = json!({"attack": "inherited_files"});
    let twin = Weakened {
        descriptors: true,
        ..Weakened::default()
    };
    let seen = got(&run(Backend::Bubblewrap, twin, &LIMITS, inputs.clone()).await);
    assert!(seen.contains(&folder), "{seen}");
    let stopped_by = stopped(&run(Backend::Bubblewrap, Weakened::default(), &LIMITS, inputs).await);
    assert!(stopped_by.contains("only its own pipes"), "{stopped_by}");
    tell(Backend::Bubblewrap, "inherited files", &stopped_by);
}

/// The parent's death is what ends a cell whose worker is killed: no script may call that off.
async fn outlived_parent(backend: Backend) {
    if !backend.is_here() || backend == Backend::Docker {
        return;
    }
    let inputs = json!({"attack": "outlive_the_parent"});
    let stopped_by = stopped(&run(backend, Weakened::default(), &LIMITS, inputs.clone()).await);
    assert!(stopped_by.contains("Operation not permitted"), "{stopped_by}");
    tell(backend, "outlive the parent", &stopped_by);
    got(&run(backend, no_filter(), &LIMITS, inputs).await);
}

/// A fork bomb that swallows every error ends by time, and it is told what it was.
async fn endless_fork_bomb(backend: Backend) {
    if !backend.is_here() {
        return;
    }
    let limits = Limits {
        timeout: Duration::from_secs(2),
        ..LIMITS
    };
    let report = run(
        backend,
        Weakened::default(),
        &limits,
        json!({"attack": "fork_bomb_without_end"}),
    )
    .await;
    let stopped_by = stopped(&report);
    assert!(stopped_by.contains("the process limit"), "{stopped_by}");
    tell(backend, "fork bomb without end", &stopped_by);
}

/// The self-test itself: a backend that lacks a barrier is refused, and it is told which.
async fn self_test(backend: Backend) {
    if !backend.is_here() {
        return;
    }
    let state = tempfile::tempdir_in("/var/tmp").unwrap();
    let mut settings = sandbox::Settings::new(state.path());
    settings.warm = 0;
    settings.backend = match backend {
        Backend::Bubblewrap => sandbox::BackendChoice::Bubblewrap,
        Backend::Docker => sandbox::BackendChoice::Docker,
    };
    let sandbox = sandbox::Sandbox::open(&settings).await.unwrap();
    let tested = sandbox.self_test();
    assert_eq!(
        (tested.stopped(), tested.failed().count()),
        (tested.probes.len(), 0)
    );
    assert!(tested.probes.len() > 30);
    sandbox.close().await;
    for (weakened, part) in [
        (no_filter(), "use io_uring"),
        (
            Weakened {
                root: true,
                ..Weakened::default()
            },
            "write to the root file system",
        ),
        (
            Weakened {
                processes: true,
                ..Weakened::default()
            },
            "see other processes",
        ),
        (without(Limit::Memory), "take all memory in small processes"),
        (without(Limit::Processes), "make processes without end"),
        (
            Weakened {
                working_directory: true,
                ..Weakened::default()
            },
            "fill the working directory",
        ),
        (
            Weakened {
                environment: true,
                ..Weakened::default()
            },
            "read the worker's environment",
        ),
        // With the filter Docker itself cannot make a container for root.
        (no_filter_and_root(), "run as root"),
        (
            Weakened {
                binds: vec![state.path().to_owned()],
                ..Weakened::default()
            },
            "read files of the host",
        ),
    ] {
        settings.weakened = weakened;
        let refused = sandbox::Sandbox::open(&settings).await.unwrap_err().to_string();
        assert!(refused.contains(part), "{part}: {refused}");
    }
}

macro_rules! both {
    ($($name:ident: $test:ident($($more:expr)?);)*) => {
        mod more_bubblewrap {
            use super::*;
            $(#[tokio::test]
            async fn $name() {
                $test(Backend::Bubblewrap $(, $more)?).await;
            })*
        }
        mod more_docker {
            use super::*;
            $(#[tokio::test]
            async fn $name() {
                $test(Backend::Docker $(, $more)?).await;
            })*
        }
    };
}

both! {
    other_runs_files: nothing_is_shared();
    escaping_children: nothing_lives_on();
    fork_bomb_without_end: endless_fork_bomb();
    parents_that_die: outlived_parent();
    cloud_metadata: network("metadata");
    name_server: network("dns");
    sockets_without_a_file: abstract_socket();
    a_backend_that_lacks_a_barrier_is_refused: self_test();
}
