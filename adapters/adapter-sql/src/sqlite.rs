//! Statements on SQLite.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures::TryStreamExt;
use serde_json::{Map, Value as Json};
use sqlx::sqlite::{SqliteArguments, SqliteConnectOptions, SqlitePool, SqlitePoolOptions, SqliteRow};
use sqlx::{
    Arguments, AssertSqlSafe, Column, Connection, Decode, Either, Executor, Row, SqlSafeStr, Sqlite,
    SqliteConnection, Statement, TypeInfo, ValueRef,
};

use crate::gather::Gathered;
use crate::inputs::Answered;
use crate::job::Job;
use crate::problem::Problem;
use crate::settings::ConnectionSettings;

/// Instructions of SQLite's machine between two looks whether anybody still waits: a fraction of a millisecond.
const BETWEEN_LOOKS: i32 = 10_000;

/// Connections to a file that is there, opened as they are needed.
pub(crate) fn pool(file: &Path, settings: &ConnectionSettings) -> SqlitePool {
    let options = SqliteConnectOptions::new()
        .filename(file)
        .create_if_missing(false)
        .read_only(!settings.write)
        .busy_timeout(settings.timeout)
        .foreign_keys(true);
    SqlitePoolOptions::new()
        .max_connections(settings.connections)
        .acquire_timeout(settings.timeout)
        .connect_lazy_with(options)
}

/// Runs a statement in a transaction of its own.
///
/// Cancellation: SQLite is stopped within a fraction of a millisecond, and what it did is undone.
pub(crate) async fn run(pool: &SqlitePool, job: Job<'_>) -> Result<Answered, Problem> {
    let mut connection = pool.acquire().await?;
    let given_up = GivenUp::default();
    let (watched, deadline) = (Arc::clone(&given_up.0), Instant::now() + job.timeout);
    connection
        .lock_handle()
        .await?
        .set_progress_handler(BETWEEN_LOOKS, move || {
            !watched.load(Ordering::Relaxed) && Instant::now() < deadline
        });
    let done = in_transaction(&mut connection, job).await;
    connection.lock_handle().await?.remove_progress_handler();
    done
}

/// Set when nobody waits any more.
#[derive(Default)]
struct GivenUp(Arc<AtomicBool>);

impl Drop for GivenUp {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

async fn in_transaction(connection: &mut SqliteConnection, job: Job<'_>) -> Result<Answered, Problem> {
    let only = if job.writes { "OFF" } else { "ON" };
    sqlx::query(AssertSqlSafe(format!("PRAGMA query_only = {only}")))
        .execute(&mut *connection)
        .await?;
    // One that is to write takes its turn at once: to begin reading and write later would fail where another has written.
    let begin = if job.writes { "BEGIN IMMEDIATE" } else { "BEGIN" };
    let mut transaction = connection.begin_with(begin).await?;
    if let Some(receipt) = &job.receipt
        && let Some(had) = receipt.of_sqlite(&mut transaction).await?
    {
        transaction.rollback().await?;
        return Ok(had);
    }
    let statement = (&mut *transaction)
        .prepare(AssertSqlSafe(job.sql).into_sql_str())
        .await?;
    let takes = match statement.parameters() {
        Some(Either::Right(count)) => count,
        _ => 0,
    };
    let arguments = arguments(takes, job.parameters).map_err(Problem::Wrong)?;
    let mut gathered = Gathered::new(job.limits);
    {
        let mut steps = (&mut *transaction).fetch_many(statement.query_with(arguments));
        while let Some(step) = steps.try_next().await? {
            match step {
                Either::Left(done) if job.writes => gathered.affected(done.rows_affected()),
                Either::Left(_) => {}
                Either::Right(row) => {
                    let goes_on = gathered
                        .take(read(&row)?)
                        .map_err(|much| Problem::TooMuch(much, job.limits))?;
                    if !goes_on && !job.writes {
                        break;
                    }
                }
            }
        }
    }
    let answer = gathered.answer();
    if job.writes {
        if let Some(receipt) = &job.receipt {
            receipt.to_sqlite(&mut transaction, &answer).await?;
        }
        transaction.commit().await?;
    } else {
        transaction.rollback().await?;
    }
    Ok(answer)
}

fn arguments(takes: usize, given: &[Json]) -> Result<SqliteArguments, String> {
    if takes != given.len() {
        return Err(format!(
            "the statement takes {takes} parameters, and the input `parameters` has {}",
            given.len()
        ));
    }
    let mut arguments = SqliteArguments::default();
    for (index, value) in given.iter().enumerate() {
        let added = match value {
            Json::Null => arguments.add(None::<String>),
            Json::Bool(is) => arguments.add(*is),
            Json::Number(number) => match number.as_i64() {
                Some(whole) => arguments.add(whole),
                None => arguments.add(number.as_f64()),
            },
            Json::String(text) => arguments.add(text.clone()),
            other => arguments.add(other.to_string()),
        };
        added.map_err(|error| format!("the input `parameters`: ${}: {error}", index + 1))?;
    }
    Ok(arguments)
}

/// A row, by the kinds that its values themselves have: a column of SQLite may hold any.
fn read(row: &SqliteRow) -> Result<Map<String, Json>, sqlx::Error> {
    let mut read = Map::new();
    for column in row.columns() {
        let value = row.try_get_raw(column.ordinal())?;
        let kind = value.type_info().into_owned();
        let json = if value.is_null() {
            Ok(Json::Null)
        } else {
            match kind.name() {
                "BOOLEAN" | "INTEGER" | "INT8" => <i64 as Decode<Sqlite>>::decode(value).map(Json::from),
                "REAL" => <f64 as Decode<Sqlite>>::decode(value).map(|number| {
                    serde_json::Number::from_f64(number)
                        .map_or_else(|| number.to_string().into(), Json::Number)
                }),
                "BLOB" => <&[u8] as Decode<Sqlite>>::decode(value).map(|bytes| STANDARD.encode(bytes).into()),
                _ => <&str as Decode<Sqlite>>::decode(value).map(Json::from),
            }
        };
        let json = json.map_err(|source| sqlx::Error::ColumnDecode {
            index: format!("`{}`", column.name()),
            source,
        })?;
        read.insert(column.name().to_owned(), json);
    }
    Ok(read)
}
