//! Statements on real databases: PostgreSQL of the system's packages, and SQLite.

mod limits;
mod postgres;
mod receipts;
mod safety;
mod settings;
mod sqlite;

use std::time::Duration;

use secrets::SecretStore;
use serde_json::{Value as Json, json};
use tests::{Database, Postgres};
use worker_api::{Adapter, Answer, Failure, Task, TaskContext, TaskError};

use crate::SqlAdapter;

/// A task's inputs.
fn context(sql: &str, more: Json) -> TaskContext {
    let task = Task {
        id: "task-1".into(),
        activity_id: "ask".into(),
        topic: "sql_query".into(),
        ..Task::default()
    };
    let mut inputs = more.as_object().unwrap().clone();
    inputs.insert("sql".into(), sql.into());
    let variables = inputs.into_iter().map(|(name, value)| (name, value.into()));
    TaskContext::new(task, Duration::from_secs(60)).with_variables(variables.collect())
}

fn adapter(settings: Json) -> SqlAdapter {
    let settings = serde_json::from_value(json!({"default": settings})).unwrap();
    SqlAdapter::new(settings, SecretStore::default()).unwrap()
}

async fn ask(adapter: &SqlAdapter, sql: &str, parameters: Json) -> Result<Answer, TaskError> {
    adapter
        .execute(context(sql, json!({"parameters": parameters})))
        .await
}

/// The rows of an answer.
async fn rows(adapter: &SqlAdapter, sql: &str, parameters: Json) -> Json {
    let answer = ask(adapter, sql, parameters).await.unwrap();
    answer.fields()["rows"].to_json()
}

fn failure(outcome: Result<Answer, TaskError>) -> Failure {
    match outcome {
        Err(TaskError::Failure(failure)) => failure,
        other => panic!("no failure: {other:?}"),
    }
}

fn code(outcome: Result<Answer, TaskError>) -> String {
    match outcome {
        Err(TaskError::Bpmn(error)) => error.code,
        other => panic!("no BPMN error: {other:?}"),
    }
}

/// A database of a test's own with tables made by a superuser, and the settings of a login that may use them.
fn database(name: &str, tables: &str) -> (Database, Json) {
    let server = Postgres::shared().unwrap();
    let database = server.database(name);
    server.execute(
        &database,
        &format!(
            "CREATE ROLE {name} LOGIN PASSWORD 'of-the-task'; {tables}; \
             GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {name}"
        ),
    );
    let settings = json!({
        "url": format!("postgres://127.0.0.1:{}/{name}", database.port),
        "username": name,
        "password": "of-the-task",
        "tls": "none",
    });
    (database, settings)
}

/// The same settings with others over them.
fn with(settings: &Json, more: Json) -> Json {
    let mut settings = settings.as_object().unwrap().clone();
    settings.extend(more.as_object().unwrap().clone());
    settings.into()
}
