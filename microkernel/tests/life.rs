//! A whole life on the real engine: boot, deployments, deaths, restarts, stop, and the same again on the same data.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test may"
)]

mod support;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use deploy::{DeployError, deploy};
use engine_client::{EngineClient, InstanceQuery, Variables};
use microkernel::{BootError, EngineKind, Event, Kernel, KernelSettings, Phase};
use support::{Recorder, bundle, engines, eventually, fails, jar, java, kill, settings, waiting, with_java};
use tokio_util::sync::CancellationToken;

const PORT: u16 = 18151;

async fn boot(settings: KernelSettings, recorder: &Recorder) -> Kernel {
    let booted = Kernel::boot(settings, recorder.observer(), CancellationToken::new()).await;
    booted.unwrap_or_else(|error| panic!("{error}: {:?}", error.log()))
}

#[tokio::test]
async fn a_whole_life() {
    let Some(jar) = jar() else { return };
    let data = tempfile::tempdir().unwrap();
    let mut settings = java(data.path(), PORT, &jar);
    settings.root_process = Some("root".to_owned());
    settings.system_processes = vec![bundle("test:system", &[("root.bpmn", &waiting("root", "one"))])];

    let recorder = Recorder::default();
    let mut kernel = boot(settings.clone(), &recorder).await;
    let root = root_instance(&recorder);
    assert!(root.started && !root.outdated);
    let phases = [
        Phase::Validating,
        Phase::Starting,
        Phase::Awaiting,
        Phase::Deploying,
        Phase::Rooting,
        Phase::Watching,
    ];
    assert_eq!(recorder.phases(), phases);

    let client = kernel.engine().clone();
    deployments(&client).await;
    neighbours(data.path(), &jar).await;

    // A start that was thought lost and came late.
    let none = Variables::new();
    let late = client.start_instance("root", None, Some("root"), &none);
    late.await.unwrap();

    // Somebody else's kernel at the same engine sees the same root process, and the engine's death.
    let elsewhere = tempfile::tempdir().unwrap();
    let mut attached = support::settings(
        elsewhere.path(),
        PORT,
        EngineKind::Attached {
            login: login(&settings),
            tls: Default::default(),
        },
    );
    attached.root_process = settings.root_process.clone();
    let witness = Recorder::default();
    let mut guest = boot(attached, &witness).await;
    let seen = root_instance(&witness);
    assert_eq!((seen.id.as_str(), seen.started), (root.id.as_str(), false));
    assert_eq!(instances(&client).await, [root.id.as_str()], "never a second");

    let cancel = CancellationToken::new();
    let watching = tokio::spawn({
        let cancel = cancel.clone();
        async move {
            kernel.watch(cancel).await.unwrap();
            kernel
        }
    });
    let watching_guest = tokio::spawn({
        let cancel = cancel.clone();
        async move {
            guest.watch(cancel).await.unwrap();
            guest
        }
    });
    let [engine] = engines(data.path())[..] else {
        panic!("one engine")
    };
    kill(engine);
    recorder
        .until(|event| matches!(event, Event::EngineUp { .. }))
        .await;
    witness
        .until(|event| matches!(event, Event::EngineUp { .. }))
        .await;
    let told = recorder.events();
    assert!(
        told.iter()
            .any(|event| matches!(event, Event::EngineDown { reason, .. } if reason.contains("signal: 9")))
    );
    assert!(
        told.iter()
            .any(|event| matches!(event, Event::Restarting { attempt: 1, .. }))
    );
    assert_eq!(instances(&client).await, [root.id.as_str()]);

    cancel.cancel();
    let (kernel, guest) = (watching.await.unwrap(), watching_guest.await.unwrap());
    assert_eq!(kernel.phase(), Phase::Watching);
    guest.stop().await;
    assert_eq!(engines(data.path()).len(), 1, "an attached engine is left alone");
    kernel.stop().await;
    assert!(engines(data.path()).is_empty());
    assert_eq!(
        recorder.phases()[phases.len()..][..2],
        [Phase::Restarting, Phase::Validating]
    );
    assert!(
        recorder
            .phases()
            .ends_with(&[Phase::Watching, Phase::Stopping, Phase::Stopped])
    );

    // A new version of the root process leaves the running instance alone.
    settings.system_processes = vec![bundle("test:system", &[("root.bpmn", &waiting("root", "two"))])];
    let recorder = Recorder::default();
    let kernel = boot(settings, &recorder).await;
    let again = root_instance(&recorder);
    assert_eq!(
        (again.id.as_str(), again.started, again.outdated),
        (root.id.as_str(), false, true)
    );
    // Dropped, it takes its engine along.
    drop(kernel);
    eventually("the engine is gone", || engines(data.path()).is_empty()).await;
}

async fn deployments(client: &EngineClient) {
    let gate = deploy::GateContext::default();
    let (one, two) = (waiting("one", "1"), waiting("two", "1"));
    let both = bundle("test:deploy", &[("one.bpmn", &one), ("two.bpmn", &two)]);
    let versions = |outcome: &deploy::Outcome| -> Vec<_> {
        let definitions = outcome.definitions.iter();
        definitions
            .map(|it| (it.key.clone(), it.version, it.new))
            .collect()
    };
    let of = |key: &str, version, new| (key.to_owned(), version, new);

    let first = deploy(client, &both, None, None, &gate).await.unwrap();
    assert_eq!(versions(&first), [of("one", 1, true), of("two", 1, true)]);
    let again = deploy(client, &both, None, None, &gate).await.unwrap();
    assert_eq!(versions(&again), [of("one", 1, false), of("two", 1, false)]);
    assert_eq!(again.deployment_id, first.deployment_id);

    let changed = bundle(
        "test:deploy",
        &[("one.bpmn", &waiting("one", "2")), ("two.bpmn", &two)],
    );
    let third = deploy(client, &changed, None, None, &gate).await.unwrap();
    assert_eq!(versions(&third), [of("one", 2, true), of("two", 1, false)]);
    assert!(third.diagnostics.is_empty(), "{:?}", third.diagnostics);

    // From elsewhere, over it: the first name's files have not changed, yet are not in force.
    deploy(client, &both, Some("test:elsewhere"), None, &gate)
        .await
        .unwrap();
    let covered = deploy(client, &changed, None, None, &gate).await.unwrap();
    assert_eq!(covered.diagnostics.len(), 2);
    assert_eq!(
        (
            covered.diagnostics[0].code.as_str(),
            covered.diagnostics[0].file.as_str()
        ),
        ("not-in-force", "one.bpmn")
    );

    // A model that only the engine refuses: with its line, and nothing half deployed.
    let refused = waiting("bad", "1").replace("targetRef=\"wait\"", "targetRef=\"nowhere\"");
    let half = bundle(
        "test:refused",
        &[("good.bpmn", &waiting("good", "1")), ("bad.bpmn", &refused)],
    );
    let error = deploy(client, &half, None, None, &gate).await.unwrap_err();
    println!("{error}");
    if let DeployError::Refused(report) = &error {
        for finding in &report.diagnostics {
            println!("    {finding}");
        }
        let finding = report
            .diagnostics
            .iter()
            .find(|it| it.message.contains("nowhere"))
            .unwrap();
        assert_eq!(finding.file, "bad.bpmn");
        assert!(finding.range.is_some());
    } else {
        assert!(
            error
                .report()
                .unwrap()
                .diagnostics
                .iter()
                .all(|it| it.file == "bad.bpmn"),
            "{error:?}"
        );
    }
    assert!(client.latest_definitions(Some("good")).await.unwrap().is_empty());

    let broken_table = bundle("test:table", &[("table.dmn", "<broken")]);
    let error = deploy(client, &broken_table, None, None, &gate)
        .await
        .unwrap_err();
    println!("{error}: {:?}", error.report().unwrap().diagnostics[0]);
    assert_eq!(error.report().unwrap().diagnostics[0].file, "table.dmn");
}

/// Others that get in the way of the running kernel, or it in theirs.
async fn neighbours(data: &Path, jar: &Path) {
    let error = fails(java(data, PORT + 1, jar)).await;
    let me = std::process::id();
    assert!(
        matches!(&error, BootError::DataDirInUse { process: Some(id), .. } if *id == me),
        "{error:?}"
    );

    let elsewhere = tempfile::tempdir().unwrap();
    let error = fails(java(elsewhere.path(), PORT, jar)).await;
    assert!(
        matches!(&error, BootError::PortInUse { holder: Some(holder), .. } if holder.starts_with("java")),
        "{error:?}"
    );

    let same_database = with_java(java(elsewhere.path(), PORT + 1, jar), |java| {
        java.server.database = Some(microkernel::Database {
            url: format!(
                "jdbc:h2:file:{}/engine/engine",
                data.canonicalize().unwrap().display()
            ),
            username: "sa".to_owned(),
            password: String::new().into(),
        });
    });
    let error = fails(same_database).await;
    assert!(matches!(&error, BootError::DatabaseLocked { .. }), "{error:?}");

    let wrong = engine_client::Login::Basic {
        username: "kernel".to_owned(),
        password: "wrong".to_owned().into(),
    };
    let error = fails(settings(
        elsewhere.path(),
        PORT,
        EngineKind::Attached {
            login: wrong,
            tls: Default::default(),
        },
    ))
    .await;
    assert!(
        matches!(&error, BootError::LoginRefused { user, .. } if user == "`kernel`"),
        "{error:?}"
    );

    let login = engine_client::Login::None;
    let attached = EngineKind::Attached {
        login,
        tls: Default::default(),
    };
    let mut no_api = settings(elsewhere.path(), PORT, attached);
    no_api.engine.url = format!("http://127.0.0.1:{PORT}/camunda/api").parse().unwrap();
    let error = fails(no_api).await;
    assert!(matches!(&error, BootError::NotAnEngine { .. }), "{error:?}");
}

#[tokio::test]
async fn an_engine_that_hangs_is_killed_and_one_that_keeps_dying_given_up() {
    let Some(jar) = jar() else { return };
    let data = tempfile::tempdir().unwrap();
    // A copy, to be broken while the engine runs.
    let copy = data.path().join("engine.jar");
    std::fs::copy(&jar, &copy).unwrap();
    let mut settings = java(data.path(), PORT + 3, &copy);
    settings.restart.attempts = 2;
    settings.unresponsive_after = Duration::from_secs(1);
    let recorder = Recorder::default();
    let mut kernel = boot(settings, &recorder).await;
    std::fs::remove_file(&copy).unwrap();
    std::fs::write(&copy, "garbage").unwrap();
    let [engine] = engines(data.path())[..] else {
        panic!("one engine")
    };
    let id = rustix::process::Pid::from_raw(engine).unwrap();
    rustix::process::kill_process(id, rustix::process::Signal::STOP).unwrap();
    let error = kernel.watch(CancellationToken::new()).await.unwrap_err();
    println!("{error}");
    assert!(
        matches!(&error, BootError::GaveUp { attempts: 2, last, .. } if matches!(**last, BootError::JarBroken { .. })),
        "{error:?}"
    );
    assert_eq!(kernel.phase(), Phase::Failed);
    let events = recorder.events();
    let hung = |event: &Event| matches!(event, Event::EngineDown { reason, .. } if reason.contains("has not answered"));
    let killed = |event: &Event| matches!(event, Event::Warning(text) if text.contains("was killed"));
    assert!(events.iter().any(hung) && events.iter().any(killed));
    assert!(engines(data.path()).is_empty());
}

struct Root {
    id: String,
    started: bool,
    outdated: bool,
}

fn root_instance(recorder: &Recorder) -> Root {
    let events = recorder.events();
    let found = events.iter().find_map(|event| match event {
        Event::RootRunning {
            instance_id,
            started,
            outdated,
            ..
        } => Some(Root {
            id: instance_id.clone(),
            started: *started,
            outdated: *outdated,
        }),
        _ => None,
    });
    found.unwrap()
}

async fn instances(client: &EngineClient) -> Vec<String> {
    let query = InstanceQuery {
        process_definition_key: Some("root"),
        ..InstanceQuery::default()
    };
    client
        .instances(&query)
        .await
        .unwrap()
        .into_iter()
        .map(|it| it.id)
        .collect()
}

fn login(settings: &KernelSettings) -> engine_client::Login {
    match &settings.engine.kind {
        EngineKind::Java(java) => java.server.users.kernel.login(),
        _ => panic!("not java"),
    }
}

/// Kernels are shared between tasks by callers.
#[test]
fn a_kernel_can_be_shared() {
    fn shared<T: Send + Sync>() {}
    shared::<Arc<Kernel>>();
}
