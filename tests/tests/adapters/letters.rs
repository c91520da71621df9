//! The model that Camunda Modeler makes of the templates for SQL and email, on the real engine.

use serde_json::json;
use tests::{LOGIN, MailServer, Postgres, skip, workspace};

use crate::world::Worker;

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_is_found_in_the_database_and_written_to() {
    let (mail, postgres) = match (MailServer::shared(), Postgres::shared()) {
        (Ok(mail), Ok(postgres)) => (mail, postgres),
        (Err(why), _) | (_, Err(why)) => return skip("the templates for SQL and email", why),
    };
    let database = postgres.database("customers");
    postgres.execute(
        &database,
        "CREATE TABLE customers (number int PRIMARY KEY, name text, address text); \
         INSERT INTO customers VALUES (7, 'Vera', 'vera@shop.example'); \
         CREATE ROLE reader LOGIN PASSWORD 'of-the-reader'; GRANT SELECT ON customers TO reader",
    );
    let worker = Worker::start(
        "letters",
        &["sql_query", "email_send"],
        &json!({"services": {
            "sql": {"default": {
                "url": format!("postgres://127.0.0.1:{}/customers", database.port),
                "username": "reader", "password": "of-the-reader", "tls": "none",
            }},
            "email": {"default": {
                "from": "orders@shop.example",
                "smtp": {
                    "host": "localhost", "port": mail.smtps, "tls": "tls", "ca_file": mail.ca_file(),
                    "username": LOGIN.0, "password": LOGIN.1,
                },
            }},
        }}),
    );
    let model = workspace().join("tests/modeler/templates/applied/letters.bpmn");
    worker.procos(&["deploy", model.to_str().unwrap()]).expect_code(0);
    let started = worker.procos(&[
        "start",
        "letters",
        "--var",
        "customer=7",
        "--wait",
        "60s",
        "--json",
    ]);
    let answer = started.expect_code(0).json();
    assert_eq!(answer["state"], "completed", "{answer}");
    let letter = mail.mail("vera", 1).await;
    assert!(letter[0].contains("Subject: Order for Vera"), "{letter:?}");
}
