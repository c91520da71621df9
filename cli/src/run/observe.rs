//! Hears what pools do, and counts it.

use std::collections::HashMap;

use telemetry::metrics::{Metrics, Outcome, WorkerMetrics};
use worker_runtime::{Ended, Event, Observer, PoolSettings};

/// Counts what happens in the pools.
pub(super) struct PoolObserver {
    pools: HashMap<String, WorkerMetrics>,
}

impl PoolObserver {
    /// For pools that are about to start.
    pub(super) fn new(metrics: &Metrics, plans: &[PoolSettings]) -> Self {
        let pools = plans
            .iter()
            .map(|plan| {
                let metrics = metrics.worker(&plan.name, plan.topic_names());
                metrics.started();
                (plan.name.clone(), metrics)
            })
            .collect();
        Self { pools }
    }
}

impl Observer for PoolObserver {
    fn observe(&self, pool: &str, event: Event<'_>) {
        let Some(metrics) = self.pools.get(pool) else {
            return;
        };
        match event {
            Event::Started { .. } => metrics.task_started(),
            Event::Finished { task, ended, elapsed } => {
                let outcome = match ended {
                    Ended::Completed => Outcome::Completed,
                    Ended::BpmnError => Outcome::BpmnError,
                    Ended::Failed => Outcome::Failed,
                    Ended::Incident => Outcome::Incident,
                    Ended::Dropped => Outcome::Dropped,
                };
                metrics.task_finished(&task.topic, outcome, elapsed);
            }
            Event::EngineLost => metrics.fetch_failed(),
            Event::Fetched { .. } | Event::Returned | Event::EngineBack => {}
        }
    }
}
