//! The adapter itself: its providers, and which of them a task means.

use std::collections::BTreeMap;

use secrets::SecretStore;
use worker_api::{
    Adapter, AdapterDescription, Connections, Effect, Failure, Outcome, SettingsError, TaskContext,
    TopicDescription, async_trait,
};

use crate::inputs::{Answered, Inputs};
use crate::provider::Provider;
use crate::settings::ProviderSettings;
use crate::talk::{BUDGET_EXCEEDED, INVALID_OUTPUT, REFUSED, Talk};

/// The adapter's name in routes and under `services`.
pub const NAME: &str = "ai";

const QUERY: &str = "ai_query";

/// The adapter of the topic `ai_query`.
pub struct AiAdapter {
    providers: Connections<Provider>,
}

impl AiAdapter {
    /// The adapter with its providers. Nothing is sent yet, and no secret read.
    ///
    /// # Errors
    /// Where the settings of a provider contradict each other, or name another that is not there.
    pub fn new(
        providers: BTreeMap<String, ProviderSettings>,
        secrets: SecretStore,
    ) -> Result<Self, SettingsError> {
        for (name, settings) in &providers {
            let is_unknown = |other: &&String| *other == name || !providers.contains_key(*other);
            if let Some(other) = settings.fallback.iter().find(is_unknown) {
                return Err(SettingsError {
                    key: format!("{name}.fallback"),
                    problem: format!("there is no other provider `{other}` under services.ai"),
                });
            }
        }
        let make = |name: &str, settings| Provider::new(name, settings, secrets.clone());
        Ok(Self {
            providers: Connections::build("provider", NAME, providers, make)?,
        })
    }

    /// The providers' settings as they are in force, by name.
    pub fn providers(&self) -> impl Iterator<Item = (&str, &ProviderSettings)> {
        self.providers
            .iter()
            .map(|(name, provider)| (name, &provider.settings))
    }

    /// The provider that a task means, and those in its place after it.
    fn chain(&self, meant: Option<&str>) -> Result<Vec<&Provider>, Failure> {
        let mut all = self.providers.iter();
        let provider = match (meant, all.next(), all.next()) {
            (Some(meant), ..) => self.providers.get(meant)?,
            (None, Some((_, only)), None) => only,
            (None, None, _) => self.providers.get("openai")?,
            (None, Some(_), Some(_)) => {
                let names: Vec<&str> = self.providers.iter().map(|(name, _)| name).collect();
                return Err(Failure::permanent(format!(
                    "say in the input `provider` which is meant: {}",
                    names.join(", ")
                )));
            }
        };
        let others = provider.settings.fallback.iter();
        let others = others.map(|name| self.providers.get(name));
        std::iter::once(Ok(provider)).chain(others).collect()
    }
}

#[async_trait]
impl Adapter for AiAdapter {
    fn description(&self) -> AdapterDescription {
        AdapterDescription::new(NAME, "Asks language models").topic(
            TopicDescription::new::<Inputs, Answered>(QUERY, "Asks a language model")
                .asks([
                    "provider",
                    "model",
                    "prompt",
                    "system",
                    "context",
                    "files",
                    "output_schema",
                    "tools",
                    "budget",
                ])
                .keeps(["ai_response"])
                .error(
                    BUDGET_EXCEEDED,
                    "What is asked could cost more than is left of the budget of the task, its instance or the day",
                )
                .error(
                    INVALID_OUTPUT,
                    "The answer does not fit output_schema, also after it was sent back twice",
                )
                .error(REFUSED, "The model, or the provider's filter, refuses to answer"),
        )
    }

    /// To ask again costs money and changes nothing. What a tool does is written down for itself.
    fn effect(&self, _: &TaskContext) -> Effect {
        Effect::Repeatable
    }

    async fn execute(&self, context: TaskContext) -> Outcome {
        if context.operation != QUERY {
            return Err(Failure::permanent(format!(
                "the adapter {NAME} has no topic `{}`: use {QUERY}",
                context.operation
            ))
            .into());
        }
        let inputs: Inputs = context.inputs()?;
        let chain = self.chain(inputs.provider.as_deref())?;
        Talk::begin(&context, &inputs, chain).await?.run().await
    }

    /// Whether every provider can be reached and takes its key. Nothing is asked.
    async fn health(&self) -> Result<(), String> {
        for (_, provider) in self.providers.iter() {
            provider.check().await?;
        }
        Ok(())
    }
}
