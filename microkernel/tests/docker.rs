//! The engine in a container: the same contract as the child process.

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

use microkernel::{
    BootError, Credentials, DockerSettings, EngineKind, Event, Kernel, KernelSettings, ServerSettings, Users,
};
use support::{Recorder, bundle, eventually, fails, kill, skip, waiting};
use tokio_util::sync::CancellationToken;

const DIRECTORY: &str = "PROCOS_TEST_DOCKER_KERNEL";
const IMAGE: &str = "procos/engine:7.24.0";
const PORT: u16 = 18160;

fn settings(data: &Path, image: &str) -> KernelSettings {
    let credentials = Credentials::load_or_create(data).unwrap();
    let docker = DockerSettings {
        image: image.to_owned(),
        memory: Some(1 << 30),
        server: ServerSettings::new(Users::of(&credentials)),
    };
    let mut settings = support::settings(data, PORT, EngineKind::Docker(docker));
    settings.root_process = Some("root".to_owned());
    settings.system_processes = vec![bundle("test:system", &[("root.bpmn", &waiting("root", "one"))])];
    settings
}

/// What the docker program says.
fn docker(arguments: &[&str]) -> Option<String> {
    let output = Command::new("docker").args(arguments).output().ok()?;
    output
        .status
        .success()
        .then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// The containers of a data directory, running ones or all.
fn containers(data: &Path, all: &[&str]) -> String {
    let id = std::fs::read_to_string(data.join("id")).unwrap_or_default();
    let label = format!("label=procos.engine={id}");
    docker(&[&["ps", "--quiet", "--filter", &label], all].concat()).unwrap()
}

/// Not a test: the kernel that is killed.
#[tokio::test]
async fn plays_a_kernel() {
    let Some(data) = std::env::var_os(DIRECTORY) else {
        return;
    };
    let data = Path::new(&data);
    let booted = Kernel::boot(settings(data, IMAGE), Arc::new(|_| {}), CancellationToken::new()).await;
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

#[tokio::test]
async fn a_container_lives_no_longer_than_its_kernel_and_its_volume_stays() {
    if docker(&["image", "inspect", IMAGE]).is_none() {
        return skip(&format!(
            "no Docker daemon with the image {IMAGE}, see script/engine-image"
        ));
    }
    let data = tempfile::tempdir().unwrap();
    let _clean_up = CleanUp(data.path());
    let mut killed = start(data.path());
    eventually("a ready kernel", || data.path().join("ready").exists()).await;
    assert!(!containers(data.path(), &[]).is_empty());
    kill(i32::try_from(killed.id()).unwrap());
    killed.wait().unwrap();
    // By its lifeline alone.
    eventually("the container has stopped", || {
        containers(data.path(), &[]).is_empty()
    })
    .await;

    let recorder = Recorder::default();
    let mut kernel = match Kernel::boot(
        settings(data.path(), IMAGE),
        recorder.observer(),
        CancellationToken::new(),
    )
    .await
    {
        Ok(kernel) => kernel,
        Err(error) => panic!("{error}: {:?}", error.log()),
    };
    let told = |what: &dyn Fn(&Event) -> bool| recorder.events().iter().any(what);
    assert!(
        told(&|event| matches!(event, Event::Orphan { .. })),
        "what was left was removed"
    );
    assert!(
        told(&|event| matches!(event, Event::RootRunning { started: false, .. })),
        "the volume has stayed"
    );

    let cancel = CancellationToken::new();
    let watching = tokio::spawn({
        let cancel = cancel.clone();
        async move {
            kernel.watch(cancel).await.unwrap();
            kernel
        }
    });
    docker(&["kill", &containers(data.path(), &[])]).unwrap();
    recorder
        .until(|event| matches!(event, Event::EngineUp { .. }))
        .await;
    cancel.cancel();
    watching.await.unwrap().stop().await;
    assert_eq!(containers(data.path(), &["--all"]), "");
}

#[tokio::test]
async fn an_image_that_is_nowhere_and_a_daemon_that_is_nowhere() {
    if docker(&["version"]).is_none() {
        return skip("no Docker daemon");
    }
    let data = tempfile::tempdir().unwrap();
    let error = fails(settings(data.path(), "127.0.0.1:18169/nowhere:1")).await;
    assert!(
        matches!(&error, BootError::ImageMissing { image, .. } if image.ends_with("nowhere:1")),
        "{error:?}"
    );
}

/// Volumes outlive kernels, but need not outlive tests.
struct CleanUp<'a>(&'a Path);

impl Drop for CleanUp<'_> {
    fn drop(&mut self) {
        let id = std::fs::read_to_string(self.0.join("id")).unwrap_or_default();
        let containers = docker(&[
            "ps",
            "--all",
            "--quiet",
            "--filter",
            &format!("label=procos.engine={id}"),
        ]);
        for container in containers.unwrap_or_default().lines() {
            docker(&["rm", "--force", container]);
        }
        docker(&["volume", "rm", &format!("procos-engine-{id}")]);
    }
}
