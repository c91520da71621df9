//! Boots that fail: each with its own words, and nothing left behind.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test may"
)]

mod support;

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use microkernel::{BootError, Database, EngineKind, Kernel, Phase};
use support::{Recorder, engines, fails, jar, java, settings, skip, with_java};
use tokio_util::sync::CancellationToken;

#[tokio::test]
async fn a_port_in_use_names_the_process_that_holds_it() {
    let Some(jar) = jar() else { return };
    let data = tempfile::tempdir().unwrap();
    let held = TcpListener::bind("127.0.0.1:0").unwrap();
    let error = fails(java(data.path(), held.local_addr().unwrap().port(), &jar)).await;
    let holder = format!("(process {})", std::process::id());
    assert!(
        matches!(&error, BootError::PortInUse { holder: Some(it), .. } if it.ends_with(&holder)),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_jar_that_is_not_there_and_one_that_is_none() {
    let data = tempfile::tempdir().unwrap();
    let jar = data.path().join("engine.jar");
    let error = fails(java(data.path(), 18142, &jar)).await;
    assert!(
        matches!(&error, BootError::JarMissing(path) if *path == jar),
        "{error:?}"
    );
    std::fs::write(&jar, "garbage").unwrap();
    let error = fails(java(data.path(), 18142, &jar)).await;
    assert!(
        matches!(&error, BootError::JarBroken { jar: it, .. } if *it == jar),
        "{error:?}"
    );
    assert!(
        error
            .log()
            .is_some_and(|log| log.lines.iter().any(|line| line.contains("jarfile")))
    );
}

#[tokio::test]
async fn a_java_that_is_too_old_or_none() {
    let data = tempfile::tempdir().unwrap();
    let jar = data.path().join("engine.jar");
    std::fs::write(&jar, "never read").unwrap();
    let program = data.path().join("java");
    // What OpenJDK 11 prints.
    script(
        &program,
        "printf 'Property settings:\\n    java.version = 11.0.22\\n\\nopenjdk version \"11.0.22\" 2024-01-16\\n' >&2",
    );
    let with_program = |port| {
        with_java(java(data.path(), port, &jar), |java| {
            java.java = Some(program.clone())
        })
    };
    let error = fails(with_program(18143)).await;
    assert!(
        matches!(&error, BootError::JavaTooOld { version, .. } if version == "11.0.22"),
        "{error:?}"
    );
    script(&program, "echo 'Segmentation fault' >&2; exit 139");
    let error = fails(with_program(18143)).await;
    assert!(
        matches!(&error, BootError::JavaBroken { said, .. } if said == "Segmentation fault"),
        "{error:?}"
    );
    std::fs::remove_file(&program).unwrap();
    let error = fails(with_program(18143)).await;
    assert!(matches!(&error, BootError::JavaMissing { .. }), "{error:?}");
}

#[tokio::test]
async fn flags_that_java_does_not_know() {
    let Some(jar) = jar() else { return };
    let data = tempfile::tempdir().unwrap();
    let error = fails(with_java(java(data.path(), 18144, &jar), |java| {
        java.flags.push("-XX:+UseMagic".into())
    }))
    .await;
    assert!(
        matches!(&error, BootError::JavaFlags { said, .. } if said.contains("UseMagic")),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_disk_that_is_too_small_and_one_that_fills_up() {
    let Some(jar) = jar() else { return };
    let root = tempfile::tempdir().unwrap();
    let (small, full) = (root.path().join("small"), root.path().join("full"));
    let (Some(small), Some(full)) = (Disk::mount(&small, "16m"), Disk::mount(&full, "70m")) else {
        return skip("mounting a small file system needs root");
    };
    let error = fails(java(&small.0, 18145, &jar)).await;
    assert!(matches!(&error, BootError::DiskTooSmall { .. }), "{error:?}");
    // Somebody else takes the rest once the engine has begun its database.
    let data = full.0.join("data");
    let filler = std::thread::spawn({
        let (database, filler) = (data.join("engine/engine.mv.db"), full.0.join("filler"));
        move || {
            while !database.exists() {
                std::thread::yield_now();
            }
            std::fs::write(filler, vec![0; 70 << 20]).unwrap_err()
        }
    });
    let error = fails(java(&data, 18145, &jar)).await;
    filler.join().unwrap();
    assert!(matches!(&error, BootError::DiskFull { .. }), "{error:?}");
    assert!(engines(&data).is_empty());
}

#[tokio::test]
async fn a_database_that_does_not_answer() {
    let Some(jar) = jar() else { return };
    let data = tempfile::tempdir().unwrap();
    // Bound and not listening: nobody else gets it, and connections are refused.
    let error = fails(with_java(java(data.path(), 18146, &jar), |java| {
        java.server.database = Some(database("jdbc:postgresql://127.0.0.1:18169/procos?ssl=false"));
    }))
    .await;
    let BootError::DatabaseUnreachable { url, said, .. } = &error else {
        panic!("{error:?}")
    };
    assert_eq!(url, "jdbc:postgresql://127.0.0.1:18169/procos");
    assert!(said.contains("refused"), "{said}");
}

#[tokio::test]
async fn a_boot_that_takes_too_long_leaves_no_engine() {
    let Some(jar) = jar() else { return };
    let data = tempfile::tempdir().unwrap();
    let mut settings = java(data.path(), 18147, &jar);
    settings.boot_timeout = Duration::from_millis(500);
    let error = fails(settings).await;
    assert!(matches!(&error, BootError::Timeout { .. }), "{error:?}");
    assert!(engines(data.path()).is_empty());
}

#[tokio::test]
async fn an_interrupted_boot_leaves_no_engine() {
    let Some(jar) = jar() else { return };
    let data = tempfile::tempdir().unwrap();
    let (recorder, cancel) = (Recorder::default(), CancellationToken::new());
    let boot = tokio::spawn(Kernel::boot(
        java(data.path(), 18148, &jar),
        recorder.observer(),
        cancel.clone(),
    ));
    recorder
        .until(|event| {
            matches!(
                event,
                microkernel::Event::Phase {
                    phase: Phase::Awaiting,
                    ..
                }
            )
        })
        .await;
    support::eventually("an engine", || !engines(data.path()).is_empty()).await;
    let told = Instant::now();
    cancel.cancel();
    let error = boot.await.unwrap().err().unwrap();
    assert!(matches!(error, BootError::Interrupted), "{error:?}");
    assert!(told.elapsed() < Duration::from_secs(5), "{:?}", told.elapsed());
    assert!(engines(data.path()).is_empty());
    assert_eq!(recorder.phases()[3..], [Phase::Stopping, Phase::Stopped]);
}

#[tokio::test]
async fn a_model_with_errors_is_told_before_anything_is_started() {
    let Some(jar) = jar() else { return };
    let data = tempfile::tempdir().unwrap();
    let models = data.path().join("models");
    std::fs::create_dir(&models).unwrap();
    std::fs::write(models.join("broken.bpmn"), "not XML").unwrap();
    let mut settings = java(data.path(), 18149, &jar);
    settings.process_directories = vec![models.clone()];
    let error = fails(settings.clone()).await;
    let file = &error.report().unwrap().diagnostics[0].file;
    assert!(file.ends_with("models/broken.bpmn"), "{file}");
    settings.process_directories = vec![data.path().join("nowhere")];
    let error = fails(settings).await;
    assert!(matches!(&error, BootError::Load(_)), "{error:?}");
    assert!(!data.path().join("engine/engine.mv.db").exists());
}

#[tokio::test]
async fn an_address_where_nobody_answers_and_one_where_somebody_else_does() {
    let data = tempfile::tempdir().unwrap();
    let attached = |port| {
        settings(
            data.path(),
            port,
            EngineKind::Attached {
                login: Default::default(),
                tls: Default::default(),
            },
        )
    };
    let mut silent = attached(18150);
    silent.boot_timeout = Duration::from_millis(300);
    let error = fails(silent).await;
    assert!(
        matches!(&error, BootError::Timeout { last: Some(last), .. } if last.contains("refused")),
        "{error:?}"
    );

    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = other.local_addr().unwrap().port();
    std::thread::spawn(move || {
        use std::io::{Read, Write};
        let (mut stream, _) = other.accept().unwrap();
        let _ = stream.read(&mut [0; 4096]).unwrap();
        stream
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n<html></html>")
            .unwrap();
    });
    let error = fails(attached(port)).await;
    assert!(matches!(&error, BootError::NotAnEngine { .. }), "{error:?}");
}

fn database(url: &str) -> Database {
    Database {
        url: url.to_owned(),
        username: "sa".to_owned(),
        password: "secret".to_owned().into(),
    }
}

fn script(path: &Path, body: &str) {
    std::fs::write(path, format!("#!/bin/sh\n{body}\n")).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

/// A file system of its own, in memory.
struct Disk(std::path::PathBuf);

impl Disk {
    fn mount(path: &Path, size: &str) -> Option<Self> {
        std::fs::create_dir(path).unwrap();
        let mut mount = std::process::Command::new("mount");
        mount
            .args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"])
            .arg(path);
        mount
            .status()
            .is_ok_and(|status| status.success())
            .then(|| Self(path.to_owned()))
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount")
            .arg("-l")
            .arg(&self.0)
            .status();
    }
}

#[tokio::test]
async fn a_boot_that_is_dropped_takes_even_a_deaf_engine_along() {
    let data = tempfile::tempdir().unwrap();
    let (jar, program) = (data.path().join("engine.jar"), data.path().join("java"));
    std::fs::write(&jar, "never read").unwrap();
    // Heeds neither the end of its input nor SIGTERM.
    script(
        &program,
        "case \"$*\" in *-version) echo '    java.version = 17.0.15' >&2; exit;; esac\ntrap '' TERM\nwhile :; do sleep 1; done",
    );
    let settings = with_java(java(data.path(), 18141, &jar), |java| java.java = Some(program));
    let recorder = Recorder::default();
    let boot = Kernel::boot(settings, recorder.observer(), CancellationToken::new());
    let started = support::eventually("an engine", || !engines(data.path()).is_empty());
    tokio::select! {
        _ = boot => panic!("it ended"),
        () = started => {}
    }
    support::eventually("it is gone", || engines(data.path()).is_empty()).await;
}
