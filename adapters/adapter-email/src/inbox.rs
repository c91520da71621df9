//! Mail that comes in: fetched by tasks, or taken as it arrives.

mod fetch;
mod mail;
mod receive;
mod session;
mod settings;

pub(crate) use fetch::{FetchInputs, Fetched, effect, fetch};
pub(crate) use receive::Mailbox;
pub(crate) use session::{Place, open};
pub use settings::{Imap, MailboxSettings, Reply};
