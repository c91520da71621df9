use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Duration;

use sandbox::{BackendChoice, Settings};
use worker_api::{Adapter, Retry};

use super::{context, failure};
use crate::{ScriptAdapter, ScriptSettings};

/// An adapter whose sandbox is refused: the program does nothing.
fn refused(state: &tempfile::TempDir) -> ScriptAdapter {
    with_program(state, "/bin/false".into())
}

fn with_program(state: &tempfile::TempDir, bubblewrap: PathBuf) -> ScriptAdapter {
    let sandbox = Settings {
        backend: BackendChoice::Bubblewrap,
        bubblewrap,
        ..Settings::new(state.path())
    };
    ScriptAdapter::new(ScriptSettings {
        sandbox,
        directories: Vec::new(),
    })
}

#[tokio::test]
async fn a_refused_sandbox_is_told_to_every_task_and_to_who_asks_for_health() {
    let state = tempfile::tempdir().unwrap();
    let adapter = refused(&state);
    let tasks = (0..4).map(|_| adapter.execute(context(&[("script", "1".into())])));
    let mut told = Vec::new();
    for task in tasks {
        let failure = failure(task.await);
        assert_eq!(failure.retry, Retry::Never);
        told.push(failure.message);
    }
    told.dedup();
    let [told] = told.as_slice() else {
        panic!("{told:?}")
    };
    assert!(
        told.contains("scripts are not run") && told.contains("bubblewrap"),
        "{told}"
    );
    assert_eq!(&adapter.health().await.unwrap_err(), told);
}

#[tokio::test]
async fn who_asks_at_once_shares_one_opening_and_a_refusal_is_remembered() {
    let state = tempfile::tempdir().unwrap();
    let (program, calls) = (state.path().join("counts"), state.path().join("calls"));
    std::fs::write(
        &program,
        format!("#!/bin/sh\necho x >> {}\nexit 1\n", calls.display()),
    )
    .unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let adapter = with_program(&state, program);
    let called = || std::fs::read(&calls).unwrap_or_default().len();
    let (one, other) = tokio::join!(adapter.open(), adapter.open());
    assert_eq!(one.unwrap_err(), other.unwrap_err());
    let once = called();
    assert!(once > 0);
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(59)).await;
    assert!(adapter.open().await.is_err());
    assert_eq!(called(), once, "remembered");
    tokio::time::advance(Duration::from_secs(2)).await;
    tokio::time::resume();
    assert!(adapter.open().await.is_err());
    assert_eq!(called(), 2 * once, "tried again");
}

#[tokio::test]
async fn a_closed_sandbox_takes_no_tasks() {
    let state = tempfile::tempdir().unwrap();
    let adapter = refused(&state);
    adapter.close().await;
    let failure = failure(adapter.execute(context(&[("script", "1".into())])).await);
    assert!(failure.message.contains("the worker stops"), "{failure}");
    assert_eq!(failure.retry, Retry::ByPolicy, "another worker may run it");
}
