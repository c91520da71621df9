//! What the tests on real engines share.

#![allow(dead_code, reason = "each test binary uses its part")]

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use deploy::Bundle;
use microkernel::{
    BootError, Credentials, EngineKind, EngineSettings, Event, JavaSettings, Kernel, KernelSettings,
    Observer, Phase, RestartPolicy, ServerSettings, Users,
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// The engine's jar; none where it is not built, which only a developer's machine may get away with.
pub(crate) fn jar() -> Option<PathBuf> {
    let jar = Path::new(env!("CARGO_MANIFEST_DIR")).join("../engine/engine-server/target/procos-engine.jar");
    if jar.is_file() {
        return Some(jar);
    }
    skip(&format!("{} is not built", jar.display()));
    None
}

/// Says by name that a test does not run, and fails in CI.
pub(crate) fn skip(why: &str) {
    let name = std::thread::current().name().unwrap_or_default().to_owned();
    assert!(std::env::var_os("CI").is_none(), "{name}: {why}");
    eprintln!("skipped {name}: {why}");
}

/// A process that waits for a message, and so stays.
pub(crate) fn waiting(key: &str, name: &str) -> String {
    format!(
        r#"<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL" xmlns:camunda="http://camunda.org/schema/1.0/bpmn" id="d" targetNamespace="urn:test">
  <process id="{key}" name="{name}" isExecutable="true" camunda:historyTimeToLive="P1D">
    <startEvent id="start"><outgoing>go</outgoing></startEvent>
    <sequenceFlow id="go" sourceRef="start" targetRef="wait"/>
    <receiveTask id="wait" messageRef="message"><incoming>go</incoming><outgoing>on</outgoing></receiveTask>
    <sequenceFlow id="on" sourceRef="wait" targetRef="end"/>
    <endEvent id="end"><incoming>on</incoming></endEvent>
  </process>
  <message id="message" name="{key}_ends"/>
</definitions>"#
    )
}

/// A bundle of models of these names and texts.
pub(crate) fn bundle(name: &str, files: &[(&str, &str)]) -> Bundle {
    let models = files.iter().map(|(resource, text)| deploy::Model {
        resource: (*resource).to_owned(),
        file: (*resource).to_owned(),
        content: (*text).to_owned().into(),
    });
    Bundle::new(name, models.collect())
}

/// The engine as a child process, listening on this port.
pub(crate) fn java(data_dir: &Path, port: u16, jar: &Path) -> KernelSettings {
    let credentials = Credentials::load_or_create(data_dir).unwrap();
    let java = JavaSettings {
        jar: jar.to_owned(),
        java: None,
        flags: fast(),
        server: ServerSettings::new(Users::of(&credentials)),
    };
    settings(data_dir, port, EngineKind::Java(java))
}

/// Any engine on this port, with delays for tests.
pub(crate) fn settings(data_dir: &Path, port: u16, kind: EngineKind) -> KernelSettings {
    let url = format!("http://127.0.0.1:{port}/engine-rest").parse().unwrap();
    let mut settings = KernelSettings::new(data_dir, EngineSettings { url, kind });
    settings.health_interval = Duration::from_millis(100);
    settings.restart = RestartPolicy {
        first_delay: Duration::from_millis(100),
        ..RestartPolicy::default()
    };
    // A loaded machine of two cores.
    settings.boot_timeout = Duration::from_secs(90);
    settings
}

fn fast() -> Vec<String> {
    let mut flags = JavaSettings::default_flags();
    flags.push("-XX:TieredStopAtLevel=1".to_owned());
    flags
}

/// Changes the java settings.
pub(crate) fn with_java(
    mut settings: KernelSettings,
    change: impl FnOnce(&mut JavaSettings),
) -> KernelSettings {
    if let EngineKind::Java(java) = &mut settings.engine.kind {
        change(java);
    }
    settings
}

/// Boots and expects a failure.
pub(crate) async fn fails(settings: KernelSettings) -> BootError {
    let recorder = Recorder::default();
    match Kernel::boot(settings, recorder.observer(), CancellationToken::new()).await {
        Ok(kernel) => {
            kernel.stop().await;
            panic!("it booted");
        }
        Err(error) => {
            println!("{error}");
            for line in error.log().into_iter().flat_map(|log| &log.lines) {
                println!("    | {line}");
            }
            error
        }
    }
}

/// Keeps what the kernel tells.
#[derive(Clone)]
pub(crate) struct Recorder {
    events: Arc<Mutex<Vec<Event>>>,
    changed: watch::Sender<usize>,
}

impl Default for Recorder {
    fn default() -> Self {
        Self {
            events: Arc::default(),
            changed: watch::Sender::new(0),
        }
    }
}

impl Recorder {
    pub(crate) fn observer(&self) -> Observer {
        let this = self.clone();
        let begun = Instant::now();
        Arc::new(move |event| {
            println!("{:7.3} {event:?}", begun.elapsed().as_secs_f64());
            this.events.lock().unwrap().push(event.clone());
            this.changed.send_modify(|count| *count += 1);
        })
    }

    pub(crate) fn events(&self) -> Vec<Event> {
        self.events.lock().unwrap().clone()
    }

    pub(crate) fn phases(&self) -> Vec<Phase> {
        let phase = |event: &Event| match event {
            Event::Phase { phase, .. } => Some(*phase),
            _ => None,
        };
        self.events().iter().filter_map(phase).collect()
    }

    /// Waits until something has been told, at most two minutes.
    pub(crate) async fn until(&self, what: impl Fn(&Event) -> bool) {
        let mut changed = self.changed.subscribe();
        let told = async {
            while !self.events().iter().any(&what) {
                changed.changed().await.unwrap();
            }
        };
        tokio::time::timeout(Duration::from_secs(120), told)
            .await
            .expect("it was never told");
    }
}

/// The processes of engines of this data directory.
pub(crate) fn engines(data_dir: &Path) -> Vec<i32> {
    let mark = format!("-Dprocos.data_dir={}", data_dir.canonicalize().unwrap().display());
    let is_engine = |id: &i32| {
        let command = std::fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
        command
            .split(|&byte| byte == 0)
            .any(|argument| argument == mark.as_bytes())
    };
    let names = std::fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    names
        .filter_map(|name| name.parse().ok())
        .filter(is_engine)
        .collect()
}

/// Waits until a condition holds, at most two minutes.
pub(crate) async fn eventually(what: &str, holds: impl Fn() -> bool) {
    let poll = async {
        let mut ticks = tokio::time::interval(Duration::from_millis(50));
        while !holds() {
            ticks.tick().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(120), poll)
        .await
        .unwrap_or_else(|_| panic!("never: {what}"));
}

/// Kills a process without a chance to say anything.
pub(crate) fn kill(id: i32) {
    let id = rustix::process::Pid::from_raw(id).unwrap();
    rustix::process::kill_process(id, rustix::process::Signal::KILL).unwrap();
}
