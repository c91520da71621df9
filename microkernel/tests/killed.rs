//! Kernels that are killed, and what the next one finds. The kernel to be killed is this very program, started
//! again with the test that plays it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test may"
)]

mod support;

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use microkernel::{Event, Kernel, KernelSettings};
use support::{Recorder, bundle, engines, eventually, jar, java, kill, waiting};
use tokio_util::sync::CancellationToken;

const DIRECTORY: &str = "PROCOS_TEST_KERNEL";
const PORT: u16 = 18156;

fn settings(data: &Path, jar: &Path) -> KernelSettings {
    let mut settings = java(data, PORT, jar);
    settings.root_process = Some("root".to_owned());
    settings.system_processes = vec![bundle("test:system", &[("root.bpmn", &waiting("root", "one"))])];
    settings
}

/// Not a test: the kernel that is killed.
#[tokio::test]
async fn plays_a_kernel() {
    let (Some(data), Some(jar)) = (std::env::var_os(DIRECTORY), jar()) else {
        return;
    };
    let data = Path::new(&data);
    let booted = Kernel::boot(settings(data, &jar), Arc::new(|_| {}), CancellationToken::new()).await;
    let _kernel = booted.unwrap_or_else(|error| panic!("{error}"));
    std::fs::write(data.join("ready"), "").unwrap();
    std::future::pending::<()>().await;
}

fn start(data: &Path) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "plays_a_kernel", "--nocapture"])
        .env(DIRECTORY, data)
        .stdout(Stdio::null());
    command.spawn().unwrap()
}

fn kill_kernel(mut kernel: Child) {
    kill(i32::try_from(kernel.id()).unwrap());
    kernel.wait().unwrap();
}

#[tokio::test]
async fn a_killed_kernel_leaves_no_engine_and_the_next_boots_at_once() {
    let Some(jar) = jar() else { return };
    let data = tempfile::tempdir().unwrap();
    // While it boots, an engine has nothing to lose and goes at once.
    let kernel = start(data.path());
    eventually("an engine", || !engines(data.path()).is_empty()).await;
    kill_kernel(kernel);
    eventually("the booting engine is gone", || engines(data.path()).is_empty()).await;

    let kernel = start(data.path());
    eventually("a ready kernel", || data.path().join("ready").exists()).await;
    let [orphan] = engines(data.path())[..] else {
        panic!("one engine")
    };
    kill_kernel(kernel);
    // Without waiting: the orphan may still hold the port and the database.
    let recorder = Recorder::default();
    let next = Kernel::boot(
        settings(data.path(), &jar),
        recorder.observer(),
        CancellationToken::new(),
    )
    .await;
    let next = next.unwrap_or_else(|error| panic!("{error}: {:?}", error.log()));
    assert!(!engines(data.path()).contains(&orphan));
    let events = recorder.events();
    assert!(
        events.iter().any(|event| matches!(event, Event::Orphan { .. })),
        "it was told"
    );
    assert!(
        events
            .iter()
            .any(|event| matches!(event, Event::RootRunning { started: false, .. })),
        "the same root"
    );
    next.stop().await;
    assert!(engines(data.path()).is_empty());
}
