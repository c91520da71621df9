//! All that the engine knows: definitions, instances, and what time it is.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use tokio::time::{Duration, Instant};

use super::answer::Refused;
use super::instance::{Definition, Instance, Task};
use super::process::LinearProcess;
use super::value::Scope;

/// The engine's memory.
#[derive(Debug)]
pub(super) struct State {
    pub(super) definitions: Vec<Arc<Definition>>,
    /// In the order of their start.
    pub(super) instances: Vec<Instance>,
    /// Whether a BPMN error that nothing catches is an error of the call; else it ends the instance.
    pub(super) uncaught_is_error: bool,
    /// Set where a task has been inserted or unlocked: pending polls are looked at again then.
    pub(super) woken: bool,
    begun: Instant,
    epoch: Timestamp,
}

impl State {
    pub(super) fn new() -> Self {
        Self {
            definitions: Vec::new(),
            instances: Vec::new(),
            uncaught_is_error: true,
            woken: false,
            begun: Instant::now(),
            epoch: Timestamp::now(),
        }
    }

    /// A moment of tokio's clock as a date.
    pub(super) fn date(&self, moment: Instant) -> Timestamp {
        let elapsed = SignedDuration::try_from(moment.saturating_duration_since(self.begun));
        self.epoch
            .checked_add(elapsed.unwrap_or_default())
            .unwrap_or(self.epoch)
    }

    /// Deploys the next version of a process and gives its definition's id.
    pub(super) fn deploy(&mut self, process: LinearProcess) -> String {
        let earlier = self
            .definitions
            .iter()
            .filter(|it| it.process.key == process.key && it.process.tenant == process.tenant);
        let version = u32::try_from(earlier.count())
            .unwrap_or(u32::MAX)
            .saturating_add(1);
        let id = format!(
            "{}:{version}:definition-{}",
            process.key,
            self.definitions.len() + 1
        );
        self.definitions.push(Arc::new(Definition {
            id: id.clone(),
            version,
            process,
        }));
        id
    }

    /// The latest version of a key.
    pub(super) fn latest(&self, key: &str, tenant: Option<&str>) -> Option<Arc<Definition>> {
        let is_it = |it: &&Arc<Definition>| it.process.key == key && it.process.tenant.as_deref() == tenant;
        self.definitions.iter().rev().find(is_it).cloned()
    }

    pub(super) fn definition(&self, id: &str) -> Option<Arc<Definition>> {
        self.definitions.iter().find(|it| it.id == id).cloned()
    }

    /// Starts an instance and gives its id.
    pub(super) fn start(
        &mut self,
        definition: Arc<Definition>,
        business_key: Option<String>,
        variables: Scope,
    ) -> Result<String, Refused> {
        let id = format!("instance-{}", self.instances.len() + 1);
        let instance = Instance::start(id.clone(), definition, business_key, variables, Instant::now())?;
        self.woken |= instance.task.is_some();
        self.instances.push(instance);
        Ok(id)
    }

    /// An instance, running or ended.
    pub(super) fn instance(&self, id: &str) -> Option<&Instance> {
        self.instances.iter().find(|it| it.id == id)
    }

    pub(super) fn running(&self, id: &str) -> Option<&Instance> {
        self.instance(id).filter(|it| !it.is_over())
    }

    /// The open tasks, with their instances.
    pub(super) fn tasks(&self) -> impl Iterator<Item = (&Instance, &Task)> {
        self.instances
            .iter()
            .filter_map(|instance| Some((instance, instance.task.as_ref()?)))
    }

    pub(super) fn task(&self, id: &str) -> Option<(&Instance, &Task)> {
        self.tasks().find(|(_, task)| task.id == id)
    }

    /// Changes the instance for which `is_it`: wholly, or not at all where the change is refused.
    pub(super) fn change(
        &mut self,
        is_it: impl Fn(&Instance) -> bool,
        change: impl FnOnce(&mut Instance, Instant) -> Result<(), Refused>,
    ) -> Option<Result<(), Refused>> {
        let instance = self.instances.iter_mut().find(|it| !it.is_over() && is_it(it))?;
        let mut changed = instance.clone();
        if let Err(refused) = change(&mut changed, Instant::now()) {
            return Some(Err(refused));
        }
        let task = |instance: &Instance| instance.task.as_ref().map(|task| task.id.clone());
        self.woken |= changed.task.is_some() && task(&changed) != task(instance);
        *instance = changed;
        Some(Ok(()))
    }
}

/// Milliseconds as the REST API gives them.
pub(super) fn millis(millis: i64) -> Duration {
    // Longer than any test: additions to an Instant stay within its range.
    const LONGEST: u64 = 1000 * 60 * 60 * 24 * 365 * 100;
    Duration::from_millis(u64::try_from(millis).unwrap_or(0).min(LONGEST))
}
