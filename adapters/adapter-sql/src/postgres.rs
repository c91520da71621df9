//! Statements on PostgreSQL.

mod bind;
mod read;

use std::sync::Arc;
use std::time::Duration;

use futures::TryStreamExt;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions, PgSslMode};
use sqlx::{AssertSqlSafe, Connection, Either, Executor, PgConnection, Postgres, SqlSafeStr, Statement};

use tokio::sync::OnceCell;

use crate::gather::Gathered;
use crate::inputs::Answered;
use crate::job::Job;
use crate::problem::Problem;
use crate::settings::{ConnectionSettings, Tls};

/// A database, and who it lets in.
#[derive(Clone, Debug)]
pub(crate) struct Database {
    pool: PgPool,
    /// Whether the login has been looked at, where it has to be.
    login: Arc<OnceCell<()>>,
    superuser: bool,
}

impl Database {
    /// Nothing is connected yet.
    pub(crate) fn new(settings: &ConnectionSettings, password: Option<&str>) -> Self {
        Self {
            pool: pool(settings, password),
            login: Arc::default(),
            superuser: settings.superuser,
        }
    }

    /// A connection whose login may be used.
    pub(crate) async fn acquire(&self) -> Result<PoolConnection<Postgres>, Problem> {
        let mut connection = self.pool.acquire().await?;
        if !self.superuser {
            self.login
                .get_or_try_init(async || {
                    let is: String = sqlx::query_scalar("SHOW is_superuser")
                        .fetch_one(&mut *connection)
                        .await?;
                    match is.as_str() {
                        "on" => Err(Problem::Wrong(SUPERUSER.to_owned())),
                        _ => Ok(()),
                    }
                })
                .await?;
        }
        Ok(connection)
    }
}

fn pool(settings: &ConnectionSettings, password: Option<&str>) -> PgPool {
    let milliseconds = settings.timeout.as_millis().to_string();
    let mut options = PgConnectOptions::new_without_pgpass()
        .host(settings.url.host_str().unwrap_or_default())
        .port(settings.url.port().unwrap_or(5432))
        .database(settings.url.path().trim_start_matches('/'))
        .username(settings.username.as_deref().unwrap_or_default())
        .application_name("procos")
        .ssl_mode(match settings.tls {
            Tls::Verify => PgSslMode::VerifyFull,
            Tls::None => PgSslMode::Disable,
        })
        .options([
            ("statement_timeout", milliseconds.clone()),
            // What nobody waits for is undone, also where the worker has gone in silence.
            ("idle_in_transaction_session_timeout", milliseconds.clone()),
            // The server notices within a second that a statement's connection is closed (PostgreSQL 14 and later).
            ("client_connection_check_interval", "1000".to_owned()),
        ]);
    if let Some(password) = password {
        options = options.password(password);
    }
    if let Some(file) = &settings.ca_file {
        options = options.ssl_root_cert(file);
    }
    let write = settings.write;
    PgPoolOptions::new()
        .max_connections(settings.connections)
        .acquire_timeout(settings.timeout.min(Duration::from_secs(5)))
        .idle_timeout(Duration::from_secs(60))
        .test_before_acquire(true)
        .after_release(move |connection, _| {
            Box::pin(async move {
                if !write {
                    return Ok(true);
                }
                // What a function has set for the session is not the next task's.
                connection.execute("RESET ALL").await?;
                connection.execute("RESET SESSION AUTHORIZATION").await?;
                Ok(true)
            })
        })
        .connect_lazy_with(options)
}

const SUPERUSER: &str = "the login is a superuser, who may read and write the server's files and run programs there: use a \
    login that may do what the tasks need, or set `superuser: true`";

/// Runs a statement in a transaction of its own.
///
/// Cancellation: the connection is closed, upon which the server ends the statement and undoes it.
pub(crate) async fn run(database: &Database, job: Job<'_>) -> Result<Answered, Problem> {
    let mut leased = Leased(Some(database.acquire().await?));
    let connection = leased.0.as_mut().ok_or(sqlx::Error::PoolClosed)?;
    let done = in_transaction(connection, job).await;
    // Only a connection whose statement has come to its end goes back for others.
    let is_at_its_end = match &done {
        Ok(answer) => !answer.truncated,
        Err(Problem::Database(error)) => error.as_database_error().is_some(),
        Err(Problem::Wrong(_)) => true,
        Err(_) => false,
    };
    if is_at_its_end {
        drop(leased.0.take());
    }
    done
}

async fn in_transaction(connection: &mut PgConnection, job: Job<'_>) -> Result<Answered, Problem> {
    let begin = if job.writes {
        "BEGIN READ WRITE"
    } else {
        "BEGIN READ ONLY"
    };
    let mut transaction = connection.begin_with(begin).await?;
    if let Some(receipt) = &job.receipt
        && let Some(had) = receipt.of_postgres(&mut transaction).await?
    {
        transaction.rollback().await?;
        return Ok(had);
    }
    let sql = AssertSqlSafe(job.sql).into_sql_str();
    let statement = (&mut *transaction).prepare(sql).await?;
    let types = match statement.parameters() {
        Some(Either::Left(types)) => types.to_vec(),
        _ => Vec::new(),
    };
    let arguments = bind::all(&types, job.parameters).map_err(Problem::Wrong)?;
    let mut gathered = Gathered::new(job.limits);
    {
        let mut steps = (&mut *transaction).fetch_many(statement.query_with(arguments));
        while let Some(step) = steps.try_next().await? {
            match step {
                Either::Left(done) if job.writes => gathered.affected(done.rows_affected()),
                Either::Left(_) => {}
                Either::Right(row) => {
                    let goes_on = gathered
                        .take(read::row(&row)?)
                        .map_err(|much| Problem::TooMuch(much, job.limits))?;
                    // What writes is done to its end, whether or not anybody wants to see more of it.
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
            receipt.to_postgres(&mut transaction, &answer).await?;
        }
        transaction.commit().await.map_err(Problem::Commit)?;
    } else if !answer.truncated {
        transaction.rollback().await?;
    }
    Ok(answer)
}

/// A connection that is closed unless it is taken out: its statement may still run.
struct Leased(Option<PoolConnection<Postgres>>);

impl Drop for Leased {
    fn drop(&mut self) {
        if let Some(connection) = self.0.take() {
            drop(connection.detach());
        }
    }
}
