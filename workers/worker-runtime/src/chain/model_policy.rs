//! The policy that a process carries in its model.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bpmn::security::{Unmet, fits};
use engine_client::EngineError;
use worker_api::{Grant, Policy, PolicyError, ProcessSecurity, SandboxLevel, TaskContext, async_trait};

use crate::backoff;
use crate::definitions::{Declared, Definition, Definitions, declared as declared_level};

/// How long an engine may be in trouble before a task whose model it has to show is given back.
const PATIENCE: Duration = Duration::from_secs(20);

/// Lets a task run where the `procos:security` of its process allows its topic, and in a sandbox that is as strict as it
/// asks for; what the process does not say is as the operator has it ([`PolicyDefaults`]). A policy that cannot be read
/// allows nothing. Topics that a task calls are held to the policy of the task's process.
///
/// The models come from the engine, once for each version, over [`Definitions`], which pools share.
#[derive(Clone, Debug)]
pub struct ModelPolicy {
    definitions: Definitions,
    defaults: PolicyDefaults,
}

/// What counts where a process does not say anything itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PolicyDefaults {
    /// The topics that a process may use that does not list any; none where it may use all.
    pub allowed_tasks: Option<BTreeSet<String>>,
    /// How strict a sandbox is at least whose process does not say it; none where what is configured for sandboxes is
    /// enough. It has no meaning for topics without a sandbox.
    pub sandbox_level: Option<SandboxLevel>,
}

impl ModelPolicy {
    /// The policy of the definitions' processes; where these say nothing, everything is allowed.
    #[must_use]
    pub fn new(definitions: Definitions) -> Self {
        Self {
            definitions,
            defaults: PolicyDefaults::default(),
        }
    }

    /// Sets what counts where a process does not say anything itself.
    #[must_use]
    pub fn defaults(mut self, defaults: PolicyDefaults) -> Self {
        self.defaults = defaults;
        self
    }

    /// The definition, as long as an engine in trouble may take to show it.
    async fn definition(&self, id: &str) -> Result<Arc<Definition>, PolicyError> {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        let mut delays = backoff::delays();
        loop {
            let error = match self.definitions.get(id).await {
                Ok(definition) => return Ok(definition),
                Err(error) => error,
            };
            let delay = delays.next().unwrap_or(backoff::LONGEST);
            let may_pass = error.is_transient() || error.is_internal();
            if !may_pass || tokio::time::Instant::now() + delay > deadline {
                return Err(unread(&error));
            }
            tokio::time::sleep(delay).await;
        }
    }

    fn grant(&self, context: &TaskContext, declared: Declared) -> Result<Grant, PolicyError> {
        let key = &context.task.process_definition_key;
        let security = match declared {
            Declared::Nothing => None,
            Declared::Security(security) => Some(security),
            Declared::Unreadable(why) => {
                return Err(PolicyError::Refused(format!(
                    "the `procos:security` of the process `{key}` cannot be read, so that none of its tasks runs: {why}; \
                     correct the model and deploy it again"
                )));
            }
        };
        let asked = self.allowed(context, security.as_deref())?;
        match fits(asked.map(declared_level), context.sandboxed) {
            Ok(()) => {}
            Err(Unmet::NeedsSandbox) => {
                return Err(PolicyError::Refused(format!(
                    "the process `{key}` gives the topic the sandboxLevel none, and the adapter `{}` runs code of users \
                     for it, which needs a sandbox; write low, medium or high, or leave sandboxLevel out",
                    context.adapter
                )));
            }
            Err(Unmet::HasNoSandbox) => {
                let level = asked.unwrap_or(SandboxLevel::None);
                return Err(PolicyError::Refused(format!(
                    "the process `{key}` asks for a sandbox of the level {level}, and the adapter `{}` has none for this \
                     topic, as it runs no code of users; write sandboxLevel=\"none\", or leave it out",
                    context.adapter
                )));
            }
        }
        let level = context
            .sandboxed
            .then(|| asked.or(self.defaults.sandbox_level))
            .flatten();
        Ok(Grant {
            sandbox_level: level,
            security,
        })
    }

    /// The sandbox level that the process asks for with the topic, where it may use it.
    fn allowed(
        &self,
        context: &TaskContext,
        security: Option<&ProcessSecurity>,
    ) -> Result<Option<SandboxLevel>, PolicyError> {
        let (key, topic) = (&context.task.process_definition_key, &context.task.topic);
        if let Some(allowed) = security.and_then(|security| security.allowed_tasks.as_ref()) {
            return allowed.get(topic).copied().ok_or_else(|| {
                PolicyError::Refused(format!(
                    "the `procos:allowedTasks` of the process `{key}` do not have the topic `{topic}`; add \
                     `<procos:task topic=\"{topic}\"/>` to them and deploy the model again, or use what they have: {}",
                    list(allowed.keys())
                ))
            });
        }
        match &self.defaults.allowed_tasks {
            Some(allowed) if !allowed.contains(topic) => Err(PolicyError::Refused(format!(
                "the process `{key}` lists no `procos:allowedTasks`, and `security.default.allowed_tasks` of the \
                 configuration does not have the topic `{topic}`; list it in the model or there, or use what is allowed: \
                 {}",
                list(allowed)
            ))),
            _ => Ok(None),
        }
    }
}

#[async_trait]
impl Policy for ModelPolicy {
    fn name(&self) -> &'static str {
        "procos:security"
    }

    async fn check(&self, context: &TaskContext) -> Result<Grant, PolicyError> {
        let definition = self.definition(&context.task.process_definition_id).await?;
        let declared = definition.policies.of(&context.task.process_definition_key);
        self.grant(context, declared)
    }
}

/// What an engine that does not show a model makes of the task.
fn unread(error: &EngineError) -> PolicyError {
    let reason = format!("the engine cannot show the task's model: {error}");
    if error.is_transient() {
        PolicyError::Unavailable(reason)
    } else if error.is_internal() {
        PolicyError::Undecided(reason)
    } else {
        PolicyError::Refused(format!(
            "{reason}; the worker's login needs to read process definitions, and deployments where models are not UTF-8"
        ))
    }
}

fn list<'a>(topics: impl IntoIterator<Item = &'a String>) -> String {
    let topics: Vec<&str> = topics.into_iter().map(String::as_str).collect();
    match topics.as_slice() {
        [] => "no topic".to_owned(),
        topics => topics.join(", "),
    }
}

#[cfg(test)]
mod tests;
