//! The settings of a provider: what stands under `services.ai.NAME`.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use secrets::SecretSetting;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::wire::Api;

/// The settings of one provider. There is none unless one is configured.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProviderSettings {
    /// How it is spoken to. Providers that are called `openai`, `anthropic` or `ollama` need none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api: Option<Api>,
    /// Its address, where it is another than the vendor's own, such as `http://127.0.0.1:8000/v1`. Being configured here it
    /// may be an internal one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base_url: Option<Url>,
    /// Its key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_key: Option<SecretSetting>,
    /// The model for tasks that name none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_model: Option<String>,
    /// What models cost, by name; one that ends with `*` stands for all that begin so. Models without a price cost an
    /// unknown amount: they cannot be used where a budget limits them.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub prices: BTreeMap<String, Price>,
    /// What may be spent with it.
    pub budgets: Budgets,
    /// How much it may be asked in a minute, by all tasks of this worker together.
    pub limits: Limits,
    /// The providers that are asked in its place, in this order, where it cannot be reached or refuses to work.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fallback: Vec<String>,
    /// How long it may say nothing: until its answer begins, and within it. 60 s unless said.
    #[serde(with = "worker_api::duration")]
    pub idle_timeout: Duration,
    /// Tokens that one answer may have, unless the task says otherwise. 4096 unless said.
    pub max_output_tokens: NonZeroU32,
    /// A PEM file with the certificates of a private authority, trusted beside those of the system.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
}

impl Default for ProviderSettings {
    fn default() -> Self {
        Self {
            api: None,
            base_url: None,
            api_key: None,
            default_model: None,
            prices: BTreeMap::new(),
            budgets: Budgets::default(),
            limits: Limits::default(),
            fallback: Vec::new(),
            idle_timeout: Duration::from_secs(60),
            max_output_tokens: NonZeroU32::MIN.saturating_add(4095),
            ca_file: None,
        }
    }
}

impl ProviderSettings {
    /// What a model costs, where that is known: the price of its name, else the longest that its name begins with.
    pub(crate) fn price(&self, model: &str) -> Option<Price> {
        let fits = |name: &str| {
            name == model
                || name
                    .strip_suffix('*')
                    .is_some_and(|begin| model.starts_with(begin))
        };
        let fitting = self.prices.iter().filter(|(name, _)| fits(name));
        fitting
            .max_by_key(|(name, _)| (*name == model, name.len()))
            .map(|(_, price)| *price)
    }

    /// Whether the settings agree with one another.
    pub(crate) fn check(&self) -> Result<(), (String, String)> {
        let amounts = [
            ("budgets.task", self.budgets.task),
            ("budgets.instance", self.budgets.instance),
            ("budgets.day", self.budgets.day),
        ];
        for (key, amount) in amounts {
            check_amount(key, amount)?;
        }
        for (model, price) in &self.prices {
            check_amount(&format!("prices.{model}.input"), Some(price.input))?;
            check_amount(&format!("prices.{model}.output"), Some(price.output))?;
        }
        match &self.base_url {
            Some(url) if !matches!(url.scheme(), "http" | "https") || url.host().is_none() => Err((
                "base_url".to_owned(),
                "write an address such as https://models.example.com/v1".to_owned(),
            )),
            Some(url) if !url.username().is_empty() || url.password().is_some() => Err((
                "base_url".to_owned(),
                "a login does not belong there; set `api_key`".to_owned(),
            )),
            _ => Ok(()),
        }
    }
}

fn check_amount(key: &str, amount: Option<f64>) -> Result<(), (String, String)> {
    match amount {
        Some(amount) if !amount.is_finite() || amount < 0.0 => Err((
            key.to_owned(),
            format!("{amount} is no amount; write one such as 2.5"),
        )),
        _ => Ok(()),
    }
}

/// What a model costs, in the currency of the provider's bill, for a million tokens.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// For a million tokens that it is given.
    pub input: f64,
    /// For a million tokens that it gives.
    pub output: f64,
}

/// What may be spent, in the currency of the prices. Each worker process counts for itself.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Budgets {
    /// For one attempt at one task.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task: Option<f64>,
    /// For one process instance.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance: Option<f64>,
    /// In one day (UTC).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub day: Option<f64>,
}

/// How much may be asked in a minute. Each worker process counts for itself.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Requests.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requests: Option<NonZeroU32>,
    /// Tokens, of questions and answers together; before an answer is there the most that it may have counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens: Option<NonZeroU32>,
}
