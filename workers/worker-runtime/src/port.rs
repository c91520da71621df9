//! The process port over the engine, and over the topics of this worker.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use bytes::Bytes;
use engine_client::{
    CorrelationHit, EngineClient, EngineError, InstanceQuery, InstanceState, MessageCorrelation, RecordQuery,
    Variable, Variables as EngineVariables,
};
use tokio::sync::Mutex;
use uuid::Uuid;
use worker_api::{
    Ended, Failure, Hit, Message, Outcome, PortError, ProcessPort, Router, Signal, StartProcess, Started,
    TaskContext, TopicCall, TopicDescription, Variables, async_trait,
};

use crate::{Chain, EFFECT_VARIABLE, convert};

mod files;

use files::Files;

/// Topics may call one another this deeply.
const DEEPEST_CALL: u32 = 8;

/// Starts of the same business key wait for one another; so many others may go on meanwhile.
const STARTS_AT_ONCE: usize = 64;

/// How many of the latest instances with a business key are looked at for one without tenant.
const LOOKED_AT: usize = 50;

/// A [`ProcessPort`] over an engine. Clones share it.
///
/// It has a client of its own, since the login of a worker may be allowed nothing but to work off external tasks, as
/// on the project's own engine: its client's login has to be allowed to start processes, to correlate, and to read
/// instances, their history, and deployments.
#[derive(Clone)]
pub struct EnginePort {
    engine: EngineClient,
    topics: Option<Topics>,
    starting: Arc<Starting>,
    files: Arc<Files>,
}

/// The topics that tasks may call.
#[derive(Clone)]
struct Topics {
    router: Arc<dyn Router>,
    chain: Chain,
}

/// A lock for each business key, more or less: those of other keys may share one.
struct Starting {
    locks: [Mutex<()>; STARTS_AT_ONCE],
    hasher: RandomState,
}

impl EnginePort {
    /// A port to the engine of this client. Topics cannot be called yet.
    #[must_use]
    pub fn new(engine: EngineClient) -> Self {
        let starting = Starting {
            locks: std::array::from_fn(|_| Mutex::default()),
            hasher: RandomState::new(),
        };
        Self {
            files: Arc::new(Files::new(engine.clone())),
            engine,
            topics: None,
            starting: Arc::new(starting),
        }
    }

    /// Lets tasks call the topics that have a route, inside the given chain: that of the pools.
    #[must_use]
    pub fn with_topics(mut self, router: Arc<dyn Router>, chain: Chain) -> Self {
        self.topics = Some(Topics { router, chain });
        self
    }

    /// An instance of the process that has the business key: one that runs, else one that has ended.
    async fn existing(&self, process: &StartProcess, key: &str) -> Result<Option<String>, EngineError> {
        let tenant_id = process.tenant_id.as_deref();
        let running = InstanceQuery {
            process_definition_key: Some(&process.key),
            business_key: Some(key),
            tenant_id,
            ..InstanceQuery::default()
        };
        let running = self.engine.instances(&running).await?;
        // Without a tenant the engine tells the instances of all.
        if let Some(instance) = running
            .into_iter()
            .find(|one| one.tenant_id.as_deref() == tenant_id)
        {
            return Ok(Some(instance.id));
        }
        let over = RecordQuery {
            process_definition_key: Some(&process.key),
            business_key: Some(key),
            tenant_id,
            max_results: LOOKED_AT,
            ..RecordQuery::default()
        };
        let over = self.engine.find_instance_records(&over).await?;
        let over = over.into_iter().find(|one| one.tenant_id.as_deref() == tenant_id);
        Ok(over.map(|instance| instance.id))
    }

    /// Gives a message for one instance to what waits in it. Correlated, it would start a process that begins with it
    /// where nothing in the instance waits.
    async fn deliver(&self, message: &Message, sent: &MessageCorrelation<'_>) -> Result<Vec<Hit>, PortError> {
        let action = || format!("give the message `{}` to an instance", message.name);
        let waiting = self.engine.waiting_executions(sent).await;
        let waiting = waiting.map_err(|error| not_begun(action(), error))?;
        if waiting.len() > 1 && !message.everyone {
            return Err(ambiguous(message));
        }
        let mut hits = Vec::new();
        for execution in waiting {
            let id = &execution.id;
            match self.engine.trigger_message(id, sent.name, &sent.variables).await {
                Ok(()) => hits.push(Hit::Resumed {
                    process_instance_id: execution.process_instance_id,
                }),
                Err(error) if error.is_internal() || error.is_bad_request() => {
                    let still = self.engine.waiting_executions(sent).await;
                    let still = still.map_err(|error| not_begun(action(), error))?;
                    if still.iter().any(|one| one.id == *id) {
                        return Err(port_error(action(), error));
                    }
                    // It has gone on meanwhile.
                }
                Err(error) => return Err(port_error(action(), error)),
            }
        }
        Ok(hits)
    }

    /// Gives a message to the one that waits for it, or begins with it.
    async fn give(&self, message: &Message, sent: &MessageCorrelation<'_>) -> Result<Vec<Hit>, PortError> {
        let mut is_second_time = false;
        loop {
            let error = match self.engine.correlate(sent).await {
                Ok(hits) => return Ok(hits.into_iter().map(hit).collect()),
                Err(error) => error,
            };
            match self.refused(message, sent, error).await {
                // One waits for it all the same: it may have come between the two questions.
                PortError::Rejected { .. } if !is_second_time => is_second_time = true,
                refused => return Err(refused),
            }
        }
    }

    /// Why a message was refused.
    async fn refused(
        &self,
        message: &Message,
        sent: &MessageCorrelation<'_>,
        error: EngineError,
    ) -> PortError {
        let action = || format!("correlate the message `{}`", message.name);
        if !error.is_bad_request() {
            return port_error(action(), error);
        }
        // The engine answers 400 to no match, to several and to a wrong value alike.
        let starts = async {
            let all = self.engine.event_subscriptions("message", &message.name).await?;
            let ours = |tenant: &Option<String>| message.tenant_id.is_none() || *tenant == message.tenant_id;
            Ok(all
                .iter()
                .filter(|one| one.process_instance_id.is_none() && ours(&one.tenant_id))
                .count())
        };
        match (self.engine.waiting_for(sent).await, starts.await) {
            (Err(error), _) | (_, Err(error)) => port_error(action(), error),
            (Ok(0), Ok(0)) => no_match(message),
            (Ok(1), _) | (Ok(0), Ok(1)) => port_error(action(), error),
            (Ok(_), Ok(_)) => ambiguous(message),
        }
    }
}

impl fmt::Debug for EnginePort {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("EnginePort")
            .field("engine", &self.engine.url().as_str())
            .field("chain", &self.topics.as_ref().map(|topics| &topics.chain))
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl ProcessPort for EnginePort {
    async fn start(&self, process: StartProcess) -> Result<Started, PortError> {
        let action = || format!("start the process `{}`", process.key);
        let _alone = match (process.unless_there, &process.business_key) {
            (false, _) => None,
            (true, None) => {
                return Err(PortError::Rejected {
                    action: action(),
                    reason: "`unless_there` needs a business key to look for".to_owned(),
                });
            }
            (true, Some(key)) => {
                let alone = self.starting.alone(&process.key, key).await;
                let existing = self.existing(&process, key).await;
                if let Some(process_instance_id) = existing.map_err(|error| not_begun(action(), error))? {
                    return Ok(Started {
                        process_instance_id,
                        new: false,
                    });
                }
                Some(alone)
            }
        };
        let variables = sendable(process.variables.clone(), action).await?;
        let (tenant, key) = (process.tenant_id.as_deref(), process.business_key.as_deref());
        match self
            .engine
            .start_instance(&process.key, tenant, key, &variables)
            .await
        {
            Ok(instance) => Ok(Started {
                process_instance_id: instance.id,
                new: true,
            }),
            Err(error) if error.is_not_found() => Err(PortError::UnknownProcess {
                key: process.key,
                tenant_id: process.tenant_id,
            }),
            Err(error) => Err(port_error(action(), error)),
        }
    }

    async fn correlate(&self, message: Message) -> Result<Vec<Hit>, PortError> {
        let action = || format!("correlate the message `{}`", message.name);
        let known_by = message.once_per.as_ref().map(|id| known_by(&message.name, id));
        let _alone = match &known_by {
            None => None,
            Some(note) => {
                let alone = self.starting.alone(&message.name, note).await;
                let before = self.engine.has_variable_record(note).await;
                if before.map_err(|error| not_begun(action(), error))? {
                    return Ok(Vec::new());
                }
                Some(alone)
            }
        };
        let mut variables = sendable(message.variables.clone(), action).await?;
        if let Some(note) = known_by {
            variables.insert(note, Variable::Boolean(true));
        }
        let sent = MessageCorrelation {
            name: &message.name,
            business_key: message.business_key.as_deref(),
            tenant_id: message.tenant_id.as_deref(),
            process_instance_id: message.process_instance_id.as_deref(),
            correlation_keys: sendable(message.correlation_keys.clone(), action).await?,
            variables,
            all: message.everyone,
            ..MessageCorrelation::default()
        };
        let hits = if message.process_instance_id.is_some() {
            self.deliver(&message, &sent).await?
        } else {
            self.give(&message, &sent).await?
        };
        if hits.is_empty() {
            return Err(no_match(&message));
        }
        Ok(hits)
    }

    async fn signal(&self, signal: Signal) -> Result<(), PortError> {
        let action = || format!("throw the signal `{}`", signal.name);
        let variables = sendable(signal.variables.clone(), action).await?;
        self.engine
            .signal(&signal.name, signal.tenant_id.as_deref(), &variables)
            .await
            .map_err(|error| port_error(action(), error))
    }

    async fn call_topic(&self, caller: &TaskContext, call: TopicCall) -> Result<Outcome, PortError> {
        let route = self
            .topics
            .as_ref()
            .and_then(|topics| Some((topics, topics.router.route(&call.topic)?)));
        let Some((topics, route)) = route else {
            return Err(PortError::NoRoute { topic: call.topic });
        };
        let depth = caller.depth();
        if depth >= DEEPEST_CALL {
            return Err(PortError::TooDeep {
                topic: call.topic,
                depth,
            });
        }
        let mut context = caller.called(call, tokio::time::Instant::now().into_std());
        context.adapter.clone_from(&route.adapter_name);
        context.operation.clone_from(&route.operation);
        context.sandboxed = route.sandboxed;
        context.settings.clone_from(&route.with);
        context.timeout = route.timeout.unwrap_or(context.timeout);
        // Cancels what the called adapter has spawned when this future ends in whatever way.
        let _cancel_at_the_end = context.cancelled.clone().drop_guard();
        let run = topics.chain.run(context, route.adapter.as_ref());
        let outcome = caller.cancelled.run_until_cancelled(run).await;
        Ok(outcome.unwrap_or_else(|| Err(Failure::retryable("the calling task was given up").into())))
    }

    async fn resource(&self, caller: &TaskContext, path: &str) -> Result<Option<Bytes>, PortError> {
        let action = || format!("read the file `{path}` of the process's deployment");
        let found = self.files.find(&caller.task.process_definition_id, path).await;
        found.map_err(|error| match error {
            EngineError::TooLarge { .. } => PortError::Rejected {
                action: action(),
                reason: error.to_string(),
            },
            error => not_begun(action(), error),
        })
    }

    async fn ended(&self, process_instance_id: &str) -> Result<Option<Ended>, PortError> {
        let action = || format!("look at the process instance {process_instance_id}");
        let failed = |error: EngineError| match error.is_not_found() {
            true => PortError::Rejected {
                action: action(),
                reason: "the engine's history has no such instance".to_owned(),
            },
            false => not_begun(action(), error),
        };
        let record = self
            .engine
            .instance_record(process_instance_id)
            .await
            .map_err(failed)?;
        if !record.state.is_over() {
            return Ok(None);
        }
        let records = self.engine.variable_records(process_instance_id).await;
        let variables = records
            .map_err(failed)?
            .into_iter()
            .filter(|record| record.activity_instance_id == process_instance_id)
            .map(|record| (record.name, convert::without_content(record.value)));
        Ok(Some(Ended {
            completed: record.state == InstanceState::Completed,
            variables: variables.collect(),
        }))
    }

    fn topic(&self, topic: &str) -> Option<TopicDescription> {
        let route = self.topics.as_ref()?.router.route(topic)?;
        let topics = route.adapter.description().topics;
        topics.into_iter().find(|one| one.topic == route.operation)
    }
}

impl Starting {
    async fn alone(&self, process: &str, business_key: &str) -> tokio::sync::MutexGuard<'_, ()> {
        let hash = self.hasher.hash_one((process, business_key));
        let index = usize::try_from(hash % STARTS_AT_ONCE as u64).unwrap_or_default();
        self.locks[index].lock().await
    }
}

/// Values as the engine takes them, with the content of files.
async fn sendable(values: Variables, action: impl Fn() -> String) -> Result<EngineVariables, PortError> {
    let rejected = |failure: Failure| PortError::Rejected {
        action: action(),
        reason: failure.message,
    };
    convert::variables(values).await.map_err(rejected)
}

fn hit(hit: CorrelationHit) -> Hit {
    match hit {
        CorrelationHit::Waiting { process_instance_id } => Hit::Resumed { process_instance_id },
        CorrelationHit::Started { process_instance_id } => Hit::Started { process_instance_id },
    }
}

/// The variable by which an instance tells that a message of this id has reached it: no input of a task. The id itself may be
/// longer than a variable's name.
fn known_by(message: &str, id: &str) -> String {
    let both = format!("{}/{message}/{id}", message.len());
    let hash = Uuid::new_v5(&Uuid::NAMESPACE_OID, both.as_bytes());
    format!("{EFFECT_VARIABLE}/message/{hash}")
}

fn no_match(message: &Message) -> PortError {
    PortError::NoMatch {
        message: message.name.clone(),
        conditions: conditions(message),
    }
}

fn ambiguous(message: &Message) -> PortError {
    PortError::Ambiguous {
        message: message.name.clone(),
        conditions: conditions(message),
    }
}

/// The conditions of a message, for people.
fn conditions(message: &Message) -> String {
    let mut conditions = Vec::new();
    let mut add = |name: &str, value: &Option<String>| {
        conditions.extend(value.iter().map(|value| format!("{name} `{value}`")));
    };
    add("business key", &message.business_key);
    add("tenant", &message.tenant_id);
    add("process instance", &message.process_instance_id);
    for (name, value) in &message.correlation_keys {
        conditions.push(format!("{name} = {}", value.to_json()));
    }
    if conditions.is_empty() {
        "without any key".to_owned()
    } else {
        format!("with {}", conditions.join(", "))
    }
}

/// An error of a question before the call itself: nothing was done.
fn not_begun(action: String, error: EngineError) -> PortError {
    match port_error(action, error) {
        PortError::OutcomeUnknown { action, reason } => PortError::Unavailable { action, reason },
        error => error,
    }
}

fn port_error(action: String, error: EngineError) -> PortError {
    let reason = error
        .engine_message()
        .map_or_else(|| error.to_string(), str::to_owned);
    if error.is_unauthorized() || error.is_forbidden() {
        PortError::NotPermitted { action, reason }
    } else if error.is_ambiguous() {
        PortError::OutcomeUnknown { action, reason }
    } else if error.is_transient() || error.is_internal() && !error.is_value_too_long() {
        PortError::Unavailable { action, reason }
    } else {
        PortError::Rejected { action, reason }
    }
}

#[cfg(test)]
mod tests;
