//! What the gate is told besides the files.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The topics of the project's own script adapters.
pub const SCRIPT_TOPICS: &[&str] = &[
    "python_script",
    "javascript_script",
    "shell_script",
    "scilab_compute",
];

/// What the operator allows, and what is known about the installation.
#[derive(Debug, Clone)]
pub struct GateContext {
    /// Exceptions that the operator's configuration lists.
    pub allowances: Vec<Allowance>,
    /// The topics that are worked, each with the error codes that its adapter can throw; none where nobody knows,
    /// and then no topic is said to be missing.
    pub topics: Option<BTreeMap<String, Vec<String>>>,
    /// The topics whose input parameter `script` is code.
    pub script_topics: BTreeSet<String>,
    /// Of `topics` those that run code of users, in a sandbox; none where nobody knows.
    pub sandboxed_topics: Option<BTreeSet<String>>,
    /// The topics that a process may use that lists none itself; none where it may use all.
    pub default_topics: Option<BTreeSet<String>>,
    /// The keys of processes that are deployed already, for call activities; none where nobody knows.
    pub deployed: Option<BTreeSet<String>>,
    /// The present time, for timers' dates; none where nobody knows.
    pub now: Option<Timestamp>,
}

impl Default for GateContext {
    fn default() -> Self {
        Self {
            allowances: Vec::new(),
            topics: None,
            script_topics: SCRIPT_TOPICS.iter().map(|it| (*it).to_owned()).collect(),
            sandboxed_topics: None,
            default_topics: None,
            deployed: None,
            now: None,
        }
    }
}

/// One exception: this finding at this element of this process is known and wanted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Allowance {
    /// The process's id; empty for what lies outside of processes, such as a message's name.
    pub process: String,
    /// The id of the activity, event, gateway or sequence flow; of the process itself for what is on it.
    pub element: String,
    /// The finding's code.
    pub code: String,
    /// Why it is wanted.
    pub why: String,
}

impl GateContext {
    /// Whether a topic's work runs in a sandbox; none where nobody knows.
    pub(super) fn is_sandboxed(&self, topic: &str) -> Option<bool> {
        let is_known = self.topics.as_ref()?.contains_key(topic);
        let sandboxed = self.sandboxed_topics.as_ref()?;
        is_known.then(|| sandboxed.contains(topic))
    }

    pub(super) fn allows(&self, process: &str, element: &str, code: &str) -> Option<&Allowance> {
        self.allowances
            .iter()
            .find(|it| it.process == process && it.element == element && it.code == code)
    }
}
