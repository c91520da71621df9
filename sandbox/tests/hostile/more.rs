//! Attacks that take more than one run, or a barrier at a time.

use std::time::{Duration, Instant};

use sandbox::{Limit, Limits, Weakened};
use serde_json::json;

use crate::cases::{no_filter, no_filter_and_root, seen, without};
use crate::world::{Backend, Host, LIMITS, Targets, got, open, processes_with, run, stopped, tell};

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
            "exec \"$0\" --exact more::a_worker_that_has_inherited_a_folder --nocapture 9<\"$1\"",
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
