//! The files that were deployed together with a task's process.

use std::time::Duration;

use engine_client::{DeploymentRequest, Resource};
use tests::Engine;
use worker_api::{Answer, ProcessPort, Task, TaskContext};
use worker_runtime::EnginePort;

use crate::bench::{Bench, SOON, task_process};

fn port() -> EnginePort {
    EnginePort::new(Engine::shared().client())
}

impl Bench {
    /// Deploys the test's process as `model`, with files beside it.
    async fn deploy_with(&self, model: &str, files: &[(&str, &str)]) {
        let xml = format!(
            r#"<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL"
  xmlns:camunda="http://camunda.org/schema/1.0/bpmn" targetNamespace="urn:test">{}</definitions>"#,
            task_process("", "")
                .replace("KEY", &self.key)
                .replace("TOPIC", &self.key)
        );
        let files = files
            .iter()
            .map(|(name, content)| ((*name).to_owned(), (*content).to_owned()));
        let resources = [(model.to_owned(), xml)].into_iter().chain(files);
        let request = DeploymentRequest {
            name: &self.key,
            changed_only: false,
            source: "test",
            tenant_id: None,
            resources: resources
                .map(|(name, content)| Resource {
                    name,
                    content: content.into(),
                })
                .collect(),
        };
        self.engine.deploy(&request).await.unwrap();
    }

    async fn caller(&self) -> TaskContext {
        let definition = self
            .engine
            .latest_definitions(Some(&self.key))
            .await
            .unwrap()
            .remove(0);
        let task = Task {
            process_definition_id: definition.id,
            ..Task::default()
        };
        TaskContext::new(task, Duration::from_secs(10))
    }
}

async fn read(port: &EnginePort, caller: &TaskContext, path: &str) -> Option<String> {
    let content = port.resource(caller, path).await.unwrap()?;
    Some(String::from_utf8(content.to_vec()).unwrap())
}

#[tokio::test]
async fn a_file_is_found_beside_the_model_then_at_the_root_and_keeps_to_its_version() {
    let bench = Bench::new("files");
    let files = [
        ("sales/price.py", "beside"),
        ("price.py", "root"),
        ("lib/tax.py", "tax"),
    ];
    bench.deploy_with("sales/order.bpmn", &files).await;
    let (port, first) = (port(), bench.caller().await);
    assert_eq!(read(&port, &first, "price.py").await.as_deref(), Some("beside"));
    assert_eq!(read(&port, &first, "lib/tax.py").await.as_deref(), Some("tax"));
    assert_eq!(
        read(&port, &first, "sales/price.py").await.as_deref(),
        Some("beside")
    );
    for none in ["nothing.py", "../price.py", "sales", ""] {
        assert_eq!(read(&port, &first, none).await, None, "{none}");
    }
    bench
        .deploy_with("sales/order.bpmn", &[("price.py", "changed")])
        .await;
    let second = bench.caller().await;
    assert_eq!(read(&port, &second, "price.py").await.as_deref(), Some("changed"));
    assert_eq!(read(&port, &first, "price.py").await.as_deref(), Some("beside"));
}

#[tokio::test]
async fn a_file_that_is_too_large_and_a_process_that_is_gone_are_errors_that_say_so() {
    let bench = Bench::new("large-files");
    let large = "#".repeat(5 * 1024 * 1024);
    bench.deploy_with("order.bpmn", &[("large.py", &large)]).await;
    let error = port()
        .resource(&bench.caller().await, "large.py")
        .await
        .unwrap_err();
    assert!(!error.is_transient(), "{error}");
    assert!(
        error.to_string().contains("`large.py`") && error.to_string().contains("4194304"),
        "{error}"
    );
    let gone = TaskContext::new(
        Task {
            process_definition_id: "gone:1:x".into(),
            ..Task::default()
        },
        Duration::from_secs(1),
    );
    let error = port().resource(&gone, "price.py").await.unwrap_err();
    assert!(
        !error.is_transient() && error.to_string().contains("gone:1:x"),
        "{error}"
    );
}

#[tokio::test]
async fn a_task_reads_the_files_of_its_process() {
    let bench = Bench::new("files-of-a-task");
    bench.deploy_with("order.bpmn", &[("price.py", "print(1)")]).await;
    let set_port = |settings: &mut worker_runtime::PoolSettings| {
        settings.processes = std::sync::Arc::new(port());
    };
    let (pool, _) = bench.pool(set_port, async |context| {
        let content = context.processes().resource(&context, "price.py").await?;
        assert_eq!(content.as_deref(), Some(b"print(1)".as_slice()));
        Ok(Answer::new())
    });
    let instance = bench.start().await;
    bench.completed(&instance).await;
    pool.stop(SOON).await;
}
