//! The http_request task: any HTTP service, with internal addresses refused unless listed.
//!
//! A request goes only to addresses that have been checked (`connect`), over a connection of the operator's
//! configuration (`settings`) that brings a login, bounds and the internal addresses that may be reached. What a
//! model gives (`inputs`) becomes a request (`request`), and what comes back an answer, a BPMN error or a failure
//! (`answer`).

mod adapter;
mod answer;
mod body;
mod check;
mod inputs;
mod login;
mod map;
mod pages;
mod request;
mod settings;
mod show;
mod tokens;

#[cfg(test)]
mod tests;

pub use adapter::{HttpAdapter, NAME, TOPIC};
pub use http_client::{Allowed, InvalidAllowed};
pub use settings::{ApiKey, Auth, ConnectionSettings, OAuth2};
