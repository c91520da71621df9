//! Models that come around the gate.

use engine_client::{
    DefinitionQuery, DeploymentRequest, EngineClient, InstanceQuery, ProcessDefinition, Resource, Variables,
};
use serde_json::Value;
use tests::conditional_process;

use crate::world::{Kind, SOON, System};

/// As Camunda Modeler does it.
async fn deploy(engine: &EngineClient, models: &[(&str, &str)]) {
    let resources = models.iter().map(|(key, condition)| Resource {
        name: format!("{key}.bpmn"),
        content: conditional_process(key, condition).into(),
    });
    let request = DeploymentRequest {
        name: models[0].0,
        source: "Camunda Modeler",
        tenant_id: None,
        resources: resources.collect(),
        changed_only: false,
    };
    engine.deploy(&request).await.unwrap();
}

async fn definition(engine: &EngineClient, key: &str) -> ProcessDefinition {
    let query = DefinitionQuery {
        key: Some(key),
        ..DefinitionQuery::default()
    };
    engine.find_definitions(&query).await.unwrap().remove(0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_model_that_was_deployed_around_the_gate_is_suspended_and_a_clean_one_is_not() {
    let system = System::boot_with(
        "around",
        Kind::Java,
        "security: {gate: {watch: 500ms, allow: [\
         {process: excepted, element: on, code: expression-call, why: a test}]}}\n",
    );
    let engine = system.client();
    let none = Variables::new();
    deploy(&engine, &[("wrong", "${x.run()}"), ("beside", "${x}")]).await;
    // It may be suspended before it can be started.
    let started = engine.start_instance("wrong", None, None, &none).await.is_ok();
    let told = tokio::task::block_in_place(|| system.up.wait_for_line("\"violation\"", SOON));
    let told: Value = serde_json::from_str(&told).unwrap();
    let violation = &told["violation"];
    assert_eq!(violation["source"], "Camunda Modeler");
    assert_eq!(violation["diagnostics"][0]["code"], "expression-call", "{told}");
    assert_eq!(violation["diagnostics"][0]["file"], "wrong.bpmn");
    let [intruder] = violation["definitions"].as_array().unwrap().as_slice() else {
        panic!("{told}")
    };
    assert_eq!(
        (&intruder["key"], &intruder["suspended"]),
        (&"wrong".into(), &true.into())
    );
    assert_eq!(intruder["started"], u64::from(started), "{told}");
    assert_eq!(intruder["finished"], 0, "{told}");

    assert!(definition(&engine, "wrong").await.suspended);
    assert!(!definition(&engine, "beside").await.suspended);
    let query = InstanceQuery {
        process_definition_key: Some("wrong"),
        ..InstanceQuery::default()
    };
    assert!(
        engine
            .instances(&query)
            .await
            .unwrap()
            .iter()
            .all(|it| it.suspended)
    );
    assert!(engine.start_instance("wrong", None, None, &none).await.is_err());

    // Clean ones, and one with an exception, before another that is wrong: when that is told they have been looked at.
    deploy(&engine, &[("clean", "${x}")]).await;
    deploy(&engine, &[("excepted", "${x.run()}")]).await;
    deploy(&engine, &[("wrong-again", "${x.run()}")]).await;
    tokio::task::block_in_place(|| system.up.wait_for_line("wrong-again.bpmn", SOON));
    for key in ["clean", "excepted", "root_orchestrator"] {
        assert!(!definition(&engine, key).await.suspended, "{key}");
    }
    let lines = system.up.stdout();
    let violations = lines.iter().filter(|it| it.contains("\"violation\""));
    assert_eq!(violations.count(), 2, "{lines:?}");
    let status = tokio::task::block_in_place(|| system.procos(["status", "--json"]).run().json());
    assert_eq!(status["violations"], 2, "{status}");
}

#[tokio::test]
async fn a_worker_may_not_deploy() {
    let system = System::shared();
    let worker = engine_client::Login::Basic {
        username: "worker".to_owned(),
        password: system.secret("engine-worker-password").into(),
    };
    let url = system.ready["engine_url"].as_str().unwrap().parse().unwrap();
    let worker = EngineClient::new(url, worker).unwrap();
    let request = DeploymentRequest {
        name: "by-a-worker",
        source: "a test",
        tenant_id: None,
        resources: vec![Resource {
            name: "by-a-worker.bpmn".to_owned(),
            content: conditional_process("by-a-worker", "${x}").into(),
        }],
        changed_only: false,
    };
    let refused = worker.deploy(&request).await.unwrap_err();
    assert!(refused.is_forbidden(), "{refused}");
}
