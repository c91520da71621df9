//! What can go wrong with a statement, and what that is to the process.

use sqlx::error::{DatabaseError, ErrorKind};
use worker_api::{BpmnError, Failure, TaskError};

use crate::gather::{Limits, TooMuch};

/// A row of that key is there already.
pub(crate) const CONFLICT: &str = "SQL_CONFLICT";
/// A rule of the tables forbids it.
pub(crate) const CONSTRAINT: &str = "SQL_CONSTRAINT";
/// There are more rows than the answer may have.
pub(crate) const TOO_LARGE: &str = "SQL_TOO_LARGE";

/// Why a statement has no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Problem {
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    #[error("there is more than the answer may have")]
    TooMuch(TooMuch, Limits),
    /// What the task gives does not fit the statement.
    #[error("{0}")]
    Wrong(String),
    /// It was to be committed, and nobody knows whether it was.
    #[error("the connection broke while the change was made final: {0}")]
    Commit(sqlx::Error),
    /// What was done could not be written to `procos_done`, or not be looked up there.
    #[error("procos_done: {0}")]
    Receipt(sqlx::Error),
}

impl Problem {
    /// Whether the login was refused, so that it has to be read anew.
    pub(crate) fn is_login_refused(&self) -> bool {
        let code = match self {
            Self::Database(error) | Self::Commit(error) | Self::Receipt(error) => {
                error.as_database_error().and_then(DatabaseError::code)
            }
            _ => None,
        };
        code.is_some_and(|code| code.starts_with("28"))
    }

    /// As the process has it. `sql` is the statement, for the place of an error in it.
    pub(crate) fn outcome(self, connection: &str, sql: &str) -> TaskError {
        let place = format!("services.sql.{connection}");
        match self {
            Self::Wrong(message) => Failure::permanent(message).nothing_done().into(),
            Self::TooMuch(what, limits) => {
                let much = match what {
                    TooMuch::Rows => format!("{} rows", limits.rows),
                    TooMuch::Bytes => format!("{} bytes", limits.bytes),
                };
                BpmnError::new(
                    TOO_LARGE,
                    format!(
                        "the statement gives more than {much}; nothing was changed. Ask for less with WHERE or LIMIT, set \
                         on_more to truncate, or raise {place}.max_rows or max_bytes"
                    ),
                )
                .into()
            }
            Self::Receipt(error) => match error.as_database_error() {
                Some(said) if said.is_unique_violation() => Failure::retryable(format!(
                    "{place}: another attempt at this task has done it meanwhile; what this one did is undone"
                ))
                .nothing_done()
                .into(),
                Some(said) => Failure::permanent(format!(
                    "{place}.receipts: {}; make the table procos_done, which the login may read and write: CREATE TABLE \
                     procos_done (idempotency_key text PRIMARY KEY, answer text NOT NULL)",
                    said.message()
                ))
                .nothing_done()
                .into(),
                None => of_connection(&error, &place),
            },
            // Postgres has either done it or not, and the line is dead.
            Self::Commit(error) => match error.as_database_error() {
                Some(said) => of_database(said, &place, sql),
                None => Failure::retryable(format!("{place}: {error}"))
                    .caused_by(&error)
                    .into(),
            },
            Self::Database(error) => match error.as_database_error() {
                Some(said) => of_database(said, &place, sql),
                None => of_connection(&error, &place),
            },
        }
    }
}

/// What the database says. Its transaction is undone.
fn of_database(error: &(dyn DatabaseError + 'static), place: &str, sql: &str) -> TaskError {
    let code = error.code().unwrap_or_default().into_owned();
    let message = format!("{place}: {}{}", error.message(), position(error, sql));
    match error.kind() {
        ErrorKind::UniqueViolation => return BpmnError::new(CONFLICT, message).into(),
        ErrorKind::ForeignKeyViolation | ErrorKind::NotNullViolation | ErrorKind::CheckViolation => {
            return BpmnError::new(CONSTRAINT, message).into();
        }
        _ => {}
    }
    let (is_retryable, remedy) = match code.as_str() {
        // The classes of the SQL standard, as PostgreSQL lists them in its appendix A.
        "40001" | "40P01" => (true, "it met another transaction"),
        "55P03" | "5" | "6" | "261" | "517" => (true, "what it needs is locked"),
        "57014" => (true, "it took longer than the connection's timeout allows"),
        "9" => (true, "it took longer than the task has"),
        "57P01" | "57P02" | "57P03" | "53300" | "53200" | "53100" => (true, "the server cannot serve it now"),
        "25006" | "8" => (
            false,
            "tasks may only read there; set `write: true` for the connection where they may change rows, and for a SELECT \
             that changes something the input `writes`",
        ),
        "23P01" => return BpmnError::new(CONFLICT, message).into(),
        "42501" => (
            false,
            "the login may not do that; grant it, or use another connection",
        ),
        "28P01" | "28000" => (
            false,
            "the login is refused; check `username` and `password` of the connection",
        ),
        "3D000" => (false, "there is no such database; check the connection's `url`"),
        "22P02" | "22007" | "22008" | "22003" => (false, "one of the parameters does not fit"),
        "14" => (
            false,
            "the file is not there or cannot be opened; check the connection's `url`",
        ),
        _ => (false, "correct the statement"),
    };
    let text = format!("{message} ({remedy})");
    let failure = if is_retryable {
        Failure::retryable(text)
    } else {
        Failure::permanent(text)
    };
    failure.nothing_done().into()
}

/// What comes between us and the database. The statement was not committed: that is another case.
fn of_connection(error: &sqlx::Error, place: &str) -> TaskError {
    let failure = match error {
        sqlx::Error::PoolTimedOut => Failure::retryable(format!(
            "{place}: no connection within the time: all are busy, or the server does not answer; see `connections`"
        )),
        sqlx::Error::Tls(source) => Failure::permanent(format!(
            "{place}: the encrypted connection fails: {source}; check `tls` and `ca_file`"
        )),
        sqlx::Error::Configuration(source) => Failure::permanent(format!("{place}: {source}")),
        sqlx::Error::ColumnDecode { index, source } => Failure::permanent(format!(
            "{place}: the column {index} cannot be read: {source}; cast it to text in the statement"
        )),
        sqlx::Error::Io(source) => Failure::retryable(format!("{place}: no connection: {source}")),
        error => Failure::retryable(format!("{place}: {error}")),
    };
    failure.caused_by(error).nothing_done().into()
}

/// Where in the statement the error is, in words.
fn position(error: &(dyn DatabaseError + 'static), sql: &str) -> String {
    use sqlx::postgres::{PgDatabaseError, PgErrorPosition};
    let Some(error) = error.try_downcast_ref::<PgDatabaseError>() else {
        return String::new();
    };
    let mut said = String::new();
    if let Some(PgErrorPosition::Original(at)) = error.position() {
        // PostgreSQL counts characters from 1.
        let before: String = sql.chars().take(at.saturating_sub(1)).collect();
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        said = format!(", at line {line}, column {column} of the statement");
    }
    if let Some(detail) = error.detail() {
        said.push_str(&format!(": {detail}"));
    }
    if let Some(hint) = error.hint() {
        said.push_str(&format!(" ({hint})"));
    }
    said
}
