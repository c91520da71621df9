//! What a process says about its own security, and how strictly it wants code walled in.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// The policy that a process carries in its model (`procos:security`), for adapters and middleware to look at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProcessSecurity {
    /// The topics that its tasks may use, each with the sandbox that it asks for; none where it does not limit them.
    pub allowed_tasks: Option<BTreeMap<String, Option<SandboxLevel>>>,
    /// How far its data may go; none where it does not say.
    pub data_classification: Option<DataClassification>,
    /// The roles that may use it; none where it does not say.
    pub roles: Option<Vec<String>>,
    /// The variables that are kept encrypted.
    pub encrypted: Vec<String>,
}

/// How strictly code is walled in. Later ones are stricter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SandboxLevel {
    /// Not at all: only where the adapter runs no code of users.
    None,
    /// For long computations of people one knows.
    Low,
    /// For most.
    Medium,
    /// The strictest: for what strangers wrote.
    High,
}

/// How far data may go. Later ones are more confined.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum DataClassification {
    /// Anywhere.
    Public,
    /// Within the organisation.
    Internal,
    /// To those who need it.
    Confidential,
    /// To those who are named.
    Restricted,
}

impl SandboxLevel {
    /// All of them, the least strict first.
    pub const ALL: [Self; 4] = [Self::None, Self::Low, Self::Medium, Self::High];

    /// Its name in models and configurations.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

impl fmt::Display for SandboxLevel {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}
