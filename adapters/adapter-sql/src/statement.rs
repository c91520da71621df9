//! Which statements are sent at all: one alone, that reads or changes rows.
//!
//! What a transaction may do is for the database to hold. This is the line before it: statements that end the
//! transaction, change the session, write files or load code are not sent to begin with.

use sqlparser::dialect::{Dialect, PostgreSqlDialect, SQLiteDialect};
use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Token, Tokenizer};
use worker_api::Failure;

use crate::settings::Target;

/// What a statement does, by its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Does {
    /// It only reads, as far as its words say.
    Read,
    /// It changes rows, or may.
    Change,
}

/// What a statement does.
///
/// # Errors
/// Where it is none, more than one, or of a kind that is not sent.
pub(crate) fn examine(sql: &str, target: &Target) -> Result<Does, Failure> {
    let dialect: &dyn Dialect = match target {
        Target::Postgres => &PostgreSqlDialect {},
        Target::Sqlite(_) => &SQLiteDialect {},
    };
    let tokens = Tokenizer::new(dialect, sql)
        .tokenize()
        .map_err(|error| refused(format!("the input `sql` cannot be read: {error}")))?;
    let mut tokens = tokens
        .into_iter()
        .filter(|token| !matches!(token, Token::Whitespace(_) | Token::EOF))
        .skip_while(|token| *token == Token::LParen);
    let first = tokens.next();
    let kind = match &first {
        Some(Token::Word(word)) => word.keyword,
        None => return Err(refused("the input `sql` holds no statement".to_owned())),
        Some(_) => Keyword::NoKeyword,
    };
    let is_read = match kind {
        Keyword::SELECT | Keyword::VALUES | Keyword::TABLE | Keyword::WITH => true,
        Keyword::INSERT | Keyword::UPDATE | Keyword::DELETE | Keyword::MERGE | Keyword::REPLACE => false,
        _ => {
            let first = first.map(|token| token.to_string()).unwrap_or_default();
            return Err(refused(format!(
                "the input `sql` begins with `{first}`: a task sends SELECT, VALUES, WITH, INSERT, UPDATE, DELETE, MERGE \
                 or REPLACE; tables, sessions and transactions are not for tasks to change"
            )));
        }
    };
    let mut changes = !is_read;
    let mut ended = false;
    for token in tokens {
        if ended && token != Token::SemiColon {
            return Err(refused(
                "the input `sql` holds more than one statement: give each a task of its own, or put them into one with WITH"
                    .to_owned(),
            ));
        }
        match token {
            Token::SemiColon => ended = true,
            Token::Word(word) if word.quote_style.is_none() => {
                changes |= matches!(
                    word.keyword,
                    Keyword::INSERT | Keyword::UPDATE | Keyword::DELETE | Keyword::MERGE | Keyword::INTO
                );
            }
            _ => {}
        }
    }
    Ok(if changes { Does::Change } else { Does::Read })
}

fn refused(message: String) -> Failure {
    Failure::permanent(message).nothing_done()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn both(sql: &str) -> [Result<Does, Failure>; 2] {
        [Target::Postgres, Target::Sqlite("/x".into())].map(|target| examine(sql, &target))
    }

    #[test]
    fn what_reads_and_what_changes_is_told_apart() {
        for (sql, does) in [
            ("select 1", Does::Read),
            ("-- what\n/* is */ SELECT ';' as \"a;b\" ;", Does::Read),
            ("with x as (select 1) select * from x;;", Does::Read),
            ("VALUES (1)", Does::Read),
            ("(select 1)", Does::Read),
            (
                "with x as (delete from t returning *) select * from x",
                Does::Change,
            ),
            ("insert into t values ($1)", Does::Change),
            ("select * into t2 from t", Does::Change),
            ("select \"update\" from t", Does::Read),
        ] {
            for found in both(sql) {
                assert_eq!(found.unwrap(), does, "{sql}");
            }
        }
    }

    #[test]
    fn nothing_else_is_sent() {
        for (sql, why) in [
            ("", "no statement"),
            ("  -- nothing", "no statement"),
            ("select 1; select 2", "more than one"),
            ("select 1; commit", "more than one"),
            ("commit", "begins with `commit`"),
            ("set transaction read write", "begins with `set`"),
            ("copy t to program 'id'", "begins with `copy`"),
            ("attach 'x' as y", "begins with `attach`"),
            ("vacuum into '/tmp/x'", "begins with `vacuum`"),
            ("pragma query_only = 0", "begins with `pragma`"),
            ("do $$ begin end $$", "begins with `do`"),
            ("create table t (a int)", "begins with `create`"),
            ("; select 1", "begins with `;`"),
            ("select 'x", "cannot be read"),
        ] {
            for found in both(sql) {
                let failure = found.unwrap_err();
                assert!(failure.message.contains(why), "{sql}: {failure}");
            }
        }
    }
}
