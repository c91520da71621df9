//! Tasks that write to Slack: the topic `slack_message`.
//!
//! A message goes out by a named connection ([`ConnectionSettings`]): by Slack's Web API with an app's token, or by an incoming
//! webhook. It carries the task's idempotency key as metadata, so that after a crash the channel itself tells whether it is there.
//! What people press comes back by a webhook that is signed as Slack signs.

mod adapter;
mod api;
mod inputs;
mod send;
mod settings;

#[cfg(test)]
mod tests;

pub use adapter::{NAME, SlackAdapter};
pub use settings::ConnectionSettings;
