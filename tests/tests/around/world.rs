//! A kernel that is attached to the tests' engine, and somebody who deploys without asking it.

use std::time::Duration;

use reqwest::multipart::{Form, Part};
use serde_json::{Value as Json, json};
use tests::{Engine, Procos, Running, Scratch, free_port, until};
use tokio::sync::{Mutex, MutexGuard};

pub(crate) const SOON: Duration = Duration::from_secs(30);

/// What the gate refuses.
pub(crate) const CALL: &str = "${x.run()}";

/// A running `procos kernel` on the shared engine, with a data directory of its own. There is one at a time: what another
/// has suspended would prove nothing.
pub(crate) struct Kernel {
    pub(crate) scratch: Scratch,
    pub(crate) process: Running,
    turn: MutexGuard<'static, ()>,
}

static TURNS: Mutex<()> = Mutex::const_new(());

impl Kernel {
    /// Starts one that has this in its configuration below `security.gate`, and waits until it watches.
    pub(crate) fn start(name: &str, gate: &str) -> Self {
        let turn = TURNS.blocking_lock();
        let scratch = Scratch::new(name);
        let kernel = Self {
            process: Self::run(&scratch, gate),
            scratch,
            turn,
        };
        kernel
            .process
            .wait_for_line("\"phase\":\"watching\"", Duration::from_secs(120));
        kernel
    }

    /// Stops it, and starts it again with another configuration on the same data when something has happened.
    pub(crate) async fn restart(self, gate: &str, meanwhile: impl AsyncFnOnce()) -> Self {
        let Self {
            scratch,
            process,
            turn,
        } = self;
        tokio::task::block_in_place(|| drop(process));
        meanwhile().await;
        let process = Self::run(&scratch, gate);
        let watching = || process.wait_for_line("\"phase\":\"watching\"", Duration::from_secs(120));
        tokio::task::block_in_place(watching);
        Self {
            scratch,
            process,
            turn,
        }
    }

    fn run(scratch: &Scratch, gate: &str) -> Running {
        let engine = Engine::shared();
        let configuration = format!(
            "engine: {{kind: attached, url: \"{}\", auth: {{basic: {{username: kernel, password: \"{}\"}}}}}}\n\
             http: {{listen: \"127.0.0.1:{}\"}}\ntelemetry: {{log_format: json}}\nsecurity: {{gate: {{{gate}}}}}\n",
            engine.rest_url(),
            engine.password("kernel"),
            free_port(),
        );
        std::fs::write(scratch.path().join("procos.yml"), configuration).unwrap();
        Procos::new(scratch.path()).args(["kernel"]).spawn()
    }

    /// The line of its log about what has this in it.
    pub(crate) fn told(&self, part: &str) -> Json {
        let line = tokio::task::block_in_place(|| self.process.wait_for_line(part, SOON));
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("not JSON: {error}: {line}"))
    }
}

/// Somebody with the administrator's login and no `procos`.
pub(crate) struct Stranger {
    http: reqwest::Client,
}

impl Stranger {
    pub(crate) fn new() -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .no_proxy()
            .tls_certs_only([])
            .build()
            .unwrap();
        Self { http }
    }

    /// Deploys files under a name, with more fields, and gives the deployment.
    pub(crate) async fn deploy(&self, name: &str, files: &[(&str, &str)], fields: &[(&str, &str)]) -> Json {
        let mut form = Form::new().text("deployment-name", name.to_owned());
        for (field, value) in fields {
            form = form.text((*field).to_owned(), (*value).to_owned());
        }
        for (file, content) in files {
            let part = Part::bytes(content.as_bytes().to_vec()).file_name((*file).to_owned());
            form = form.part((*file).to_owned(), part);
        }
        let url = format!("{}/deployment/create", Engine::shared().rest_url());
        self.send(self.http.post(url).multipart(form)).await
    }

    pub(crate) async fn start(&self, key: &str) -> String {
        let path = format!("/process-definition/key/{key}/start");
        self.post(&path, json!({})).await["id"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    pub(crate) async fn post(&self, path: &str, body: Json) -> Json {
        self.send(self.http.post(url(path)).json(&body)).await
    }

    pub(crate) async fn put(&self, path: &str, body: Json) -> Json {
        self.send(self.http.put(url(path)).json(&body)).await
    }

    pub(crate) async fn delete(&self, path: &str) {
        self.send(self.http.delete(url(path))).await;
    }

    pub(crate) async fn get(&self, path: &str) -> Json {
        self.send(self.http.get(url(path))).await
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Json {
        let login = Engine::shared().password("admin");
        let answer = request.basic_auth("admin", Some(login)).send().await.unwrap();
        let is_success = answer.status().is_success();
        let text = answer.text().await.unwrap();
        assert!(is_success, "{text}");
        serde_json::from_str(&text).unwrap_or_default()
    }

    /// Whether the latest version of a key is suspended.
    pub(crate) async fn is_suspended(&self, key: &str) -> bool {
        let found = self
            .get(&format!("/process-definition?key={key}&latestVersion=true"))
            .await;
        found[0]["suspended"] == true
    }

    /// Waits until it is.
    pub(crate) async fn until_suspended(&self, key: &str) {
        until(&format!("{key} is suspended"), SOON, async || {
            match self.is_suspended(key).await {
                true => Ok(()),
                false => Err("it is active"),
            }
        })
        .await;
    }
}

fn url(path: &str) -> String {
    format!("{}{path}", Engine::shared().rest_url())
}
