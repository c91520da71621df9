//! The http_request task: any HTTP service, with internal addresses refused unless listed.
//!
//! A request goes only to addresses that have been checked (`connect`), over a connection of the operator's
//! configuration (`settings`) that brings a login, bounds and the internal addresses that may be reached. What a
//! model gives (`inputs`) becomes a request (`request`), and what comes back an answer, a BPMN error or a failure
//! (`answer`).

mod adapter;
mod address;
mod allow;
mod answer;
mod body;
mod client;
mod connect;
mod inputs;
mod redirect;
mod request;
mod settings;
mod show;
mod tls;

#[cfg(test)]
mod tests;

pub use adapter::{HttpAdapter, NAME, TOPIC};
pub use allow::{Allowed, InvalidAllowed};
pub use settings::{Auth, ConnectionSettings, SettingsError};
