//! `security.gate`: what models may hold.

use std::time::Duration;

use deploy::Allowance;
use serde::{Deserialize, Serialize};

use crate::config::{Config, ConfigError, duration};

/// `security.gate`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Gate {
    /// What is known and wanted although the gate refuses it.
    pub allow: Vec<Allowance>,
    /// How often the kernel looks for models that were deployed around the gate; `0s` for never.
    #[serde(with = "duration")]
    pub watch: Duration,
    /// What it does about one that the gate refuses.
    pub on_violation: OnViolation,
}

/// What is done about a model that was deployed around the gate and that the gate refuses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum OnViolation {
    /// Suspend it on an engine that procos boots, report it on an attached one.
    #[default]
    Auto,
    /// Say so.
    Report,
    /// Say so, and suspend its definitions and their instances.
    Suspend,
}

impl Default for Gate {
    fn default() -> Self {
        Self {
            allow: Vec::new(),
            watch: Duration::from_secs(30),
            on_violation: OnViolation::default(),
        }
    }
}

impl Config {
    /// An exception that names nothing, or a code that is none, would except nothing.
    pub(crate) fn check_gate(&self) -> Result<(), ConfigError> {
        for (index, exception) in self.settings().security.gate.allow.iter().enumerate() {
            let key = |field: &str| format!("security.gate.allow[{index}].{field}");
            for (field, value, remedy) in [
                (
                    "element",
                    &exception.element,
                    "name the element's id, as the finding does",
                ),
                (
                    "why",
                    &exception.why,
                    "say why it is wanted: each deployment shows it",
                ),
            ] {
                if value.trim().is_empty() {
                    let key = key(field);
                    return Err(self.wrong(&key, format!("`{key}` is empty; {remedy}")));
                }
            }
            let known = bpmn::codes::ALL.iter().map(|it| it.code);
            let known: Vec<&str> = known.collect();
            if !known.contains(&exception.code.as_str()) {
                let what = format!("code `{}` of a finding", exception.code);
                return Err(ConfigError::unknown(
                    &self.places,
                    &key("code"),
                    &exception.code,
                    &known,
                    &what,
                ));
            }
        }
        Ok(())
    }
}
