//! The harness's own pieces do what the other tests rely on.
#![allow(clippy::unwrap_used, reason = "test code")]

use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use tests::{
    Database, Engine, EngineSetup, MailServer, Postgres, RabbitMq, Receiver, Running, Scratch, skip, until,
};

const SOON: Duration = Duration::from_secs(20);

async fn get(url: String) -> reqwest::Result<String> {
    let client = reqwest::Client::builder().no_proxy().tls_certs_only([]).build()?;
    client.get(url).send().await?.text().await
}

fn install_tls() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}

#[tokio::test]
async fn a_receiver_tells_runs_in_turn_from_runs_at_once() {
    install_tls();
    let receiver = Receiver::start();
    for _ in 0..2 {
        get(format!("{}/run/in-turn", receiver.address())).await.unwrap();
    }
    let (one, other) = tokio::join!(
        get(format!("{}/run/at-once/300", receiver.address())),
        get(format!("{}/run/at-once/300", receiver.address())),
    );
    one.unwrap();
    other.unwrap();

    let ids: Vec<String> = receiver.runs().into_iter().map(|run| run.id).collect();
    assert_eq!(ids, ["in-turn", "in-turn", "at-once", "at-once"]);
    assert_eq!(Vec::from_iter(receiver.overlapping()), ["at-once"]);
    assert_eq!(Vec::from_iter(receiver.answered()), ["at-once", "in-turn"]);
}

#[tokio::test]
async fn a_dropped_connection_ends_its_run_unanswered() {
    install_tls();
    let receiver = Receiver::start();
    let caller = tokio::spawn(get(format!("{}/run/cut/600000", receiver.address())));
    until("the request arrives", SOON, async || {
        receiver.runs().pop().ok_or("none yet")
    })
    .await;
    assert_eq!(receiver.runs()[0].ended, None);

    caller.abort();
    let run = until("its end is noted", SOON, async || {
        receiver
            .runs()
            .pop()
            .filter(|run| run.ended.is_some())
            .ok_or("still held")
    })
    .await;
    assert!(!run.answered);

    get(format!("{}/run/cut", receiver.address())).await.unwrap();
    assert!(receiver.overlapping().is_empty());
}

#[tokio::test]
async fn what_a_killed_parent_leaves_is_found_and_ended() {
    let shell = Running::start(
        "a shell",
        Command::new("sh").args(["-c", "sleep 600 & echo started; wait"]),
    );
    shell.wait_for_line("started", SOON);
    let family = shell.kill9();
    assert_eq!(family.len(), 2, "{family:?}");

    // The sleep holds the pipes open, so only the shell itself has ended.
    until("the shell has ended", SOON, async || shell.status().ok_or("no")).await;
    let orphans = shell.family();
    assert_eq!(orphans.alive().len(), 1, "{orphans:?}");

    drop(shell);
    family.wait_gone(SOON).await;
}

#[test]
#[should_panic(expected = "waited for a line with \"never\"")]
fn a_line_that_cannot_come_any_more_is_not_waited_for() {
    let echo = Running::start("echo", Command::new("echo").arg("once"));
    echo.wait_for_line("never", Duration::from_secs(600));
}

#[tokio::test]
#[should_panic(expected = "in vain until the moon is blue: it is white")]
async fn a_condition_that_never_holds_says_what_was_missing() {
    until("the moon is blue", Duration::from_millis(100), async || {
        Err::<(), _>("it is white")
    })
    .await;
}

#[tokio::test]
async fn the_shared_engine_is_one_engine() {
    let engine = Engine::shared();
    assert_eq!(engine.address(), Engine::shared().address());
    assert_eq!(engine.client().version().await.unwrap(), "7.24.0");
}

#[tokio::test]
async fn an_engine_on_postgresql_keeps_its_tables_there_and_ends_with_its_value() {
    let server = match Postgres::shared() {
        Ok(server) => server,
        Err(why) => {
            return skip(
                "an_engine_on_postgresql_keeps_its_tables_there_and_ends_with_its_value",
                why,
            );
        }
    };
    let database = server.database("harness");
    let scratch = Scratch::new("postgres");
    let setup = EngineSetup {
        database: Some(&database),
        ..EngineSetup::default()
    };
    let engine = Engine::boot(scratch.path(), &setup);
    assert_eq!(engine.client().version().await.unwrap(), "7.24.0");
    assert_eq!(query(&database, "select count(*) from act_id_user"), "3");

    let family = engine.process().family();
    assert_eq!(family.with_command("procos-engine.jar").len(), 1);
    drop(engine);
    family.wait_gone(SOON).await;
}

#[tokio::test]
async fn a_postgresql_server_ends_with_its_lifeline_and_leaves_nothing() {
    let mut server = match Postgres::start() {
        Ok(server) => server,
        Err(why) => {
            return skip(
                "a_postgresql_server_ends_with_its_lifeline_and_leaves_nothing",
                why,
            );
        }
    };
    let family = server.process().family();
    let data = server.folder().to_owned();
    assert!(data.join("data/PG_VERSION").is_file());

    // As it happens when the test process is killed.
    server.cut_lifeline();
    family.wait_gone(SOON).await;
    assert!(!data.exists());
}

#[tokio::test]
async fn a_rabbitmq_broker_keeps_its_data_over_a_kill_and_ends_with_its_lifeline() {
    let mut broker = match RabbitMq::start() {
        Ok(broker) => broker,
        Err(why) => {
            return skip(
                "a_rabbitmq_broker_keeps_its_data_over_a_kill_and_ends_with_its_lifeline",
                why,
            );
        }
    };
    let port = broker.port();
    let cluster = "Initialising internal cluster ID";
    let has_said = |broker: &RabbitMq, part: &str| {
        let lines = broker.process().stdout();
        lines.iter().any(|line| line.contains(part))
    };
    assert!(has_said(&broker, cluster));
    broker.kill9().wait_gone(SOON).await;

    // On the data of before it is no new broker.
    broker.restart();
    assert!(!has_said(&broker, cluster));
    assert!(TcpStream::connect(("127.0.0.1", port)).is_ok());

    let family = broker.process().family();
    assert_eq!(family.with_command("beam.smp").len(), 1);
    let folder = broker.folder().to_owned();
    broker.cut_lifeline();
    family.wait_gone(SOON).await;
    assert!(!folder.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_server_ends_with_its_lifeline() {
    let mut server = match MailServer::start() {
        Ok(server) => server,
        Err(why) => return skip("a_mail_server_ends_with_its_lifeline", why),
    };
    let family = server.process().family();
    assert!(!family.with_command("master").is_empty(), "{family:?}");
    assert!(!family.with_command("dovecot").is_empty(), "{family:?}");
    let folder = server.folder().to_owned();
    server.cut_lifeline();
    family.wait_gone(SOON).await;
    assert!(!folder.exists());
}

/// The first value of `sql`'s answer.
fn query(database: &Database, sql: &str) -> String {
    let answer = Command::new("psql")
        .args([
            "-h",
            "127.0.0.1",
            "-p",
            &database.port.to_string(),
            "-U",
            &database.username,
            "-tAc",
            sql,
        ])
        .arg(&database.name)
        .env("PGPASSWORD", &database.password)
        .output()
        .unwrap();
    assert!(answer.status.success(), "{answer:?}");
    String::from_utf8(answer.stdout).unwrap().trim().to_owned()
}
