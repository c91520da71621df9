//! `procos check --unused` on an engine whose database says that a year has passed.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic, reason = "test code")]

use engine_client::{DeploymentRequest, EngineClient, Resource, Variables};
use serde_json::Value as Json;
use tests::{Engine, EngineSetup, Postgres, Procos, Scratch};

/// A process that waits or ends at once, and whose history is kept for so many days.
fn model(key: &str, waits: bool, days: u32) -> String {
    let step = if waits { "userTask" } else { "task" };
    format!(
        r#"<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL" xmlns:camunda="http://camunda.org/schema/1.0/bpmn" targetNamespace="urn:test">
  <process id="{key}" isExecutable="true" camunda:historyTimeToLive="P{days}D">
    <startEvent id="start"/><sequenceFlow id="f" sourceRef="start" targetRef="step"/><{step} id="step"/>
  </process>
</definitions>"#
    )
}

async fn deploy(engine: &EngineClient, key: &str, tenant_id: Option<&str>, model: String) {
    let request = DeploymentRequest {
        name: key,
        source: "a test",
        tenant_id,
        resources: vec![Resource {
            name: format!("{key}.bpmn"),
            content: model.into(),
        }],
        changed_only: false,
    };
    engine.deploy(&request).await.unwrap();
}

async fn start(engine: &EngineClient, key: &str, business_key: &str) {
    let none = Variables::new();
    engine
        .start_instance(key, None, Some(business_key), &none)
        .await
        .unwrap();
}

/// `KEY VERSION` of what the command lists, with what it says of latest versions, tenants and doubts.
fn listed(answer: &Json) -> Vec<String> {
    let unused = answer["unused"].as_array().unwrap().iter();
    unused
        .map(|it| {
            let latest = if it["latest"] == true { " latest" } else { "" };
            let tenant = it["tenant_id"]
                .as_str()
                .map(|it| format!(" of {it}"))
                .unwrap_or_default();
            let doubt = if it["certain"] == true { "" } else { " perhaps" };
            format!(
                "{} {}{latest}{tenant}{doubt}",
                it["key"].as_str().unwrap(),
                it["version"]
            )
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nobody_has_started_for_a_quarter_is_listed() {
    let postgres = match Postgres::shared() {
        Ok(postgres) => postgres,
        Err(why) => return tests::skip("unused::what_nobody_has_started_for_a_quarter_is_listed", why),
    };
    let database = postgres.database("unused");
    let scratch = Scratch::new("unused");
    let setup = EngineSetup {
        database: Some(&database),
        ..EngineSetup::default()
    };
    let booted = tokio::task::block_in_place(|| Engine::boot(scratch.path(), &setup));
    let configuration = format!(
        "engine: {{kind: attached, url: \"{}\", auth: {{basic: {{username: kernel, password: \"{}\"}}}}}}\n",
        booted.rest_url(),
        booted.password("kernel")
    );
    std::fs::write(scratch.path().join("procos.yml"), configuration).unwrap();
    let check = |arguments: &[&str]| {
        let call = Procos::new(scratch.path())
            .args(["check", "--unused"])
            .args(arguments);
        tokio::task::block_in_place(|| call.run().expect_code(0))
    };

    // Where nothing has run at all, nobody can tell whether a history is kept.
    let engine = booted.client();
    deploy(&engine, "never", None, model("never", false, 400)).await;
    let answer = check(&["--days", "0", "--json"]).json();
    assert_eq!(
        (&answer["history"], listed(&answer)),
        (&false.into(), vec!["never 1 latest perhaps".to_owned()])
    );

    deploy(&engine, "never", Some("tenant1"), model("never", false, 400)).await;
    // Two versions, of which the older was started last week and the newer last year; and the other way round.
    for (key, when) in [("older", ["week", "year"]), ("newer", ["year", "week"])] {
        for (number, when) in when.into_iter().enumerate() {
            deploy(
                &engine,
                key,
                None,
                model(key, false, 400 + u32::try_from(number).unwrap()),
            )
            .await;
            start(&engine, key, when).await;
        }
    }
    deploy(&engine, "waits", None, model("waits", true, 400)).await;
    start(&engine, "waits", "year").await;
    deploy(&engine, "forgets", None, model("forgets", false, 7)).await;
    start(&engine, "forgets", "year").await;
    let year = "interval '1 year'";
    postgres.execute(
        &database,
        &format!(
            "update act_re_deployment set deploy_time_ = deploy_time_ - {year};
             update act_hi_procinst set start_time_ = start_time_ - {year} where business_key_ = 'year';
             update act_hi_procinst set start_time_ = start_time_ - interval '1 week' where business_key_ = 'week';"
        ),
    );
    deploy(&engine, "fresh", None, model("fresh", false, 400)).await;

    let quarter = [
        "forgets 1 latest perhaps",
        "never 1 latest",
        "never 1 latest of tenant1",
        "newer 1",
        "older 2 latest",
    ];
    let answer = check(&["--json"]).json();
    assert_eq!(listed(&answer), quarter, "{answer}");
    assert_eq!(
        (&answer["days"], &answer["definitions"], &answer["younger"]),
        (&90.into(), &9.into(), &1.into())
    );
    let text = check(&[]).stdout;
    assert!(
        text.contains("5 of 9 process definitions") && text.contains("kept for 7 days"),
        "{text}"
    );

    // A shorter time takes in what was started last week and what was deployed today; what runs is never listed.
    let days = check(&["--days", "0", "--json"]).json();
    assert_eq!(days["unused"].as_array().unwrap().len(), 8, "{days}");
    assert!(!listed(&days).iter().any(|it| it.starts_with("waits")), "{days}");
    let years = check(&["--days", "1000", "--json"]).json();
    assert_eq!(
        (listed(&years), &years["younger"]),
        (Vec::new(), &9.into()),
        "{years}"
    );
}
