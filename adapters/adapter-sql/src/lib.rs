//! SQL tasks: one statement with parameters, on PostgreSQL and SQLite.
//!
//! A statement is looked at before it is sent (`statement`): one alone, that reads or changes rows. It runs in a
//! transaction of its own that the database holds to reading unless the operator lets tasks write (`postgres`, `sqlite`);
//! its rows are gathered up to the limits (`gather`). What a connection may do stands in `settings`; with receipts
//! (`receipt`) a statement that writes is done once, however often its task is run.

mod adapter;
mod gather;
mod inputs;
mod job;
mod postgres;
mod problem;
mod receipt;
mod settings;
mod sqlite;
mod statement;

pub use adapter::{NAME, SqlAdapter};
pub use settings::{ConnectionSettings, Tls};

#[cfg(test)]
mod tests;
