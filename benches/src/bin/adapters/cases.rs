//! What is measured: tasks of each adapter, and the bare library's work beside it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use adapter_catalog::{Catalogue, ScriptSettings};
use anyhow::{Context, anyhow, bail};
use futures::FutureExt;
use futures::future::BoxFuture;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Connection, ConnectionProperties};
use secrets::SecretStore;
use serde_json::{Value as Json, json};
use tests::{LOGIN, MailServer, Postgres, RabbitMq};
use worker_api::{Router, Task, TaskContext};

use crate::served;

/// One task, or what the bare library does in its place.
pub(crate) type Work = Box<dyn Fn() -> BoxFuture<'static, anyhow::Result<()>>>;

/// Something to measure.
pub(crate) struct Case {
    pub(crate) name: String,
    /// By how much fewer tasks are run of it.
    pub(crate) slower: u32,
    pub(crate) work: Work,
    pub(crate) peer: Option<(&'static str, Work)>,
}

/// The services, for as long as they are measured.
struct Services {
    settings: serde_json::Map<String, Json>,
    url: String,
    rabbit: Option<&'static RabbitMq>,
    postgres: bool,
    mail: bool,
    folder: &'static std::path::Path,
}

/// All of them, or those of these names.
pub(crate) async fn all(only: &[String]) -> anyhow::Result<Vec<Case>> {
    let wanted = |name: &str| only.is_empty() || only.iter().any(|one| one == name);
    // Every program that uses rustls has to say which.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let services = services(&wanted)?;
    let catalogue = Catalogue::build(
        &services.settings,
        &BTreeMap::new(),
        &SecretStore::default(),
        ScriptSettings::new(services.folder),
    )?;
    let catalogue = Arc::new(catalogue);
    let mut cases = Vec::new();
    for (name, slower, inputs) in inputs(&services) {
        if !wanted(name) {
            continue;
        }
        let topic = name.split(' ').next().unwrap_or(name);
        cases.push(Case {
            name: name.to_owned(),
            slower,
            work: task(&catalogue, topic, inputs),
            peer: peer(name, &services).await?,
        });
    }
    Ok(cases)
}

/// What each task is given. The name is its topic's, with what there is of it in several ways.
fn inputs(services: &Services) -> Vec<(&'static str, u32, Json)> {
    let order = json!({"id": 7, "lines": [{"item": "desk", "price": 101.5, "amount": 2}, {"item": "lamp", "price": 7, "amount": 1}]});
    let schema = json!({"type": "object", "required": ["id"], "properties": {"id": {"type": "integer"}, "lines": {"type": "array"}}});
    let statement = json!({"sql": "SELECT $1 AS answer", "parameters": [7]});
    let mut all = vec![
        ("http_request", 1, json!({"url": "/", "connection": "bench"})),
        (
            "ai_query",
            2,
            json!({"provider": "bench", "model": "m", "prompt": "Say hello"}),
        ),
        ("slack_message", 2, json!({"channel": "C01", "message": "Hello"})),
        ("sql_query SQLite", 1, statement.clone()),
        ("file_read", 1, json!({"folder": "bench", "path": "order.json"})),
        (
            "file_write",
            2,
            json!({"folder": "bench", "path": "written.json", "content": order, "overwrite": true}),
        ),
        ("input_validation", 1, json!({"value": order, "schema": schema})),
        (
            "response_formatting",
            1,
            json!({"value": order, "template": "Order {{ id }}: {{ lines|length }} lines"}),
        ),
        (
            "csv_parse",
            1,
            json!({"csv": "item,price\ndesk,101.5\nlamp,7\n", "numbers": true}),
        ),
        (
            "json_transform",
            10,
            json!({"value": order, "filter": ".lines | map(.price * .amount) | add"}),
        ),
        (
            "date_calculate",
            1,
            json!({"date": "2026-11-27", "business_days": 10}),
        ),
    ];
    if services.postgres {
        let mut statement = statement;
        statement["connection"] = "postgres".into();
        statement["sql"] = "SELECT $1::int AS answer".into();
        all.push(("sql_query PostgreSQL", 1, statement));
    }
    if services.rabbit.is_some() {
        all.push((
            "message_publish",
            1,
            json!({"routing_key": "bench", "payload": order}),
        ));
    }
    if services.mail {
        all.push((
            "email_send",
            50,
            json!({"to": "ada@shop.example", "subject": "Hello", "body": "Hello"}),
        ));
    }
    all
}

fn services(wanted: &dyn Fn(&str) -> bool) -> anyhow::Result<Services> {
    let url = served::start()?;
    // They live as long as the process.
    let folder: &'static std::path::Path = Box::leak(tempfile::tempdir()?.keep().into_boxed_path());
    std::fs::write(folder.join("order.json"), r#"{"item": "desk", "amount": 2}"#)?;
    // An empty file is an empty database.
    std::fs::write(folder.join("bench.db"), "")?;
    let mut sql = json!({"default": {"url": format!("sqlite:{}", folder.join("bench.db").display())}});
    let mut settings = json!({
        "http": {"bench": {"base_url": url, "allow": ["127.0.0.1"]}},
        "ai": {"bench": {"api": "openai_chat", "base_url": format!("{url}/v1"), "api_key": "k"}},
        "slack": {"default": {"base_url": format!("{url}/api"), "token": "xoxb-bench"}},
        "file": {"bench": {"path": folder, "write": true}},
    });
    let postgres = wanted("sql_query PostgreSQL") && told("PostgreSQL", Postgres::shared()).is_some();
    if postgres {
        let database = Postgres::shared().map_err(|why| anyhow!(why))?.database("bench");
        sql["postgres"] = json!({
            "url": format!("postgres://127.0.0.1:{}/{}", database.port, database.name), "tls": "none", "superuser": true,
            "username": database.username, "password": database.password,
        });
    }
    settings["sql"] = sql;
    let mut rabbit = None;
    if wanted("message_publish") {
        rabbit = told("RabbitMQ", RabbitMq::start()).map(|rabbit| &*Box::leak(Box::new(rabbit)));
    }
    if let Some(rabbit) = rabbit {
        settings["broker"] = json!({"default": {"url": format!("amqp://127.0.0.1:{}", rabbit.port())}});
    }
    let mail = wanted("email_send")
        .then(|| told("the mail server", MailServer::shared()))
        .flatten();
    if let Some(mail) = mail {
        settings["email"] = json!({"default": {"from": "clerk@shop.example", "smtp": {
            "host": "localhost", "port": mail.smtp, "ca_file": mail.ca_file(),
            "username": LOGIN.0, "password": LOGIN.1,
        }}});
    }
    let Json::Object(settings) = settings else {
        bail!("sections")
    };
    Ok(Services {
        settings,
        url,
        rabbit,
        postgres,
        mail: mail.is_some(),
        folder,
    })
}

/// Says what is not there and so not measured.
fn told<T>(what: &str, there: Result<T, &'static str>) -> Option<T> {
    there.map_err(|why| eprintln!("not measured: {what}: {why}")).ok()
}

/// One task, from its variables to its answer.
fn task(catalogue: &Arc<Catalogue>, topic: &str, inputs: Json) -> Work {
    let (catalogue, topic) = (Arc::clone(catalogue), topic.to_owned());
    Box::new(move || {
        let (catalogue, topic) = (Arc::clone(&catalogue), topic.clone());
        let variables = inputs.as_object().into_iter().flatten();
        let variables = variables.map(|(name, value)| (name.clone(), value.clone().into()));
        let variables = variables.collect();
        async move {
            let route = catalogue.route(&topic).context("no such topic")?;
            let task = Task {
                id: "bench".to_owned(),
                topic,
                ..Task::default()
            };
            let context = TaskContext::new(task, Duration::from_secs(60)).with_variables(variables);
            match route.adapter.execute(context).await {
                Ok(_) => Ok(()),
                Err(error) => bail!("{error:?}"),
            }
        }
        .boxed()
    })
}

/// What the bare library does.
async fn peer(name: &str, services: &Services) -> anyhow::Result<Option<(&'static str, Work)>> {
    let client = || reqwest::Client::builder().no_proxy().tls_certs_only([]).build();
    let posting = |path: &str, body: Json| -> anyhow::Result<Work> {
        let (client, url) = (client()?, format!("{}{path}", services.url));
        Ok(Box::new(move || {
            let (client, url, body) = (client.clone(), url.clone(), body.to_string());
            async move {
                client
                    .post(url)
                    .body(body)
                    .send()
                    .await?
                    .error_for_status()?
                    .bytes()
                    .await?;
                Ok(())
            }
            .boxed()
        }))
    };
    let path = services.folder.join(if name == "file_read" {
        "order.json"
    } else {
        "bare.json"
    });
    Ok(Some(match name {
        "http_request" => {
            let (client, url) = (client()?, services.url.clone());
            let work: Work = Box::new(move || {
                let (client, url) = (client.clone(), url.clone());
                async move {
                    client.get(url).send().await?.json::<Json>().await?;
                    Ok(())
                }
                .boxed()
            });
            ("reqwest", work)
        }
        "ai_query" => {
            let body =
                json!({"model": "m", "stream": true, "messages": [{"role": "user", "content": "Say hello"}]});
            ("reqwest", posting("/v1/chat/completions", body)?)
        }
        "slack_message" => (
            "reqwest",
            posting(
                "/api/chat.postMessage",
                json!({"channel": "C01", "text": "Hello"}),
            )?,
        ),
        "file_read" => {
            let work: Work = Box::new(move || {
                let path = path.clone();
                async move {
                    tokio::fs::read(path).await?;
                    Ok(())
                }
                .boxed()
            });
            ("tokio::fs", work)
        }
        "message_publish" => ("lapin", publishing(services).await?),
        _ => return Ok(None),
    }))
}

/// Publishes on one channel and waits for the broker's confirmation.
async fn publishing(services: &Services) -> anyhow::Result<Work> {
    let port = services.rabbit.context("no broker")?.port();
    let url = format!("amqp://127.0.0.1:{port}/%2f");
    let connection = Connection::connect(&url, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    channel
        .queue_declare(
            "bench".into(),
            QueueDeclareOptions::durable(),
            FieldTable::default(),
        )
        .await?;
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    // Open until the process ends.
    let connection = Arc::new(connection);
    Ok(Box::new(move || {
        let (channel, _open) = (channel.clone(), Arc::clone(&connection));
        async move {
            let mandatory = BasicPublishOptions {
                mandatory: true,
                ..BasicPublishOptions::default()
            };
            let body = br#"{"id":7,"lines":[{"item":"desk","price":101.5,"amount":2},{"item":"lamp","price":7,"amount":1}]}"#;
            let persistent = BasicProperties::default().with_delivery_mode(2);
            let published = channel.basic_publish("".into(), "bench".into(), mandatory, body, persistent);
            anyhow::ensure!(published.await?.await?.is_ack(), "it is not confirmed");
            Ok(())
        }
        .boxed()
    }))
}
