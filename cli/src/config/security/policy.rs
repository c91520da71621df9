//! `security.default`: what counts where a process does not say it itself.

use std::collections::BTreeSet;
use std::fmt;

use sandbox::Level;
use serde::de::{Error, SeqAccess, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use worker_api::SandboxLevel;
use worker_runtime::PolicyDefaults;

/// `security.default`.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct DefaultPolicy {
    /// The topics that a process may use that does not list any.
    pub allowed_tasks: AllowedTasks,
    /// How strict a sandbox is at least whose process does not say it.
    pub sandbox_level: Option<Level>,
}

/// `all`, or a list of topics.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum AllowedTasks {
    /// Every topic.
    #[default]
    All,
    /// These.
    These(BTreeSet<String>),
}

/// What stands for every topic.
const ALL: &str = "all";

impl super::Security {
    /// What the policy of the workers takes where a process says nothing.
    pub(crate) fn defaults(&self) -> PolicyDefaults {
        PolicyDefaults {
            allowed_tasks: match &self.default.allowed_tasks {
                AllowedTasks::All => None,
                AllowedTasks::These(topics) => Some(topics.clone()),
            },
            sandbox_level: self.default.sandbox_level.map(|level| match level {
                Level::Low => SandboxLevel::Low,
                Level::Medium => SandboxLevel::Medium,
                Level::High => SandboxLevel::High,
            }),
        }
    }
}

impl<'de> Deserialize<'de> for AllowedTasks {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AllOrList)
    }
}

impl Serialize for AllowedTasks {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::All => serializer.serialize_str(ALL),
            Self::These(topics) => topics.serialize(serializer),
        }
    }
}

struct AllOrList;

impl<'de> Visitor<'de> for AllOrList {
    type Value = AllowedTasks;

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("all, or a list of topics such as [http_request]")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<AllowedTasks, E> {
        if text == ALL {
            Ok(AllowedTasks::All)
        } else {
            Err(E::invalid_value(Unexpected::Str(text), &self))
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<AllowedTasks, A::Error> {
        let mut topics = BTreeSet::new();
        while let Some(topic) = list.next_element()? {
            topics.insert(topic);
        }
        Ok(AllowedTasks::These(topics))
    }
}
