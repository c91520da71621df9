//! Webhooks on the real engine, through procos's own port.

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::json;
use tests::{Process, until};

use crate::world::{SOON, Worker};

#[tokio::test(flavor = "multi_thread")]
async fn a_request_starts_a_process_once_and_another_continues_it() {
    let process = Process::new("webhook");
    let message = format!("{}-paid", process.key);
    process
        .deploy(&format!(
            r#"<message id="m" name="{message}"/><process id="KEY" isExecutable="true" camunda:historyTimeToLive="P1D">
  <startEvent id="start"/><sequenceFlow id="f1" sourceRef="start" targetRef="wait"/>
  <intermediateCatchEvent id="wait"><messageEventDefinition messageRef="m"/></intermediateCatchEvent>
  <sequenceFlow id="f2" sourceRef="wait" targetRef="end"/><endEvent id="end"/>
</process>"#
        ))
        .await;
    let mut worker = Worker::start(
        "webhook",
        &["file_read"],
        &json!({"services": {"webhook": {
            "orders": {
                "signature": {"bearer": "it-is-ours"}, "process": process.key,
                "business_key": "$.number", "variables": {"order": "$"},
            },
            "paid": {
                "signature": {"bearer": "it-is-ours"}, "message": message,
                "business_key": "$.order", "variables": {"amount": "$.amount"},
            },
        }}}),
    );
    let _ = rustls::crypto::ring::default_provider().install_default();
    let http = reqwest::Client::builder()
        .no_proxy()
        .tls_certs_only([])
        .build()
        .unwrap();
    let send = async |worker: &Worker, name: &str, token: &str, body: serde_json::Value| {
        let request = http
            .post(format!("{}/webhooks/{name}", worker.address))
            .bearer_auth(token)
            .json(&body);
        request.send().await.map(|response| response.status())
    };
    let order = json!({"number": format!("{}-1", process.key), "item": "desk"});
    let paid = json!({"order": order["number"], "amount": 118.2});
    assert_eq!(
        send(&worker, "orders", "wrong", order.clone()).await.unwrap(),
        StatusCode::UNAUTHORIZED
    );
    let taken = async |worker: &Worker| match send(worker, "orders", "it-is-ours", order.clone()).await {
        Ok(StatusCode::OK) => Ok(()),
        other => Err(format!("{other:?}")),
    };
    // A worker answers 503 until what takes requests runs.
    until("the request is taken", SOON, async || taken(&worker).await).await;
    // The same again, also to a worker that has forgotten everything.
    assert_eq!(
        send(&worker, "orders", "it-is-ours", order.clone())
            .await
            .unwrap(),
        StatusCode::OK
    );
    worker.kill9_and_start().await;
    until("the worker is back", SOON, async || taken(&worker).await).await;
    let query = engine_client::InstanceQuery {
        process_definition_key: Some(&process.key),
        ..engine_client::InstanceQuery::default()
    };
    let instances = process.engine.instances(&query).await.unwrap();
    assert_eq!(instances.len(), 1, "{instances:?}");
    assert_eq!(
        send(&worker, "paid", "it-is-ours", paid.clone()).await.unwrap(),
        StatusCode::OK
    );
    process.completed(&instances[0].id).await;
    let variables = process.process_variables(&instances[0].id).await;
    assert_eq!(
        (&variables["order"], &variables["amount"]),
        (&order, &json!(118.2))
    );
    // Nothing waits for it any more.
    assert_eq!(
        send(&worker, "paid", "it-is-ours", paid).await.unwrap(),
        StatusCode::CONFLICT
    );
    // Health tells of it, and of nothing secret.
    let ready = http
        .get(format!("{}/health/ready", worker.address))
        .timeout(Duration::from_secs(10));
    let ready: serde_json::Value = ready.send().await.unwrap().json().await.unwrap();
    assert_eq!(ready["inbounds"], json!([{"name": "webhook", "state": "ready"}]));
    let shown = worker.procos(&["config", "show", "--json"]).expect_code(0).stdout;
    assert!(
        shown.contains("\"webhook\"") && !shown.contains("it-is-ours"),
        "{shown}"
    );
}
