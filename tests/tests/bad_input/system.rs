//! The running system that all tests share, and what they say of a call's end.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use engine_client::{EngineClient, Login};
use tests::{Finished, Procos, Running, Scratch, free_port};

/// A machine that also builds is slow to boot.
const BOOT: Duration = Duration::from_secs(180);

/// `procos up` with one process, `waits`, that waits for a person.
pub(crate) struct System {
    scratch: Scratch,
    _up: Running,
    engine_url: String,
    http_address: String,
    deploying: Mutex<()>,
}

impl System {
    pub(crate) fn shared() -> &'static Self {
        static SHARED: OnceLock<System> = OnceLock::new();
        SHARED.get_or_init(|| {
            let scratch = Scratch::new("bad-input");
            let engine_url = format!("http://127.0.0.1:{}/engine-rest", free_port());
            let http_address = format!("127.0.0.1:{}", free_port());
            let configuration = format!(
                "engine: {{url: '{engine_url}'}}\n\
                 http: {{listen: '{http_address}'}}\n\
                 microkernel: {{bootstrap_timeout: {}s}}\n\
                 services: {{http: {{billing: {{base_url: 'http://10.0.0.1'}}}}}}\n",
                BOOT.as_secs()
            );
            fs::write(scratch.path().join("procos.yml"), configuration).unwrap();
            let up = Procos::new(scratch.path()).args(["up", "--json"]).spawn_for_all();
            up.wait_for_line("\"phase\":\"ready\"", BOOT);
            let system = Self {
                scratch,
                _up: up,
                engine_url,
                http_address,
                deploying: Mutex::default(),
            };
            let models = Folder::new("waits");
            models.write("waits.bpmn", process("waits", USER_TASK));
            system.run(["deploy", models.text()]).expect_code(0);
            system
        })
    }

    /// The end of a call.
    pub(crate) fn run<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Finished {
        Procos::new(self.scratch.path()).args(arguments).run()
    }

    pub(crate) fn engine_url(&self) -> &str {
        &self.engine_url
    }

    pub(crate) fn http_address(&self) -> &str {
        &self.http_address
    }

    pub(crate) fn data_dir(&self) -> PathBuf {
        self.scratch.path().join("data")
    }

    /// While this lives, no other test deploys.
    pub(crate) fn deploying(&self) -> MutexGuard<'_, ()> {
        self.deploying.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Every process on the engine, with its latest version.
    pub(crate) fn definitions(&self) -> BTreeMap<String, u32> {
        let latest = block_on(async { self.engine().latest_definitions(None).await });
        let latest = latest.expect("the engine answers").into_iter();
        latest
            .map(|definition| (definition.key, definition.version))
            .collect()
    }

    pub(crate) fn engine(&self) -> EngineClient {
        let password = fs::read_to_string(self.data_dir().join("secrets/engine-kernel-password")).unwrap();
        let login = Login::Basic {
            username: "kernel".to_owned(),
            password: password.trim().to_owned().into(),
        };
        EngineClient::new(self.engine_url.parse().unwrap(), login).unwrap()
    }
}

pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(future)
}

/// Checks how a call has ended, and that what it says holds every part.
#[track_caller]
pub(crate) fn told(finished: &Finished, code: i32, parts: &[&str]) {
    let said = format!("{}\n{}", finished.stdout, finished.stderr);
    assert_eq!(finished.code, Some(code), "\n{said}");
    assert!(!said.contains("panicked"), "{said}");
    for part in parts {
        assert!(said.contains(part), "{part:?} is missing in\n{said}");
    }
}

/// A folder with a test's own files.
pub(crate) struct Folder(Scratch);

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        Self(Scratch::new(name))
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn text(&self) -> &str {
        self.path().to_str().unwrap()
    }

    pub(crate) fn file(&self, name: &str) -> String {
        format!("{}/{name}", self.text())
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let file = self.file(name);
        fs::create_dir_all(Path::new(&file).parent().unwrap()).unwrap();
        fs::write(&file, content).unwrap();
        file
    }
}

pub(crate) const USER_TASK: &str = r#"<userTask id="task"/>"#;

/// A model with one process, on lines of which tests know the numbers: the process on 2, the task on 5.
pub(crate) fn process(key: &str, task: &str) -> String {
    model(&format!(
        r#"  <process id="{key}" isExecutable="true" camunda:historyTimeToLive="P1D">
    <startEvent id="start"/>
    <sequenceFlow id="flow" sourceRef="start" targetRef="task"/>
    {task}
  </process>"#
    ))
}

pub(crate) fn model(content: &str) -> String {
    format!(
        r#"<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL" xmlns:camunda="http://camunda.org/schema/1.0/bpmn" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" targetNamespace="urn:test">
{content}
</definitions>
"#
    )
}
