//! The adapter itself: its connections, and one task from end to end.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use secrets::SecretStore;
use sqlx::sqlite::SqlitePool;
use worker_api::{
    Adapter, AdapterDescription, Answer, Connections, Effect, Failure, Outcome, SettingsError, TaskContext,
    TopicDescription, Value, async_trait,
};

use crate::gather::Limits;
use crate::inputs::{Answered, Inputs, Kind};
use crate::job::Job;
use crate::problem::{CONFLICT, CONSTRAINT, Problem, TOO_LARGE};
use crate::receipt::Receipt;
use crate::settings::{ConnectionSettings, Target};
use crate::statement::{Does, examine};
use crate::{postgres, sqlite};

/// The adapter's name in routes and under `services`.
pub const NAME: &str = "sql";

const QUERY: &str = "sql_query";

/// The adapter of the topic `sql_query`.
#[derive(Debug)]
pub struct SqlAdapter {
    connections: Connections<Connection>,
    secrets: SecretStore,
}

#[derive(Debug)]
struct Connection {
    settings: ConnectionSettings,
    target: Target,
    /// Made when a task first needs it, as the login is read then; made anew where the login was refused.
    open: Mutex<Option<Open>>,
}

#[derive(Clone, Debug)]
enum Open {
    Postgres(postgres::Database),
    Sqlite(SqlitePool),
}

impl SqlAdapter {
    /// The adapter with its named connections. Nothing is connected yet, and no secret read.
    ///
    /// # Errors
    /// Where the settings of a connection contradict each other or cannot be meant.
    pub fn new(
        connections: BTreeMap<String, ConnectionSettings>,
        secrets: SecretStore,
    ) -> Result<Self, SettingsError> {
        let make = |_: &str, settings: ConnectionSettings| {
            let target = settings
                .target()
                .map_err(|(key, problem)| (key.to_owned(), problem))?;
            Ok(Connection {
                settings,
                target,
                open: Mutex::default(),
            })
        };
        Ok(Self {
            connections: Connections::build("connection", NAME, connections, make)?,
            secrets,
        })
    }

    /// The connections' settings as they are in force, by name.
    pub fn connections(&self) -> impl Iterator<Item = (&str, &ConnectionSettings)> {
        self.connections
            .iter()
            .map(|(name, connection)| (name, &connection.settings))
    }

    async fn query(&self, context: &TaskContext) -> Outcome {
        let inputs: Inputs = context.inputs()?;
        let connection = self.connections.get(&inputs.connection)?;
        let settings = &connection.settings;
        let does = examine(&inputs.sql, &connection.target)?;
        let writes = inputs.writes || does == Does::Change;
        if writes && !settings.write {
            return Err(Failure::permanent(format!(
                "the connection `{name}` is for reading; where tasks may change rows there, set services.sql.{name}.write: \
                 true",
                name = inputs.connection
            ))
            .nothing_done()
            .into());
        }
        let key = context.idempotency_key();
        let job = Job {
            sql: &inputs.sql,
            parameters: &inputs.parameters,
            writes,
            limits: Limits {
                rows: inputs
                    .max_rows
                    .unwrap_or(settings.max_rows)
                    .min(settings.max_rows),
                bytes: settings.max_bytes,
                on_more: inputs.on_more,
            },
            receipt: (writes && settings.receipts).then_some(Receipt { key }),
            timeout: settings.timeout,
        };
        let open = connection.open(&self.secrets).map_err(|error| {
            Failure::permanent(format!("services.sql.{}: {error}", inputs.connection)).nothing_done()
        })?;
        let done = match &open {
            Open::Postgres(database) => postgres::run(database, job).await,
            Open::Sqlite(pool) => sqlite::run(pool, job).await,
        };
        match done {
            Ok(answer) => Ok(said(answer)),
            Err(problem) => {
                if problem.is_login_refused() {
                    connection.forget();
                }
                Err(problem.outcome(&inputs.connection, &inputs.sql))
            }
        }
    }
}

impl Connection {
    fn open(&self, secrets: &SecretStore) -> Result<Open, secrets::SecretError> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(open) = &*open {
            return Ok(open.clone());
        }
        let made = match &self.target {
            Target::Sqlite(file) => Open::Sqlite(sqlite::pool(file, &self.settings)),
            Target::Postgres => {
                let password = self.settings.password.as_ref();
                let password = password.map(|password| password.resolve(secrets)).transpose()?;
                Open::Postgres(postgres::Database::new(
                    &self.settings,
                    password.as_ref().map(secrets::Secret::expose),
                ))
            }
        };
        *open = Some(made.clone());
        Ok(made)
    }

    /// The next task reads the login anew.
    fn forget(&self) {
        *self.open.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    async fn try_out(&self, secrets: &SecretStore) -> Result<(), String> {
        let open = self.open(secrets).map_err(|error| error.to_string())?;
        let done = match &open {
            Open::Postgres(database) => database.acquire().await.map(drop),
            Open::Sqlite(pool) => pool.acquire().await.map(drop).map_err(Problem::from),
        };
        done.map_err(|problem| {
            if problem.is_login_refused() {
                self.forget();
            }
            problem.to_string()
        })
    }
}

fn said(answer: Answered) -> Answer {
    let Answered {
        rows,
        row,
        row_count,
        rows_affected,
        truncated,
    } = answer;
    let number = |number: u64| Value::from(i64::try_from(number).unwrap_or(i64::MAX));
    let rows = rows.into_iter().map(serde_json::Value::Object).collect();
    Answer::new()
        .with("rows", Value::Json(rows))
        .with("row", row.map_or(Value::Null, |row| Value::Json(row.into())))
        .with("row_count", number(row_count))
        .with("rows_affected", number(rows_affected))
        .with("truncated", truncated)
}

#[async_trait]
impl Adapter for SqlAdapter {
    fn description(&self) -> AdapterDescription {
        AdapterDescription::new(
            NAME,
            "Runs SQL statements with parameters, on PostgreSQL and SQLite",
        )
        .topic(
            TopicDescription::new::<Inputs, Answered>(QUERY, "Runs an SQL statement")
                .asks(["connection", "sql", "parameters"])
                .keeps(["row", "rows"])
                .error(CONFLICT, "A row of that key is there already")
                .error(
                    CONSTRAINT,
                    "A rule of the tables forbids it: a reference, a check, a value that must be there",
                )
                .error(
                    TOO_LARGE,
                    "There are more rows or bytes than the connection allows",
                ),
        )
    }

    /// What reads is run in a transaction that only reads. What writes is undone unless it was made final; whether that was
    /// done is unknown where the connection breaks at that moment, unless a receipt tells.
    fn effect(&self, context: &TaskContext) -> Effect {
        let Ok(kind) = context.inputs_named::<Kind>(&["connection", "sql", "writes", "repeatable"]) else {
            return Effect::Repeatable;
        };
        let Ok(connection) = self.connections.get(&kind.connection) else {
            return Effect::Repeatable;
        };
        let changes =
            kind.writes || examine(&kind.sql, &connection.target).is_ok_and(|does| does == Does::Change);
        let settings = &connection.settings;
        if changes && settings.write && !settings.receipts && !kind.repeatable {
            Effect::Once
        } else {
            Effect::Repeatable
        }
    }

    async fn execute(&self, context: TaskContext) -> Outcome {
        match context.operation.as_str() {
            QUERY => self.query(&context).await,
            other => Err(Failure::permanent(format!(
                "the adapter {NAME} has no topic `{other}`: use {QUERY}"
            ))
            .nothing_done()
            .into()),
        }
    }

    /// Whether every database can be connected to.
    async fn health(&self) -> Result<(), String> {
        for (name, connection) in self.connections.iter() {
            connection
                .try_out(&self.secrets)
                .await
                .map_err(|error| format!("services.sql.{name}: {error}"))?;
        }
        Ok(())
    }
}
