//! Everything else, on the java engine.

use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};
use tests::{Finished, Procos, Scratch, free_port, until, workspace};

use crate::journeys::{self, SUPPLIER};
use crate::world::{Kind, SOON, System};

#[test]
fn the_examples_run() {
    let system = System::shared();
    journeys::an_order_is_priced_and_confirmed(system);
    journeys::a_large_order_asks_for_a_deposit(system);
    journeys::a_boundary_error_event_takes_each_business_error(system);
}

#[test]
fn parallel_branches_bpmn_errors_and_incidents_run() {
    let system = System::shared();
    journeys::both_branches_of_a_parallel_gateway_run_and_join(system);
    journeys::an_incident_is_told_with_its_place_and_mended_by_retry(system);
}

#[test]
fn the_ready_line_says_where_the_engine_is_and_how_long_it_took() {
    let system = System::shared();
    assert!(
        system.ready["engine_url"]
            .as_str()
            .unwrap()
            .ends_with("/engine-rest"),
        "{}",
        system.ready
    );
    assert!(system.ready["boot_ms"].as_u64().unwrap() > 0);
}

#[test]
fn requests_by_message_are_handled_each_with_its_own_values() {
    let system = System::shared();
    for number in 0..5 {
        let key = format!("by-message-{number}");
        let request = format!(r#"request={{"process":"order-check","business_key":"{key}"}}"#);
        let order = format!(r#"order={{"item":"desk","amount":{}}}"#, number + 1);
        let call = system.procos(["message", "procos_request", "--var", &request, "--var", &order]);
        call.run().expect_code(0);
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let engine = system.client();
        for number in 0..5 {
            let key = format!("by-message-{number}");
            let expected = format!("Order {key}: {:.2} USD", f64::from(number + 1) * 1.17);
            until("the order is confirmed", SOON, async || {
                let records = engine
                    .instance_records(Some("order-check"), Some(false), 200)
                    .await
                    .unwrap();
                let record = records
                    .into_iter()
                    .find(|record| record.business_key.as_deref() == Some(&key));
                let record = record.ok_or("not there yet")?;
                let variables = engine.variable_records(&record.id).await.unwrap();
                let confirmation = variables
                    .into_iter()
                    .find(|variable| variable.name == "confirmation");
                assert_eq!(
                    confirmation.map(|found| found.value.to_json()),
                    Some(json!(expected))
                );
                Ok::<_, &str>(())
            })
            .await;
        }
    });
}

#[test]
fn an_instance_can_be_cancelled_and_a_message_without_a_taker_is_a_no() {
    let system = System::shared();
    let without = SUPPLIER.replace(r#","contact":{"name":"Ann Lee"}"#, "");
    let stuck = system.start_and_wait(&["supplier-onboarding", "--var", &format!("supplier={without}")]);
    let instance = stuck["instance_id"].as_str().unwrap();
    system.procos(["cancel", instance]).run().expect_code(0);
    let shown = system
        .procos(["show", instance, "--json"])
        .run()
        .expect_code(0)
        .stdout;
    assert!(shown.to_lowercase().contains("terminated"), "{shown}");
    let nobody = system
        .procos(["message", "nobody_waits_for_this"])
        .run()
        .expect_code(1);
    assert!(
        nobody.stderr.contains("nobody_waits_for_this"),
        "{}",
        nobody.stderr
    );
    system
        .procos(["signal", "nobody_waits_for_this"])
        .run()
        .expect_code(0);
    system.procos(["cancel", "00000000-none"]).run().expect_code(1);
}

#[test]
fn deploying_the_same_again_makes_nothing_new() {
    let system = System::shared();
    let examples = workspace().join("processes/examples");
    let deploy = || -> Finished {
        system
            .procos(["deploy", "--json"])
            .args([&examples])
            .run()
            .expect_code(0)
    };
    let versions = |answer: &Value| -> Vec<Value> {
        let definitions = answer["definitions"].as_array().unwrap();
        definitions
            .iter()
            .map(|definition| json!([definition["key"], definition["version"]]))
            .collect()
    };
    let (first, second) = (deploy().json(), deploy().json());
    assert_eq!(versions(&first), versions(&second));
    assert_eq!(versions(&second).len(), 3, "{second}");
}

#[test]
fn health_is_open_and_everything_else_needs_the_login() {
    let system = System::shared();
    assert_eq!(system.ask("/health/live", None).0, 200);
    let (status, body) = system.ask("/health/ready", None);
    assert_eq!(status, 200, "{body}");
    assert_eq!(system.ask("/metrics", None).0, 401);
    assert_eq!(system.ask("/metrics", Some("wrong")).0, 401);
    assert_eq!(system.ask("/examples/exchange-rates/USD", None).0, 401);
    let password = system.secret("http-password");
    system.start_and_wait(&["order-check", "--var", r#"order={"item":"desk","amount":1}"#]);
    let (status, metrics) = system.ask("/metrics", Some(&password));
    assert_eq!(status, 200);
    for name in [
        "procos_external_task_duration_seconds",
        "procos_engine_up 1",
        "procos_active_workers",
    ] {
        assert!(metrics.contains(name), "{name} in {metrics}");
    }
    let status = system.procos(["status", "--json"]).run().expect_code(0).json();
    assert!(!status.to_string().contains(&password), "no secret in an answer");
}

#[test]
fn secrets_are_the_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let system = System::shared();
    let directory = system.scratch.path().join("data/secrets");
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&directory), 0o700);
    let names: Vec<_> = std::fs::read_dir(&directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    assert!(names.len() >= 4, "{names:?}");
    assert!(names.iter().all(|path| mode(path) == 0o600), "{names:?}");
    let command_lines = std::fs::read_dir("/proc").unwrap().filter_map(|entry| {
        let path = entry.ok()?.path();
        let mut seen = std::fs::read(path.join("cmdline")).ok()?;
        seen.extend(std::fs::read(path.join("environ")).unwrap_or_default());
        Some(String::from_utf8_lossy(&seen).into_owned())
    });
    let secrets: Vec<String> = names
        .iter()
        .map(|path| std::fs::read_to_string(path).unwrap())
        .collect();
    for seen in command_lines {
        assert!(
            secrets.iter().all(|secret| !seen.contains(secret.trim())),
            "a password in {seen}"
        );
    }
}

#[test]
fn only_the_kernel_may_deploy_and_the_worker_sees_tasks_alone() {
    let system = System::shared();
    let rest = system.ready["engine_url"].as_str().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let worker = engine_client::Login::Basic {
            username: "worker".to_owned(),
            password: system.secret("engine-worker-password").into(),
        };
        let worker = engine_client::EngineClient::new(rest.parse().unwrap(), worker).unwrap();
        let none = engine_client::Variables::new();
        let started = worker
            .start_instance("order-check", None, None, &none)
            .await
            .unwrap_err();
        assert!(started.is_forbidden(), "{started}");
        let nobody =
            engine_client::EngineClient::new(rest.parse().unwrap(), engine_client::Login::None).unwrap();
        assert!(nobody.version().await.unwrap_err().is_unauthorized());
    });
}

#[test]
fn a_restart_keeps_the_one_root_and_an_orderly_stop_leaves_nothing() {
    let mut system = System::boot("restart", Kind::Java);
    let roots = |system: &System| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let query = engine_client::InstanceQuery {
                process_definition_key: Some("root_orchestrator"),
                ..engine_client::InstanceQuery::default()
            };
            let instances = system.client().instances(&query).await.unwrap();
            instances
                .into_iter()
                .map(|instance| instance.id)
                .collect::<Vec<_>>()
        })
    };
    let before = roots(&system);
    assert_eq!(before.len(), 1);

    let second = system
        .procos(["up"])
        .env("PROCOS_HTTP__LISTEN", "127.0.0.1:0")
        .run()
        .expect_code(3);
    assert!(
        second.stderr.contains("data"),
        "a second one on the same data is refused: {}",
        second.stderr
    );

    let family = system.up.family();
    system.up.signal(Signal::INT);
    assert_eq!(system.up.wait_for_end(Duration::from_secs(60)).code(), Some(0));
    assert_eq!(family.alive(), Vec::<String>::new(), "no process is left");
    system.procos(["ps"]).run().expect_code(3);

    let (up, ready) = System::start(&system.scratch);
    (system.up, system.ready) = (up, ready);
    assert_eq!(roots(&system), before);

    // Killed, it takes its engine with it, and the next start finds the same root again.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(system.up.kill9().wait_gone(Duration::from_secs(30)));
    let (up, ready) = System::start(&system.scratch);
    (system.up, system.ready) = (up, ready);
    assert_eq!(roots(&system), before);
}

#[test]
fn an_attached_engine_is_used_and_left_alone() {
    let system = System::shared();
    let scratch = Scratch::new("attached");
    let configuration = format!(
        "engine: {{kind: attached, url: {}, auth: {{basic: {{username: kernel, password: \"secret:the-engine\"}}}}}}\n\
         http: {{listen: \"127.0.0.1:{}\"}}\n",
        system.ready["engine_url"],
        free_port(),
    );
    std::fs::write(scratch.path().join("procos.yml"), configuration).unwrap();
    let password = system.secret("engine-kernel-password");
    let procos = || Procos::new(scratch.path()).env("PROCOS_SECRET_THE_ENGINE", &password);
    let up = procos().args(["up", "--json"]).spawn();
    up.wait_for_line("\"phase\":\"ready\"", SOON);
    let order = r#"order={"item":"desk","amount":1}"#;
    let start = ["start", "order-check", "--var", order, "--wait", "60s", "--json"];
    let answer = procos().args(start).run().expect_code(0).json();
    assert_eq!(answer["state"], "completed", "{answer}");
    assert_eq!(
        up.family().with_command("procos-engine.jar"),
        Vec::<u32>::new(),
        "no engine of its own"
    );
    up.signal(Signal::TERM);
    assert_eq!(up.wait_for_end(SOON).code(), Some(0));
    system.procos(["ps"]).run().expect_code(0);

    let refused = Procos::new(scratch.path())
        .env("PROCOS_SECRET_THE_ENGINE", "wrong")
        .args(["ps"])
        .run();
    let refused = refused.expect_code(2);
    assert!(refused.stderr.contains("engine.auth"), "{}", refused.stderr);
}
