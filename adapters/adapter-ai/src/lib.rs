//! Tasks that ask language models: the topic `ai_query`.
//!
//! A task's question goes to a named provider ([`ProviderSettings`]) by way of the API that the provider speaks ([`Api`]). The
//! conversation that comes of it (`talk`) calls tools for the model, sends an answer that does not fit its schema back, asks
//! another provider where one cannot, and lets nothing out that could cost more than is left of a budget (`spending`).

mod adapter;
mod conversation;
mod inputs;
mod material;
mod provider;
mod settings;
mod spending;
mod talk;
mod tools;
mod wire;

#[cfg(test)]
mod tests;

pub use adapter::{AiAdapter, NAME};
pub use settings::{Budgets, Limits, Price, ProviderSettings};
pub use wire::Api;
