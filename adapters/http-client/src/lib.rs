//! HTTP to addresses that have been checked: the client of every adapter that speaks HTTP.
//!
//! Each named connection of the configuration has an [`HttpClient`] of its own. It reaches public addresses and those
//! internal ones that the connection lists ([`Allowed`]): a name is resolved once, every address it has is checked, and
//! the connection goes to one of these very addresses (`connect`), behind redirects too (`redirect`).

mod address;
mod allow;
mod client;
mod connect;
mod explain;
mod redirect;
mod tls;

pub use allow::{Allowed, InvalidAllowed};
pub use client::{Bounds, HttpClient, Received, SendError, Streamed, find_cause};
pub use connect::{ConnectError, Resolve, SystemResolver};
pub use explain::{failure, retry_after};
pub use redirect::{Follow, MOST_REDIRECTS, RedirectError};
pub use tls::{TlsError, Trust};
