//! SQL on the real engine and a real PostgreSQL.

use serde_json::json;
use tests::{Postgres, Process, skip};

use crate::world::{Worker, task};

#[tokio::test(flavor = "multi_thread")]
async fn a_row_is_written_once_and_read_by_the_next_task() {
    let server = match Postgres::shared() {
        Ok(server) => server,
        Err(why) => return skip("SQL on PostgreSQL", why),
    };
    let database = server.database("orders");
    server.execute(
        &database,
        "CREATE TABLE orders (number text PRIMARY KEY, amount numeric NOT NULL); CREATE ROLE clerk LOGIN PASSWORD \
         'of-the-clerk'; GRANT SELECT, INSERT ON orders TO clerk",
    );
    let process = Process::new("sql");
    let write = format!("{}-write", process.key);
    let connection = json!({
        "url": format!("postgres://127.0.0.1:{}/orders", database.port),
        "username": "clerk",
        "password": "secret:orders-password",
        "tls": "none",
        "write": true,
    });
    let secrets = tests::Scratch::new("secrets");
    std::fs::write(secrets.path().join("orders-password"), "of-the-clerk").unwrap();
    let worker = Worker::start(
        "sql",
        &[&process.key, &write],
        &json!({
            "routes": {&process.key: {"adapter": "sql"}, &write: {"adapter": "sql"}},
            "services": {"sql": {"default": connection}},
            "secrets": {"directories": [secrets.path()]},
        }),
    );
    let insert = task(
        &[
            ("sql", "INSERT INTO orders VALUES ($1, $2) ON CONFLICT DO NOTHING"),
            ("parameters", r#"["${order}", "118.20"]"#),
        ],
        &[],
    );
    let select = task(
        &[
            ("sql", "SELECT amount FROM orders WHERE number = $1"),
            ("parameters", r#"["${order}"]"#),
        ],
        &["row_count"],
    );
    process
        .deploy(&format!(
            r#"<process id="KEY" isExecutable="true" camunda:historyTimeToLive="P1D">
  <startEvent id="start"/><sequenceFlow id="f1" sourceRef="start" targetRef="write"/>
  <serviceTask id="write" camunda:type="external" camunda:topic="{write}">{insert}</serviceTask>
  <sequenceFlow id="f2" sourceRef="write" targetRef="read"/>
  <serviceTask id="read" camunda:type="external" camunda:topic="TOPIC">{select}</serviceTask>
  <sequenceFlow id="f3" sourceRef="read" targetRef="end"/><endEvent id="end"/>
</process>"#
        ))
        .await;
    let order = [("order".to_owned(), json!("A-1").into())];
    let instance = process.start_with(&order.into_iter().collect()).await;
    process.completed(&instance).await;
    assert_eq!(process.process_variables(&instance).await["row_count"], json!(1));
    let shown = worker.procos(&["config", "show", "--json"]).expect_code(0).stdout;
    let said = [
        shown,
        worker.process.stdout().join("\n"),
        worker.process.stderr().join("\n"),
    ]
    .concat();
    assert!(!said.contains("of-the-clerk"), "{said}");
}
