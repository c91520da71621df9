//! The worker pools of this process.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use adapter_catalog::Catalogue;
use engine_client::EngineClient;
use futures::future::join_all;
use serde::Serialize;
use worker_api::{Dispatch, Inbound, ProcessPort, Router};
use worker_runtime::{
    Chain, Definitions, DrainReport, EnginePort, InboundHealth, Inbounds, ModelPolicy, Observer,
    PolicyDefaults, PoolSettings, Subscription, WorkerPool,
};

use crate::config::Config;
use crate::context::{Context, Role, connect_as};
use crate::exit::Trouble;

/// How long running tasks may take to end when the workers stop. What is not done by then is unlocked, for another
/// worker or the next start.
pub(super) const DRAIN: Duration = Duration::from_secs(20);

/// How long what has arrived may take to get into the engine when the workers stop.
const DRAIN_INBOUNDS: Duration = Duration::from_secs(5);

/// The pools that run here, and what brings things in from outside.
pub(super) struct Pools {
    running: Mutex<Vec<Running>>,
    inbounds: Mutex<Option<Inbounds>>,
}

struct Running {
    pool: WorkerPool,
    plan: PoolSettings,
}

/// What pools have around them.
pub(super) struct Site {
    /// The workers' own way to the engine.
    pub(super) engine: EngineClient,
    /// What tasks start, correlate and throw goes here: the workers' own login may not do that.
    pub(super) steering: EngineClient,
    /// The adapters.
    pub(super) catalogue: Arc<Catalogue>,
    /// Who hears what happens.
    pub(super) observer: Arc<dyn Observer>,
    /// Where worker ids are kept.
    pub(super) journal: PathBuf,
    /// What a task may do whose process says nothing of it.
    pub(super) defaults: PolicyDefaults,
    /// What brings things in from outside, or tells them.
    pub(super) inbounds: Vec<Arc<dyn Inbound>>,
}

impl Site {
    /// That of this configuration, without an observer.
    ///
    /// # Errors
    /// Where there is no login.
    pub(super) fn new(
        context: &Context,
        catalogue: &Arc<Catalogue>,
        inbounds: Vec<Arc<dyn Inbound>>,
    ) -> Result<Self, Trouble> {
        let config = &context.config;
        Ok(Self {
            engine: connect_as(config, Role::Worker)?,
            steering: connect_as(config, Role::Kernel)?,
            catalogue: Arc::clone(catalogue),
            observer: Arc::new(()),
            journal: config.settings().data_dir.join("workers"),
            defaults: config.settings().security.defaults(),
            inbounds,
        })
    }
}

/// How a pool is.
#[derive(Debug, Serialize)]
pub(super) struct PoolHealth {
    /// Its name.
    pub(super) name: String,
    /// Whether it takes tasks.
    pub(super) ready: bool,
    /// How many tasks it can run at once.
    pub(super) capacity: usize,
    /// How many it has locked: those that run, those locked ahead, and those whose reports are under way.
    pub(super) in_flight: usize,
}

/// What each of the configured pools is to do, or only that of a name. Those that are dispatched take `offers`.
///
/// # Errors
/// Where there is no pool of that name, or a topic has no route.
pub(super) fn plan(
    config: &Config,
    router: &dyn Router,
    offers: Option<&Arc<dyn Dispatch>>,
    only: Option<&str>,
) -> Result<Vec<PoolSettings>, Trouble> {
    let workers = &config.settings().workers;
    let mut plans = Vec::new();
    for (index, pool) in workers.pools.iter().enumerate() {
        if only.is_some_and(|only| only != pool.name) {
            continue;
        }
        let topics = config.topics_of(index, router)?;
        if topics.is_empty() {
            return Err(config
                .wrong(
                    &format!("workers.pools[{index}].topics"),
                    format!(
                        "no topic is left for pool `{}`: other pools name them all",
                        pool.name
                    ),
                )
                .into());
        }
        let subscriptions = topics.into_iter().map(|topic| Subscription {
            limit: pool.limits.get(&topic).copied().map(usize::from),
            ..Subscription::new(topic)
        });
        let mut plan = PoolSettings::new(&pool.name, subscriptions);
        plan.capacity = pool.capacity.into();
        plan.prefetch = pool.prefetch.map(usize::from);
        plan.priorities = pool.priorities;
        plan.offers = offers.filter(|_| pool.dispatched).cloned();
        plan.lock_duration = workers.lock_duration;
        plan.default_timeout = workers.default_timeout;
        plan.retry = workers.retry.clone();
        plans.push(plan);
    }
    match only {
        Some(only) if plans.is_empty() => {
            let names: Vec<&str> = workers.pools.iter().map(|pool| pool.name.as_str()).collect();
            Err(Trouble::usage(format!(
                "there is no pool `{only}`; workers.pools has: {}",
                names.join(", ")
            )))
        }
        _ => Ok(plans),
    }
}

impl Pools {
    /// Starts them, with one chain around all their tasks. They wait for the engine where it is not there yet.
    ///
    /// # Errors
    /// Where the settings make no sense or the data directory cannot be written to.
    pub(super) fn start(plans: Vec<PoolSettings>, site: Site) -> Result<Self, Trouble> {
        let Site {
            engine,
            steering,
            catalogue,
            observer,
            journal,
            defaults,
            inbounds,
        } = site;
        let router: Arc<dyn Router> = catalogue as _;
        // Models that are not UTF-8 are in the deployments, which the workers' own login may not read.
        let definitions = Definitions::new(steering.clone());
        let chain = Chain::builder()
            .policy(ModelPolicy::new(definitions.clone()).defaults(defaults))
            .routes(&router)
            .build();
        let processes: Arc<dyn ProcessPort> =
            Arc::new(EnginePort::new(steering).with_topics(Arc::clone(&router), chain.clone()));
        let start = |mut plan: PoolSettings| {
            plan.chain = chain.clone();
            plan.definitions = Some(definitions.clone());
            plan.processes = Arc::clone(&processes);
            let pool = WorkerPool::start(
                engine.clone(),
                plan.clone(),
                Arc::clone(&router),
                Arc::clone(&observer),
                Some(journal.clone()),
            )
            .map_err(|error| Trouble::usage(error.to_string()))?;
            Ok(Running { pool, plan })
        };
        let running = plans.into_iter().map(start).collect::<Result<_, Trouble>>()?;
        let inbounds = Inbounds::start(inbounds, &processes);
        Ok(Self {
            running: Mutex::new(running),
            inbounds: Mutex::new(Some(inbounds)),
        })
    }

    /// How they are.
    pub(super) fn health(&self) -> Vec<PoolHealth> {
        self.running()
            .iter()
            .map(|Running { pool, plan }| PoolHealth {
                name: plan.name.clone(),
                ready: pool.is_ready(),
                capacity: plan.capacity,
                in_flight: pool.in_flight(),
            })
            .collect()
    }

    /// How many tasks are in flight, in all of them.
    pub(super) fn in_flight(&self) -> usize {
        self.running()
            .iter()
            .map(|running| running.pool.in_flight())
            .sum()
    }

    /// How what brings things in is.
    pub(super) fn inbounds(&self) -> Vec<InboundHealth> {
        let inbounds = self.inbounds.lock().unwrap_or_else(PoisonError::into_inner);
        inbounds.as_ref().map(Inbounds::health).unwrap_or_default()
    }

    /// Stops what brings things in, then all pools at once: no new tasks, [`DRAIN`] for those in flight.
    pub(super) async fn stop(&self) -> DrainReport {
        let inbounds = self
            .inbounds
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(inbounds) = inbounds {
            for name in inbounds.stop(DRAIN_INBOUNDS).await {
                tracing::warn!(
                    inbound = name,
                    "it did not end in time; what it had taken comes again"
                );
            }
        }
        let running = std::mem::take(&mut *self.running());
        let reports = join_all(running.into_iter().map(|running| running.pool.stop(DRAIN))).await;
        reports
            .into_iter()
            .fold(DrainReport::default(), |sum, report| DrainReport {
                finished: sum.finished + report.finished,
                given_up: sum.given_up + report.given_up,
                returned: sum.returned + report.returned,
            })
    }

    fn running(&self) -> MutexGuard<'_, Vec<Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
