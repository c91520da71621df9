//! The Docker backend on the real daemon.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "test code: a failed expectation is a failed test"
)]

mod daemon;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use bollard::models::{ContainerConfig, ContainerCreateBody, HostConfigCgroupnsModeEnum};
use bollard::query_parameters::{CommitContainerOptionsBuilder, RemoveImageOptions};
use sandbox::{Ending, InputFile, Limit, Limits, Sandbox, SandboxError};
use serde_json::json;
use tempfile::tempdir;

use daemon::{containers, docker, owners, python, result, settings, states, until, until_states, until_warm};

#[tokio::test(flavor = "multi_thread")]
async fn a_script_gets_its_inputs_and_files_and_returns_its_result() {
    if docker("result").await.is_none() {
        return;
    }
    let state = tempdir().unwrap();
    let sandbox = Sandbox::open(&settings(state.path(), 1)).await.unwrap();
    let mut script = python(
        "import sys\n\
         def main(inputs):\n\
        \x20   print('hello')\n\
        \x20   print('oh', file=sys.stderr)\n\
        \x20   open('out.txt', 'w').write(open('in.txt').read().upper())\n\
        \x20   return {'twice': inputs['number'] * 2}\n",
    );
    script.inputs.insert("number".to_owned(), json!(21));
    script.files.push(InputFile {
        name: "in.txt".to_owned(),
        content: b"text".to_vec(),
    });
    script.output_files = vec!["out.txt".to_owned(), "none.txt".to_owned()];
    let report = sandbox.run(&script, sandbox.limits()).await.unwrap();
    assert_eq!(report.ending, Ending::Result(json!({"twice": 42})));
    assert_eq!((report.stdout.trim(), report.stderr.trim()), ("hello", "oh"));
    assert_eq!(report.files.len(), 1);
    assert_eq!(report.files[0].content, b"TEXT");
    sandbox.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_cell_is_used_twice() {
    let Some(docker) = docker("single use").await else {
        return;
    };
    let state = tempdir().unwrap();
    let sandbox = Sandbox::open(&settings(state.path(), 1)).await.unwrap();
    let owner = owners(state.path()).remove(0);
    let mark = python(
        "import os\n\
         def main(inputs):\n\
        \x20   found = [path for path in ('/work/mark', '/dev/shm/mark') if os.path.exists(path)]\n\
        \x20   for path in ('/work/mark', '/dev/shm/mark'):\n\
        \x20       open(path, 'w').close()\n\
        \x20   return found\n",
    );
    for _ in 0..3 {
        until_warm(&sandbox, 1).await;
        until_states(&docker, &owner, &["running"]).await;
        let waiting = containers(&docker, &owner).await.remove(0).id.unwrap();
        let report = sandbox.run(&mark, sandbox.limits()).await.unwrap();
        assert_eq!(result(report), json!([]));
        until("the used one is removed", async || {
            let there = containers(&docker, &owner).await;
            there
                .iter()
                .all(|container| container.id.as_ref() != Some(&waiting))
        })
        .await;
    }
    sandbox.close().await;
}

async fn limit_hit(sandbox: &Sandbox, source: &str, limits: &Limits) -> Limit {
    let report = sandbox.run(&python(source), limits).await.unwrap();
    match report.ending {
        Ending::Limit(hit) => hit.limit,
        other => panic!("no limit but {other:?}: {}", report.stderr),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_limit_that_is_hit_is_named() {
    if docker("limits").await.is_none() {
        return;
    }
    let state = tempdir().unwrap();
    let sandbox = Sandbox::open(&settings(state.path(), 1)).await.unwrap();
    let limits = Limits {
        timeout: Duration::from_secs(20),
        ..*sandbox.limits()
    };
    let short = Limits {
        timeout: Duration::from_secs(2),
        ..limits
    };
    let memory = "x = []\nwhile True:\n    x.append(b'x' * 1000_000)\n";
    assert_eq!(limit_hit(&sandbox, memory, &limits).await, Limit::Memory);
    let by_files = "while True:\n    open('/work/a', 'ab').write(b'x' * 1000_000)\n    open('/dev/shm/b', 'ab').write(b'x' * 1000_000)\n";
    assert_eq!(limit_hit(&sandbox, by_files, &limits).await, Limit::Memory);
    let endless = "while True:\n    pass\n";
    assert_eq!(limit_hit(&sandbox, endless, &short).await, Limit::Time);
    let output = "while True:\n    print('x' * 1000)\n";
    assert_eq!(limit_hit(&sandbox, output, &limits).await, Limit::Output);
    // It ends by time; what it was short of is told by the daemon.
    let bomb = "import os\nwhile True:\n    try:\n        os.fork()\n    except OSError:\n        pass\n";
    assert_eq!(limit_hit(&sandbox, bomb, &short).await, Limit::Processes);
    sandbox.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_without_an_answer_is_told() {
    if docker("gone").await.is_none() {
        return;
    }
    let state = tempdir().unwrap();
    let sandbox = Sandbox::open(&settings(state.path(), 1)).await.unwrap();
    let report = sandbox
        .run(&python("import os\nos._exit(3)"), sandbox.limits())
        .await
        .unwrap();
    assert_eq!(
        report.ending,
        Ending::Gone("it ended without a result (exit status 3)".to_owned())
    );
    let crash = "import ctypes\nctypes.string_at(0)";
    let report = sandbox.run(&python(crash), sandbox.limits()).await.unwrap();
    assert_eq!(
        report.ending,
        Ending::Gone("it ended without a result (signal 11)".to_owned())
    );
    sandbox.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_barrier_is_asked_for() {
    let Some(docker) = docker("flags").await else {
        return;
    };
    let state = tempdir().unwrap();
    let sandbox = Sandbox::open(&settings(state.path(), 1)).await.unwrap();
    until_warm(&sandbox, 1).await;
    let owner = owners(state.path()).remove(0);
    until_states(&docker, &owner, &["running"]).await;
    let id = containers(&docker, &owner).await.remove(0).id.unwrap();
    let container = docker.inspect_container(&id, None).await.unwrap();
    let host = container.host_config.unwrap();
    let config = container.config.unwrap();
    assert_eq!(host.network_mode.as_deref(), Some("none"));
    assert_eq!(host.readonly_rootfs, Some(true));
    assert_eq!(host.privileged, Some(false));
    assert_eq!(host.cap_drop, Some(vec!["ALL".to_owned()]));
    assert_eq!(host.cap_add.unwrap_or_default(), [""; 0]);
    assert_eq!(host.binds.unwrap_or_default(), [""; 0]);
    assert_eq!(host.mounts.unwrap_or_default(), []);
    assert_eq!(host.devices.unwrap_or_default(), []);
    assert_eq!(host.pid_mode.as_deref(), Some(""));
    assert_eq!(host.ipc_mode.as_deref(), Some("none"));
    assert_eq!(host.userns_mode.as_deref(), Some(""));
    assert_eq!(host.cgroupns_mode, Some(HostConfigCgroupnsModeEnum::PRIVATE));
    assert_eq!(host.memory, Some(128 << 20));
    assert_eq!(host.memory_swap, host.memory);
    assert_eq!(host.pids_limit, Some(32));
    assert_eq!((host.cpu_period, host.cpu_quota), (Some(100_000), Some(200_000)));
    assert_eq!(host.log_config.unwrap().typ.as_deref(), Some("none"));
    let security = host.security_opt.unwrap();
    assert!(security.contains(&"no-new-privileges".to_owned()), "{security:?}");
    assert!(
        security.iter().any(|it| it.starts_with("seccomp={")),
        "{security:?}"
    );
    for (path, options) in host.tmpfs.unwrap() {
        assert!(["/work", "/dev/shm"].contains(&path.as_str()), "{path}");
        assert_eq!(options, "rw,noexec,nosuid,nodev,size=268435456,mode=1777");
    }
    assert_eq!(config.user.as_deref(), Some("65534:65534"));
    assert_eq!(config.hostname.as_deref(), Some("sandbox"));
    assert_eq!(container.mounts.unwrap_or_default(), []);
    sandbox.close().await;
}

/// What an attacker finds in the place of a script.
const LOOKS_AROUND: &str = r#"
import ctypes, errno, os, resource, socket

def refused(attempt):
    try:
        attempt()
        return None
    except OSError as error:
        return errno.errorcode[error.errno]

def status():
    return dict(line.split(":\t", 1) for line in open("/proc/self/status").read().splitlines() if ":\t" in line)

def mounts():
    return {line.split()[1]: line.split()[3].split(",") for line in open("/proc/self/mounts")}

def unshare():
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(0x10000000) != 0:
        raise OSError(ctypes.get_errno(), "unshare")

def main(inputs):
    os.close(os.open("/work/program", os.O_CREAT | os.O_WRONLY, 0o755))
    return {
        "status": {key: status()[key].strip() for key in ("Uid", "Groups", "CapEff", "CapBnd", "NoNewPrivs", "Seccomp")},
        "writable": sorted(path for path, options in mounts().items()
            if "rw" in options and os.access(path, os.W_OK) and not path.startswith("/proc")),
        "noexec": {path: {"noexec", "nosuid", "nodev"} <= set(mounts()[path]) for path in ("/work", "/dev/shm")},
        "environment": sorted(os.environ),
        "network": sorted(os.listdir("/sys/class/net")),
        "resolv": open("/etc/resolv.conf").read(),
        "processes": [name for name in os.listdir("/proc") if name.isdigit()],
        "hostname": os.uname().nodename,
        "cgroups": sorted({line.strip().split(":")[2] for line in open("/proc/self/cgroup")}),
        "files": resource.getrlimit(resource.RLIMIT_NOFILE),
        "core": resource.getrlimit(resource.RLIMIT_CORE),
        "refused": {
            "root": refused(lambda: open("/x", "w")),
            "tmp": refused(lambda: open("/tmp/x", "w")),
            "etc": refused(lambda: open("/etc/passwd", "a")),
            "queue": refused(lambda: open("/dev/mqueue/x", "w")),
            "run": refused(lambda: os.execv("/work/program", ["program"])),
            "inet": refused(lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM)),
            "vsock": refused(lambda: socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM)),
            "namespace": refused(unshare),
            "setuid": refused(lambda: os.setuid(0)),
        },
    }
"#;

#[tokio::test(flavor = "multi_thread")]
async fn an_attacker_finds_every_barrier() {
    if docker("attacker").await.is_none() {
        return;
    }
    let state = tempdir().unwrap();
    let sandbox = Sandbox::open(&settings(state.path(), 0)).await.unwrap();
    let report = sandbox
        .run(&python(LOOKS_AROUND), sandbox.limits())
        .await
        .unwrap();
    let found = result(report);
    let expected = json!({
        "status": {"Uid": "65534\t65534\t65534\t65534", "Groups": "65534", "CapEff": "0000000000000000",
            "CapBnd": "0000000000000000", "NoNewPrivs": "1", "Seccomp": "2"},
        "noexec": {"/work": true, "/dev/shm": true},
        "environment": ["HOME", "HOSTNAME", "LANG", "MPLBACKEND", "MPLCONFIGDIR", "PATH", "SCIHOME", "TMPDIR"],
        "network": ["lo"],
        "resolv": "",
        "processes": ["1"],
        "hostname": "sandbox",
        "cgroups": ["/"],
        "files": [256, 256],
        "core": [0, 0],
        "refused": {"root": "EROFS", "tmp": "EROFS", "etc": "EACCES", "queue": "EMFILE", "run": "EACCES",
            "inet": "EAFNOSUPPORT", "vsock": "EAFNOSUPPORT", "namespace": "EPERM", "setuid": "EPERM"},
    });
    for (what, expected) in expected.as_object().unwrap() {
        assert_eq!(&found[what], expected, "{what}");
    }
    assert_eq!(found["writable"], json!(["/dev/mqueue", "/dev/shm", "/work"]));
    sandbox.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn closing_leaves_no_container_and_no_note() {
    let Some(docker) = docker("close").await else {
        return;
    };
    let state = tempdir().unwrap();
    let sandbox = Sandbox::open(&settings(state.path(), 2)).await.unwrap();
    until_warm(&sandbox, 2).await;
    let owner = owners(state.path()).remove(0);
    until_states(&docker, &owner, &["running", "running"]).await;
    sandbox.close().await;
    assert_eq!(containers(&docker, &owner).await, []);
    drop(sandbox);
    assert_eq!(owners(state.path()), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn closing_while_cells_are_made_leaves_none() {
    let Some(docker) = docker("close early").await else {
        return;
    };
    let state = tempdir().unwrap();
    let sandbox = Sandbox::open(&settings(state.path(), 4)).await.unwrap();
    let owner = owners(state.path()).remove(0);
    until("one is begun", async || {
        !containers(&docker, &owner).await.is_empty()
    })
    .await;
    sandbox.close().await;
    assert_eq!(containers(&docker, &owner).await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_given_up_is_removed_wherever_it_was() {
    let Some(docker) = docker("given up").await else {
        return;
    };
    let state = tempdir().unwrap();
    let sandbox = Sandbox::open(&settings(state.path(), 0)).await.unwrap();
    let owner = owners(state.path()).remove(0);
    let endless = python("while True:\n    pass\n");
    until_states(&docker, &owner, &[]).await;
    for state in ["created", "running"] {
        let limits = *sandbox.limits();
        let run = sandbox.run(&endless, &limits);
        let seen = until(state, async || {
            let found = states(&docker, &owner).await;
            found == [state] || state == "created" && found == ["running"]
        });
        tokio::select! {
            report = run => panic!("{report:?}"),
            () = seen => {}
        }
        until("it is removed", async || {
            containers(&docker, &owner).await.is_empty()
        })
        .await;
    }
    sandbox.close().await;
}

#[test]
fn what_is_dropped_outside_a_runtime_goes_all_the_same() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let Some(docker) = runtime.block_on(docker("dropped")) else {
        return;
    };
    let state = tempdir().unwrap();
    let sandbox = runtime
        .block_on(Sandbox::open(&settings(state.path(), 1)))
        .unwrap();
    runtime.block_on(until_warm(&sandbox, 1));
    let owner = owners(state.path()).remove(0);
    drop(sandbox);
    runtime.block_on(until("it is removed", async || {
        containers(&docker, &owner).await.is_empty()
    }));
    runtime.block_on(until("the note goes", async || owners(state.path()).is_empty()));
}

#[test]
fn what_outlives_its_runtime_is_removed_at_the_next_start() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let Some(_) = runtime.block_on(docker("no runtime")) else {
        return;
    };
    let state = tempdir().unwrap();
    let sandbox = runtime
        .block_on(Sandbox::open(&settings(state.path(), 1)))
        .unwrap();
    runtime.block_on(until_warm(&sandbox, 1));
    let owner = owners(state.path()).remove(0);
    drop(runtime);
    drop(sandbox);
    assert_eq!(owners(state.path()), std::slice::from_ref(&owner));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let docker = docker("no runtime").await.unwrap();
        let next = Sandbox::open(&settings(state.path(), 0)).await.unwrap();
        assert_eq!(containers(&docker, &owner).await, []);
        assert!(!owners(state.path()).contains(&owner));
        next.close().await;
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_started_is_told_with_its_remedy() {
    let Some(docker) = docker("remedies").await else {
        return;
    };
    let state = tempdir().unwrap();
    let mut settings = settings(state.path(), 0);
    settings
        .images
        .insert("missing".to_owned(), "procos/no-such-image:none".to_owned());
    settings
        .images
        .insert("shell-only".to_owned(), settings.images["shell"].clone());
    // An image that would have its containers write where nothing bounds them.
    let sandbox = Sandbox::open(&settings).await.unwrap();
    let base = docker.create_container(
        None,
        ContainerCreateBody {
            image: settings.images.get("python").cloned(),
            cmd: Some(vec!["true".to_owned()]),
            ..ContainerCreateBody::default()
        },
    );
    let base = base.await.unwrap().id;
    let options = CommitContainerOptionsBuilder::default()
        .container(&base)
        .repo("procos/test-volume")
        .tag("test")
        .changes("VOLUME /data")
        .build();
    docker
        .commit_container(options, ContainerConfig::default())
        .await
        .unwrap();
    docker.remove_container(&base, None).await.unwrap();
    settings
        .images
        .insert("volume".to_owned(), "procos/test-volume:test".to_owned());
    let sandbox_with_volume = Sandbox::open(&settings).await.unwrap();

    for (sandbox, image, remedy) in [
        (&sandbox, "missing", "script/sandbox-images missing"),
        (&sandbox, "unknown", "sandbox.images.unknown"),
        (&sandbox, "shell-only", "python3"),
        (&sandbox_with_volume, "volume", "/data"),
    ] {
        let mut script = python("result = 1");
        script.image = Some(image.to_owned());
        match sandbox.run(&script, sandbox.limits()).await {
            Err(SandboxError::Start {
                backend: "docker",
                what,
                said,
            }) => {
                assert_eq!(what, image);
                assert!(said.contains(remedy), "{said}");
            }
            other => panic!("{image}: {other:?}"),
        }
    }
    docker
        .remove_image("procos/test-volume:test", None::<RemoveImageOptions>, None)
        .await
        .unwrap();
    sandbox.close().await;
    sandbox_with_volume.close().await;
}

/// Where the child below keeps its state.
const CHILD: &str = "SANDBOX_TEST_STATE";

/// No test of its own: the worker that is killed in the next one.
#[tokio::test(flavor = "multi_thread")]
async fn a_worker() {
    let Some(state) = std::env::var_os(CHILD).map(PathBuf::from) else {
        return;
    };
    let sandbox = Sandbox::open(&settings(&state, 1)).await.unwrap();
    until_warm(&sandbox, 1).await;
    let endless = python("while True:\n    pass\n");
    let _ = sandbox.run(&endless, sandbox.limits()).await;
}

struct Worker(Child);

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn worker(state: &Path) -> Worker {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["a_worker", "--exact"]).env(CHILD, state);
    Worker(
        command
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap(),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_worker_leaves_is_removed_and_a_living_ones_is_not() {
    let Some(docker) = docker("killed").await else {
        return;
    };
    let state = tempdir().unwrap();
    let living = Sandbox::open(&settings(state.path(), 1)).await.unwrap();
    until_warm(&living, 1).await;
    let living_owner = owners(state.path()).remove(0);

    let mut worker = worker(state.path());
    until("the worker is noted", async || owners(state.path()).len() == 2).await;
    let mut owners_now = owners(state.path());
    owners_now.retain(|owner| *owner != living_owner);
    let owner = owners_now.remove(0);
    // One runs the script, one waits.
    until("it runs and one waits", async || {
        states(&docker, &owner).await == ["running", "running"]
    })
    .await;
    worker.0.kill().unwrap();
    worker.0.wait().unwrap();

    // What waited for an order ends by itself: its input has closed.
    until("the waiting one ends", async || {
        states(&docker, &owner).await == ["exited", "running"]
    })
    .await;

    let next = Sandbox::open(&settings(state.path(), 0)).await.unwrap();
    assert_eq!(containers(&docker, &owner).await, []);
    assert!(!owners(state.path()).contains(&owner));
    until_states(&docker, &living_owner, &["running"]).await;
    assert_eq!(
        result(living.run(&python("result = 7"), living.limits()).await.unwrap()),
        json!(7)
    );
    next.close().await;
    living.close().await;
}
