//! A running `procos up`, and how to talk to it.

use std::sync::OnceLock;
use std::time::Duration;

use engine_client::{EngineClient, Login};
use serde_json::Value;
use tests::{JAVA_FLAGS, Procos, Running, Scratch, free_port, workspace};

/// The name under which the configuration looks for the engine's image, and `script/engine-image` builds it.
pub(crate) const IMAGE: &str = "procos/engine:7.24.0";

const BOOT: Duration = Duration::from_secs(180);
pub(crate) const SOON: Duration = Duration::from_secs(30);

/// Where the engine comes from.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    Java,
    Docker,
}

/// A running `procos up`.
pub(crate) struct System {
    pub(crate) scratch: Scratch,
    pub(crate) up: Running,
    pub(crate) ready: Value,
    http: String,
}

/// Folders for tasks that work with files.
const FOLDERS: &str =
    "services: {file: {orders: {path: \"SCRATCH/orders\"}, bills: {path: \"SCRATCH/bills\", write: true}}}\n";

impl System {
    /// The one on the java engine that tests share, with the examples deployed.
    pub(crate) fn shared() -> &'static Self {
        static SHARED: OnceLock<System> = OnceLock::new();
        SHARED.get_or_init(|| {
            let (scratch, http) = Self::configured("system", Kind::Java, FOLDERS);
            let up = Procos::new(scratch.path()).args(["up", "--json"]).spawn_for_all();
            let ready = Self::ready(&up);
            let system = Self {
                scratch,
                up,
                ready,
                http,
            };
            system.deploy_examples();
            system
        })
    }

    pub(crate) fn deploy_examples(&self) {
        let examples = workspace().join("processes/examples");
        self.procos(["deploy"]).args([examples]).run().expect_code(0);
    }

    /// One of a test's own. Its container or engine ends with the value.
    pub(crate) fn boot(name: &str, kind: Kind) -> Self {
        Self::boot_with(name, kind, "")
    }

    /// One of a test's own, with more in its configuration, in which `SCRATCH` is its folder.
    pub(crate) fn boot_with(name: &str, kind: Kind, configuration: &str) -> Self {
        let (scratch, http) = Self::configured(name, kind, configuration);
        let (up, ready) = Self::start(&scratch);
        Self {
            scratch,
            up,
            ready,
            http,
        }
    }

    fn configured(name: &str, kind: Kind, more: &str) -> (Scratch, String) {
        let scratch = Scratch::new(name);
        let http = format!("127.0.0.1:{}", free_port());
        let kind = match kind {
            Kind::Java => "java".to_owned(),
            Kind::Docker => format!("docker, image: \"{IMAGE}\""),
        };
        // A machine that also builds is slow to boot.
        let configuration = format!(
            "engine: {{url: \"http://127.0.0.1:{}/engine-rest\", java_flags: {JAVA_FLAGS:?}, kind: {kind}}}\n\
             http: {{listen: \"{http}\"}}\nmicrokernel: {{bootstrap_timeout: {}s}}\n{more}",
            free_port(),
            BOOT.as_secs(),
            more = more.replace("SCRATCH", &scratch.path().display().to_string()),
        );
        std::fs::write(scratch.path().join("procos.yml"), configuration).unwrap();
        (scratch, http)
    }

    pub(crate) fn start(scratch: &Scratch) -> (Running, Value) {
        let up = Procos::new(scratch.path()).args(["up", "--json"]).spawn();
        let ready = Self::ready(&up);
        (up, ready)
    }

    fn ready(up: &Running) -> Value {
        let ready = up.wait_for_line("\"phase\":\"ready\"", BOOT);
        serde_json::from_str(&ready).expect("one JSON object a line")
    }

    pub(crate) fn procos<const N: usize>(&self, arguments: [&str; N]) -> Procos {
        Procos::new(self.scratch.path()).args(arguments)
    }

    /// Starts an instance, waits for it, and gives what `start --wait --json` says.
    pub(crate) fn start_and_wait(&self, arguments: &[&str]) -> Value {
        let call = self
            .procos(["start"])
            .args(arguments)
            .args(["--wait", "60s", "--json"]);
        call.run().json()
    }

    pub(crate) fn ask(&self, path: &str, login: Option<&str>) -> (u16, String) {
        let url = format!("http://{}{path}", self.http);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let _ = rustls::crypto::ring::default_provider().install_default();
            let mut request = reqwest::Client::new().get(url);
            if let Some(password) = login {
                request = request.basic_auth("procos", Some(password));
            }
            let answer = request.send().await.unwrap();
            (answer.status().as_u16(), answer.text().await.unwrap())
        })
    }

    /// A client with the kernel's login.
    pub(crate) fn client(&self) -> EngineClient {
        let login = Login::Basic {
            username: "kernel".to_owned(),
            password: self.secret("engine-kernel-password").into(),
        };
        let url = self.ready["engine_url"].as_str().unwrap().parse().unwrap();
        EngineClient::new(url, login).unwrap()
    }

    pub(crate) fn secret(&self, name: &str) -> String {
        let path = self.scratch.path().join("data/secrets").join(name);
        std::fs::read_to_string(path).unwrap().trim().to_owned()
    }
}
