//! Email: sends mail over SMTP, and takes mail from mailboxes by IMAP.
//!
//! What a task gives (`inputs`) becomes a message (`compose`), by templates where it says so (`fill`); it goes to the server
//! of a connection (`settings`) step by step, so that it is known how far it got (`send`, `server`). What comes in (`inbox`) is
//! fetched by tasks, or starts processes and continues them as it arrives.

mod adapter;
mod compose;
mod fill;
mod inbox;
mod inputs;
mod problem;
mod send;
mod server;
mod settings;

pub use adapter::{EmailAdapter, NAME};
pub use inbox::{Imap, MailboxSettings, Reply};
pub use settings::{ConnectionSettings, Smtp, Tls};

#[cfg(test)]
mod tests;
