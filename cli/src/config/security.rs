//! `security`: what models may hold, and what processes may do that do not say it themselves.

mod gate;
mod policy;

use serde::{Deserialize, Serialize};

pub(crate) use gate::{Gate, OnViolation};
pub(crate) use policy::DefaultPolicy;

/// `security`.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Security {
    /// For processes that do not say it themselves in their `procos:security`.
    pub default: DefaultPolicy,
    /// The deploy gate.
    pub gate: Gate,
}
