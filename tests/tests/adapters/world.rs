//! A worker on the tests' engine, with services of a test's own.

use std::time::Duration;

use serde_json::{Value as Json, json};
use tests::{Engine, Finished, Procos, Running, Scratch, extension, free_port};

/// How long what should happen soon may take on a busy machine.
pub(crate) const SOON: Duration = Duration::from_secs(60);

/// A running `procos worker` on the shared engine, with a folder and an HTTP port of its own.
pub(crate) struct Worker {
    pub(crate) scratch: Scratch,
    pub(crate) process: Running,
    /// Its own HTTP port, as `http://127.0.0.1:PORT`.
    pub(crate) address: String,
}

impl Worker {
    /// Starts one whose pool takes these topics and no others, as tests run side by side and each has other services; with
    /// `configuration` (`routes`, `services`, …) in its `procos.yml`. Waits until it takes tasks.
    pub(crate) fn start(name: &str, topics: &[&str], configuration: &Json) -> Self {
        let scratch = Scratch::new(name);
        let settings = Self::settings(topics, configuration);
        let address = settings["http"]["listen"]
            .as_str()
            .expect("an address")
            .to_owned();
        // JSON is YAML, too.
        std::fs::write(scratch.path().join("procos.yml"), settings.to_string()).unwrap();
        let process = Self::spawn(&scratch);
        Self {
            scratch,
            process,
            address: format!("http://{address}"),
        }
    }

    /// What stands in its `procos.yml`.
    pub(crate) fn settings(topics: &[&str], configuration: &Json) -> Json {
        let engine = Engine::shared();
        let mut settings = json!({
            "engine": {
                "kind": "attached",
                "url": engine.rest_url(),
                "auth": {"basic": {"username": "admin", "password": engine.password("admin")}},
            },
            "http": {"listen": format!("127.0.0.1:{}", free_port())},
            "workers": {"pools": [{"name": "own", "capacity": 8, "topics": topics}]},
        });
        let own = configuration.as_object().expect("sections").clone();
        settings.as_object_mut().expect("sections").extend(own);
        settings
    }

    /// Kills it as a crash would, and starts it again.
    pub(crate) async fn kill9_and_start(&mut self) {
        self.process.kill9().wait_gone(SOON).await;
        self.process = tokio::task::block_in_place(|| Self::spawn(&self.scratch));
    }

    /// A call of `procos` with its configuration.
    pub(crate) fn procos(&self, arguments: &[&str]) -> Finished {
        Procos::new(self.scratch.path()).args(arguments).run()
    }

    fn spawn(scratch: &Scratch) -> Running {
        let process = Procos::new(scratch.path()).args(["worker"]).spawn();
        process.wait_for_line("pool starts", SOON);
        process
    }
}

/// What stands inside a task that gives these inputs, as text, and keeps these fields of the answer as process variables.
pub(crate) fn task(inputs: &[(&str, &str)], keeps: &[&str]) -> String {
    let inputs = inputs.iter().map(|(name, value)| {
        let value = value.replace('&', "&amp;").replace('<', "&lt;");
        format!("<camunda:inputParameter name=\"{name}\">{value}</camunda:inputParameter>")
    });
    let keeps = keeps.iter().map(|name| {
        format!("<camunda:outputParameter name=\"{name}\">${{{name}}}</camunda:outputParameter>")
    });
    let all: String = inputs.chain(keeps).collect();
    extension(&format!("<camunda:inputOutput>{all}</camunda:inputOutput>"))
}
