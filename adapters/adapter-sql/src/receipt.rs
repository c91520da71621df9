//! What was done once, in the database itself: the table `procos_done`, written in the transaction that did it.
//!
//! It is the operator's to make, as tasks make no tables:
//! `CREATE TABLE procos_done (idempotency_key text PRIMARY KEY, answer text NOT NULL)`, with a column of its own default for
//! when, where rows are to be cleared away by age.

use sqlx::{PgConnection, SqliteConnection};

use crate::inputs::Answered;
use crate::problem::Problem;

const FIND: &str = "SELECT answer FROM procos_done WHERE idempotency_key = $1";
const WRITE: &str = "INSERT INTO procos_done (idempotency_key, answer) VALUES ($1, $2)";

/// The receipt of one task.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Receipt<'a> {
    /// The same for every attempt at the task.
    pub(crate) key: &'a str,
}

impl Receipt<'_> {
    /// The answer that the task had, where it is done.
    pub(crate) async fn of_postgres(
        self,
        connection: &mut PgConnection,
    ) -> Result<Option<Answered>, Problem> {
        let found: Option<String> = sqlx::query_scalar(FIND)
            .bind(self.key)
            .fetch_optional(connection)
            .await
            .map_err(Problem::Receipt)?;
        found.map(|text| read(&text)).transpose()
    }

    /// Writes it down. Another attempt that does the same at this moment waits here, and then fails: its own work is undone.
    pub(crate) async fn to_postgres(
        self,
        connection: &mut PgConnection,
        answer: &Answered,
    ) -> Result<(), Problem> {
        let query = sqlx::query(WRITE).bind(self.key).bind(write(answer)?);
        query.execute(connection).await.map_err(Problem::Receipt)?;
        Ok(())
    }

    /// The answer that the task had, where it is done.
    pub(crate) async fn of_sqlite(
        self,
        connection: &mut SqliteConnection,
    ) -> Result<Option<Answered>, Problem> {
        let found: Option<String> = sqlx::query_scalar(FIND)
            .bind(self.key)
            .fetch_optional(connection)
            .await
            .map_err(Problem::Receipt)?;
        found.map(|text| read(&text)).transpose()
    }

    /// Writes it down.
    pub(crate) async fn to_sqlite(
        self,
        connection: &mut SqliteConnection,
        answer: &Answered,
    ) -> Result<(), Problem> {
        let query = sqlx::query(WRITE).bind(self.key).bind(write(answer)?);
        query.execute(connection).await.map_err(Problem::Receipt)?;
        Ok(())
    }
}

fn read(text: &str) -> Result<Answered, Problem> {
    serde_json::from_str(text)
        .map_err(|error| Problem::Wrong(format!("procos_done holds no answer: {error}")))
}

fn write(answer: &Answered) -> Result<String, Problem> {
    serde_json::to_string(answer)
        .map_err(|error| Problem::Wrong(format!("the answer cannot be kept: {error}")))
}
