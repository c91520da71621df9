//! What somebody may try so that code goes on running, or is not seen.

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use tests::{Engine, conditional_process as model, until};

use crate::world::{CALL, Kernel, SOON, Stranger};

const GATE: &str = "watch: 500ms, on_violation: suspend";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_suspended_does_not_go_on_by_itself_or_by_somebodys_hand() {
    Engine::shared();
    let kernel = tokio::task::block_in_place(|| Kernel::start("again", GATE));
    let stranger = Stranger::new();
    // Deployed so that the engine activates it later: until then it is suspended without the kernel.
    let soon = Timestamp::now() + SignedDuration::from_secs(6);
    let soon = soon.strftime("%Y-%m-%dT%H:%M:%S.000+0000").to_string();
    let fields = [("deployment-activation-time", soon.as_str())];
    stranger
        .deploy("sleeper", &[("sleeper.bpmn", &model("sleeper", CALL))], &fields)
        .await;
    kernel.told("sleeper.bpmn");
    let line = kernel.told("\"again\":true,\"definitions\":\"sleeper version 1 is suspended");
    assert_eq!(line["again"], true, "{line}");
    stranger.until_suspended("sleeper").await;

    // By hand.
    stranger
        .deploy("woken", &[("woken.bpmn", &model("woken", CALL))], &[])
        .await;
    stranger.until_suspended("woken").await;
    let active =
        json!({"processDefinitionKey": "woken", "suspended": false, "includeProcessInstances": true});
    stranger.put("/process-definition/suspended", active).await;
    stranger.until_suspended("woken").await;

    // An instance of something clean that is migrated to it.
    stranger
        .deploy("moved", &[("moved.bpmn", &model("moved", "${x}"))], &[])
        .await;
    let instance = stranger.start("moved").await;
    let clean = stranger.get(&format!("/process-instance/{instance}")).await["definitionId"].clone();
    let bad = stranger
        .deploy("moved", &[("moved.bpmn", &model("moved", CALL))], &[])
        .await;
    let bad = bad["deployedProcessDefinitions"]
        .as_object()
        .unwrap()
        .keys()
        .next()
        .unwrap()
        .clone();
    stranger.until_suspended("moved").await;
    let plan = json!({
        "sourceProcessDefinitionId": clean,
        "targetProcessDefinitionId": bad,
        "instructions": [{"sourceActivityIds": ["task"], "targetActivityIds": ["task"]}],
    });
    stranger
        .post(
            "/migration/execute",
            json!({"migrationPlan": plan, "processInstanceIds": [instance]}),
        )
        .await;
    until("the migrated instance is suspended", SOON, async || {
        let found = stranger.get(&format!("/process-instance/{instance}")).await;
        if found["suspended"] == true {
            Ok(())
        } else {
            Err(found.to_string())
        }
    })
    .await;

    // What the operator lists as an exception may be activated.
    let allowed =
        format!("{GATE}, allow: [{{process: woken, element: on, code: expression-call, why: a test}}]");
    let kernel = kernel.restart(&allowed, async || {}).await;
    let active =
        json!({"processDefinitionKey": "woken", "suspended": false, "includeProcessInstances": true});
    stranger.put("/process-definition/suspended", active).await;
    stranger
        .deploy("after", &[("after.bpmn", &model("after", CALL))], &[])
        .await;
    kernel.told("after.bpmn");
    stranger
        .deploy("later", &[("later.bpmn", &model("later", CALL))], &[])
        .await;
    kernel.told("later.bpmn");
    assert!(!stranger.is_suspended("woken").await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_deleted_before_a_look_is_told_of() {
    Engine::shared();
    let kernel =
        tokio::task::block_in_place(|| Kernel::start("deleted", "watch: 10s, on_violation: suspend"));
    let stranger = Stranger::new();
    stranger
        .deploy("seen", &[("seen.bpmn", &model("seen", CALL))], &[])
        .await;
    kernel.told("seen.bpmn");
    let gone = stranger
        .deploy("gone", &[("gone.bpmn", &model("gone", CALL))], &[])
        .await;
    stranger.start("gone").await;
    let id = gone["id"].as_str().unwrap();
    stranger.delete(&format!("/deployment/{id}?cascade=true")).await;
    let line = kernel.told(id);
    let message = line["message"].as_str().unwrap();
    assert!(
        message.contains("was deleted before it could be checked") && message.contains("by admin"),
        "{line}"
    );
    // Once.
    stranger
        .deploy("next", &[("next.bpmn", &model("next", CALL))], &[])
        .await;
    kernel.told("next.bpmn");
    let lines = kernel.process.stderr();
    assert_eq!(lines.iter().filter(|it| it.contains(id)).count(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_beside_a_model_keeps_it_from_being_checked() {
    Engine::shared();
    let kernel = tokio::task::block_in_place(|| Kernel::start("beside", GATE));
    let stranger = Stranger::new();
    // Names without a dot, empty files of kinds that the engine does not read, a tenant, many files.
    let bad = |key: &str| model(key, CALL);
    stranger
        .deploy("empty", &[("a.cmmn", ""), ("emptybpmn", &bad("empty"))], &[])
        .await;
    stranger
        .deploy("odd", &[("../../é\n%00 .bpmn20.xml", &bad("odd"))], &[])
        .await;
    stranger
        .deploy(
            "tenant",
            &[("t.bpmn", &bad("tenanted"))],
            &[("tenant-id", "tenant1")],
        )
        .await;
    for key in ["empty", "odd", "tenanted"] {
        stranger.until_suspended(key).await;
    }
    // More deployments than are asked for at a time, while there is no kernel, the bad one among the oldest.
    let meanwhile = async || {
        for number in 0..130 {
            let (key, condition) = match number {
                20 => ("among".to_owned(), CALL),
                _ => (format!("many{number}"), "${x}"),
            };
            stranger
                .deploy(&key, &[(&format!("{key}.bpmn"), &model(&key, condition))], &[])
                .await;
        }
    };
    let kernel = kernel.restart(GATE, meanwhile).await;
    stranger.until_suspended("among").await;
    drop(kernel);
}

/// A decision cannot be suspended: the processes that came with it can.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_a_decision_that_is_refused_goes_what_came_with_it() {
    const TABLE: &str = r#"<definitions xmlns="https://www.omg.org/spec/DMN/20191111/MODEL/" xmlns:camunda="http://camunda.org/schema/1.0/dmn" id="d" name="d" namespace="urn:test"><decision id="rated" name="t" camunda:historyTimeToLive="1"><decisionTable id="t"><output id="o" name="r" typeRef="string"/><rule id="r"><outputEntry id="e" expressionLanguage="juel"><text>x.run()</text></outputEntry></rule></decisionTable></decision></definitions>"#;
    Engine::shared();
    let kernel = tokio::task::block_in_place(|| Kernel::start("decision", GATE));
    let stranger = Stranger::new();
    stranger
        .deploy(
            "rates",
            &[("rated.dmn", TABLE), ("rates.bpmn", &model("rates", "${x}"))],
            &[],
        )
        .await;
    let line = kernel.told("rated.dmn");
    let definitions = line["definitions"].as_str().unwrap();
    assert!(definitions.contains("rates version 1 is suspended"), "{line}");
    assert!(definitions.contains("rated.dmn cannot be suspended"), "{line}");
    stranger.until_suspended("rates").await;

    // Where none came with it there is nothing to look after, and it is told once.
    let alone = TABLE.replace("rated", "alone");
    stranger.deploy("alone", &[("alone.dmn", &alone)], &[]).await;
    for key in ["then", "now"] {
        let file = format!("{key}.bpmn");
        stranger.deploy(key, &[(&file, &model(key, CALL))], &[]).await;
        kernel.told(&file);
    }
    let lines = kernel.process.stderr();
    assert_eq!(lines.iter().filter(|it| it.contains("alone.dmn")).count(), 1);
}
