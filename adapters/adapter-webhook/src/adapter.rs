//! The adapter: no tasks, and one inbound that opens the addresses.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use secrets::SecretStore;
use worker_api::{
    Adapter, AdapterDescription, Effect, Failure, Inbound, InboundContext, Outcome, SettingsError,
    TaskContext, async_trait,
};

use crate::serve::{Hooks, routes};
use crate::settings::HookSettings;

/// The adapter's name under `services`.
pub const NAME: &str = "webhook";

/// Webhooks. Clones share them.
#[derive(Clone)]
pub struct WebhookAdapter(Arc<Hooks>);

impl WebhookAdapter {
    /// The webhooks. No secret is read yet, and no request taken.
    ///
    /// # Errors
    /// Where the settings of one contradict each other or cannot be meant.
    pub fn new(hooks: BTreeMap<String, HookSettings>, secrets: SecretStore) -> Result<Self, SettingsError> {
        for (name, settings) in &hooks {
            settings.check(name)?;
        }
        Ok(Self(Arc::new(Hooks::new(hooks, secrets))))
    }

    /// The webhooks' settings as they are in force, by name.
    #[must_use]
    pub fn hooks(&self) -> &BTreeMap<String, HookSettings> {
        &self.0.hooks
    }

    /// What opens the addresses while it runs; none where there are none.
    #[must_use]
    pub fn inbound(&self) -> Option<Arc<dyn Inbound>> {
        let has_any = !self.0.hooks.is_empty();
        has_any.then(|| Arc::new(self.clone()) as _)
    }

    /// The addresses, which answer 503 unless the inbound runs; none where there are none.
    #[must_use]
    pub fn routes(&self) -> Option<Router> {
        (!self.0.hooks.is_empty()).then(|| routes(Arc::clone(&self.0)))
    }
}

#[async_trait]
impl Adapter for WebhookAdapter {
    fn description(&self) -> AdapterDescription {
        AdapterDescription::new(
            NAME,
            "Takes signed HTTP requests that start a process or continue one",
        )
    }

    fn effect(&self, _: &TaskContext) -> Effect {
        Effect::Repeatable
    }

    async fn execute(&self, context: TaskContext) -> Outcome {
        Err(Failure::permanent(format!(
            "the adapter {NAME} has no topic `{}`: it brings requests in and runs no tasks",
            context.operation
        ))
        .nothing_done()
        .into())
    }

    /// Whether the secret of every webhook can be had.
    async fn health(&self) -> Result<(), String> {
        for (name, settings) in self.hooks() {
            let secret = settings.signature.secret();
            secret
                .resolve(&self.0.secrets)
                .map_err(|error| format!("services.webhook.{name}.signature: {error}"))?;
        }
        Ok(())
    }
}

#[async_trait]
impl Inbound for WebhookAdapter {
    fn name(&self) -> &str {
        NAME
    }

    async fn run(&self, context: InboundContext) -> Result<(), Failure> {
        /// Closes the addresses, also where the future is dropped.
        struct Closing(Arc<Hooks>);
        impl Drop for Closing {
            fn drop(&mut self) {
                self.0.lead_to(None);
            }
        }
        self.0.lead_to(Some(Arc::clone(&context.processes)));
        let _closing = Closing(Arc::clone(&self.0));
        context.ready();
        context.stop.cancelled().await;
        Ok(())
    }
}
