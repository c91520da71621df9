//! Kill -9, of the engine and of `procos` itself, while 200 tasks run: nothing is lost, and no task runs twice at a
//! time. On H2 and on PostgreSQL.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "test code"
)]

use std::collections::BTreeSet;
use std::time::Duration;

use engine_client::{
    DeploymentRequest, EngineClient, InstanceQuery, InstanceState, Login, Resource, Variables,
};
use futures::{StreamExt, TryStreamExt};
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rustix::process::{Pid, Signal, kill_process};
use tests::{Database, JAVA_FLAGS, Postgres, Procos, Receiver, Running, Scratch, free_port, skip, until};

const TASKS: usize = 200;
const KEY: &str = "two-hundred";
const BOOT: Duration = Duration::from_secs(180);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_or_run_twice_at_a_time_on_h2() {
    survive(None, 20_260_301).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_or_run_twice_at_a_time_on_postgresql() {
    match Postgres::shared() {
        Ok(postgres) => survive(Some(&postgres.database("faults")), 20_260_302).await,
        Err(why) => skip("nothing_is_lost_or_run_twice_at_a_time_on_postgresql", why),
    }
}

#[derive(Clone, Copy, Debug)]
enum Victim {
    Engine,
    Procos,
}

async fn survive(database: Option<&Database>, seed: u64) {
    let world = World::new(database);
    let mut up = world.up();
    let engine = world.client();
    world.deploy(&engine).await;
    let ids: BTreeSet<String> = (0..TASKS).map(|number| format!("task-{number:03}")).collect();
    let none = Variables::new();
    futures::stream::iter(&ids)
        .map(|id| engine.start_instance(KEY, None, Some(id), &none))
        .buffer_unordered(4)
        .try_collect::<Vec<_>>()
        .await
        .expect("every instance starts");

    for (answered, victim) in moments(seed) {
        world.answered(answered).await;
        let family = up.family();
        match victim {
            Victim::Procos => {
                up.kill9().wait_gone(Duration::from_secs(30)).await;
                up = world.up();
            }
            Victim::Engine => {
                let [jvm] = family.with_command("procos-engine.jar")[..] else {
                    panic!("one engine runs: {:?}", family.alive())
                };
                let pid = Pid::from_raw(jvm.cast_signed()).expect("a process id");
                kill_process(pid, Signal::KILL).expect("the engine can be killed");
                until("a new engine answers", BOOT, async || {
                    let restarted = up
                        .family()
                        .with_command("procos-engine.jar")
                        .iter()
                        .any(|id| *id != jvm);
                    if restarted {
                        engine.version().await.map_err(|error| error.to_string())
                    } else {
                        Err("none yet".into())
                    }
                })
                .await;
            }
        }
    }

    world.answered(TASKS).await;
    until("all instances are over", Duration::from_secs(120), async || {
        let query = InstanceQuery {
            process_definition_key: Some(KEY),
            ..InstanceQuery::default()
        };
        match engine.instances(&query).await {
            Ok(running) if running.is_empty() => Ok(()),
            Ok(running) => Err(format!("{} run", running.len())),
            Err(error) => Err(error.to_string()),
        }
    })
    .await;

    assert_eq!(world.receiver.answered(), ids, "every task has run");
    assert_eq!(
        world.receiver.overlapping(),
        BTreeSet::new(),
        "no two runs of one task at a time"
    );
    let records = engine
        .instance_records(Some(KEY), None, TASKS * 2)
        .await
        .expect("the history");
    assert_eq!(records.len(), TASKS);
    assert!(
        records
            .iter()
            .all(|record| record.state == InstanceState::Completed)
    );

    let family = up.family();
    up.signal(Signal::TERM);
    assert_eq!(up.wait_for_end(Duration::from_secs(60)).code(), Some(0));
    family.wait_gone(Duration::from_secs(10)).await;
}

/// Five moments, each when so many tasks have been answered, and whom to kill then: both kinds, in a drawn order.
fn moments(seed: u64) -> Vec<(usize, Victim)> {
    let mut drawn = StdRng::seed_from_u64(seed);
    let mut victims = [
        Victim::Engine,
        Victim::Procos,
        Victim::Engine,
        Victim::Procos,
        Victim::Engine,
    ];
    victims.shuffle(&mut drawn);
    let moment = |number: usize| number * 35 + drawn.random_range(1..30);
    let moments: Vec<(usize, Victim)> = (0..5).map(moment).zip(victims).collect();
    eprintln!("seed {seed}: {moments:?}");
    moments
}

struct World {
    scratch: Scratch,
    receiver: Receiver,
    engine_url: String,
}

impl World {
    fn new(database: Option<&Database>) -> Self {
        let scratch = Scratch::new("faults");
        let receiver = Receiver::start();
        let engine_url = format!("http://127.0.0.1:{}/engine-rest", free_port());
        let database = database.map_or_else(String::new, |database| {
            format!(
                ", database: {{url: \"{}\", username: {}, password: {}}}",
                database.jdbc_url(),
                database.username,
                database.password
            )
        });
        let configuration = format!(
            "engine: {{url: \"{engine_url}\", java_flags: {JAVA_FLAGS:?}{database}}}\n\
             http: {{listen: 127.0.0.1:{http}}}\nmicrokernel: {{bootstrap_timeout: 180s}}\n\
             workers: {{pools: [{{name: generic, capacity: 16, topics: [\"*\"]}}]}}\n\
             services: {{http: {{default: {{allow: [\"{receiver}\"]}}}}}}\n",
            http = free_port(),
            receiver = receiver.address().trim_start_matches("http://"),
        );
        std::fs::write(scratch.path().join("procos.yml"), configuration).expect("the configuration");
        Self {
            scratch,
            receiver,
            engine_url,
        }
    }

    fn up(&self) -> Running {
        let up = Procos::new(self.scratch.path()).args(["up", "--json"]).spawn();
        up.wait_for_line("\"ready\"", BOOT);
        up
    }

    fn client(&self) -> EngineClient {
        let password =
            std::fs::read_to_string(self.scratch.path().join("data/secrets/engine-kernel-password"));
        let login = Login::Basic {
            username: "kernel".to_owned(),
            password: password.expect("written at the first boot").trim().into(),
        };
        EngineClient::new(self.engine_url.parse().expect("an address"), login).expect("a client")
    }

    async fn deploy(&self, engine: &EngineClient) {
        let xml = format!(
            r#"<?xml version="1.0" encoding="UTF-8"?>
<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL" xmlns:camunda="http://camunda.org/schema/1.0/bpmn"
  targetNamespace="urn:test"><process id="{KEY}" isExecutable="true" camunda:historyTimeToLive="P1D">
  <startEvent id="start"/><sequenceFlow id="a" sourceRef="start" targetRef="call"/>
  <serviceTask id="call" camunda:type="external" camunda:topic="http_request"><extensionElements><camunda:inputOutput>
    <camunda:inputParameter name="url">{}/run/${{execution.processBusinessKey}}/300</camunda:inputParameter>
  </camunda:inputOutput></extensionElements></serviceTask>
  <sequenceFlow id="b" sourceRef="call" targetRef="end"/><endEvent id="end"/></process></definitions>"#,
            self.receiver.address()
        );
        let resource = Resource {
            name: "two-hundred.bpmn".to_owned(),
            content: xml.into(),
        };
        let request = DeploymentRequest {
            name: KEY,
            source: "test",
            tenant_id: None,
            changed_only: true,
            resources: vec![resource],
        };
        engine.deploy(&request).await.expect("it deploys");
    }

    async fn answered(&self, count: usize) {
        until("so many tasks are answered", BOOT, async || {
            match self.receiver.answered().len() {
                answered if answered >= count => Ok(()),
                answered => Err(format!("{answered} of {count}")),
            }
        })
        .await;
    }
}
