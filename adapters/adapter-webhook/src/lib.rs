//! Webhooks: signed HTTP requests that start a process or continue one.
//!
//! Each `services.webhook.NAME` is an address `/webhooks/NAME` on procos's own HTTP port. A request is believed by its
//! signature alone (`signature`), read as its content type says (`payload`), and answered once the engine has taken it
//! (`deliver`, `serve`).

mod adapter;
mod deliver;
mod payload;
mod serve;
mod settings;
mod signature;

pub use adapter::{NAME, WebhookAdapter};
pub use settings::HookSettings;

#[cfg(test)]
mod tests;
