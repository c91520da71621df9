//! The attacks.

use std::time::Duration;

use sandbox::{Limit, Limits, Weakened};
use serde_json::{Value as Json, json};

use crate::world::{Backend, Host, LIMITS, got, run, stopped, tell};

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

pub(crate) fn no_filter() -> Weakened {
    Weakened {
        seccomp: true,
        ..Weakened::default()
    }
}

pub(crate) fn no_filter_and_root() -> Weakened {
    Weakened {
        seccomp: true,
        capabilities: true,
        ..Weakened::default()
    }
}

pub(crate) fn without(limit: Limit) -> Weakened {
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
        .inputs(json!({"megabytes": 512}));
    memory_of_many => |_, _| Case::new("memory_of_many", MEMORY, Twin::Without(without(Limit::Memory)))
        .inputs(json!({"megabytes": 128, "processes": 8}));
    memory_shared => |_, _| Case::new("memory_shared", MEMORY, Twin::Without(without(Limit::Memory)))
        .inputs(json!({"megabytes": 1024}));
    memory_in_files => |_, _| Case::new("memory_in_files", MEMORY, Twin::Without(without(Limit::Memory)))
        .attack("memory_files")
        .inputs(json!({"megabytes": 480}))
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

pub(crate) fn seen(host: &Host) -> Weakened {
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
