//! Every metric of the system: its name, its labels and what it means, in one place.
//!
//! Labels are bounded, whatever models and people come up with: topics are those of the pools' configuration,
//! waiting topics are counted up to [`MAX_SERIES`], the rest goes to `other`.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use prometheus::{
    Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
    TextEncoder,
};

/// The content type of [`Metrics::render`]'s answer.
pub const CONTENT_TYPE: &str = prometheus::TEXT_FORMAT;

/// How many process keys, and how many waiting topics, get a series of their own.
pub const MAX_SERIES: usize = 1000;

const OTHER: &str = "other";

/// From an in-memory answer to a batch of minutes, in seconds.
const BUCKETS: [f64; 17] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0,
];

/// All metrics of one process of ours. Clones share them.
#[derive(Clone)]
pub struct Metrics {
    registry: Registry,
    durations: HistogramVec,
    tasks: IntCounterVec,
    active: IntGaugeVec,
    in_flight: IntGaugeVec,
    fetch_errors: IntCounterVec,
    engine_up: IntGauge,
    engine_restarts: IntCounter,
    backlog: IntGaugeVec,
    phase: IntGaugeVec,
    known: Arc<Mutex<Known>>,
}

/// Which labels are in use.
#[derive(Default)]
struct Known {
    waiting: HashSet<String>,
    phase: Option<String>,
}

impl Metrics {
    /// All metrics at zero, in a registry of their own.
    ///
    /// # Errors
    /// Two metrics of one name: a mistake in this file, which its tests find.
    pub fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let counters = |name, help, labels: &[&str]| {
            let metric = IntCounterVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(metric.clone())).map(|()| metric)
        };
        let gauges = |name, help, labels: &[&str]| {
            let metric = IntGaugeVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(metric.clone())).map(|()| metric)
        };
        let metrics = Self {
            durations: HistogramVec::new(
                HistogramOpts::new(
                    "procos_external_task_duration_seconds",
                    "How long the work of an external task took, from its start in the worker to the outcome",
                )
                .buckets(BUCKETS.to_vec()),
                &["task_topic", "worker_type"],
            )?,
            tasks: counters(
                "procos_external_tasks_total",
                "Attempts at external tasks, by how they ended",
                &["task_topic", "worker_type", "outcome"],
            )?,
            active: gauges(
                "procos_active_workers",
                "Worker pools that are running, by worker type",
                &["worker_type"],
            )?,
            in_flight: gauges(
                "procos_tasks_in_flight",
                "External tasks that are being worked on now",
                &["worker_type"],
            )?,
            fetch_errors: counters(
                "procos_fetch_errors_total",
                "Times that the engine stopped answering a worker pool's fetches",
                &["worker_type"],
            )?,
            engine_up: IntGauge::new("procos_engine_up", "Whether the engine answers: 1 yes, 0 no")?,
            engine_restarts: IntCounter::new(
                "procos_engine_restarts_total",
                "Times that the engine was started again after it had ended",
            )?,
            backlog: gauges(
                "procos_backlog_tasks",
                "External tasks that wait for a worker: not locked, with retries left",
                &["task_topic"],
            )?,
            phase: gauges(
                "procos_kernel_phase",
                "The kernel's phase: 1 for the one that it is in",
                &["phase"],
            )?,
            known: Arc::default(),
            registry: registry.clone(),
        };
        registry.register(Box::new(metrics.durations.clone()))?;
        registry.register(Box::new(metrics.engine_up.clone()))?;
        registry.register(Box::new(metrics.engine_restarts.clone()))?;
        Ok(metrics)
    }

    /// The metrics of one worker pool, with every series that its topics can have: recording into it looks up
    /// one topic and takes no lock.
    pub fn worker<T: AsRef<str>>(
        &self,
        worker_type: &str,
        topics: impl IntoIterator<Item = T>,
    ) -> WorkerMetrics {
        let series = |topic: &str| Series {
            duration: self.durations.with_label_values(&[topic, worker_type]),
            outcomes: Outcome::ALL.map(|it| self.tasks.with_label_values(&[topic, worker_type, it.name()])),
        };
        WorkerMetrics {
            topics: topics
                .into_iter()
                .map(|it| (it.as_ref().to_owned(), series(it.as_ref())))
                .collect(),
            other: series(OTHER),
            active: self.active.with_label_values(&[worker_type]),
            in_flight: self.in_flight.with_label_values(&[worker_type]),
            fetch_errors: self.fetch_errors.with_label_values(&[worker_type]),
        }
    }

    /// Says whether the engine answers.
    pub fn engine_up(&self, up: bool) {
        self.engine_up.set(up.into());
    }

    /// Counts a start of the engine after it had ended.
    pub fn engine_restarted(&self) {
        self.engine_restarts.inc();
    }

    /// Says how many tasks wait for each topic. Topics that are no longer named have no series any more; a topic
    /// named twice counts as the sum.
    pub fn backlog<'a>(&self, waiting: impl IntoIterator<Item = (&'a str, u64)>) {
        self.known(|known| {
            let mut sums: BTreeMap<&str, u64> = BTreeMap::new();
            for (topic, tasks) in waiting {
                let full = sums.len() >= MAX_SERIES && !sums.contains_key(topic);
                let sum = sums.entry(if full { OTHER } else { topic }).or_default();
                *sum = sum.saturating_add(tasks);
            }
            for gone in known.waiting.iter().filter(|it| !sums.contains_key(it.as_str())) {
                // Fails only for a series that is not there.
                let _ = self.backlog.remove_label_values(&[gone]);
            }
            known.waiting = sums.keys().map(|&it| it.to_owned()).collect();
            for (topic, tasks) in sums {
                self.backlog
                    .with_label_values(&[topic])
                    .set(i64::try_from(tasks).unwrap_or(i64::MAX));
            }
        });
    }

    /// Says which phase the kernel is in, by its name.
    pub fn kernel_phase(&self, phase: &str) {
        self.known(|known| {
            if let Some(previous) = known.phase.replace(phase.to_owned()) {
                self.phase.with_label_values(&[&previous]).set(0);
            }
            self.phase.with_label_values(&[phase]).set(1);
        });
    }

    /// All metrics in Prometheus' text format; serve it as [`CONTENT_TYPE`].
    pub fn render(&self) -> String {
        TextEncoder::new()
            .encode_to_string(&self.registry.gather())
            .unwrap_or_else(|error| {
                tracing::error!(%error, "the metrics cannot be rendered");
                String::new()
            })
    }

    fn known<T>(&self, change: impl FnOnce(&mut Known) -> T) -> T {
        change(&mut self.known.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The metrics of one worker pool.
pub struct WorkerMetrics {
    topics: HashMap<String, Series>,
    other: Series,
    active: IntGauge,
    in_flight: IntGauge,
    fetch_errors: IntCounter,
}

struct Series {
    duration: Histogram,
    outcomes: [IntCounter; Outcome::ALL.len()],
}

impl WorkerMetrics {
    /// The pool has begun to work.
    pub fn started(&self) {
        self.active.inc();
    }

    /// The pool has stopped.
    pub fn stopped(&self) {
        self.active.dec();
    }

    /// An attempt at a task begins.
    pub fn task_started(&self) {
        self.in_flight.inc();
    }

    /// An attempt at a task is over: how it ended and how long the work took. A topic that the pool was not
    /// given counts as `other`.
    pub fn task_finished(&self, topic: &str, outcome: Outcome, took: Duration) {
        let series = self.topics.get(topic).unwrap_or(&self.other);
        series.duration.observe(took.as_secs_f64());
        series.outcomes[outcome as usize].inc();
        self.in_flight.dec();
    }

    /// The engine has stopped answering the pool's fetches.
    pub fn fetch_failed(&self) {
        self.fetch_errors.inc();
    }
}

/// How an attempt at an external task ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The task is done.
    Completed,
    /// It failed, and there will be another attempt.
    Failed,
    /// A BPMN error was thrown in the process.
    BpmnError,
    /// Nothing was reported: the lock was lost, the task is gone, or the worker stops.
    Dropped,
    /// It failed for good: an incident.
    Incident,
}

impl Outcome {
    /// In the order of their values, which index [`Series::outcomes`].
    const ALL: [Self; 5] = [
        Self::Completed,
        Self::Failed,
        Self::BpmnError,
        Self::Dropped,
        Self::Incident,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::BpmnError => "bpmn_error",
            Self::Dropped => "dropped",
            Self::Incident => "incident",
        }
    }
}
